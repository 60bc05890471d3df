//! Whatever goes wrong between us and the API: the reason is counted, what was good is kept, and scrapes are answered.

use http::Response;
use tencentcloud_simulator::{Fault, Rejection, Times};

use crate::world::{Exporter, Metrics, UIN, World, binary};

/// What a fault is expected to do.
struct Expected<'a> {
    reason: &'a str,
    code: Option<&'a str>,
}

/// A user whose keys are known meets `fault`, again and again, and then it is over.
fn a_failure_keeps_the_last_good_keys(fault: Fault, expected: &Expected<'_>) {
    let world = World::with_one_user();
    let exporter = world.start();
    let good = exporter.until_answered(1);
    assert_eq!(good.of_user("user_up"), Some(1.0));

    world.simulator.inject(None, fault, Times::UntilCleared);
    let failed = exporter.until("failed", |metrics| metrics.failures(expected.reason) > 0.0);
    assert_down(&failed, &good, expected);
    let again =
        exporter.until("failed again", |metrics| metrics.failures(expected.reason) > failed.failures(expected.reason));
    assert_down(&again, &good, expected);
    let last_success = |metrics: &Metrics| metrics.of_user("user_last_success_timestamp_seconds");
    assert_eq!(last_success(&again), last_success(&failed), "a failure is no success");
    assert!(last_success(&again) >= last_success(&good));

    world.simulator.clear();
    let recovered = exporter.until("recovered", |metrics| metrics.of_user("user_up") == Some(1.0));
    assert_eq!(recovered.keys(), good.keys());
    assert!(last_success(&recovered) >= last_success(&again));
}

fn assert_down(metrics: &Metrics, good: &Metrics, Expected { reason, code }: &Expected<'_>) {
    assert_eq!(metrics.keys(), good.keys(), "the last good keys are kept");
    assert_eq!(metrics.of_user("user_up"), Some(0.0));
    let failures: f64 = metrics.family("tencentcloud_cam_poll_failures_total").values().sum();
    assert!((failures - metrics.failures(reason)).abs() < f64::EPSILON, "another reason was counted too: {metrics:?}");
    let errors: f64 = metrics.family("tencentcloud_cam_api_errors_total").values().sum();
    match code {
        Some(code) => {
            let series = format!(r#"api_errors_total{{account="prod",action="ListAccessKeys",code="{code}"}}"#);
            assert!((errors - metrics.get(&series).unwrap()).abs() < f64::EPSILON && errors > 0.0, "{metrics:?}");
        }
        None => assert!(errors < f64::EPSILON, "no error of the API: {metrics:?}"),
    }
}

fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Fault {
    let response = Response::builder().status(status).header("content-type", content_type);
    Fault::Answer(response.body(body.into().into()).unwrap())
}

fn json(body: &str) -> Fault {
    answer(200, "application/json", body)
}

/// An answer that lists these rows.
fn rows(rows: &str) -> Fault {
    json(&format!(r#"{{"Response":{{"AccessKeys":[{rows}],"RequestId":"r"}}}}"#))
}

fn row(id: &str, status: &str, created: &str) -> String {
    format!(r#"{{"AccessKeyId":"{id}","Status":"{status}","CreateTime":"{created}","Description":""}}"#)
}

fn many_rows(number: usize) -> String {
    let rows = (0..number).map(|n| row(&format!("k{n}"), "Active", "2024-01-01 00:00:00"));
    rows.collect::<Vec<_>>().join(",")
}

macro_rules! codes {
    ($($test:ident: $code:literal is $reason:literal $(as $label:literal)?;)*) => {$(
        #[test]
        fn $test() {
            let label = [$($label,)? $code][0];
            a_failure_keeps_the_last_good_keys(
                Fault::Error(Rejection::new($code, "a message that means nothing")),
                &Expected { reason: $reason, code: Some(label) },
            );
        }
    )*};
}

/// Every documented code but those of a user who does not exist, and a few that are not documented.
mod code {
    use super::*;

    codes! {
        action_offline: "ActionOffline" is "rejected";
        auth_failure_invalid_authorization: "AuthFailure.InvalidAuthorization" is "credentials";
        auth_failure_invalid_secret_id: "AuthFailure.InvalidSecretId" is "credentials";
        auth_failure_mfa_failure: "AuthFailure.MFAFailure" is "credentials";
        auth_failure_secret_id_not_found: "AuthFailure.SecretIdNotFound" is "credentials";
        auth_failure_signature_expire: "AuthFailure.SignatureExpire" is "clock_skew";
        auth_failure_signature_failure: "AuthFailure.SignatureFailure" is "credentials";
        auth_failure_token_failure: "AuthFailure.TokenFailure" is "credentials";
        auth_failure_unauthorized_operation: "AuthFailure.UnauthorizedOperation" is "denied";
        dry_run_operation: "DryRunOperation" is "rejected";
        failed_operation: "FailedOperation" is "server_error";
        failed_operation_accesskey: "FailedOperation.Accesskey" is "server_error";
        internal_error: "InternalError" is "server_error";
        internal_error_unknown_error: "InternalError.UnknownError" is "server_error";
        invalid_action: "InvalidAction" is "rejected";
        invalid_parameter: "InvalidParameter" is "rejected";
        invalid_parameter_param_error: "InvalidParameter.ParamError" is "rejected";
        invalid_parameter_value: "InvalidParameterValue" is "rejected";
        invalid_request: "InvalidRequest" is "rejected";
        ip_in_blacklist: "IpInBlacklist" is "denied";
        ip_not_in_whitelist: "IpNotInWhitelist" is "denied";
        limit_exceeded: "LimitExceeded" is "rejected";
        limit_exceeded_uin: "LimitExceeded.Uin" is "throttled";
        missing_parameter: "MissingParameter" is "rejected";
        no_such_product: "NoSuchProduct" is "rejected";
        no_such_version: "NoSuchVersion" is "rejected";
        operation_denied_access_key_over_limit: "OperationDenied.AccessKeyOverLimit" is "denied";
        operation_denied_sub_uin: "OperationDenied.SubUin" is "denied";
        operation_denied_uin_not_match: "OperationDenied.UinNotMatch" is "denied";
        request_limit_exceeded: "RequestLimitExceeded" is "throttled";
        request_limit_exceeded_global_region_uin: "RequestLimitExceeded.GlobalRegionUinLimitExceeded" is "throttled";
        request_limit_exceeded_ip: "RequestLimitExceeded.IPLimitExceeded" is "throttled";
        request_limit_exceeded_uin: "RequestLimitExceeded.UinLimitExceeded" is "throttled";
        request_size_limit_exceeded: "RequestSizeLimitExceeded" is "rejected";
        resource_in_use: "ResourceInUse" is "server_error";
        resource_insufficient: "ResourceInsufficient" is "server_error";
        resource_not_found: "ResourceNotFound" is "rejected";
        resource_not_found_secret_not_exist: "ResourceNotFound.SecretNotExist" is "rejected";
        resource_unavailable: "ResourceUnavailable" is "server_error";
        response_size_limit_exceeded: "ResponseSizeLimitExceeded" is "rejected";
        service_unavailable: "ServiceUnavailable" is "server_error";
        unauthorized_operation: "UnauthorizedOperation" is "denied";
        unknown_parameter: "UnknownParameter" is "rejected";
        unsupported_operation: "UnsupportedOperation" is "rejected";
        unsupported_protocol: "UnsupportedProtocol" is "rejected";
        unsupported_region: "UnsupportedRegion" is "rejected";

        of_a_known_family: "UnauthorizedOperation.CamNoAuth" is "denied" as "other";
        of_nobody_s_knowledge: "Surprise.Attack" is "other" as "other";
        of_hostile_text: "a\"b\\c\nd{e=\"f\"} 1" is "other" as "other";
    }
}

macro_rules! faults {
    ($($test:ident: $fault:expr, $reason:literal;)*) => {$(
        #[test]
        fn $test() {
            a_failure_keeps_the_last_good_keys($fault, &Expected { reason: $reason, code: None });
        }
    )*};
}

/// Answers that are no answers.
mod wire {
    use super::*;

    faults! {
        http_500: answer(500, "text/plain", "oops"), "server_error";
        http_502: answer(502, "text/html", "<h1>Bad Gateway</h1>"), "server_error";
        http_403: answer(403, "text/html", "a proxy's page"), "http_status";
        http_204: answer(204, "application/json", ""), "http_status";
        reset: Fault::Reset, "connection";
        closed_unanswered: Fault::Close, "connection";
        cut_off: Fault::Truncate, "connection";
        hang: Fault::Hang, "timeout";
        truncated_json: json(r#"{"Response":{"AccessKeys":[{"AccessKeyId":"#), "malformed";
        html: answer(200, "text/html", "<!DOCTYPE html><title>Welcome to the hotel's network</title>"), "malformed";
        empty: json(""), "malformed";
        json_of_something_else: json(r#"{"code":0,"data":[]}"#), "malformed";
        no_request_id: json(r#"{"Response":{"AccessKeys":[]}}"#), "malformed";
        keys_of_a_wrong_type: json(r#"{"Response":{"AccessKeys":{},"RequestId":"r"}}"#), "malformed";
        id_of_a_wrong_type: rows(r#"{"AccessKeyId":5,"Status":"Active","CreateTime":"2024-01-01 00:00:00"}"#), "malformed";
        status_of_a_wrong_type: rows(r#"{"AccessKeyId":"a","Status":true,"CreateTime":"2024-01-01 00:00:00"}"#), "malformed";
        no_create_time: rows(r#"{"AccessKeyId":"a","Status":"Active"}"#), "malformed";
        garbage_create_time: rows(&row("a", "Active", "yesterday")), "malformed";
        impossible_create_time: rows(&row("a", "Active", "2024-02-30 00:00:00")), "malformed";
        future_create_time: rows(&row("a", "Active", "2099-01-01 00:00:00")), "malformed";
        zero_create_time: rows(&row("a", "Active", "0001-01-01 00:00:00")), "malformed";
        create_time_before_the_cloud: rows(&row("a", "Active", "1600-02-29 00:00:00")), "malformed";
        id_of_control_characters: rows(&row("AKID\\u001b[2J", "Active", "2024-01-01 00:00:00")), "malformed";
        thirty_eight_thousand_keys: rows(&many_rows(38_000)), "malformed";
        a_thousand_and_one_keys: rows(&many_rows(1_001)), "malformed";
        nested_deeply: json(&"[".repeat(1_000_000)), "malformed";
        nested_deeply_in_a_field: rows(&format!(r#"{{"New":{}"#, "{\"a\":".repeat(500_000))), "malformed";
        empty_id: rows(&row("", "Active", "2024-01-01 00:00:00")), "malformed";
        endless_id: rows(&row(&"a".repeat(100_000), "Active", "2024-01-01 00:00:00")), "malformed";
        one_good_row_and_one_bad: rows(&[row("a", "Active", "2024-01-01 00:00:00"), row("b", "Active", "")].join(",")), "malformed";
        one_key_twice_and_differently:
            rows(&[row("a", "Active", "2024-01-01 00:00:00"), row("a", "Inactive", "2024-01-01 00:00:00")].join(",")), "malformed";
    }

    #[test]
    fn http_429() {
        let expected = Expected { reason: "throttled", code: Some("RequestLimitExceeded") };
        a_failure_keeps_the_last_good_keys(answer(429, "text/plain", "slow down"), &expected);
    }

    #[test]
    fn a_redirect_is_not_followed() {
        let elsewhere = World::with_one_user();
        let redirect = Response::builder().status(302).header("location", format!("http://{}/", elsewhere.endpoint));
        let fault = Fault::Answer(redirect.body("".into()).unwrap());
        a_failure_keeps_the_last_good_keys(fault, &Expected { reason: "http_status", code: None });
        assert_eq!(elsewhere.simulator.arrivals().len(), 0);
    }

    #[test]
    fn a_body_of_100_mb_is_neither_read_nor_kept() {
        for chunked in [false, true] {
            let fault = Fault::Flood { bytes: 100_000_000, chunked };
            a_failure_keeps_the_last_good_keys(fault, &Expected { reason: "too_large", code: None });
        }
    }

    #[test]
    fn a_body_of_100_mb_does_not_fill_the_memory() {
        let world = World::with_one_user();
        world.simulator.inject(None, Fault::Flood { bytes: 100_000_000, chunked: true }, Times::UntilCleared);
        let exporter = world.start();
        let metrics = exporter.until("two of them", |metrics| metrics.failures("too_large") >= 2.0);
        let memory = metrics.family("process_resident_memory_bytes")["process_resident_memory_bytes"];
        assert!(memory < 50e6, "{memory} bytes");
    }

    #[test]
    fn connection_refused() {
        let mut world = World::with_one_user();
        let exporter = world.start();
        let good = exporter.until_answered(1);
        world.take_the_api_down();
        let down = exporter.until("refused", |metrics| metrics.failures("connect") > 0.0);
        assert_eq!((down.keys(), down.of_user("user_up")), (good.keys(), Some(0.0)));
        world.bring_the_api_back();
        exporter.until("recovered", |metrics| metrics.of_user("user_up") == Some(1.0));
    }

    #[test]
    fn a_name_that_does_not_resolve() {
        assert_eq!(only_failure_of("https://cam.invalid"), "connect");
    }

    #[test]
    fn a_server_that_speaks_no_tls() {
        let world = World::with_one_user();
        assert_eq!(only_failure_of(&format!("https://{}", world.endpoint)), "tls");
        assert_eq!(world.simulator.arrivals().len(), 0);
    }

    /// The reason for which polls of that endpoint fail.
    fn only_failure_of(endpoint: &str) -> String {
        let world = World::with_one_user();
        let here = format!("http://{}", world.endpoint);
        let config = world.write("elsewhere.yaml", &world.config().replace(&here, endpoint));
        let exporter = Exporter::start(
            binary()
                .arg(format!("--config.file={}", config.display()))
                // Which authorities this machine trusts is not the point, but without any there is no TLS.
                .env("SSL_CERT_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/authority.pem")),
        );
        let family = "tencentcloud_cam_poll_failures_total";
        let failed = exporter.until("failed", |metrics| metrics.family(family).values().any(|count| *count > 0.0));
        assert!(failed.keys().is_empty());
        let failures = failed.family(family);
        let counted: Vec<_> = failures.iter().filter(|(_, count)| **count > 0.0).map(|(series, _)| series).collect();
        assert_eq!(counted.len(), 1, "{counted:?}");
        counted[0].split("reason=\"").nth(1).unwrap().trim_end_matches("\"}").to_owned()
    }
}

/// Answers that look odd and are good.
mod odd {
    use super::*;

    /// The user's answer becomes `fault`; the scrape once it has.
    fn after(fault: Fault, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        let world = World::with_one_user();
        let exporter = world.start();
        exporter.until_answered(1);
        world.simulator.inject(None, fault, Times::UntilCleared);
        let metrics = exporter.until("reloaded", holds);
        assert_eq!(metrics.of_user("user_up"), Some(1.0));
        let failures: f64 = metrics.family("tencentcloud_cam_poll_failures_total").values().sum();
        assert!(failures < f64::EPSILON, "{metrics:?}");
        metrics
    }

    fn keys_of_status(metrics: &Metrics, status: &str) -> Option<f64> {
        metrics.get(&format!(r#"access_keys{{account="prod",uin="{UIN}",status="{status}"}}"#))
    }

    #[test]
    fn an_unknown_status_is_unknown() {
        let fault = rows(&row("AKIDnew", "Suspended", "2024-01-01 00:00:00"));
        let metrics = after(fault, |metrics| keys_of_status(metrics, "Unknown") == Some(1.0));
        let key = format!(r#"account="prod",uin="{UIN}",access_key_id="AKID****""#);
        let status = |status: &str| metrics.get(&format!(r#"access_key_status{{{key},status="{status}"}}"#));
        assert_eq!(["Active", "Inactive", "Unknown"].map(status), [Some(0.0), Some(0.0), Some(1.0)]);
    }

    #[test]
    fn a_status_counts_in_any_case() {
        let keys =
            [row("AKIDnew1", "active", "2024-01-01 00:00:00"), row("AKIDnew2", "INACTIVE", "2024-01-01 00:00:00")];
        let metrics = after(rows(&keys.join(",")), |metrics| metrics.keys().keys().any(|key| key.contains("AKID****")));
        let counts = ["Active", "Inactive", "Unknown"].map(|status| keys_of_status(&metrics, status));
        assert_eq!(counts, [Some(1.0), Some(1.0), Some(0.0)]);
    }

    #[test]
    fn no_keys_in_any_of_three_shapes_is_no_keys() {
        for shape in [r#""AccessKeys":null,"#, r#""AccessKeys":[],"#, ""] {
            let fault = json(&format!(r#"{{"Response":{{{shape}"RequestId":"r"}}}}"#));
            let metrics = after(fault, |metrics| keys_of_status(metrics, "Active") == Some(0.0));
            assert_eq!(metrics.count("tencentcloud_cam_access_key_created_timestamp_seconds"), 0, "{shape}");
        }
    }

    #[test]
    fn one_key_twice_and_alike_is_one_key() {
        let one = row("AKIDnew", "Active", "2024-01-01 00:00:00");
        let metrics =
            after(rows(&[one.clone(), one].join(",")), |metrics| keys_of_status(metrics, "Inactive") == Some(0.0));
        assert_eq!(keys_of_status(&metrics, "Active"), Some(1.0));
        assert_eq!(metrics.count("tencentcloud_cam_access_key_created_timestamp_seconds"), 1);
    }

    #[test]
    fn a_kept_connection_that_was_closed_costs_nothing() {
        let world = World::with_one_user();
        let exporter = world.start();
        exporter.until_answered(1);
        world.simulator.inject(None, Fault::CloseIfReused, Times::Next(1));
        let arrivals = || world.simulator.arrivals();
        let asked_again = exporter.until("asked again", |_| {
            let closed = arrivals().iter().position(|arrival| arrival.outcome == Outcome::Faulted);
            closed.is_some_and(|closed| {
                arrivals()[closed + 1..].iter().any(|arrival| arrival.outcome == Outcome::Answered)
            })
        });
        assert_eq!(asked_again.of_user("user_up"), Some(1.0));
        let failures: f64 = asked_again.family("tencentcloud_cam_poll_failures_total").values().sum();
        assert!(failures < f64::EPSILON, "{asked_again:?}");
    }

    use tencentcloud_simulator::Outcome;
}

#[test]
fn a_user_who_does_not_exist_has_no_keys_any_more() {
    let world = World::with_one_user();
    let exporter = world.start();
    let good = exporter.until_answered(1);
    assert_eq!(good.count("tencentcloud_cam_access_key_age_seconds"), 2);

    world.simulator.edit(|population| population.users.clear());
    let gone = exporter.until("gone", |metrics| metrics.failures("user_not_found") > 0.0);
    assert!(gone.keys().is_empty(), "{gone:?}");
    assert_eq!(gone.of_user("user_up"), Some(0.0));
    let code = r#"api_errors_total{account="prod",action="ListAccessKeys",code="InvalidParameter.UserNotExist"}"#;
    assert!(gone.get(code).unwrap() > 0.0);
    let answered = |metrics: &Metrics| metrics.of_user("user_last_success_timestamp_seconds").unwrap();
    assert!(answered(&gone) >= answered(&good), "it is an answer");
}

#[test]
fn a_user_never_answered_is_unknown() {
    let world = World::with_one_user();
    world.simulator.inject(None, Fault::Error(Rejection::new("InternalError", "")), Times::UntilCleared);
    let exporter = world.start();
    let metrics = exporter.until("failed", |metrics| metrics.failures("server_error") > 0.0);
    assert!(metrics.keys().is_empty(), "{metrics:?}");
    assert_eq!(metrics.of_user("user_up"), Some(0.0));
    assert_eq!(metrics.of_user("user_last_success_timestamp_seconds"), None);
}

#[test]
fn one_user_s_failures_are_nobody_else_s() {
    let world = World::new((0..5).map(|n| (UIN + n, super::exposition::user_with_one_key())));
    world.simulator.inject(Some(UIN), Fault::Hang, Times::UntilCleared);
    let exporter = world.start();
    exporter.until_answered(4);
    let metrics = exporter.until("failed", |metrics| metrics.failures("timeout") > 0.0);
    let up = metrics.family("tencentcloud_cam_user_up");
    assert_eq!(up.values().filter(|up| **up > 0.0).count(), 4, "{metrics:?}");
    assert_eq!(metrics.get(r#"account_up{account="prod"}"#), Some(1.0));
}
