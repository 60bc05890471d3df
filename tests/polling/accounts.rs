//! What an account is over time: whether its inventory is complete, and whether it is in an outage.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tempfile::TempDir;
use tencentcloud_cam_exporter::{
    clock::Clock,
    simulator::{Behaviour, Caller, Fault, Key, Member, Population, Rejection, Role, Simulator, Times, User},
    web::Reloader,
};
use tokio::{task::yield_now, time::sleep};

use crate::harness::{Running, TestClock, Wire, changing_exporter};

const CALLER: u64 = 100_000_000_001;
const FIRST: u64 = 100_013_000_001;

/// The interval of the configurations here, where they do not say otherwise.
const INTERVAL: i64 = 300;

/// Series as they are printed, with their values.
struct Shown(BTreeMap<String, f64>);

struct World {
    clock: Arc<TestClock>,
    simulator: Arc<Simulator>,
    config: Arc<Mutex<String>>,
    folder: TempDir,
}

struct Exporter {
    running: Running,
    reloader: Reloader,
    clock: Arc<TestClock>,
    /// Accounts that were complete.
    complete: Mutex<BTreeSet<String>>,
}

// === impl Shown ===

impl Shown {
    fn get(&self, family: &str, labels: &str) -> Option<f64> {
        self.0.get(&format!("tencentcloud_cam_{family}{{{labels}}}")).copied()
    }

    fn of_account(&self, family: &str) -> Option<f64> {
        self.get(family, r#"account="prod""#)
    }

    fn of_user(&self, family: &str, number: u64) -> Option<f64> {
        self.get(family, &format!(r#"account="prod",uin="{}""#, FIRST + number))
    }

    fn complete(&self) -> Option<f64> {
        self.get("account_inventory_complete", r#"account="prod",shard="0""#)
    }

    fn outage(&self) -> Option<f64> {
        self.of_account("account_outage")
    }

    /// The series of a family in an account, each by its further labels.
    fn series<'a>(&'a self, family: &str, account: &str) -> impl Iterator<Item = (&'a str, f64)> + use<'a> {
        let prefix = format!(r#"tencentcloud_cam_{family}{{account="{account}""#);
        self.0.iter().filter_map(move |(series, value)| Some((series.strip_prefix(&prefix)?, *value)))
    }

    /// The users who have a series of the family.
    fn users<'a>(&'a self, family: &str, account: &str) -> BTreeSet<&'a str> {
        self.series(family, account).map(|(labels, _)| label(labels, "uin").unwrap()).collect()
    }

    /// The one series of the family in that account, by its further labels.
    fn of_member<'a>(&'a self, family: &str, member: u64) -> Option<(&'a str, f64)> {
        self.series(family, &member.to_string()).next()
    }

    fn newest_success(&self) -> f64 {
        self.series("user_last_success_timestamp_seconds", "prod").map(|(_, value)| value).fold(0.0, f64::max)
    }

    fn successes_since(&self, time: f64) -> usize {
        self.series("user_last_success_timestamp_seconds", "prod").filter(|(_, success)| *success >= time).count()
    }

    /// What holds of every account at every moment.
    fn check(&self) {
        for account in self.accounts() {
            let number = |family: &str| self.get(family, &format!(r#"account="{account}""#));
            let count = |family: &str| self.series(family, account).count();
            assert_eq!(count("account_inventory_complete"), 1, "{account}");
            let answered = self.users("user_last_success_timestamp_seconds", account);
            let unanswered = number("account_users").unwrap() - as_f64(answered.len());
            assert_near(number("account_users_unanswered").unwrap(), unanswered);
            for status in ["Active", "Inactive", "Unknown"] {
                let of_users = self.series("access_keys", account).filter(|(labels, _)| labels.contains(status));
                let sum = self.get("account_access_keys", &format!(r#"account="{account}",status="{status}""#));
                assert_near(sum.unwrap(), of_users.map(|(_, keys)| keys).sum());
            }
            for family in ["access_keys", "access_key_created_timestamp_seconds", "access_key_finding"] {
                assert!(self.users(family, account).is_subset(&answered), "{family} before an answer");
            }
            for (labels, up) in self.series("user_up", account) {
                let of = |family: &str| {
                    self.series(family, account).find(|(other, _)| *other == labels).map(|(_, value)| value)
                };
                let since = of("user_failing_since_timestamp_seconds");
                assert_eq!(since.is_some(), up < 0.5, "{labels}");
                let success = of("user_last_success_timestamp_seconds");
                assert!(since.is_none() || success.is_none() || since == success, "{labels}: {since:?}, {success:?}");
                assert!(up < 0.5 || of("user_missing").is_none(), "{labels}");
            }
            if let Some(known) = number("account_last_used_complete") {
                let all = count("access_key_never_used") == count("access_key_created_timestamp_seconds");
                assert_eq!(known > 0.5, all, "{account}");
            }
        }
    }

    fn accounts(&self) -> impl Iterator<Item = &str> {
        let of = |series: &String| series.starts_with("tencentcloud_cam_account_users{");
        self.0.keys().filter(move |series| of(series)).map(|series| label(series, "account").unwrap())
    }
}

fn label<'a>(series: &'a str, name: &str) -> Option<&'a str> {
    series.split_once(&format!("{name}=\""))?.1.split('"').next()
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn as_f64(number: usize) -> f64 {
    number as f64
}

fn assert_near(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-9, "{one} is not {other}");
}

// === impl World ===

impl World {
    /// So many users with a key each, called user-0 and so on.
    fn of(users: u64) -> Self {
        let clock = TestClock::at("2026-01-01T00:00:00Z");
        let caller = Caller { uin: CALLER, credential: Population::demo_credential() };
        let users = (0..users).map(|number| (FIRST + number, user(number))).collect();
        let simulator = Simulator::new(Arc::clone(&clock) as _, Population { callers: vec![caller], users });
        let (config, folder) = (Arc::default(), tempfile::tempdir().unwrap());
        Self { clock, simulator: Arc::new(simulator), config, folder }
    }

    /// An account with these fields.
    fn set(&self, fields: &str, top: &str) {
        *self.config.lock() = format!("accounts: [{{name: prod, {fields}, credentials: {{env: {{}}}}}}]\n{top}\n");
    }

    fn state_file(&self) -> String {
        format!("state_file: {}", self.folder.path().join("state").display())
    }

    /// Starts an exporter, and shows its first scrape, from before it has asked anything.
    async fn start(&self) -> (Exporter, Shown) {
        let wire = Wire::to(&self.simulator, Duration::from_millis(100));
        let app = changing_exporter(&self.config, Arc::clone(&self.clock) as _, wire);
        let reloader = app.reloader();
        let running = Running::start(app);
        let exporter = Exporter { running, reloader, clock: Arc::clone(&self.clock), complete: Mutex::default() };
        let asked = self.simulator.arrivals().len();
        loop {
            let shown = exporter.shown().await;
            // What it knew before is restored, and it begins to poll.
            if shown.of_account("account_rate_limit_requests_per_second").is_some() {
                assert_eq!(self.simulator.arrivals().len(), asked);
                return (exporter, shown);
            }
            yield_now().await;
        }
    }

    fn fail(&self, number: u64, code: &str) {
        self.simulator.inject(Some(FIRST + number), error(code), Times::UntilCleared);
    }

    fn fail_all(&self, code: &str) {
        self.simulator.inject(None, error(code), Times::UntilCleared);
    }

    fn behave(&self, number: u64, behaviour: Behaviour) {
        self.simulator.edit(|population| population.users.get_mut(&(FIRST + number)).unwrap().behaviour = behaviour);
    }
}

fn user(number: u64) -> User {
    let made: Timestamp = "2025-06-01T00:00:00Z".parse().unwrap();
    User::with_keys([Key::new(format!("AKID{number:032}"), "Active", made)]).named(format!("user-{number}"))
}

fn error(code: &str) -> Fault {
    Fault::Error(Rejection::new(code, "not today"))
}

fn uins(users: u64) -> String {
    format!("uins: {:?}", (FIRST..FIRST + users).collect::<Vec<_>>())
}

// === impl Exporter ===

impl Exporter {
    async fn shown(&self) -> Shown {
        let shown = Shown(self.running.scrape().await);
        shown.check();
        let mut complete = self.complete.lock();
        for account in shown.accounts() {
            let is_complete = shown.series("account_inventory_complete", account).all(|(_, value)| value > 0.5);
            assert!(is_complete || !complete.contains(account), "{account} is complete no more");
            if is_complete {
                complete.insert(account.to_owned());
            }
        }
        shown
    }

    /// Scrapes once a second until `holds`, which is `what` should come about; each scrape before must be as `meanwhile` says.
    async fn until_while(
        &self,
        what: &str,
        holds: impl Fn(&Shown) -> bool,
        meanwhile: impl Fn(&Shown) -> bool,
    ) -> Shown {
        for _ in 0..4 * 3_600 {
            let shown = self.shown().await;
            if holds(&shown) {
                return shown;
            }
            assert!(meanwhile(&shown), "not meanwhile, until {what}: {:#?}", shown.0);
            sleep(Duration::from_secs(1)).await;
        }
        panic!("never {what}: {:#?}", self.shown().await.0);
    }

    async fn until(&self, what: &str, holds: impl Fn(&Shown) -> bool) -> Shown {
        self.until_while(what, holds, |_| true).await
    }

    /// What is shown after so many seconds, in each of which it is as `meanwhile` says.
    async fn for_seconds(&self, seconds: i64, meanwhile: impl Fn(&Shown) -> bool) -> Shown {
        let end = self.now() + seconds;
        self.until_while("the time is over", |_| self.now() >= end, meanwhile).await
    }

    fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// Seconds since a time that a series has.
    #[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
    fn since(&self, time: f64) -> f64 {
        self.now() as f64 - time
    }
}

impl Deref for Exporter {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

/// Whether so many seconds are `expected`, where times are in whole seconds and scrapes a second apart.
fn assert_seconds(seconds: f64, expected: i64) {
    let expected = Duration::from_secs(expected.try_into().unwrap()).as_secs_f64();
    assert!((expected - 1.0..=expected + 2.0).contains(&seconds), "{seconds} s rather than {expected} s");
}

#[tokio::test(start_paused = true)]
async fn an_outage_begins_after_two_intervals_and_ends_when_each_user_was_polled() {
    let world = World::of(5);
    world.set(&uins(5), "");
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(0.0), None));
    assert_eq!(first.of_account("account_users_unanswered"), Some(5.0));
    // Neither is known before the last of them.
    let shown = exporter
        .until_while(
            "complete",
            |shown| shown.complete() == Some(1.0),
            |shown| shown.outage().is_none() && shown.series("user_up", "prod").count() < 5,
        )
        .await;
    assert_eq!((shown.outage(), shown.of_account("account_users_unanswered")), (Some(0.0), Some(0.0)));

    exporter.for_seconds(3 * INTERVAL, |shown| shown.outage() == Some(0.0)).await;
    world.fail_all("InternalError");
    let shown = exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    assert_seconds(exporter.since(shown.newest_success()), 2 * INTERVAL);
    let shown = exporter.for_seconds(INTERVAL, |shown| shown.outage() == Some(1.0)).await;
    assert_eq!(shown.users("user_failing_since_timestamp_seconds", "prod").len(), 5);

    world.simulator.clear();
    let before = shown.newest_success() + 1.0;
    let shown = exporter
        .until_while("no outage", |shown| shown.outage() == Some(0.0), |shown| shown.successes_since(before) < 5)
        .await;
    assert_eq!(shown.successes_since(before), 5);
    assert_eq!(shown.users("user_failing_since_timestamp_seconds", "prod").len(), 0);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_again_is_one_and_nobody_waits_for_an_hour() {
    let world = World::of(6);
    world.set(&uins(6), "");
    let (exporter, _) = world.start().await;
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    // Refused like that, a user is asked ever less often.
    (0..6).for_each(|number| world.behave(number, Behaviour::Denied));
    let shown = exporter.for_seconds(3 * 3_600, |_| true).await;
    assert_eq!(shown.outage(), Some(1.0));
    (1..6).for_each(|number| world.behave(number, Behaviour::Answers));
    let before = shown.newest_success() + 1.0;
    let shown = exporter.until("no outage", |shown| shown.outage() == Some(0.0)).await;
    let successes = shown.series("user_last_success_timestamp_seconds", "prod").map(|(_, success)| success);
    let first = successes.filter(|success| *success >= before).fold(f64::INFINITY, f64::min);
    assert!(exporter.since(first) < 10.0, "{} s", exporter.since(first));
    assert_eq!((shown.successes_since(before), shown.of_user("user_up", 0)), (5, Some(0.0)));
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_an_outage_knows_nothing_until_two_intervals_are_over() {
    let world = World::of(3);
    world.set(&uins(3), "");
    world.fail_all("InternalError");
    let (exporter, _) = world.start().await;
    let began = exporter.now();
    let shown = exporter.until("complete", |shown| shown.complete() == Some(1.0)).await;
    assert_eq!((shown.outage(), shown.of_account("account_users_unanswered")), (None, Some(3.0)));
    let first_failure = shown.of_user("user_failing_since_timestamp_seconds", 0).unwrap();
    let shown =
        exporter.until_while("an outage", |shown| shown.outage() == Some(1.0), |shown| shown.outage().is_none()).await;
    assert_eq!(exporter.now() - began, 2 * INTERVAL);
    assert_eq!(shown.of_user("user_failing_since_timestamp_seconds", 0), Some(first_failure));
    assert!(exporter.since(first_failure) > 1.9 * 300.0);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn users_that_could_never_be_listed_leave_the_account_incomplete() {
    let world = World::of(2);
    world.set(&format!("{}, discover: {{interval: 1m}}", uins(1)), "");
    world.simulator.inject_into("ListUsers", error("AuthFailure.UnauthorizedOperation"), Times::UntilCleared);
    let (exporter, _) = world.start().await;
    let up = |shown: &Shown| shown.of_user("user_up", 0) == Some(1.0);
    exporter.until("polled", up).await;
    let unknown = |shown: &Shown| shown.complete() == Some(0.0) && shown.outage().is_none();
    exporter.for_seconds(5 * INTERVAL, unknown).await;
    world.simulator.clear();
    let shown = exporter.until_while("complete", |shown| shown.complete() == Some(1.0), unknown).await;
    assert_eq!((shown.outage(), shown.users("user_up", "prod").len()), (Some(0.0), 2));
    // A list that fails later changes nothing.
    world.simulator.inject_into("ListUsers", error("AuthFailure.UnauthorizedOperation"), Times::UntilCleared);
    exporter.until("a list that failed", |shown| shown.of_account("account_user_discovery_up") == Some(0.0)).await;
    exporter.for_seconds(3 * INTERVAL, |shown| shown.complete() == Some(1.0) && shown.outage() == Some(0.0)).await;
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_list_and_users_it_is_an_outage_at_once() {
    let world = World::of(3);
    world.set("discover: {interval: 1m}", "");
    world.simulator.inject_into("ListUsers", error("AuthFailure.UnauthorizedOperation"), Times::UntilCleared);
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(0.0), None));
    let shown =
        exporter.until("a list that failed", |shown| shown.of_account("account_user_discovery_up") == Some(0.0)).await;
    assert_eq!((shown.outage(), shown.of_account("account_up")), (Some(1.0), Some(0.0)));
    exporter.for_seconds(3 * INTERVAL, |shown| shown.outage() == Some(1.0) && shown.complete() == Some(0.0)).await;
    world.simulator.clear();
    let shown = exporter
        .until_while(
            "no outage",
            |shown| shown.outage() == Some(0.0),
            |shown| shown.outage() == Some(1.0) && shown.users("user_up", "prod").len() < 3,
        )
        .await;
    assert_eq!((shown.complete(), shown.users("user_up", "prod").len()), (Some(1.0), 3));
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_refused_for_good_keeps_nothing_waiting() {
    let world = World::of(2);
    world.behave(1, Behaviour::Denied);
    world.set(&uins(2), "");
    let (exporter, _) = world.start().await;
    let shown = exporter.until("complete", |shown| shown.complete() == Some(1.0)).await;
    assert_eq!((shown.outage(), shown.of_account("account_users_unanswered")), (Some(0.0), Some(1.0)));
    let since = shown.of_user("user_failing_since_timestamp_seconds", 1);
    assert!(since.is_some() && exporter.since(since.unwrap()) < 10.0);
    exporter
        .for_seconds(2 * 3_600, |shown| {
            shown.of_user("user_failing_since_timestamp_seconds", 1) == since && shown.outage() == Some(0.0)
        })
        .await;
    world.behave(1, Behaviour::Answers);
    let shown = exporter.until("answered", |shown| shown.of_user("user_up", 1) == Some(1.0)).await;
    assert_eq!(shown.of_account("account_users_unanswered"), Some(0.0));
    let success = shown.of_user("user_last_success_timestamp_seconds", 1);
    world.behave(1, Behaviour::Denied);
    let shown = exporter
        .until("refused again", |shown| shown.of_user("user_failing_since_timestamp_seconds", 1).is_some())
        .await;
    assert!(shown.of_user("user_failing_since_timestamp_seconds", 1) >= success);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_state_file_restores_counts() {
    let world = World::of(3);
    let state = world.state_file();
    world.set("discover: true", &state);
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(0.0), None));
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    let before = exporter.for_seconds(2 * INTERVAL, |_| true).await;
    exporter.running.stop().await;

    world.fail_all("InternalError");
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(1.0), Some(0.0)), "from the first scrape on");
    let sum = |shown: &Shown| shown.get("account_access_keys", r#"account="prod",status="Active""#);
    assert_eq!((sum(&first), sum(&before)), (Some(3.0), Some(3.0)));
    assert_near(first.newest_success(), before.newest_success());
    exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    assert_seconds(exporter.since(first.newest_success()), 2 * INTERVAL);
    exporter.for_seconds(INTERVAL, |_| true).await;
    exporter.running.stop().await;

    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(1.0), Some(1.0)), "it goes on");
    world.simulator.clear();
    let last = first.newest_success() + 1.0;
    let shown = exporter
        .until_while("no outage", |shown| shown.outage() == Some(0.0), |shown| shown.successes_since(last) < 3)
        .await;
    assert_eq!(shown.successes_since(last), 3);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_user_that_failed_before_the_restart_is_asked_before_all_is_well() {
    let world = World::of(2);
    world.set(&uins(2), &world.state_file());
    let (exporter, _) = world.start().await;
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    world.fail(1, "InternalError");
    exporter.until("a failure", |shown| shown.of_user("user_up", 1) == Some(0.0)).await;
    exporter.running.stop().await;
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage(), first.of_user("user_up", 1)), (Some(1.0), None, Some(0.0)));
    let asked = |shown: &Shown| shown.outage() == Some(0.0);
    exporter.until_while("well", asked, |shown| shown.outage().is_none()).await;
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_there_is_no_such_user_counts_only_where_there_are_no_others() {
    let world = World::of(2);
    world.behave(1, Behaviour::DoesNotExist);
    world.set(&uins(2), "");
    let (exporter, _) = world.start().await;
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    world.fail(0, "InternalError");
    let shown = exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    assert_eq!((shown.of_user("user_missing", 0), shown.of_user("user_missing", 1)), (None, Some(1.0)));
    assert_seconds(exporter.since(shown.of_user("user_last_success_timestamp_seconds", 0).unwrap()), 2 * INTERVAL);
    world.simulator.clear();
    world.behave(0, Behaviour::DoesNotExist);
    let shown = exporter.until("nobody is there", |shown| shown.of_user("user_missing", 0) == Some(1.0)).await;
    assert_eq!(shown.of_account("account_up"), Some(0.0));
    // The other one has to be polled since: it is not there either.
    let shown = exporter.until("no outage", |shown| shown.outage() == Some(0.0)).await;
    assert_eq!(shown.users("user_missing", "prod").len(), 2);
    // What further polls fail with is no answer.
    world.fail_all("InternalError");
    exporter.for_seconds(2 * 3_600, |shown| shown.users("user_missing", "prod").len() == 2).await;
    exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_adds_users_takes_nothing_back() {
    let world = World::of(3);
    world.set(&uins(1), "");
    let (exporter, _) = world.start().await;
    exporter.until("complete", |shown| shown.complete() == Some(1.0)).await;
    world.behave(2, Behaviour::Denied);
    world.set(&uins(3), "");
    exporter.reloader.reload().await.unwrap();
    let shown = exporter.shown().await;
    assert_eq!(shown.of_account("account_users_unanswered"), Some(2.0));
    let well = |shown: &Shown| shown.complete() == Some(1.0) && shown.outage() == Some(0.0);
    let answered = |shown: &Shown| shown.of_account("account_users_unanswered") == Some(1.0);
    exporter.until_while("answered", answered, well).await;
    world.set(&uins(1), "");
    exporter.reloader.reload().await.unwrap();
    let shown = exporter.shown().await;
    assert_eq!(shown.of_account("account_users_unanswered"), Some(0.0));
    assert!(well(&shown));
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_intervals_are_those_that_the_rate_limit_allows() {
    let world = World::of(100);
    world.set(&uins(100), "poll: {interval: 1m, rate_limit: 1}");
    let (exporter, _) = world.start().await;
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    world.fail_all("InternalError");
    let shown = exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    assert_seconds(exporter.since(shown.newest_success()), 200);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn last_uses_are_complete_once_each_key_has_one() {
    let world = World::of(4);
    world.set("discover: true", "poll: {last_used: true}");
    world.simulator.inject_into("GetSecurityLastUsed", error("InternalError"), Times::UntilCleared);
    let (exporter, first) = world.start().await;
    assert_eq!(first.of_account("account_last_used_complete"), Some(1.0), "no key is shown yet");
    let known = |shown: &Shown| shown.of_account("account_last_used_complete") == Some(1.0);
    exporter.until("a key of which it is not known", |shown| !known(shown)).await;
    exporter.for_seconds(INTERVAL, |shown| !known(shown)).await;
    world.simulator.clear();
    let shown = exporter.until("known of each", |shown| known(shown)).await;
    assert_eq!(shown.series("access_key_never_used", "prod").count(), 4);
    world.set("discover: true", "");
    exporter.reloader.reload().await.unwrap();
    exporter.until("not asked any more", |shown| shown.of_account("account_last_used_complete").is_none()).await;
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_member_of_an_organization_is_an_account() {
    const MEMBER: u64 = 200_000_000_001;
    let world = World::of(0);
    for (member, does_trust) in [(MEMBER, true), (MEMBER + 1, false)] {
        world.simulator.edit_organization(|all| all.push(Member { uin: member, name: None }));
        world.simulator.edit_roles(|roles| {
            roles.push(Role {
                account: member,
                name: "exporter".to_owned(),
                id: 4_611_686_018_427_000_000 + member,
                trusted_callers: if does_trust { vec![CALLER] } else { vec![] },
                permissions: vec!["cam:ListAccessKeys".to_owned(), "cam:ListUsers".to_owned()],
                ..Role::default()
            });
        });
        world.simulator.edit(|population| population.users.insert(member + 100, user(member).of_member(member)));
    }
    world.simulator.inject_into("DescribeOrganizationMembers", error("InternalError"), Times::UntilCleared);
    world.set("discover: true, organization: {role_name: exporter}", "");
    let (exporter, first) = world.start().await;
    assert_eq!((first.accounts().collect::<Vec<_>>(), first.complete()), (vec!["prod"], Some(0.0)));
    // Its own users are listed: there are none.
    exporter.until("listed", |shown| shown.of_account("account_user_discovery_up") == Some(1.0)).await;
    exporter.for_seconds(INTERVAL, |shown| shown.complete() == Some(0.0) && shown.outage() == Some(1.0)).await;
    world.simulator.clear();
    let shown = exporter
        .until("the first member is complete", |shown| {
            shown.of_member("account_inventory_complete", MEMBER).is_some_and(|(_, value)| value > 0.5)
        })
        .await;
    assert_eq!((shown.complete(), shown.outage()), (Some(1.0), Some(0.0)));
    assert_eq!(shown.of_member("account_outage", MEMBER), Some(("}", 0.0)));
    let out = |shown: &Shown| shown.of_member("account_outage", MEMBER + 1) == Some(("}", 1.0));
    let shown = exporter.until("the second cannot be listed", out).await;
    assert_eq!(shown.of_member("account_inventory_complete", MEMBER + 1), Some((r#",shard="0"}"#, 0.0)));
    exporter.running.stop().await;
}
