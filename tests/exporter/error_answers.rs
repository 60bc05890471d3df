//! Errors of the API in every form that it writes them in: the code counts, whatever else the answer has or lacks.

use http::Response;
use tencentcloud_simulator::{Fault, Times};

use crate::world::{Metrics, UIN, World};

/// How an error is written, with `CODE` in place of its code.
const FORMS: [&str; 6] = [
    r#"{"Response":{"Error":{"Code":"CODE","Message":"x"}}}"#,
    r#"{"Response":{"Error":{"Code":"CODE","Message":"x"},"RequestId":null}}"#,
    r#"{"Response":{"Error":{"Code":"CODE","Message":null},"RequestId":"r"}}"#,
    r#"{"Response":{"RequestId":"r","Error":{"Code":"CODE"}}}"#,
    r#"{"Response":{"Error":{"Code":"CODE","Message":"user \ud800"},"RequestId":"r"}}"#,
    r#"{"code":4400,"codeDesc":"CODE","message":"x"}"#,
];

fn error(form: &str, code: &str) -> Fault {
    Fault::Answer(Response::new(form.replace("CODE", code).into()))
}

fn failures(metrics: &Metrics) -> f64 {
    metrics.family("tencentcloud_cam_poll_failures_total").values().sum()
}

fn errors(metrics: &Metrics, code: &str) -> Option<f64> {
    metrics.get(&format!(r#"api_errors_total{{account="prod",action="ListAccessKeys",code="{code}"}}"#))
}

fn rate(metrics: &Metrics) -> f64 {
    metrics.get(r#"account_rate_limit_requests_per_second{account="prod"}"#).unwrap()
}

#[test]
fn a_throttled_request_is_retried_and_slows_the_account_down_in_every_form() {
    let too_many = Response::builder().status(429).body("slow down".into()).unwrap();
    let forms = FORMS.map(|form| error(form, "RequestLimitExceeded"));
    for fault in forms.into_iter().chain([Fault::Answer(too_many)]) {
        let world = World::with_one_user();
        world.simulator.inject(None, fault.clone(), Times::Next(2));
        let exporter = world.start_with(&world.config().replace("interval: 1s", "interval: 1m"), &[]);
        let metrics = exporter.until_answered(1);
        assert!(failures(&metrics) < f64::EPSILON, "{fault:?}: {metrics:?}");
        assert_eq!(errors(&metrics, "RequestLimitExceeded"), Some(2.0), "{fault:?}");
        assert!(rate(&metrics) < 20.0, "{fault:?}: {metrics:?}");
    }
}

#[test]
fn a_failure_inside_the_api_is_retried_in_every_form() {
    for form in FORMS {
        let world = World::with_one_user();
        world.simulator.inject(None, error(form, "InternalError"), Times::Next(1));
        // Only a retry comes before the hour is over.
        let exporter = world.start_with(&world.config().replace("interval: 1s", "interval: 1h"), &[]);
        let metrics = exporter.until_answered(1);
        assert_eq!((failures(&metrics), metrics.failures("server_error")), (1.0, 1.0), "{form}");
        assert_eq!(errors(&metrics, "InternalError"), Some(1.0), "{form}");
        exporter.until_logged("InternalError");
    }
}

#[test]
fn what_lasts_is_told_with_its_code_and_that_it_has_no_request_id() {
    let world = World::with_one_user();
    world.simulator.inject(None, error(FORMS[0], "AuthFailure.UnauthorizedOperation"), Times::UntilCleared);
    let exporter = world.start();
    let metrics = exporter.until("denied", |metrics| metrics.failures("denied") > 0.0);
    assert!(errors(&metrics, "AuthFailure.UnauthorizedOperation") > Some(0.0), "{metrics:?}");
    exporter.until_logged("AuthFailure.UnauthorizedOperation: x (no request id)");
}

#[test]
fn a_user_who_does_not_exist_is_gone_by_each_of_the_api_s_codes() {
    for code in ["InvalidParameter.UserNotExist", "ResourceNotFound.UserNotExist", "ResourceNotFound.UserNotExists"] {
        let world = World::with_one_user();
        let exporter = world.start();
        assert!(!exporter.until_answered(1).keys().is_empty());
        world.simulator.inject(Some(UIN), error(FORMS[0], code), Times::UntilCleared);
        let gone = exporter.until("gone", |metrics| metrics.failures("user_not_found") > 0.0);
        assert!(gone.keys().is_empty(), "{code}: {gone:?}");
        assert!(errors(&gone, code) > Some(0.0), "{code}");
    }
}
