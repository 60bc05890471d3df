//! A simulated account at a time that stands still, and requests to it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;
use tencentcloud_api::{
    Clock, Credential,
    sign::{self, Covered, Payload},
};
use tencentcloud_simulator::{Caller, Key, Population, Reply, Simulator, User};

pub(crate) const HOST: &str = "cam.tencentcloudapi.com";
pub(crate) const CALLER: u64 = 100_013_065_900;
pub(crate) const USER: u64 = 100_013_065_917;
/// The time, as the answers' `Date` tells it.
pub(crate) const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

#[derive(Debug)]
pub(crate) struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }
}

pub(crate) fn simulator() -> Simulator {
    let user = |id| User::with_keys([Key::new(id, "Active", NOW)]);
    Simulator::new(
        Arc::new(Stopped),
        Population {
            callers: vec![Caller { uin: CALLER, credential: credential() }],
            users: [(CALLER, user("AKIDcaller")), (USER, user("AKIDuser"))].into(),
        },
    )
}

pub(crate) fn credential() -> Credential {
    Credential { secret_id: "AKIDcaller".into(), secret_key: "key".into(), token: None }
}

/// A request to list the keys of `uin`, signed.
pub(crate) fn list(uin: u64) -> Request<Bytes> {
    post(&format!(r#"{{"TargetUin":{uin}}}"#))
}

/// A request with this body, signed.
pub(crate) fn post(body: &str) -> Request<Bytes> {
    signed(Request::post("/"), "application/json", HOST, "cam", body)
}

/// A signed request. What is not signed may still be changed.
pub(crate) fn signed(
    request: http::request::Builder,
    content_type: &str,
    host: &str,
    service: &str,
    body: &str,
) -> Request<Bytes> {
    let uri = request.uri_ref().unwrap().clone();
    let covered = Covered {
        method: request.method_ref().unwrap().as_str(),
        query: uri.query().unwrap_or_default(),
        headers: &[("content-type", content_type), ("host", host)],
        payload: Payload::Signed(body.as_bytes()),
    };
    let authorization = sign::authorization(&covered, &credential(), service, NOW);
    request
        .header("host", host)
        .header("content-type", content_type)
        .header("authorization", authorization)
        .header("x-tc-action", "ListAccessKeys")
        .header("x-tc-version", "2019-01-16")
        .header("x-tc-timestamp", NOW.as_second())
        .body(body.to_owned().into())
        .unwrap()
}

/// The answer to a request.
pub(crate) fn answer(simulator: &Simulator, request: &Request<Bytes>) -> Response<Bytes> {
    let reply = simulator.handle(request);
    let Reply::Response(response) = reply else { panic!("no answer: {reply:?}") };
    response
}

/// What the answer to a request says.
pub(crate) fn said(simulator: &Simulator, request: &Request<Bytes>) -> Value {
    let response = answer(simulator, request);
    serde_json::from_slice::<Value>(response.body()).unwrap()["Response"].take()
}

/// The code of the error that a request is answered with; null if it is not.
pub(crate) fn code(simulator: &Simulator, request: &Request<Bytes>) -> Value {
    said(simulator, request)["Error"]["Code"].take()
}
