//! A machine whose clock is wrong.

use std::sync::Arc;

use http::{HeaderValue, Response};
use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Fault, Outcome, Population, Times};

use crate::{
    credentials::{ROLE, world_of},
    exposition::user_with_one_key,
    world::{Exporter, Metrics, UIN, World, caller},
};

/// The last time that there is.
const END_OF_TIME: &str = "Thu, 30 Dec 9999 22:00:00 GMT";

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
        assert!((age(&metrics) - now).abs() <= 2.0, "ages are by the API's clock");
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
    assert!((age(&metrics) - SystemClock.now().as_second() as f64).abs() <= 2.0, "ages are by our own");
    let (_, log) = exporter.stop();
    assert!(!log.contains("clock"), "{log}");
}

/// A refusal of a request for its time, which says that it is `date`.
fn refusal(date: &str) -> Fault {
    let body = r#"{"Response":{"Error":{"Code":"AuthFailure.SignatureExpire","Message":"m"},"RequestId":"r"}}"#;
    Fault::Answer(Response::builder().header("date", date).body(body.into()).unwrap())
}

fn polled_on(exporter: &Exporter, polls: f64) -> Metrics {
    let before = exporter.metrics().get(r#"polls_total{account="prod"}"#).unwrap();
    exporter.until("polled on", |metrics| metrics.get(r#"polls_total{account="prod"}"#).unwrap() > before + polls)
}

/// The age is that by this machine's clock, which is right.
#[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
fn assert_right(metrics: &Metrics) {
    let off = age(metrics) - SystemClock.now().as_second() as f64;
    assert!(off.abs() <= 2.0, "{off}: {metrics:?}");
}

#[test]
fn a_refusal_with_a_wrong_date_moves_no_age_and_ends_nothing() {
    for date in [END_OF_TIME, "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 02 Jan 2026 00:00:00 GMT", "yesterday"] {
        let world = world(SignedDuration::ZERO);
        let exporter = world.start();
        exporter.until_answered(2);
        world.simulator.inject(None, refusal(date), Times::UntilCleared);
        assert_right(&exporter.until("refused", |metrics| metrics.failures("clock_skew") > 1.0));
        world.simulator.clear();
        assert_right(&exporter.until("up again", |metrics| metrics.of_user("user_up") == Some(1.0)));
        let (status, log) = exporter.stop();
        assert!(status.success() && !log.contains("clock is wrong"), "{log}");
    }
}

#[test]
fn one_backend_of_three_whose_clock_is_wrong_moves_nothing() {
    let world = World::new((0..6).map(|n| (UIN + n, user_with_one_key())));
    let slow = [SignedDuration::ZERO, SignedDuration::ZERO, SignedDuration::from_hours(-3)];
    world.simulator.set_backends(&slow);
    let exporter = world.start();
    exporter.until_answered(6);
    for _ in 0..30 {
        let metrics = polled_on(&exporter, 1.0);
        assert_right(&metrics);
        let answered = metrics.family("tencentcloud_cam_user_last_success_timestamp_seconds");
        let now = SystemClock.now().as_second();
        #[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
        let recent = answered.values().all(|at| (now as f64 - at).abs() < 30.0);
        assert!(recent, "{answered:?}");
    }
    let failures: f64 = exporter.metrics().family("tencentcloud_cam_poll_failures_total").values().sum();
    assert!(failures < f64::EPSILON, "{failures}");
    let refused = world.simulator.arrivals().iter().filter(|arrival| arrival.outcome != Outcome::Answered).count();
    assert!(refused > 0, "the slow one refuses");
    let (_, log) = exporter.stop();
    assert!(!log.contains("clock is"), "{log}");
}

#[test]
fn whatever_date_sts_tells_a_credential_is_asked_for_once() {
    let credentials = format!("assume_role: {{role_arn: '{ROLE}', duration: 1h, source: {{env: {{}}}}}}");
    let soon = (SystemClock.now() + SignedDuration::from_secs(3_590)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let later = (SystemClock.now() + SignedDuration::from_hours(9)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for date in [END_OF_TIME, &later, &soon] {
        let world = world_of(3);
        let date = HeaderValue::from_str(date).unwrap();
        world.simulator.inject_into("AssumeRole", Fault::Date(date), Times::UntilCleared);
        let exporter = world.start_with(&world.config_with(&credentials), &[]);
        exporter.until_answered(3);
        let metrics = polled_on(&exporter, 9.0);
        let failures: f64 = metrics.family("tencentcloud_cam_poll_failures_total").values().sum();
        assert!(failures < f64::EPSILON, "{metrics:?}");
        let asked = world.simulator.arrivals().iter().filter(|arrival| arrival.action == "AssumeRole").count();
        assert_eq!(asked, 1);
        assert_right(&metrics);
    }
}
