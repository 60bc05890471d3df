//! A machine whose clock is wrong.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tencentcloud_cam_exporter::{
    clock::{Clock, SystemClock},
    simulator::Population,
};

use crate::{
    exposition::user_with_one_key,
    world::{Metrics, UIN, World, caller},
};

/// The API's clock, which is right: it is the machine's that is off by so much.
#[derive(Debug)]
struct Ahead(SignedDuration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }
}

fn world(ahead: SignedDuration) -> World {
    let users = [(UIN, user_with_one_key()), (UIN + 1, user_with_one_key())];
    World::at(Arc::new(Ahead(ahead)), Population { callers: vec![caller(None)], users: users.into() })
}

fn age(metrics: &Metrics) -> f64 {
    let created = metrics.family("tencentcloud_cam_access_key_created_timestamp_seconds").into_values().next().unwrap();
    created + metrics.family("tencentcloud_cam_access_key_age_seconds").into_values().next().unwrap()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
fn the_api_s_clock_is_gone_by_where_ours_is_an_hour_off() {
    for ahead in [SignedDuration::from_hours(1), SignedDuration::from_hours(-25)] {
        let world = world(ahead);
        let exporter = world.start();
        let metrics = exporter.until_answered(2);
        let skew = metrics.get(r#"clock_skew_seconds{account="prod"}"#).unwrap();
        assert!((skew - ahead.as_secs() as f64).abs() <= 2.0, "{skew}");
        let now = (SystemClock.now() + ahead).as_second() as f64;
        assert!((age(&metrics) - now).abs() <= 2.0, "ages are told by the API's clock");
        let answered = metrics.of_user("user_last_success_timestamp_seconds").unwrap();
        assert!((answered - now).abs() <= 3.0, "{answered}");
        let failures: f64 = metrics.family("tencentcloud_cam_poll_failures_total").values().sum();
        assert!(failures < f64::EPSILON, "nobody had to fail for that: {metrics:?}");
        exporter.until("polled on", |metrics| metrics.get(r#"polls_total{account="prod"}"#) > Some(6.0));
        let (_, log) = exporter.stop();
        assert_eq!(log.matches("clock is wrong").count(), 1, "{log}");
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
fn a_few_seconds_are_nobody_s_fault() {
    let world = world(SignedDuration::from_secs(40));
    let exporter = world.start();
    let metrics = exporter.until_answered(2);
    let skew = metrics.get(r#"clock_skew_seconds{account="prod"}"#).unwrap();
    assert!((skew - 40.0).abs() <= 2.0, "{skew}");
    assert!((age(&metrics) - SystemClock.now().as_second() as f64).abs() <= 2.0, "ages are told by our own");
    let (_, log) = exporter.stop();
    assert!(!log.contains("clock"), "{log}");
}
