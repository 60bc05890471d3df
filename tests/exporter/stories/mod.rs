//! Stories of restarts, shards and refusals, played by the built binary and seen by a real Prometheus: what an account's
//! series show, one scrape after the other.
//!
//! The steps are observed, in what Prometheus has scraped. Of a state that may pass between two scrapes, the shape of a
//! series says so.

mod shape;

use std::{net::SocketAddr, thread, time::Duration};

use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Behaviour, Fault, Key, Rejection, Times, User};
use tokio::time::Instant;

use self::shape::{ABSENT, Shape};
use crate::{
    prometheus::server::Prometheus,
    world::{Exporter, UIN, World, binary, key},
};

/// How long a step may take to be seen: a test that fails waits so long.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

const SCRAPE: &str = "250ms";

/// What is polled, by which exporters, and what Prometheus has seen of them.
struct Story {
    world: World,
    config: String,
    flags: Vec<Vec<String>>,
    /// Each is gone while it is dead.
    exporters: Vec<Option<Exporter>>,
    addresses: Vec<SocketAddr>,
    prometheus: Prometheus,
}

// === impl Story ===

impl Story {
    /// One exporter of an account with these fields, which is whole when Prometheus begins to scrape it.
    fn begin(world: World, fields: &str) -> Self {
        Self::of_shards(world, fields, 1)
    }

    fn of_shards(world: World, fields: &str, shards: usize) -> Self {
        let config = config(&world, fields);
        let flags: Vec<Vec<String>> =
            (0..shards).map(|shard| vec![format!("--shard={shard}"), format!("--total-shards={shards}")]).collect();
        let start = |flags: &Vec<String>| Exporter::start(world.with_config(&mut binary(), &config).args(flags));
        let exporters: Vec<Exporter> = flags.iter().map(start).collect();
        for (shard, exporter) in exporters.iter().enumerate() {
            let complete = format!(r#"account_inventory_complete{{account="prod",shard="{shard}"}}"#);
            exporter.until("complete", |metrics| {
                let last_uses = metrics.get(r#"account_last_used_complete{account="prod"}"#);
                metrics.get(&complete) == Some(1.0) && last_uses != Some(0.0)
            });
        }
        let addresses: Vec<SocketAddr> = exporters.iter().map(Exporter::address).collect();
        let target =
            |(shard, at): (usize, &SocketAddr)| format!("{{targets: ['{at}'], labels: {{instance: '{shard}'}}}}");
        let targets: Vec<String> = addresses.iter().enumerate().map(target).collect();
        let targets = targets.join(", ");
        let scrape = format!(
            "global: {{scrape_interval: {SCRAPE}, scrape_timeout: {SCRAPE}}}\n\
             scrape_configs:\n- {{job_name: exporter, static_configs: [{targets}]}}\n"
        );
        let prometheus = Prometheus::configured(world.folder.path(), &[], &scrape);
        let exporters = exporters.into_iter().map(Some).collect();
        let story = Self { world, config, flags, exporters, addresses, prometheus };
        for shard in 0..shards {
            story.until_seen(&format!(r#"tencentcloud_cam_account_inventory_complete{{instance="{shard}"}} == 1"#));
            story.until_seen(&format!(r#"tencentcloud_cam_account_outage{{instance="{shard}"}} == 0"#));
        }
        story
    }

    /// Waits until Prometheus has scraped something for which the query holds.
    fn until_seen(&self, query: &str) {
        let started = Instant::now();
        while self.prometheus.query(query).is_none_or(|found| found.is_empty()) {
            let all = || self.prometheus.query(r#"{__name__=~"tencentcloud_cam_(account|user)_.*"}"#);
            assert!(started.elapsed() < LONGEST_WAIT, "{query} is never seen: {:#?}", all());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The exporter is killed, and Prometheus misses it.
    fn kill(&mut self, shard: usize) {
        let exporter = self.exporters[shard].take().unwrap();
        exporter.signal("KILL");
        exporter.wait();
        self.until_seen(&format!(r#"up{{instance="{shard}"}} == 0"#));
    }

    /// It is back at the same place, and Prometheus scrapes it.
    fn bring_back(&mut self, shard: usize) {
        let mut command = binary();
        let command = self.world.with_config(&mut command, &self.config).args(&self.flags[shard]);
        self.exporters[shard] = Some(Exporter::start_at(self.addresses[shard], command));
        self.until_seen(&format!(r#"up{{instance="{shard}"}} == 1"#));
    }

    /// What each scrape of the exporter has of a series, given without the prefix that all of ours have.
    fn shape(&self, shard: usize, series: &str) -> Shape {
        let (name, labels) = series.split_once('{').unwrap();
        let series = format!(r#"tencentcloud_cam_{name}{{instance="{shard}",{labels}"#);
        Shape::of(&self.prometheus, &format!(r#"up{{instance="{shard}"}}"#), &series)
    }

    fn account(&self, family: &str) -> Shape {
        self.shape(0, &format!(r#"{family}{{account="prod"}}"#))
    }

    fn active_keys(&self) -> Shape {
        self.shape(0, r#"account_access_keys{account="prod",status="Active"}"#)
    }

    fn user(&self, family: &str, uin: u64) -> Shape {
        self.shape(0, &format!(r#"{family}{{account="prod",uin="{uin}"}}"#))
    }

    fn refuse_lists(&self) {
        let refusal = Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "no cam:ListUsers"));
        self.world.simulator.inject_into("ListUsers", refusal, Times::UntilCleared);
    }

    fn of_user(&self, uin: u64, change: impl FnOnce(&mut User)) {
        self.world.simulator.edit(|population| change(population.users.get_mut(&uin).unwrap()));
    }
}

/// An account that nobody polls for the second time within a story.
fn config(world: &World, fields: &str) -> String {
    format!(
        "accounts: [{{name: prod, {fields}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 1h, timeout: 1s, rate_limit: 20}}\n",
        world.endpoint
    )
}

/// So many users with a key each.
fn world(users: u64) -> World {
    World::new((0..users).map(|number| (UIN + number, user(number))))
}

fn user(number: u64) -> User {
    User::with_keys([old_key(number)]).named(format!("user-{number}"))
}

fn old_key(number: u64) -> Key {
    key(&format!("AKID{number}"), "Active", "2024-01-02T03:04:05Z").used_days_before(SystemClock.now(), 50)
}

/// While a discovered account cannot be listed after a restart, it is in an outage from then on, and never whole.
#[test]
#[ignore = "needs prometheus"]
fn a_restart_under_discovery_while_the_list_fails() {
    let mut story = Story::begin(world(12), "discover: true");
    story.refuse_lists();
    story.kill(0);
    story.bring_back(0);
    story.until_seen("tencentcloud_cam_account_outage == 1");
    story.shape(0, r#"account_inventory_complete{account="prod",shard="0"}"#).is(&["1", ABSENT, "0"]);
    story.account("account_outage").is(&["0", ABSENT, "1"]);
    story.account("account_users").is(&["12", ABSENT, "0"]);
    story.account("account_users_unanswered").is(&["0", ABSENT, "0"]);
    story.active_keys().is(&["12", ABSENT, "0"]);
    story.account("account_up").is(&["1", ABSENT, "0"]);
    story.user("user_last_success_timestamp_seconds", UIN).is_there(&[true, false]);
}

/// One user is configured, the other was discovered: of the first all is known, of the account it is not.
#[test]
#[ignore = "needs prometheus"]
fn a_restart_forgets_who_was_discovered() {
    let mut story = Story::begin(world(2), &format!("uins: [{UIN}], discover: true"));
    story.refuse_lists();
    // There is no answer until Prometheus has seen that there is none.
    story.world.simulator.inject(Some(UIN), Fault::Hang, Times::UntilCleared);
    story.kill(0);
    story.bring_back(0);
    story.until_seen("tencentcloud_cam_account_users_unanswered == 1");
    story.world.simulator.clear();
    story.refuse_lists();
    story.until_seen(&format!(r#"tencentcloud_cam_user_up{{uin="{UIN}"}} == 1"#));
    story.shape(0, r#"account_inventory_complete{account="prod",shard="0"}"#).is(&["1", ABSENT, "0"]);
    story.account("account_outage").is(&["0", ABSENT]);
    story.account("account_users_unanswered").is(&["0", ABSENT, "1", "0"]);
    story.active_keys().is(&["2", ABSENT, "0", "1"]);
    story.user("user_last_success_timestamp_seconds", UIN).is_there(&[true, false, true]);
    story.user("user_last_success_timestamp_seconds", UIN + 1).is_there(&[true, false]);
}

/// A shard that is away takes its own part along, and changes nothing of the other's.
#[test]
#[ignore = "needs prometheus"]
fn a_shard_goes_away_and_comes_back() {
    let users = 20;
    let uins: Vec<u64> = (UIN..UIN + users).collect();
    let mut story = Story::of_shards(world(users), &format!("uins: {uins:?}, shard_by: user"), 2);
    let active = r#"account_access_keys{account="prod",status="Active"}"#;
    let parts = [0, 1].map(|shard| story.shape(shard, active).only());
    assert!(parts.iter().all(|part| part != "0"), "{parts:?}");
    assert_eq!(parts.iter().map(|part| part.parse::<u64>().unwrap()).sum::<u64>(), users);
    story.kill(1);
    story.bring_back(1);
    story.until_seen(r#"tencentcloud_cam_account_outage{instance="1"} == 0"#);
    story.shape(0, r#"account_inventory_complete{account="prod",shard="0"}"#).is(&["1"]);
    story.shape(1, r#"account_inventory_complete{account="prod",shard="1"}"#).is(&["1", ABSENT, "0?", "1"]);
    story.shape(0, active).is(&[&parts[0]]);
    assert_eq!(story.shape(1, active).ends(), [&parts[1], &parts[1]]);
    story.account("account_outage").is(&["0"]);
    story.shape(1, r#"account_outage{account="prod"}"#).is(&["0", ABSENT, "0"]);
    story.shape(0, "exporter_total_shards{}").is(&["2"]);
    story.shape(1, "exporter_total_shards{}").is(&["2", ABSENT, "2"]);
}

/// A user who is refused for good after a restart was asked, so the account is whole; nothing is known of the user's keys.
#[test]
#[ignore = "needs prometheus"]
fn a_user_is_refused_after_the_restart() {
    let mut story = Story::begin(world(2), &format!("uins: [{UIN}, {}]", UIN + 1));
    story.of_user(UIN + 1, |user| user.behaviour = Behaviour::Denied);
    story.kill(0);
    story.bring_back(0);
    story.until_seen("tencentcloud_cam_account_outage == 0");
    story.shape(0, r#"account_inventory_complete{account="prod",shard="0"}"#).is(&["1", ABSENT, "0?", "1"]);
    story.account("account_outage").is(&["0", ABSENT, "0"]);
    story.account("account_users_unanswered").is(&["0", ABSENT, "2?", "1"]);
    story.active_keys().is(&["2", ABSENT, "0?", "1"]);
    story.user("user_up", UIN + 1).is(&["1", ABSENT, "0"]);
    story.user("user_failing_since_timestamp_seconds", UIN + 1).is_there(&[false, true]);
    story.user("user_last_success_timestamp_seconds", UIN + 1).is_there(&[true, false]);
    story.user("user_last_success_timestamp_seconds", UIN).is_there(&[true, false, true]);
}

/// After a restart the keys are there before it is known when they were last used.
#[test]
#[ignore = "needs prometheus"]
fn last_uses_come_later_than_keys_after_a_restart() {
    let world = world(1);
    let mut story = Story::begin(world, &format!("uins: [{UIN}], last_used: true"));
    let failure = Fault::Error(Rejection::new("InternalError", "not today"));
    story.world.simulator.inject_into("GetSecurityLastUsed", failure, Times::UntilCleared);
    story.kill(0);
    story.bring_back(0);
    story.until_seen("tencentcloud_cam_account_last_used_complete == 0");
    story.world.simulator.clear();
    story.until_seen("tencentcloud_cam_account_last_used_complete == 1");
    story.account("account_last_used_complete").is(&["1", ABSENT, "1?", "0", "1"]);
    story.shape(0, r#"account_inventory_complete{account="prod",shard="0"}"#).is(&["1", ABSENT, "0?", "1"]);
    story.active_keys().is(&["1", ABSENT, "0?", "1"]);
    let of_key = format!(r#"{{account="prod",uin="{UIN}",access_key_id="AKID0xxx****xxxx"}}"#);
    story.shape(0, &format!("access_key_never_used{of_key}")).is(&["0", ABSENT, "0"]);
    story.shape(0, &format!("access_key_last_used_timestamp_seconds{of_key}")).is_there(&[true, false, true]);
}

/// A key that was deleted before a death is not there after it.
#[test]
#[ignore = "needs prometheus"]
fn a_key_is_deleted_before_the_death() {
    let mut story = Story::begin(world(1), &format!("uins: [{UIN}], interval: 2s"));
    story.of_user(UIN, |user| user.keys.clear());
    story.until_seen(r#"tencentcloud_cam_account_access_keys{status="Active"} == 0"#);
    // Nobody asks again until the exporter is dead.
    story.kill(0);
    story.bring_back(0);
    story.until_seen("tencentcloud_cam_account_inventory_complete == 1");
    story.active_keys().is(&["1", "0", ABSENT, "0"]);
    story.shape(0, r#"account_inventory_complete{account="prod",shard="0"}"#).is(&["1", ABSENT, "0?", "1"]);
    let of_key = format!(r#"{{account="prod",uin="{UIN}",access_key_id="AKID0xxx****xxxx"}}"#);
    story.shape(0, &format!("access_key_created_timestamp_seconds{of_key}")).is_there(&[true, false]);
    story.user("user_last_success_timestamp_seconds", UIN).is_there(&[true, false, true]);
}
