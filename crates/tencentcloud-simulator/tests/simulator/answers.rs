//! Responses, callers, and rate limits.

use std::time::Duration;

use http::{HeaderValue, Request, StatusCode};
use serde_json::{Value, json};
use tencentcloud_simulator::{
    Behaviour, Caller, Fault, NoKeys, Outcome, Rejection, Reply, Reused, Simulator, Times, User, densest_second,
};
use tokio::time::advance;

use crate::account::{CALLER, DATE, HOST, USER, answer, code, credential, list, post, said, signed, simulator};

#[tokio::test(start_paused = true)]
async fn twenty_a_second_pass_and_the_second_slides() {
    let simulator = simulator();
    for _ in 0..10 {
        assert_eq!(code(&simulator, &list(USER)), Value::Null);
    }
    advance(Duration::from_millis(600)).await;
    for _ in 0..10 {
        assert_eq!(code(&simulator, &list(CALLER)), Value::Null, "whose keys are asked for makes no difference");
    }
    let refusal = said(&simulator, &list(USER))["Error"].take();
    assert_eq!(
        refusal,
        json!({
            "Code": "RequestLimitExceeded",
            "Message": "Your current request times equals to `21` in a second, which exceeds the frequency limit `20` \
                        for a second. Please reduce the frequency of calls.",
        })
    );
    advance(Duration::from_millis(400)).await;
    for _ in 0..9 {
        assert_eq!(code(&simulator, &list(USER)), Value::Null, "the first ten are a second old");
    }
    assert_eq!(code(&simulator, &list(USER)), "RequestLimitExceeded", "the refused one counts");

    let arrivals = simulator.arrivals();
    assert_eq!((arrivals.len(), densest_second(&arrivals)), (31, 21));
    assert_eq!(arrivals.iter().filter(|arrival| arrival.outcome == Outcome::TooFrequent).count(), 2);
    assert_eq!(arrivals.iter().filter(|arrival| arrival.target == Some(CALLER)).count(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_frequency_limit_is_the_callers_whatever_it_signs_with() {
    let simulator = simulator();
    simulator.edit(|population| {
        let temporary = Caller { uin: CALLER, credential: credential() };
        population.callers[0].credential.secret_id = "another".into();
        population.callers.push(temporary);
    });
    for _ in 0..20 {
        code(&simulator, &list(USER));
    }
    assert_eq!(code(&simulator, &list(USER)), "RequestLimitExceeded");
    simulator.edit(|population| population.callers[1].uin = USER);
    assert_eq!(code(&simulator, &list(USER)), Value::Null, "another caller has a limit of its own");
}

#[test]
fn keys_are_listed_as_documented() {
    let simulator = simulator();
    simulator.edit(|population| {
        let key = &mut population.users.get_mut(&USER).unwrap().keys[0];
        key.status = "Frozen".to_owned();
        key.description = Some("of the build".to_owned());
    });
    let response = answer(&simulator, &list(USER));
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::OK, &HeaderValue::from_static("application/json"))
    );
    assert_eq!(response.headers()["date"], DATE);
    assert_eq!(
        said(&simulator, &list(USER))["AccessKeys"],
        json!([{
            "AccessKeyId": "AKIDuser",
            "Status": "Frozen",
            "CreateTime": "2023-11-15 06:13:20",
            "Description": "of the build",
        }])
    );
    assert_ne!(said(&simulator, &list(USER))["RequestId"], said(&simulator, &list(USER))["RequestId"]);
}

#[test]
fn nobody_named_is_the_caller() {
    assert_eq!(said(&simulator(), &post("{}"))["AccessKeys"][0]["AccessKeyId"], "AKIDcaller");
}

#[test]
fn a_get_is_answered_too() {
    let get =
        |query: &str| signed(Request::get(format!("/?{query}")), "application/x-www-form-urlencoded", HOST, "cam", "");
    let simulator = simulator();
    assert_eq!(said(&simulator, &get(&format!("TargetUin={USER}")))["AccessKeys"][0]["AccessKeyId"], "AKIDuser");
    assert_eq!(code(&simulator, &get("TargetUin=one")), "InvalidParameter");
    assert_eq!(code(&simulator, &get("Uin=1")), "UnknownParameter");
}

#[test]
fn no_keys_come_in_three_shapes() {
    for (no_keys, listed) in
        [(NoKeys::Empty, Some(json!([]))), (NoKeys::Null, Some(Value::Null)), (NoKeys::Absent, None)]
    {
        let simulator = simulator();
        simulator.edit(|population| population.users.insert(USER, User { no_keys, ..User::default() }));
        assert_eq!(said(&simulator, &list(USER)).get("AccessKeys"), listed.as_ref());
    }
}

#[test]
fn each_user_behaves_as_told() {
    let behaving = |behaviour| {
        let simulator = simulator();
        simulator.edit(|population| population.users.get_mut(&USER).unwrap().behaviour = behaviour);
        simulator
    };
    assert_eq!(code(&behaving(Behaviour::Answers), &list(USER)), Value::Null);
    assert_eq!(code(&behaving(Behaviour::DoesNotExist), &list(USER)), "InvalidParameter.UserNotExist");
    assert_eq!(code(&simulator(), &list(1)), "InvalidParameter.UserNotExist");

    let denied = said(&behaving(Behaviour::Denied), &list(USER));
    assert_eq!(denied["Error"]["Code"], "AuthFailure.UnauthorizedOperation");
    let message = denied["Error"]["Message"].as_str().unwrap();
    assert!(message.contains("operation (cam:ListAccessKeys)\nresource (*) has no permission"), "{message}");
    assert!(message.contains(denied["RequestId"].as_str().unwrap()), "{message}");

    let flaky = behaving(Behaviour::Flaky { every: 3 });
    let codes: Vec<Value> = (0..6).map(|_| code(&flaky, &list(USER))).collect();
    assert_eq!(
        codes,
        [json!(null), json!(null), json!("InternalError"), json!(null), json!(null), json!("InternalError")]
    );
}

#[test]
fn what_is_malformed_is_refused_with_the_documented_code() {
    let with = |name: &'static str, value: &str| {
        let mut request = list(USER);
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let twice = |name: &'static str| {
        let mut request = list(USER);
        let value = request.headers()[name].clone();
        request.headers_mut().append(name, value);
        request
    };
    let without = |name: &str| {
        let mut request = list(USER);
        request.headers_mut().remove(name);
        request
    };
    let to = |host: &str, service: &str| signed(Request::post("/"), "application/json", host, service, "{}");
    let form = "application/x-www-form-urlencoded";
    for (request, expected) in [
        (signed(Request::put("/"), "application/json", HOST, "cam", "{}"), "UnsupportedProtocol"),
        (signed(Request::post("/v3"), "application/json", HOST, "cam", "{}"), "InvalidRequest"),
        (signed(Request::post("/"), form, HOST, "cam", "TargetUin=1"), "InvalidRequest"),
        (without("x-tc-action"), "MissingParameter"),
        (twice("x-tc-action"), "MissingParameter"),
        (without("x-tc-version"), "MissingParameter"),
        (without("x-tc-timestamp"), "MissingParameter"),
        (with("x-tc-timestamp", "now"), "InvalidParameter"),
        (with("x-tc-requestclient", "a/b"), "InvalidParameter"),
        (with("x-tc-requestclient", &"a".repeat(129)), "InvalidParameter"),
        (without("authorization"), "AuthFailure.InvalidAuthorization"),
        (twice("authorization"), "AuthFailure.InvalidAuthorization"),
        (twice("host"), "AuthFailure.InvalidAuthorization"),
        (with("x-tc-version", "2018-08-13"), "NoSuchVersion"),
        (with("x-tc-action", "ListNothing"), "InvalidAction"),
        (to("sts.tencentcloudapi.com", "cam"), "AuthFailure.SignatureFailure"),
        (to("sts.tencentcloudapi.com", "sts"), "NoSuchVersion"),
        (to("127.0.0.1:8080", "sts"), "NoSuchVersion"),
        (to("127.0.0.1:8080", "cvm"), "InvalidAction"),
        (post(""), "InvalidParameter"),
        (post("[]"), "InvalidParameter"),
        (post(r#"{"TargetUin":"100013065917"}"#), "InvalidParameter"),
        (post(r#"{"TargetUin":1.0}"#), "InvalidParameter"),
        (post(r#"{"TargetUin":-1}"#), "InvalidParameter"),
        (post(r#"{"Uin":1}"#), "UnknownParameter"),
    ] {
        let simulator = simulator();
        assert_eq!(code(&simulator, &request), expected, "{request:?}");
        assert_eq!(simulator.arrivals()[0].outcome, Outcome::Error(expected.to_owned()));
    }
    for request in [
        with("x-tc-requestclient", "An-exporter_1.0, really;"),
        to("cam.ap-guangzhou.tencentcloudapi.com", "cam"),
        to("localhost:80", "cam"),
        to("[::1]:80", "cam"),
    ] {
        assert_eq!(code(&simulator(), &request), Value::Null, "{request:?}");
    }
}

#[test]
fn faults_are_for_whom_and_as_often_as_told() {
    let simulator = simulator();
    let busy = Fault::Error(Rejection::new("ResourceUnavailable", "Busy."));
    simulator.inject(Some(USER), busy.clone(), Times::Next(2));
    simulator.inject(None, Fault::Hang, Times::UntilCleared);
    let hangs = |simulator: &Simulator, uin| matches!(simulator.handle(&list(uin)), Reply::Hang);
    assert!(hangs(&simulator, CALLER));
    assert_eq!(code(&simulator, &list(USER)), "ResourceUnavailable");
    assert_eq!(code(&simulator, &list(USER)), "ResourceUnavailable");
    assert!(hangs(&simulator, USER) && hangs(&simulator, USER));
    simulator.clear();
    assert_eq!(code(&simulator, &list(USER)), Value::Null);
    simulator.inject(None, busy, Times::Next(0));
    assert_eq!(code(&simulator, &list(USER)), Value::Null);

    let outcomes: Vec<Outcome> = simulator.arrivals().into_iter().map(|arrival| arrival.outcome).collect();
    let error = Outcome::Error("ResourceUnavailable".to_owned());
    assert_eq!(outcomes[..4], [Outcome::Faulted, error.clone(), error, Outcome::Faulted]);
}

#[test]
fn a_fault_is_not_wasted_on_what_is_refused_anyway() {
    let simulator = simulator();
    simulator.inject(None, Fault::Hang, Times::Next(1));
    let mut unsigned = list(USER);
    unsigned.headers_mut().remove("authorization");
    assert_eq!(code(&simulator, &unsigned), "AuthFailure.InvalidAuthorization");
    assert!(matches!(simulator.handle(&list(USER)), Reply::Hang));
}

#[test]
fn a_kept_connection_is_told_by_its_mark() {
    let simulator = simulator();
    simulator.inject(None, Fault::CloseIfReused, Times::Next(1));
    assert_eq!(code(&simulator, &list(USER)), Value::Null);
    let mut reused = list(USER);
    reused.extensions_mut().insert(Reused);
    assert!(matches!(simulator.handle(&reused), Reply::Close));
    assert_eq!(code(&simulator, &reused), Value::Null);
}
