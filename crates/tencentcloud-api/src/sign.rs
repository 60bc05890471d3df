//! The `Authorization` header, TC3-HMAC-SHA256.
//!
//! Source: <https://cloud.tencent.com/document/api/213/30654>.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, tz::Offset};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::Credential;

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const TERMINATOR: &str = "tc3_request";

/// The SHA-256 that stands for the body where a request leaves its body unsigned.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// What a signature covers of a request.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The query as it is sent, without the question mark.
    pub query: &'a str,
    /// The headers signed: names in lower case, sorted by name; at least `content-type` and `host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub payload: Payload<'a>,
}

/// How a request's body enters its signature.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// By the SHA-256 of the bytes that are sent.
    Signed(&'a [u8]),
    /// Not at all: the request says `X-TC-Content-SHA256: UNSIGNED-PAYLOAD`.
    Unsigned,
}

/// The `Authorization` header of a request to `service` at `time`, which its `X-TC-Timestamp` says as well.
#[must_use]
pub fn authorization(covered: &Covered<'_>, credential: &Credential, service: &str, time: Timestamp) -> String {
    let signed_headers = covered.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    // The day is that of UTC, whatever zone the machine is in.
    let date = Offset::UTC.to_datetime(time).date().to_string();
    let scope = format!("{date}/{service}/{TERMINATOR}");
    let to_sign = format!(
        "{ALGORITHM}\n{}\n{scope}\n{}",
        time.as_second(),
        sha256_hex(canonical_request(covered, &signed_headers).as_bytes())
    );

    let secret_key = format!("TC3{}", credential.secret_key.expose_secret());
    let key = hmac_sha256(secret_key.as_bytes(), date.as_bytes());
    let key = hmac_sha256(&key, service.as_bytes());
    let key = hmac_sha256(&key, TERMINATOR.as_bytes());
    let signature = hex::encode(hmac_sha256(&key, to_sign.as_bytes()));

    let secret_id = credential.secret_id.expose_secret();
    format!("{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={signed_headers}, Signature={signature}")
}

fn canonical_request(covered: &Covered<'_>, signed_headers: &str) -> String {
    let headers = covered.headers.iter().fold(String::new(), |all, (name, value)| {
        // Values are signed in lower case and trimmed, however they are sent.
        all + name + ":" + &value.trim().to_lowercase() + "\n"
    });
    let payload = match covered.payload {
        Payload::Signed(body) => sha256_hex(body),
        Payload::Unsigned => sha256_hex(UNSIGNED_PAYLOAD.as_bytes()),
    };
    let Covered { method, query, .. } = covered;
    format!("{method}\n/\n{query}\n{headers}\n{signed_headers}\n{payload}")
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
