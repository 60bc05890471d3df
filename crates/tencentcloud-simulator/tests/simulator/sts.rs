//! Roles: who may take them on, how long what they give lasts, and what it may do.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tencentcloud_api::{
    Clock, Credential,
    sign::{self, Covered, Payload},
};
use tencentcloud_simulator::{
    Caller, Fault, Identity, Key, Machine, Population, Rejection, Reply, Role, Simulator, Times, User,
};

const ACCOUNT: u64 = 100_000_000_001;
const CALLER: u64 = 100_013_065_900;
const ROLE: u64 = 4_611_686_018_427_397_919;
const ARN: &str = "qcs::cam::uin/100000000001:roleName/exporter";

#[derive(Debug)]
struct HandClock(Mutex<Timestamp>);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

struct World {
    clock: Arc<HandClock>,
    simulator: Simulator,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(HandClock(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())));
        let user = User::with_keys([Key::new("AKIDuser", "Active", "2025-01-01T00:00:00Z".parse().unwrap())]);
        let population =
            Population { callers: vec![Caller { uin: CALLER, credential: own() }], users: [(CALLER, user)].into() };
        let simulator = Simulator::new(Arc::clone(&clock) as _, population);
        simulator.edit_roles(|roles| {
            roles.push(Role {
                account: ACCOUNT,
                name: "exporter".to_owned(),
                id: ROLE,
                trusted_callers: vec![CALLER],
                external_id: Some("extern".to_owned()),
                trusted_identities: vec![Identity { provider_id: "cls".to_owned(), token: "token".to_owned() }],
                permissions: vec!["cam:ListAccessKeys".to_owned()],
            });
        });
        Self { clock, simulator }
    }

    fn said(&self, request: &Request<Bytes>) -> Value {
        let reply = self.simulator.handle(request);
        let Reply::Response(response) = reply else { panic!("{reply:?}") };
        serde_json::from_slice::<Value>(response.body()).unwrap()["Response"].take()
    }

    /// The code of the error, or null.
    fn sts(&self, action: &str, body: &Value) -> Value {
        self.said(&self.request(Some(&own()), "sts", action, body))["Error"]["Code"].take()
    }

    fn list(&self, credential: &Credential) -> Value {
        let body = json!({"TargetUin": CALLER});
        self.said(&self.request(Some(credential), "cam", "ListAccessKeys", &body))["Error"]["Code"].take()
    }

    fn request(&self, signer: Option<&Credential>, service: &str, action: &str, body: &Value) -> Request<Bytes> {
        let (host, body, now) = (format!("{service}.tencentcloudapi.com"), body.to_string(), self.clock.now());
        let covered = Covered {
            method: "POST",
            query: "",
            headers: &[("content-type", "application/json"), ("host", &host)],
            payload: Payload::Signed(body.as_bytes()),
        };
        let mut request = Request::post("/")
            .header("host", &host)
            .header("content-type", "application/json")
            .header("x-tc-action", action)
            .header("x-tc-version", if service == "sts" { "2018-08-13" } else { "2019-01-16" })
            .header("x-tc-region", "ap-guangzhou")
            .header("x-tc-timestamp", now.as_second());
        let authorization =
            signer.map_or("SKIP".to_owned(), |signer| sign::authorization(&covered, signer, service, now));
        request = request.header("authorization", authorization);
        if let Some(token) = signer.and_then(|signer| signer.token.as_ref()) {
            request = request.header("x-tc-token", token.expose_secret());
        }
        request.body(body.into()).unwrap()
    }

    /// Takes the role on.
    fn assume(&self, seconds: u64) -> Credential {
        let mut body = assume();
        body["DurationSeconds"] = seconds.into();
        self.issued(&self.said(&self.request(Some(&own()), "sts", "AssumeRole", &body)), seconds)
    }

    /// The credential in an answer, which lasts so long.
    fn issued(&self, said: &Value, seconds: u64) -> Credential {
        let expires = self.clock.now() + SignedDuration::from_secs(seconds.cast_signed());
        assert_eq!(said["ExpiredTime"], expires.as_second(), "{said}");
        assert_eq!(said["Expiration"], expires.to_string());
        let secret = |name: &str| SecretString::from(said["Credentials"][name].as_str().unwrap());
        Credential {
            secret_id: secret("TmpSecretId"),
            secret_key: secret("TmpSecretKey"),
            token: Some(secret("Token")),
        }
    }

    fn metadata(&self, path: &str) -> (u16, String) {
        let request = Request::get(format!("http://metadata.tencentyun.com{path}")).body(Bytes::new()).unwrap();
        let reply = self.simulator.handle_metadata(&request);
        let Reply::Response(response) = reply else { panic!("{reply:?}") };
        (response.status().as_u16(), String::from_utf8(response.into_body().to_vec()).unwrap())
    }
}

fn own() -> Credential {
    Credential { secret_id: "AKIDcaller".into(), secret_key: "key".into(), token: None }
}

fn assume() -> Value {
    json!({"RoleArn": ARN, "RoleSessionName": "session", "ExternalId": "extern"})
}

fn with_identity() -> Value {
    json!({"ProviderId": "cls", "WebIdentityToken": "token", "RoleArn": ARN, "RoleSessionName": "session"})
}

/// `body` with that field.
fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

fn without(mut body: Value, name: &str) -> Value {
    body.as_object_mut().unwrap().remove(name);
    body
}

#[test]
fn a_role_is_given_to_whom_it_trusts_and_to_nobody_else() {
    let world = World::new();
    let numbered = format!("qcs::cam::uin/{ACCOUNT}:role/{ROLE}");
    for (body, code) in [
        (assume(), Value::Null),
        (with(assume(), "RoleArn", json!(numbered)), Value::Null),
        (with(assume(), "RoleSessionName", json!("a+b=c,d.e@f_g-h")), Value::Null),
        (with(assume(), "DurationSeconds", json!(43_200)), Value::Null),
        (without(assume(), "RoleArn"), json!("MissingParameter")),
        (without(assume(), "RoleSessionName"), json!("MissingParameter")),
        (with(assume(), "DurationSeconds", json!("7200")), json!("InvalidParameter")),
        (with(assume(), "Duration", json!(7_200)), json!("UnknownParameter")),
        (with(assume(), "DurationSeconds", json!(43_201)), json!("InvalidParameter.OverTimeError")),
        (with(assume(), "DurationSeconds", json!(0)), json!("InvalidParameter.OverTimeError")),
        (with(assume(), "RoleSessionName", json!("a")), json!("InvalidParameter.ParamError")),
        (with(assume(), "RoleSessionName", json!("a b")), json!("InvalidParameter.ParamError")),
        (with(assume(), "ExternalId", json!("e")), json!("InvalidParameter.ParamError")),
        (with(assume(), "RoleArn", json!("exporter")), json!("ResourceNotFound.RoleNotFound")),
        (with(assume(), "ExternalId", json!("another")), json!("AuthFailure.UnauthorizedOperation")),
        (without(assume(), "ExternalId"), json!("AuthFailure.UnauthorizedOperation")),
    ] {
        assert_eq!(world.sts("AssumeRole", &body), code, "{body}");
    }
    world.simulator.edit_roles(|roles| roles[0].trusted_callers.clear());
    assert_eq!(world.sts("AssumeRole", &assume()), "AuthFailure.UnauthorizedOperation");
}

#[test]
fn a_region_is_wanted() {
    let world = World::new();
    let mut request = world.request(Some(&own()), "sts", "AssumeRole", &assume());
    request.headers_mut().remove("x-tc-region");
    assert_eq!(world.said(&request)["Error"]["Code"], "MissingParameter");
}

#[test]
fn a_web_identity_needs_no_signature_and_nothing_else_goes_without() {
    let world = World::new();
    let unsigned = |action, body: &Value| world.said(&world.request(None, "sts", action, body));
    let said = unsigned("AssumeRoleWithWebIdentity", &with_identity());
    assert_eq!(world.list(&world.issued(&said, 7_200)), Value::Null);
    for (name, value, code) in [
        ("WebIdentityToken", json!("another"), "InvalidParameter.WebIdentityTokenError"),
        ("ProviderId", json!("another"), "InvalidParameter.WebIdentityTokenError"),
        ("RoleArn", json!("another"), "ResourceNotFound.RoleNotFound"),
        ("TargetUin", json!(1), "UnknownParameter"),
    ] {
        let body = with(with_identity(), name, value);
        assert_eq!(unsigned("AssumeRoleWithWebIdentity", &body)["Error"]["Code"], code, "{body}");
    }
    for action in ["AssumeRole", "GetCallerIdentity"] {
        assert_eq!(unsigned(action, &json!({}))["Error"]["Code"], "AuthFailure.InvalidAuthorization", "{action}");
    }
}

#[test]
fn a_temporary_credential_ends() {
    let world = World::new();
    let credential = world.assume(900);
    assert_eq!(world.list(&credential), Value::Null);
    *world.clock.0.lock() += SignedDuration::from_secs(899);
    assert_eq!(world.list(&credential), Value::Null);
    *world.clock.0.lock() += SignedDuration::from_secs(1);
    assert_eq!(world.list(&credential), "AuthFailure.TokenFailure");
    let fresh = world.assume(900);
    let without_token = Credential { token: None, ..fresh.clone() };
    assert_eq!(world.list(&without_token), "AuthFailure.TokenFailure");
    world.simulator.revoke();
    assert_eq!(world.list(&fresh), "AuthFailure.SecretIdNotFound");
}

#[test]
fn a_role_may_do_what_it_is_permitted_to() {
    let world = World::new();
    let credential = world.assume(900);
    world.simulator.edit_roles(|roles| roles[0].permissions.clear());
    assert_eq!(world.list(&credential), "AuthFailure.UnauthorizedOperation");
    let said = world.said(&world.request(Some(&credential), "sts", "AssumeRole", &assume()));
    assert_eq!(said["Error"]["Code"], "AuthFailure.UnauthorizedOperation");
    let said = world.said(&world.request(Some(&credential), "sts", "GetCallerIdentity", &json!({})));
    assert_eq!((&said["Type"], &said["AccountId"]), (&json!("CAMRole"), &json!(ACCOUNT.to_string())));
}

#[tokio::test(start_paused = true)]
async fn each_action_has_a_frequency_limit_of_its_own() {
    let world = World::new();
    let answered = |action, body: &Value| (0..1_000).take_while(|_| world.sts(action, body).is_null()).count();
    assert_eq!(answered("AssumeRole", &assume()), 600);
    assert_eq!(answered("GetCallerIdentity", &json!({})), 20);
    assert_eq!(world.list(&own()), Value::Null);
}

#[test]
fn a_fault_is_for_the_action_that_it_is_for() {
    let world = World::new();
    let busy = Fault::Error(Rejection::new("InternalError.SystemError", "Busy."));
    world.simulator.inject_into("AssumeRole", busy, Times::Next(1));
    assert_eq!(world.list(&own()), Value::Null);
    assert_eq!(world.sts("AssumeRole", &assume()), "InternalError.SystemError");
    assert_eq!(world.sts("AssumeRole", &assume()), Value::Null);
}

#[test]
fn a_machine_hands_out_one_credential_until_it_nears_its_end() {
    const PATH: &str = "/latest/meta-data/cam/security-credentials/";
    let world = World::new();
    assert_eq!(world.metadata(PATH).0, 404);
    world.simulator.set_machine(Some(Machine {
        role: "exporter".to_owned(),
        lifetime: SignedDuration::from_hours(6),
        renewed_before_end: SignedDuration::from_mins(30),
    }));
    assert_eq!(world.metadata(PATH), (200, "exporter".to_owned()));
    assert_eq!(world.metadata(&format!("{PATH}another")).0, 404);
    assert_eq!(world.metadata("/latest/meta-data/").0, 404);
    let credential = || world.metadata(&format!("{PATH}exporter")).1;
    let first = credential();
    assert!(
        first.contains(r#""Code":"Success""#) && first.contains(r#""Expiration":"2026-01-01T06:00:00Z""#),
        "{first}"
    );
    *world.clock.0.lock() += SignedDuration::from_mins(329);
    assert_eq!(credential(), first);
    *world.clock.0.lock() += SignedDuration::from_mins(1);
    assert_ne!(credential(), first);
    assert_eq!(world.simulator.metadata_requests(), 3);
}
