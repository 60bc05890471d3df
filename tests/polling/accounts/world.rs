//! An account on the paused clock, and what holds of its series at every scrape.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use exporter_toolkit::Reloader;
use jiff::Timestamp;
use parking_lot::Mutex;
use tempfile::TempDir;
use tencentcloud_api::Clock;
use tencentcloud_simulator::{Behaviour, Caller, Fault, Key, Population, Rejection, Simulator, Times, User};
use tokio::{task::yield_now, time::sleep};

use crate::harness::{Running, TestClock, Wire, changing_exporter};

pub(super) const CALLER: u64 = 100_000_000_001;
const FIRST: u64 = 100_013_000_001;

/// The interval of the configurations here, where they do not say otherwise.
pub(super) const INTERVAL: i64 = 300;

/// Series as they are printed, with their values.
pub(super) struct Shown(BTreeMap<String, f64>);

pub(super) struct World {
    clock: Arc<TestClock>,
    pub(super) simulator: Arc<Simulator>,
    config: Arc<Mutex<String>>,
    folder: TempDir,
}

pub(super) struct Exporter {
    pub(super) running: Running,
    pub(super) reloader: Reloader,
    clock: Arc<TestClock>,
    /// Accounts that were complete.
    complete: Mutex<BTreeSet<String>>,
}

// === impl Shown ===

impl Shown {
    pub(super) fn get(&self, family: &str, labels: &str) -> Option<f64> {
        self.0.get(&format!("tencentcloud_cam_{family}{{{labels}}}")).copied()
    }

    pub(super) fn of_account(&self, family: &str) -> Option<f64> {
        self.get(family, r#"account="prod""#)
    }

    pub(super) fn of_user(&self, family: &str, number: u64) -> Option<f64> {
        self.get(family, &format!(r#"account="prod",uin="{}""#, FIRST + number))
    }

    pub(super) fn complete(&self) -> Option<f64> {
        self.get("account_inventory_complete", r#"account="prod",shard="0""#)
    }

    pub(super) fn outage(&self) -> Option<f64> {
        self.of_account("account_outage")
    }

    /// The series of a family in an account, each by its further labels.
    pub(super) fn series<'a>(&'a self, family: &str, account: &str) -> impl Iterator<Item = (&'a str, f64)> + use<'a> {
        let prefix = format!(r#"tencentcloud_cam_{family}{{account="{account}""#);
        self.0.iter().filter_map(move |(series, value)| Some((series.strip_prefix(&prefix)?, *value)))
    }

    /// The users who have a series of the family.
    pub(super) fn users<'a>(&'a self, family: &str, account: &str) -> BTreeSet<&'a str> {
        self.series(family, account).map(|(labels, _)| label(labels, "uin").unwrap()).collect()
    }

    /// The one series of the family in that account, by its further labels.
    pub(super) fn of_member<'a>(&'a self, family: &str, member: u64) -> Option<(&'a str, f64)> {
        self.series(family, &member.to_string()).next()
    }

    pub(super) fn newest_success(&self) -> f64 {
        self.series("user_last_success_timestamp_seconds", "prod").map(|(_, value)| value).fold(0.0, f64::max)
    }

    pub(super) fn successes_since(&self, time: f64) -> usize {
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

    pub(super) fn accounts(&self) -> impl Iterator<Item = &str> {
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

pub(super) fn assert_near(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-9, "{one} is not {other}");
}

// === impl World ===

impl World {
    /// So many users with a key each, called user-0 and so on.
    pub(super) fn of(users: u64) -> Self {
        let clock = TestClock::at("2026-01-01T00:00:00Z");
        let caller = Caller { uin: CALLER, credential: Population::demo_credential() };
        let users = (0..users).map(|number| (FIRST + number, user(number))).collect();
        let simulator = Simulator::new(Arc::clone(&clock) as _, Population { callers: vec![caller], users });
        let (config, folder) = (Arc::default(), tempfile::tempdir().unwrap());
        Self { clock, simulator: Arc::new(simulator), config, folder }
    }

    /// An account with these fields.
    pub(super) fn set(&self, fields: &str, top: &str) {
        *self.config.lock() = format!("accounts: [{{name: prod, {fields}, credentials: {{env: {{}}}}}}]\n{top}\n");
    }

    pub(super) fn state_file(&self) -> String {
        format!("state_file: {}", self.folder.path().join("state").display())
    }

    /// Starts an exporter, and shows its first scrape, from before it has asked anything.
    pub(super) async fn start(&self) -> (Exporter, Shown) {
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

    pub(super) fn fail(&self, number: u64, code: &str) {
        self.simulator.inject(Some(FIRST + number), error(code), Times::UntilCleared);
    }

    pub(super) fn fail_all(&self, code: &str) {
        self.simulator.inject(None, error(code), Times::UntilCleared);
    }

    pub(super) fn behave(&self, number: u64, behaviour: Behaviour) {
        self.simulator.edit(|population| population.users.get_mut(&(FIRST + number)).unwrap().behaviour = behaviour);
    }
}

pub(super) fn user(number: u64) -> User {
    let made: Timestamp = "2025-06-01T00:00:00Z".parse().unwrap();
    User::with_keys([Key::new(format!("AKID{number:032}"), "Active", made)]).named(format!("user-{number}"))
}

pub(super) fn error(code: &str) -> Fault {
    Fault::Error(Rejection::new(code, "not today"))
}

pub(super) fn uins(users: u64) -> String {
    format!("uins: {:?}", (FIRST..FIRST + users).collect::<Vec<_>>())
}

// === impl Exporter ===

impl Exporter {
    pub(super) async fn shown(&self) -> Shown {
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
    pub(super) async fn until_while(
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

    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Shown) -> bool) -> Shown {
        self.until_while(what, holds, |_| true).await
    }

    /// What is shown after so many seconds, in each of which it is as `meanwhile` says.
    pub(super) async fn for_seconds(&self, seconds: i64, meanwhile: impl Fn(&Shown) -> bool) -> Shown {
        let end = self.now() + seconds;
        self.until_while("the time is over", |_| self.now() >= end, meanwhile).await
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// Seconds since a time that a series has.
    #[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
    pub(super) fn since(&self, time: f64) -> f64 {
        self.now() as f64 - time
    }
}

/// Whether so many seconds are `expected`, where times are in whole seconds and scrapes a second apart.
pub(super) fn assert_seconds(seconds: f64, expected: i64) {
    let expected = Duration::from_secs(expected.try_into().unwrap()).as_secs_f64();
    assert!((expected - 1.0..=expected + 2.0).contains(&seconds), "{seconds} s rather than {expected} s");
}
