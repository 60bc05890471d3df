//! Any action, sent to the simulator as the example does.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]

use std::sync::Arc;

use serde_json::{Value, json};
use tencentcloud_api::{
    Client, Clock, Connection, Credential, Endpoint, Error, HttpTransport, Program, Proxies, RawAction, Reason, Region,
    SystemClock,
};
use tencentcloud_simulator::{Population, Simulator, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[path = "../examples/call.rs"]
#[expect(dead_code, reason = "an example's `main` reads the command line")]
mod example;

/// The demo's account, served for as long as the test's runtime lives.
async fn api() -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let simulator = Simulator::new(Arc::new(SystemClock), Population::demo(SystemClock.now()));
    tokio::spawn(serve(listener, Arc::new(simulator), CancellationToken::new()));
    endpoint
}

fn list_users() -> RawAction {
    RawAction::new("cam", "2019-01-16", "ListUsers", json!({})).unwrap()
}

#[tokio::test]
async fn the_example_gets_the_response_as_json() {
    let response = example::call(api().await, None, &Population::demo_credential(), &list_users()).await.unwrap();
    let users = response["Data"].as_array().unwrap();
    assert!(
        !users.is_empty() && users.iter().all(|user| user["Uin"].is_u64() && user["Name"].is_string()),
        "{response}"
    );
    assert!(response["RequestId"].is_string());
}

#[tokio::test]
async fn the_payload_and_the_region_are_sent() {
    let (endpoint, credential) = (api().await, Population::demo_credential());
    let identity = |region: Option<Region>| {
        let action = RawAction::new("sts", "2018-08-13", "GetCallerIdentity", json!({})).unwrap();
        let (endpoint, credential) = (endpoint.clone(), credential.clone());
        async move { example::call(endpoint, region, &credential, &action).await }
    };
    let code = |answer: Result<Value, Error>| match answer {
        Err(Error::Api { code, .. }) => code.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(identity(None).await), "MissingParameter", "STS wants a region");
    let caller = identity(Some("ap-guangzhou".parse().unwrap())).await.unwrap();
    let keys = |payload: Value| {
        let action = RawAction::new("cam", "2019-01-16", "ListAccessKeys", payload).unwrap();
        let (endpoint, credential) = (endpoint.clone(), credential.clone());
        async move { example::call(endpoint, None, &credential, &action).await }
    };
    let uin: u64 = caller["UserId"].as_str().unwrap().parse().unwrap();
    assert!(keys(json!({ "TargetUin": uin })).await.unwrap()["AccessKeys"].is_array());
    assert_eq!(code(keys(json!({ "NoSuchParameter": 1 })).await), "UnknownParameter");
}

#[tokio::test]
async fn what_goes_wrong_is_typed_and_quotes_no_secret() {
    let endpoint = api().await;
    let wrong = Credential { secret_key: "another-secret".into(), ..Population::demo_credential() };
    let error = example::call(endpoint.clone(), None, &wrong, &list_users()).await.unwrap_err();
    assert!(matches!(&error, Error::Api { code, .. } if code.to_string() == "AuthFailure.SignatureFailure"), "{error}");
    assert_eq!(error.reason(), Reason::Credentials);
    assert!(!error.to_string().contains("another-secret"), "{error}");

    let unknown = RawAction::new("cam", "2019-01-16", "NoSuchAction", json!({})).unwrap();
    let error = example::call(endpoint, None, &Population::demo_credential(), &unknown).await.unwrap_err();
    assert!(matches!(&error, Error::Api { code, .. } if code.to_string() == "InvalidAction"), "{error}");

    let closed = "http://127.0.0.1:1".parse().unwrap();
    let error = example::call(closed, None, &Population::demo_credential(), &list_users()).await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error}");
}

#[tokio::test]
async fn an_answer_tells_the_time_of_the_api() {
    let transport = HttpTransport::new(Program::default(), Proxies::default()).unwrap();
    let client = Client::new(api().await, Arc::new(transport));
    let now = SystemClock.now();
    let answer = client.call_raw(&Population::demo_credential(), &list_users(), Connection::Fresh, now).await.unwrap();
    assert!(answer.server_time.unwrap().duration_since(now).abs().as_secs() < 60);
}
