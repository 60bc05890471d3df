//! Findings as time goes by: what begins, what ends, and on which day.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tencentcloud_cam_exporter::app::App;
use tencentcloud_simulator::{Caller, Key, Population, Simulator, User};
use tokio::time::sleep;

use crate::harness::{Running, TestClock, Wire, exporter};

const START: &str = "2026-01-01T12:00:00Z";
const UIN: u64 = 100_013_065_917;
const DAY: Duration = Duration::from_hours(24);

fn days_before_start(days: i64) -> Timestamp {
    START.parse::<Timestamp>().unwrap() - SignedDuration::from_hours(24 * days)
}

/// A key that was made so many days before the start, and never used.
fn key(id: &str, days: i64) -> Key {
    Key::new(format!("AKID{id:x<32}"), "Active", days_before_start(days))
}

/// An exporter that finds these users, with these further lines of configuration.
fn start(users: impl IntoIterator<Item = (u64, User)>, config: &str) -> (Running, Arc<Simulator>) {
    let population = Population {
        callers: vec![Caller { uin: 1, credential: Population::demo_credential() }],
        users: users.into_iter().collect(),
    };
    let clock = TestClock::at(START);
    let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
    let config = format!(
        "accounts: [{{name: prod, discover: true, credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 1h, last_used: true}}\n{config}"
    );
    let app: App = exporter(&config, clock, Wire::to(&simulator, Duration::from_millis(10)));
    (Running::start(app), simulator)
}

/// The findings by user and name, with their values, and the exemptions.
async fn found(running: &Running) -> BTreeMap<(u64, String), f64> {
    let series = running.scrape().await;
    let label = |series: &str, name: &str| {
        let value =
            series.split_once(&format!("{name}=\"")).map(|(_, rest)| rest.split('"').next().unwrap().to_owned());
        value.unwrap_or_default()
    };
    let found = series.iter().filter_map(|(series, value)| {
        let prefix = match series.strip_prefix("tencentcloud_cam_")?.split('{').next()? {
            "access_key_finding" | "user_finding" => "",
            "user_exempt" => "exempt ",
            _ => return None,
        };
        Some(((label(series, "uin").parse().unwrap(), format!("{prefix}{}", label(series, "finding"))), *value))
    });
    found.collect()
}

fn names(found: &BTreeMap<(u64, String), f64>, uin: u64) -> Vec<&str> {
    found.keys().filter(|(of, _)| *of == uin).map(|(_, name)| name.as_str()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
fn unix(time: Timestamp) -> f64 {
    time.as_second() as f64
}

#[tokio::test(start_paused = true)]
async fn a_key_is_reported_fifteen_days_before_it_is_disabled() {
    let users = [
        (UIN, User::with_keys([key("a", 73)]).named("sixteen-days-left")),
        (UIN + 1, User::with_keys([key("b", 75)]).named("fourteen-days-left")),
        (UIN + 2, User::with_keys([Key::new("AKIDoff", "Inactive", days_before_start(75))]).named("disabled")),
    ];
    let (running, _) = start(users, "");
    sleep(DAY / 2).await;
    let at = |days: i64| unix(days_before_start(days) + SignedDuration::from_hours(24 * 89));
    let now = found(&running).await;
    assert_eq!(names(&now, UIN), ["unused"]);
    assert_eq!(names(&now, UIN + 1), ["auto_disable_soon", "unused"]);
    assert_eq!(now.get(&(UIN + 1, "auto_disable_soon".to_owned())), Some(&at(75)));
    assert_eq!(names(&now, UIN + 2), ["inactive"]);
    sleep(DAY * 2).await;
    let later = found(&running).await;
    assert_eq!(later.get(&(UIN, "auto_disable_soon".to_owned())), Some(&at(73)));
    let times: Vec<f64> = running
        .scrape()
        .await
        .into_iter()
        .filter(|(series, _)| series.starts_with("tencentcloud_cam_access_key_auto_disable_timestamp_seconds{"))
        .map(|(_, value)| value)
        .collect();
    assert_eq!(times, [at(73), at(75)], "a disabled key has none");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_the_use_of_a_key_where_that_is_not_known_or_switched_off() {
    for config in ["keys: {unused_after: null, auto_disable_after: null}\n", "UNKNOWN"] {
        let unknown = config == "UNKNOWN";
        let users = [(UIN, User::with_keys([key("a", 85)]).named("idle"))];
        let population = Population {
            callers: vec![Caller { uin: 1, credential: Population::demo_credential() }],
            users: users.into(),
        };
        let clock = TestClock::at(START);
        let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
        let further = if unknown { "" } else { config };
        let config = format!(
            "accounts: [{{name: prod, uins: [{UIN}], credentials: {{env: {{}}}}}}]\n\
             poll: {{interval: 1h, last_used: {}}}\n{further}",
            !unknown
        );
        let running = Running::start(exporter(&config, clock, Wire::to(&simulator, Duration::from_millis(10))));
        sleep(DAY / 2).await;
        let series = running.scrape().await;
        assert!(series.keys().any(|series| series.contains("access_key_created")), "{series:?}");
        assert!(
            !series.keys().any(|series| series.contains("finding") || series.contains("auto_disable")),
            "{series:?}"
        );
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_unfinished_when_its_grace_is_over_and_ends_with_the_old_key() {
    let users = [(UIN, User::with_keys([key("old", 30), key("new", 6)]).named("rotating"))];
    let (running, simulator) = start(users, "keys: {limit: 3}\n");
    sleep(DAY / 2).await;
    assert_eq!(names(&found(&running).await, UIN), Vec::<&str>::new(), "there is still half a day");
    sleep(DAY).await;
    let now = found(&running).await;
    assert_eq!(names(&now, UIN), ["rotation_unfinished"]);
    assert_eq!(now.get(&(UIN, "rotation_unfinished".to_owned())), Some(&unix(days_before_start(6))));
    simulator.edit(|population| population.users.get_mut(&UIN).unwrap().keys.remove(0));
    sleep(DAY / 12).await;
    assert_eq!(names(&found(&running).await, UIN), Vec::<&str>::new());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_exemption_ends_on_its_day_and_then_that_is_told() {
    let users = [
        (UIN, User::with_keys([key("a", 200)]).named("break-glass")),
        (UIN + 1, User::with_keys([key("b", 200)]).named("other")),
    ];
    let overrides = "keys: {overrides: [{users: [break-*], exempt: [stale, unused, auto_disable_soon], \
                     until: 2026-01-03, reason: emergencies}]}\n";
    let (running, _) = start(users, overrides);
    sleep(DAY / 2).await;
    let exempt = ["exempt auto_disable_soon", "exempt stale", "exempt unused", "exempt very_stale"];
    let all = ["auto_disable_soon", "stale", "unused", "very_stale"];
    let is_in_force = |found: &BTreeMap<(u64, String), f64>| {
        exempt.map(|name| found[&(UIN, name.to_owned())]).into_iter().all(|value| value > 0.5)
    };
    // Until a minute before midnight in UTC.
    for wait in [Duration::ZERO, Duration::from_mins(24 * 60 - 1)] {
        sleep(wait).await;
        let now = found(&running).await;
        assert_eq!(names(&now, UIN), exempt);
        assert!(is_in_force(&now), "{now:?}");
        assert_eq!(names(&now, UIN + 1), all, "nobody else is exempt");
    }
    sleep(Duration::from_mins(1)).await;
    let now = found(&running).await;
    assert!(!is_in_force(&now), "{now:?}");
    assert_eq!(
        names(&now, UIN),
        [
            "auto_disable_soon",
            "exempt auto_disable_soon",
            "exempt stale",
            "exempt unused",
            "exempt very_stale",
            "stale",
            "unused",
            "very_stale"
        ]
    );
    running.stop().await;
}
