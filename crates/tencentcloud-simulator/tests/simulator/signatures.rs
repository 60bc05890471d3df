//! Each vector is accepted as it is, and refused with anything in it changed.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Method, Request};
use jiff::Timestamp;
use sha2::Sha256;
use tencentcloud_api::Credential;
use tencentcloud_simulator::{
    Caller,
    signature::{self, Signer},
};

use crate::vectors::Vector;

mod accepts {
    crate::vectors::for_each_vector!(super::accepted);
}

mod refuses_another_request {
    crate::vectors::for_each_vector!(super::refused_for_what_is_signed);
}

mod refuses_another_signer {
    crate::vectors::for_each_vector!(super::refused_for_who_signs);
}

mod refuses_another_authorization {
    crate::vectors::for_each_vector!(super::refused_for_what_the_header_says);
}

const CALLER: u64 = 1;

/// A server that knows one credential, at a time that may be off.
struct Server {
    credential: Credential,
    now: i64,
}

impl Server {
    fn of(vector: &Vector) -> Self {
        Self { credential: vector.credential(), now: vector.timestamp() }
    }

    /// Who signed, or the code of the refusal.
    fn judge(&self, request: &Request<Bytes>) -> Result<Signer, String> {
        let caller = Caller { uin: CALLER, credential: self.credential.clone() };
        let now = Timestamp::from_second(self.now).unwrap();
        signature::verify(request, now, &[caller]).map_err(|rejection| rejection.code)
    }
}

fn request(vector: &Vector) -> Request<Bytes> {
    let query = Some(vector.text("query")).filter(|query| !query.is_empty());
    let mut request = Request::builder()
        .method(vector.text("method"))
        .uri(query.map_or("/".to_owned(), |query| format!("/?{query}")))
        .header("authorization", vector.text("authorization"));
    for (name, value) in vector.headers() {
        request = request.header(name, value);
    }
    request.body(vector.text("payload").to_owned().into()).unwrap()
}

fn accepted(vector: &Vector) {
    let signer = Signer { caller: CALLER, service: vector.text("service").to_owned() };
    for off in [-300, 0, 300] {
        let server = Server { now: vector.timestamp() + off, ..Server::of(vector) };
        assert_eq!(server.judge(&request(vector)), Ok(signer.clone()), "{off} s off");
    }
}

fn refused_for_what_is_signed(vector: &Vector) {
    let server = Server::of(vector);
    if vector.headers().any(|(_, value)| value == "UNSIGNED-PAYLOAD") {
        // By definition nothing covers the body; what says so is covered, by the hash that stands for the body.
        assert!(server.judge(&request(vector).map(|body| changed_body(&body))).is_ok());
        let mut request = request(vector);
        request.headers_mut().remove("x-tc-content-sha256");
        assert_eq!(server.judge(&request), refused("SignatureFailure"));
    } else if vector.text("method") == Method::GET {
        // There is no body: the query takes its place.
        let mut request = request(vector);
        *request.uri_mut() = changed(&request.uri().to_string()).parse().unwrap();
        assert_eq!(server.judge(&request), refused("SignatureFailure"));
    } else {
        assert_eq!(server.judge(&request(vector).map(|body| changed_body(&body))), refused("SignatureFailure"));
    }

    assert_eq!(judge_with(vector, "host", &changed(vector.text("host"))), refused("SignatureFailure"));
    assert_eq!(judge_with(vector, "content-type", &changed(vector.text("content_type"))), refused("SignatureFailure"));
    let timestamp = |time: i64| judge_with(vector, "x-tc-timestamp", &time.to_string());
    assert_eq!(timestamp(vector.timestamp() + 1), refused("SignatureFailure"));
    for far in [vector.timestamp() - 301, vector.timestamp() + 301, i64::MIN, i64::MAX] {
        assert_eq!(timestamp(far), refused("SignatureExpire"));
    }
}

fn refused_for_who_signs(vector: &Vector) {
    let judge_as = |credential| Server { credential, ..Server::of(vector) }.judge(&request(vector));
    let secret_id = changed(vector.text("secret_id")).into();
    assert_eq!(judge_as(Credential { secret_id, ..vector.credential() }), refused("SecretIdNotFound"));
    let secret_key = changed(vector.text("secret_key")).into();
    assert_eq!(judge_as(Credential { secret_key, ..vector.credential() }), refused("SignatureFailure"));
    let token = Some("another".into());
    assert_eq!(judge_as(Credential { token, ..vector.credential() }), refused("TokenFailure"), "none, or a wrong one");
    let token = changed(vector.text("token"));
    assert_eq!(judge_with(vector, "x-tc-token", &token), refused("TokenFailure"), "a wrong one, or one too many");
}

fn refused_for_what_the_header_says(vector: &Vector) {
    let authorization = vector.text("authorization");
    let judge = |authorization: &str| judge_with(vector, "authorization", authorization);

    let (unsigned, signature) = authorization.rsplit_once('=').unwrap();
    for place in 0..signature.len() {
        let forged = changed(&signature[..=place]) + &signature[place + 1..];
        assert_eq!(judge(&format!("{unsigned}={forged}")), refused("SignatureFailure"), "at {place}");
    }
    for wrong in [&signature.to_uppercase(), &signature[..62], ""] {
        assert_eq!(judge(&format!("{unsigned}={wrong}")), refused("SignatureFailure"), "{wrong:?}");
    }

    let credential = authorization.split(['=', ',']).nth(1).unwrap();
    for (part, code) in
        ["SecretIdNotFound", "SignatureFailure", "SignatureFailure", "InvalidAuthorization"].into_iter().enumerate()
    {
        let mut parts: Vec<String> = credential.split('/').map(str::to_owned).collect();
        parts[part] = changed(&parts[part]);
        assert_eq!(judge(&authorization.replace(credential, &parts.join("/"))), refused(code), "{parts:?}");
    }

    let signed = vector.text("signed_headers");
    for wrong in ["content-type", "host", "host;content-type", "Content-Type;host", "content-type;host;x-tc-none", ""] {
        let authorization = authorization.replace(&format!("={signed},"), &format!("={wrong},"));
        assert_eq!(judge(&authorization), refused("InvalidAuthorization"), "{authorization}");
    }
    for wrong in ["", "SKIP", unsigned, &authorization.replace("TC3-HMAC-SHA256", "HmacSHA256")] {
        assert_eq!(judge(wrong), refused("InvalidAuthorization"), "{wrong:?}");
    }
}

fn judge_with(vector: &Vector, header: &'static str, value: &str) -> Result<Signer, String> {
    let mut request = request(vector);
    request.headers_mut().insert(header, HeaderValue::from_str(value).unwrap());
    Server::of(vector).judge(&request)
}

fn refused(kind: &str) -> Result<Signer, String> {
    Err(format!("AuthFailure.{kind}"))
}

/// At one second to midnight the day is another one in +08:00. Signed for that day throughout, nothing else is wrong.
#[test]
fn a_local_day_is_refused() {
    let vector = Vector::named("cam_list_access_keys_intl_region_midnight");
    let authorization_for = |date: &str| {
        let key = ["cam", "tc3_request"]
            .iter()
            .fold(hmac(format!("TC3{}", vector.text("secret_key")).as_bytes(), date), |key, part| hmac(&key, part));
        let to_sign = vector.text("string_to_sign").replace("2024-12-31", date);
        let (scope, _) = vector.text("authorization").rsplit_once('=').unwrap();
        format!("{}={}", scope.replace("2024-12-31", date), hex::encode(hmac(&key, &to_sign)))
    };
    let judged = |date: &str| {
        let mut request = request(&vector);
        request.headers_mut().insert("authorization", authorization_for(date).parse().unwrap());
        Server::of(&vector).judge(&request)
    };
    assert!(judged("2024-12-31").is_ok());
    assert_eq!(judged("2025-01-01"), Err("AuthFailure.SignatureFailure".to_owned()));
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
}

/// The text with another last byte.
fn changed(text: &str) -> String {
    let mut characters = text.chars();
    let last = characters.next_back();
    characters.chain([if last == Some('0') { '1' } else { '0' }]).collect()
}

fn changed_body(body: &Bytes) -> Bytes {
    let mut body = body.to_vec();
    *body.last_mut().unwrap() ^= 1;
    body.into()
}
