//! What it says of users and of last uses, and what it refuses to be asked.

use bytes::Bytes;
use http::Request;
use serde_json::json;
use tencentcloud_simulator::{Behaviour, Field, Key, LastUsedRows, Simulator, User, UserType};

use crate::account::{CALLER, USER, code, list, post, said, simulator};

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

/// The UINs of a page, and its marker, which may be missing.
fn page(simulator: &Simulator, body: &str) -> (Vec<u64>, serde_json::Value) {
    let mut answer = said(simulator, &asks("ListAccounts", body));
    let uins = answer["Users"].as_array().unwrap().iter().map(|user| user["Uin"].as_u64().unwrap()).collect();
    assert_eq!(answer["IsTruncated"].as_bool().unwrap(), answer["Marker"].as_str().is_some_and(|it| !it.is_empty()));
    (uins, answer["Marker"].take())
}

#[tokio::test]
async fn accounts_are_listed_in_pages() {
    let simulator = simulator();
    simulator.edit(|population| {
        let types = [UserType::Owner, UserType::Collaborator, UserType::Collaborator, UserType::Unknown];
        let users = (1..).zip(types).map(|(uin, user_type)| (uin, User::default().named("a").of_type(user_type)));
        population.users = users.chain([(9, User::default().named("sub")), (10, User::default())]).collect();
    });
    assert_eq!(page(&simulator, "{}"), (vec![1, 2, 3, 4, 9], json!("")));
    assert_eq!(page(&simulator, r#"{"UserType":"Collaborator"}"#), (vec![2, 3], json!("")));
    assert_eq!(page(&simulator, r#"{"UserType":"MessageReceiver"}"#), (vec![], json!("")));
    let (first, marker) = page(&simulator, r#"{"UserType":"Collaborator","MaxItems":1}"#);
    let second = format!(r#"{{"UserType":"Collaborator","MaxItems":1,"Marker":{marker}}}"#);
    assert_eq!((first, page(&simulator, &second)), (vec![2], (vec![3], json!(null))));
    let of_another_type = format!(r#"{{"UserType":"Owner","Marker":{marker}}}"#);
    for (body, expected) in [
        (r#"{"MaxItems":0}"#, "InvalidParameter.ParamError"),
        (r#"{"MaxItems":101}"#, "InvalidParameter.ParamError"),
        (r#"{"MaxItems":"100"}"#, "InvalidParameter"),
        (r#"{"UserType":"Unknown"}"#, "InvalidParameter.ParamError"),
        (r#"{"UserType":"collaborator"}"#, "InvalidParameter.ParamError"),
        (r#"{"Marker":"K_1"}"#, "InvalidParameter.ParamError"),
        (&of_another_type, "InvalidParameter.ParamError"),
        (r#"{"Limit":1}"#, "UnknownParameter"),
    ] {
        assert_eq!(code(&simulator, &asks("ListAccounts", body)), expected, "{body}");
    }
    let row = said(&simulator, &asks("ListAccounts", r#"{"UserType":"Owner"}"#))["Users"][0].take();
    assert_eq!((&row["UserType"], &row["Name"], &row["ConsoleLogin"]), (&json!("Owner"), &json!("a"), &json!(0)));
    assert_eq!(said(&simulator, &asks("ListUsers", "{}"))["Data"].as_array().unwrap().len(), 1, "only sub-users");
}

#[tokio::test]
async fn accounts_are_listed_twenty_times_a_second() {
    let simulator = simulator();
    let codes = (0..21).map(|_| code(&simulator, &asks("ListAccounts", "{}")));
    assert_eq!(codes.filter(|code| code == "RequestLimitExceeded").count(), 1);
}

#[tokio::test]
async fn keys_of_the_root_account_are_its_own() {
    let simulator = simulator();
    simulator.edit(|population| {
        for user in population.users.values_mut() {
            user.user_type = UserType::Owner;
        }
    });
    assert_eq!(code(&simulator, &list(USER)), "OperationDenied.SubUin");
    assert_eq!(code(&simulator, &list(CALLER)), json!(null));
    assert_eq!(code(&simulator, &post("{}")), json!(null));
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
