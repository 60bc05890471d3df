//! What it says of users and of last uses, and what it refuses to be asked.

use bytes::Bytes;
use http::Request;
use serde_json::json;
use tencentcloud_simulator::{Behaviour, Field, Key, LastUsedRows, User};

use crate::account::{CALLER, USER, code, post, said, simulator};

/// A signed request for another action: its name is not signed.
fn asks(action: &'static str, body: &str) -> Request<Bytes> {
    let mut request = post(body);
    request.headers_mut().insert("x-tc-action", http::HeaderValue::from_static(action));
    request
}

#[tokio::test]
async fn users_with_a_name_are_listed() {
    let simulator = simulator();
    assert_eq!(said(&simulator, &asks("ListUsers", "{}"))["Data"], json!([]));
    simulator.edit(|population| {
        population.users.insert(USER, User::default().named("alice"));
        let gone = User { behaviour: Behaviour::DoesNotExist, ..User::default().named("bob") };
        population.users.insert(CALLER, gone);
    });
    let answer = said(&simulator, &asks("ListUsers", "{}"));
    assert_eq!(answer["Data"].as_array().unwrap().len(), 1);
    assert_eq!((&answer["Data"][0]["Uin"], &answer["Data"][0]["Name"]), (&json!(USER), &json!("alice")));
    assert_eq!(code(&simulator, &asks("ListUsers", r#"{"Limit":1}"#)), "UnknownParameter");
}

#[tokio::test]
async fn last_uses_are_told_as_documented_and_not_in_the_order_of_the_request() {
    let simulator = simulator();
    let key = |id: &str, day, moment| Key {
        last_used_date: day,
        last_secret_used_date: moment,
        ..Key::new(id, "Active", "2022-01-01T00:00:00Z".parse().unwrap())
    };
    simulator.edit(|population| {
        let keys = [
            key("a", Field::Value("2022-12-19".to_owned()), Field::Value(1_671_681_023_555)),
            key("b", Field::Null, Field::Absent),
            key("c", Field::Null, Field::Null),
        ];
        population.users.insert(USER, User::with_keys(keys));
    });
    let answer = said(&simulator, &asks("GetSecurityLastUsed", r#"{"SecretIdList":["a","b","c"]}"#));
    let rows = json!([
        {"SecretId": "c", "LastUsedDate": null, "LastSecretUsedDate": null},
        {"SecretId": "b", "LastUsedDate": null},
        {"SecretId": "a", "LastUsedDate": "2022-12-19", "LastSecretUsedDate": 1_671_681_023_555_i64},
    ]);
    assert_eq!(answer["SecretIdLastUsedRows"], rows);

    let ids = |rows: LastUsedRows| {
        simulator.set_last_used_rows(rows);
        let answer = said(&simulator, &asks("GetSecurityLastUsed", r#"{"SecretIdList":["a","b"]}"#));
        let rows = answer["SecretIdLastUsedRows"].as_array().unwrap().iter();
        rows.map(|row| row["SecretId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(LastUsedRows::Short), ["b"]);
    assert_eq!(ids(LastUsedRows::Duplicated), ["b", "b", "a", "a"]);
    assert_eq!(ids(LastUsedRows::Foreign), ["AKIDcaller", "b", "c", "a"]);
}

#[tokio::test]
async fn a_question_about_last_uses_must_be_right() {
    let simulator = simulator();
    for (body, expected) in [
        ("{}", "MissingParameter"),
        (r#"{"SecretIdList":"AKIDuser"}"#, "InvalidParameter"),
        (r#"{"SecretIdList":[]}"#, "InvalidParameter.ParamError"),
        (r#"{"SecretIdList":[1]}"#, "InvalidParameter.ParamError"),
        (r#"{"SecretIdList":["AKIDuser","AKIDuser"]}"#, "InvalidParameter.ParamError"),
        (r#"{"SecretIdList":["1","2","3","4","5","6","7","8","9","10","11"]}"#, "InvalidParameter.ParamError"),
        (r#"{"SecretIdList":["AKIDuser","AKIDnobody"]}"#, "ResourceNotFound.SecretNotExist"),
        (r#"{"SecretIdList":["AKIDuser"],"TargetUin":1}"#, "UnknownParameter"),
    ] {
        assert_eq!(code(&simulator, &asks("GetSecurityLastUsed", body)), expected, "{body}");
    }
}
