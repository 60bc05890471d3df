//! When keys were last used: of each key its own, whatever the answers look like.

use std::collections::BTreeMap;

use http::Response;
use tencentcloud_simulator::{Fault, Field, Key, LastUsedRows, Outcome, Rejection, Times, User};

use crate::world::{Exporter, Metrics, UIN, World, key};

const ON: &str = "last_used: {interval: 1s}";

fn config(world: &World, last_used: &str) -> String {
    world.config().replace("poll: {", &format!("poll: {{{last_used}, "))
}

fn label(name: &str) -> String {
    format!("{}****xxxx", &format!("{name:x<8}")[..8])
}

/// The family's values by user and label.
fn by_key(metrics: &Metrics, family: &str) -> BTreeMap<(u64, String), f64> {
    let part = |series: &str, label: &str| {
        series.split_once(&format!("{label}=\"")).unwrap().1.split('"').next().unwrap().to_owned()
    };
    let family = metrics.family(&format!("tencentcloud_cam_access_key_{family}"));
    family
        .into_iter()
        .map(|(series, value)| ((part(series, "uin").parse().unwrap(), part(series, "access_key_id")), value))
        .collect()
}

fn last_used(metrics: &Metrics) -> BTreeMap<(u64, String), f64> {
    by_key(metrics, "last_used_timestamp_seconds")
}

fn never_used(metrics: &Metrics) -> BTreeMap<(u64, String), f64> {
    by_key(metrics, "never_used")
}

fn up(metrics: &Metrics) -> Option<f64> {
    metrics.get(r#"account_last_used_up{account="prod"}"#)
}

/// A key that was last used on that day, or at that moment.
fn used(name: &str, day: Field<&str>, moment: Field<i64>) -> Key {
    let last_used_date = match day {
        Field::Absent => Field::Absent,
        Field::Null => Field::Null,
        Field::Value(day) => Field::Value(day.to_owned()),
    };
    Key { last_used_date, last_secret_used_date: moment, ..key(name, "Active", "2019-01-02T03:04:05Z") }
}

fn until_all_told(exporter: &Exporter, keys: usize) -> Metrics {
    exporter.until("all reported", |metrics| never_used(metrics).len() == keys)
}

#[test]
fn each_key_has_its_own_whatever_rows_look_like_and_in_whatever_order_they_come() {
    let forms = [
        (Field::Value("2022-12-19"), Field::Absent, Some(1_671_379_200.0)),
        (Field::Value("2022-12-19"), Field::Null, Some(1_671_379_200.0)),
        (Field::Value("2022-12-19"), Field::Value(1_671_681_023_555), Some(1_671_681_023.0)),
        (Field::Null, Field::Value(1_671_681_023_555), Some(1_671_681_023.0)),
        (Field::Null, Field::Null, None),
        (Field::Null, Field::Absent, None),
        (Field::Absent, Field::Absent, None),
    ];
    // 28 users, 42 keys, and so five requests.
    let mut expected = BTreeMap::new();
    let mut form = forms.iter().cycle();
    let mut user = |number: u64| {
        let uin = UIN + number;
        let keys = (0..=number % 2).map(|second| {
            let name = format!("K{number:02}{second}");
            let (day, moment, at) = form.next().unwrap();
            expected.insert((uin, label(&name)), *at);
            used(&name, *day, *moment)
        });
        (uin, User::with_keys(keys.collect::<Vec<_>>()))
    };
    let world = World::new((0..28).map(&mut user).collect::<Vec<_>>());
    let exporter = world.start_with(&config(&world, "last_used: true"), &[]);
    let metrics = until_all_told(&exporter, 42);
    let output = expected.iter().filter_map(|(key, at)| Some((key.clone(), (*at)?)));
    assert_eq!(last_used(&metrics), output.collect());
    let never = expected.iter().map(|(key, at)| (key.clone(), f64::from(u8::from(at.is_none()))));
    assert_eq!(never_used(&metrics), never.collect());
    assert_eq!(up(&metrics), Some(1.0));
    let arrivals = world.simulator.arrivals();
    assert!(arrivals.iter().all(|arrival| arrival.outcome == Outcome::Answered), "{arrivals:?}");
}

/// Rows are joined to keys by their ids, never by their places.
#[test]
fn no_key_has_the_date_of_another_whichever_rows_an_answer_has() {
    let names: Vec<String> = (0..32).map(|number| format!("K{number:02}")).collect();
    // Each key has a day of its own.
    let day = |number: usize| format!("20{:02}-{:02}-{:02}", 12 + number % 8, 1 + number % 12, 1 + number % 28);
    let key = |number: usize| used(&names[number], Field::Value(&day(number)), Field::Null);
    let users = (0..16).map(|user| (UIN + user as u64, User::with_keys([key(2 * user), key(2 * user + 1)])));
    let world = World::new(users.collect::<Vec<_>>());
    let exporter = world.start_with(&config(&world, "last_used: true"), &[]);
    let expected = last_used(&exporter.until("all reported", |metrics| last_used(metrics).len() == names.len()));
    exporter.stop();
    for (number, name) in names.iter().enumerate() {
        let midnight: jiff::Timestamp = format!("{}T00:00:00+08:00", day(number)).parse().unwrap();
        #[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
        let midnight = midnight.as_second() as f64;
        assert_eq!(expected.get(&(UIN + number as u64 / 2, label(name))), Some(&midnight), "{name}");
    }
    for rows in [LastUsedRows::Reordered, LastUsedRows::Short, LastUsedRows::Duplicated, LastUsedRows::Foreign] {
        world.simulator.set_last_used_rows(rows);
        let exporter = world.start_with(&config(&world, ON), &[]);
        let requests = r#"api_requests_total{account="prod",action="GetSecurityLastUsed"}"#;
        let metrics = exporter.until("asked about each key twice", |metrics| metrics.get(requests) >= Some(8.0));
        let output = last_used(&metrics);
        assert!(output.iter().all(|(key, at)| expected.get(key) == Some(at)), "{rows:?}: {output:?}");
        if rows == LastUsedRows::Short {
            assert!((1..names.len()).contains(&output.len()), "{output:?}");
            let unknown = never_used(&metrics).len();
            assert_eq!(unknown, output.len(), "of a key without a row nothing is known");
        } else {
            assert_eq!(output.len(), names.len(), "{rows:?}");
        }
    }
}

#[test]
fn nobody_asks_unless_told_to() {
    let world = World::with_one_user();
    let exporter = world.start();
    exporter.until_answered(1);
    exporter.until("polled again", |metrics| metrics.get(r#"polls_total{account="prod"}"#) >= Some(2.0));
    let metrics = exporter.metrics();
    assert!(never_used(&metrics).is_empty() && last_used(&metrics).is_empty() && up(&metrics).is_none());
    assert!(world.simulator.arrivals().iter().all(|arrival| arrival.action == "ListAccessKeys"));
}

#[test]
fn a_use_is_seen_and_a_key_that_is_new_or_gone_is_too() {
    let world = World::new([(UIN, User::with_keys([used("old", Field::Null, Field::Null)]))]);
    let exporter = world.start_with(&config(&world, ON), &[]);
    assert_eq!(never_used(&until_all_told(&exporter, 1)), [((UIN, label("old")), 1.0)].into());
    let day = used("old", Field::Value("2022-12-19"), Field::Absent);
    world
        .simulator
        .edit(|population| population.users.insert(UIN, User::with_keys([day, used("new", Field::Null, Field::Null)])));
    let metrics = exporter.until("seen", |metrics| never_used(metrics).len() == 2 && last_used(metrics).len() == 1);
    assert_eq!(last_used(&metrics), [((UIN, label("old")), 1_671_379_200.0)].into());
    world.simulator.edit(|population| population.users.get_mut(&UIN).unwrap().keys.remove(0));
    let metrics = exporter.until("gone", |metrics| never_used(metrics).len() == 1);
    assert_eq!((last_used(&metrics), never_used(&metrics)), (BTreeMap::new(), [((UIN, label("new")), 1.0)].into()));
}

#[test]
fn what_fails_leaves_what_was_known_and_disturbs_no_poll() {
    let world = World::new([(
        UIN,
        User::with_keys([used("a", Field::Value("2022-12-19"), Field::Null), used("b", Field::Null, Field::Null)]),
    )]);
    let exporter = world.start_with(&config(&world, ON), &[]);
    let known = until_all_told(&exporter, 2);
    let body = |text: &'static str| Fault::Answer(Response::new(text.into()));
    let weather = [
        Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "denied")),
        Fault::Error(Rejection::new("InternalError", "sorry")),
        Fault::Error(Rejection::new("InvalidParameter.ParamError", "no such key")),
        body(r#"{"Response":{"SecretIdLastUsedRows":[{"SecretId":"x","LastUsedDate":"soon"}],"RequestId":"1"}}"#),
        body("<html>"),
        Fault::Reset,
    ];
    for fault in weather {
        world.simulator.inject_into("GetSecurityLastUsed", fault.clone(), Times::UntilCleared);
        let metrics = exporter.until("down", |metrics| up(metrics) == Some(0.0));
        assert_eq!((last_used(&metrics), never_used(&metrics)), (last_used(&known), never_used(&known)), "{fault:?}");
        assert_eq!(metrics.of_user("user_up"), Some(1.0), "{fault:?}");
        world.simulator.clear();
        exporter.until("up again", |metrics| up(metrics) == Some(1.0));
    }
    // An answer without rows is an answer; it tells nothing.
    world.simulator.inject_into(
        "GetSecurityLastUsed",
        body(r#"{"Response":{"SecretIdLastUsedRows":null,"RequestId":"1"}}"#),
        Times::Next(2),
    );
    let requests = r#"api_requests_total{account="prod",action="GetSecurityLastUsed"}"#;
    let before = exporter.metrics().get(requests).unwrap();
    let metrics = exporter.until("asked", |metrics| metrics.get(requests) >= Some(before + 2.0));
    assert_eq!((last_used(&metrics), never_used(&metrics)), (last_used(&known), never_used(&known)));
    assert!(metrics.family("tencentcloud_cam_poll_failures_total").values().all(|failures| *failures == 0.0));
}

#[test]
fn a_denial_is_told_once() {
    let world = World::with_one_user();
    let denied = Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "no cam:GetSecurityLastUsed"));
    world.simulator.inject_into("GetSecurityLastUsed", denied, Times::UntilCleared);
    let exporter = world.start_with(&config(&world, ON), &[]);
    let errors =
        r#"api_errors_total{account="prod",action="GetSecurityLastUsed",code="AuthFailure.UnauthorizedOperation"}"#;
    let metrics = exporter.until("denied thrice", |metrics| metrics.get(errors) >= Some(3.0));
    assert_eq!((metrics.of_user("user_up"), metrics.failures("denied")), (Some(1.0), 0.0));
    let (_, log) = exporter.stop();
    assert_eq!(log.matches("cam:GetSecurityLastUsed").count(), 1, "{log}");
}

/// A key may be deleted between the poll that listed it and the question about it, and the API then refuses the whole
/// question.
#[test]
fn a_key_that_is_gone_does_not_keep_the_others_from_being_told() {
    let users =
        (UIN..UIN + 8).map(|uin| (uin, User::with_keys([used(&format!("K{}", uin - UIN), Field::Null, Field::Null)])));
    let world = World::new(users);
    let ghost = r#"{"Response":{"AccessKeys":[{"AccessKeyId":"AKIDghostxxxxxxxxxxxxxxxxxxxxxxxxxxx","Status":"Active","CreateTime":"2022-10-10 15:13:17","Description":null}],"RequestId":"1"}}"#;
    world.simulator.inject(Some(UIN + 3), Fault::Answer(Response::new(ghost.into())), Times::UntilCleared);
    let exporter = world.start_with(&config(&world, "last_used: true"), &[]);
    let metrics = until_all_told(&exporter, 7);
    assert!(never_used(&metrics).keys().all(|(uin, _)| *uin != UIN + 3));
}

#[test]
fn a_restart_forgets_no_use_and_whole_ids_are_told_to_nobody_but_the_api() {
    let id = "AKIDwholexxxxxxxxxxxxxxxxxxxxxxxxxxx";
    let world = World::new([(UIN, User::with_keys([used("AKIDwhole", Field::Value("2022-12-19"), Field::Null)]))]);
    let state = world.folder.path().join("state");
    let config = config(&world, ON) + &format!("state_file: {}\n", state.display());
    let exporter = world.start_with(&config, &["--log.level=debug"]);
    let before = until_all_told(&exporter, 1);
    let quoting = Fault::Error(Rejection::new("InvalidParameter.ParamError", format!("the key {id} does not exist")));
    world.simulator.inject_into("GetSecurityLastUsed", quoting, Times::UntilCleared);
    exporter.until("down", |metrics| up(metrics) == Some(0.0));
    let scrape = exporter.scrape();
    let (_, log) = exporter.stop();
    assert!(log.contains("the key [redacted] does not exist"), "{log}");
    let kept = std::fs::read_to_string(&state).unwrap();
    for (place, text) in [("a scrape", &scrape), ("the log", &log), ("the state file", &kept)] {
        assert!(!text.contains(id), "{place}: {text}");
    }

    world.take_the_api_down();
    let exporter = world.start_with(&config, &[]);
    assert_eq!(last_used(&exporter.metrics()), last_used(&before), "from the first scrape on");
    exporter.stop();
    let off = config.replace(ON, "last_used: false");
    assert!(never_used(&world.start_with(&off, &[]).metrics()).is_empty(), "nobody asks any more");
}
