//! An account whose budget is short, or that the API throttles.

use tencentcloud_simulator::{Fault, Rejection, Times};

use crate::{
    exposition::user_with_one_key,
    world::{Metrics, UIN, World},
};

fn throttle() -> Fault {
    Fault::Error(Rejection::new("RequestLimitExceeded", "too many"))
}

fn failures(metrics: &Metrics) -> f64 {
    metrics.family("tencentcloud_cam_poll_failures_total").values().sum()
}

#[test]
fn a_request_that_is_throttled_is_tried_again_and_no_failure() {
    let world = World::with_one_user();
    world.simulator.inject(None, throttle(), Times::Next(2));
    let exporter = world.start_with(&world.config().replace("interval: 1s", "interval: 1m"), &[]);
    let metrics = exporter.until_answered(1);
    assert!(failures(&metrics) < f64::EPSILON, "{metrics:?}");
    let refused = r#"api_errors_total{account="prod",action="ListAccessKeys",code="RequestLimitExceeded"}"#;
    assert_eq!(metrics.get(refused), Some(2.0));
    let rate = metrics.get(r#"account_rate_limit_requests_per_second{account="prod"}"#).unwrap();
    assert!(rate < 20.0, "{rate}");
}

#[test]
fn one_account_s_trouble_is_no_other_s() {
    let (throttled, well) = (World::with_one_user(), World::new((UIN..UIN + 5).map(|uin| (uin, user_with_one_key()))));
    throttled.simulator.inject(None, throttle(), Times::UntilCleared);
    let other = well.config().replace("name: prod", "name: other");
    let account = other.lines().next().unwrap().trim_start_matches("accounts: [").trim_end_matches(']');
    let both = throttled.config().replace("}}]\n", &format!("}}}}, {account}]\n"));
    let exporter = throttled.start_with(&both, &[]);
    let of_other = r#"polls_total{account="other"}"#;
    let metrics = exporter.until("polled on", |metrics| metrics.get(of_other) >= Some(20.0));
    let rate =
        |account: &str| metrics.get(&format!(r#"account_rate_limit_requests_per_second{{account="{account}"}}"#));
    assert_eq!(rate("other"), Some(20.0));
    assert!(rate("prod") < Some(5.0), "{metrics:?}");
    assert_eq!(metrics.get(r#"account_up{account="other"}"#), Some(1.0));
}

#[test]
fn an_interval_that_is_too_short_is_told_with_one_that_would_fit() {
    let world = World::new((UIN..UIN + 50).map(|uin| (uin, user_with_one_key())));
    let exporter = world.start();
    let metrics = exporter
        .until("polling", |metrics| metrics.count("tencentcloud_cam_account_shortest_poll_interval_seconds") == 1);
    assert_eq!(metrics.get(r#"account_shortest_poll_interval_seconds{account="prod"}"#), Some(2.5));
    exporter.until_logged("would_fit=3s");
    assert!(exporter.log().contains("level=warn"), "{}", exporter.log());
}

#[test]
fn a_request_under_way_goes_on_through_a_reload() {
    let world = World::with_one_user();
    let trip = std::time::Duration::from_secs(4);
    world.simulator.set_latency(trip..trip);
    let config = world.config().replace("interval: 1s", "interval: 1m").replace("timeout: 1s", "timeout: 10s");
    let exporter = world.start_with(&config, &["--web.enable-lifecycle"]);
    exporter.until("asked", |_| world.simulator.arrivals().len() == 1);
    let reload = exporter.send("POST /-/reload HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!(reload.status, 200);
    assert_eq!(exporter.metrics().of_user("user_up"), None, "the answer is still on its way");
    exporter.until_answered(1);
    assert_eq!(world.simulator.arrivals().len(), 1, "nobody had to ask again");
}
