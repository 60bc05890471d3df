//! Verifies the signature of a request.
//!
//! Everything is taken from the request as it came: the header is parsed, and the headers that it names, the query and
//! the body are read back and signed again. Source: <https://cloud.tencent.com/document/api/213/30654>.

use std::net::IpAddr;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, Request, header, uri::Authority};
use jiff::{Timestamp, tz::Offset};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::{Caller, Rejection, request::single};

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const TERMINATOR: &str = "tc3_request";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// How far a request's time may be from the server's, in seconds.
const TOLERANCE: u64 = 300;

/// Who signed a request, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The UIN of the caller.
    pub caller: u64,
    /// The service that the signature is for.
    pub service: String,
}

/// An `Authorization` header, taken apart.
struct Authorization<'a> {
    secret_id: &'a str,
    date: &'a str,
    service: &'a str,
    /// As the header lists them: separated by semicolons.
    signed_headers: &'a str,
    signature: &'a str,
}

/// The id of the credential that the request says it is signed with.
pub(crate) fn secret_id(request: &Request<Bytes>) -> Option<&str> {
    let value = single(request.headers(), header::AUTHORIZATION.as_str())?;
    Some(Authorization::parse(value)?.secret_id)
}

/// Whether the request says that it is not signed.
pub(crate) fn is_skipped(request: &Request<Bytes>) -> bool {
    single(request.headers(), header::AUTHORIZATION.as_str()) == Some("SKIP")
}

/// Finds out who of `callers` signed the request, which arrives at `now`.
///
/// # Errors
/// The documented error for the first thing found wrong: time, secret id, scope, signature or token.
pub fn verify(request: &Request<Bytes>, now: Timestamp, callers: &[Caller]) -> Result<Signer, Rejection> {
    let headers = request.headers();
    let timestamp = timestamp(headers)?;
    let authorization = Authorization::read(headers)?;
    let canonical_request = canonical_request(request, authorization.signed_headers)?;

    if timestamp.abs_diff(now.as_second()) > TOLERANCE {
        return Err(expired());
    }
    let date = Offset::UTC.to_datetime(Timestamp::from_second(timestamp).map_err(|_| expired())?).date().to_string();
    let caller = callers
        .iter()
        .find(|caller| caller.credential.secret_id.expose_secret() == authorization.secret_id)
        .ok_or_else(|| {
        Rejection::new(
            "AuthFailure.SecretIdNotFound",
            "The SecretId is not found, please ensure that your SecretId is correct.",
        )
    })?;

    let secret_key = caller.credential.secret_key.expose_secret();
    if authorization.date != date
        || !serves(headers, authorization.service)
        || !authorization.is_over(&canonical_request, timestamp, secret_key)
    {
        return Err(Rejection::new(
            "AuthFailure.SignatureFailure",
            "The provided credentials could not be validated. Please check your signature is correct.",
        ));
    }
    if caller.credential.token.as_ref().map(ExposeSecret::expose_secret) != single(headers, "x-tc-token") {
        return Err(Rejection::new("AuthFailure.TokenFailure", "The provided token could not be validated."));
    }
    Ok(Signer { caller: caller.uin, service: authorization.service.to_owned() })
}

fn timestamp(headers: &HeaderMap) -> Result<i64, Rejection> {
    single(headers, "x-tc-timestamp")
        .ok_or_else(|| Rejection::missing("X-TC-Timestamp"))?
        .parse()
        .map_err(|_| Rejection::new("InvalidParameter", "The parameter `X-TC-Timestamp` should be an integer."))
}

fn expired() -> Rejection {
    Rejection::new(
        "AuthFailure.SignatureExpire",
        "The signature has expired. Please check the difference between X-TC-Timestamp and the server time is within \
         five minutes.",
    )
}

fn invalid(why: &str) -> Rejection {
    Rejection::new("AuthFailure.InvalidAuthorization", format!("The `Authorization` header is invalid: {why}."))
}

/// Whether this is the host of the service, which its first label names. A loopback address serves every one.
fn serves(headers: &HeaderMap, service: &str) -> bool {
    let Some(authority) = single(headers, "host").and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback()) || host.split('.').next() == Some(service)
}

/// The request as it is signed, from its own bytes.
fn canonical_request(request: &Request<Bytes>, signed_headers: &str) -> Result<String, Rejection> {
    let headers = request.headers();
    let mut canonical_headers = String::new();
    for name in signed_headers.split(';') {
        let value = single(headers, name).ok_or_else(|| invalid("a signed header is not in the request"))?;
        canonical_headers.extend([name, ":", &value.trim().to_lowercase(), "\n"]);
    }
    let query = if request.method() == Method::GET { request.uri().query().unwrap_or_default() } else { "" };
    let payload = if single(headers, "x-tc-content-sha256") == Some(UNSIGNED_PAYLOAD) {
        sha256_hex(UNSIGNED_PAYLOAD.as_bytes())
    } else {
        sha256_hex(request.body())
    };
    let method = request.method();
    Ok(format!("{method}\n/\n{query}\n{canonical_headers}\n{signed_headers}\n{payload}"))
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac(key: &[u8], message: &str) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("any length").chain_update(message)
}

// === impl Authorization ===

impl<'a> Authorization<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, Rejection> {
        let value = single(headers, header::AUTHORIZATION.as_str()).ok_or_else(|| invalid("it is missing"))?;
        let authorization = Self::parse(value).ok_or_else(|| invalid("it is not of the documented form"))?;
        let names: Vec<&str> = authorization.signed_headers.split(';').collect();
        if names.iter().any(|name| name.chars().any(char::is_uppercase)) || !names.is_sorted_by(|a, b| a < b) {
            return Err(invalid("the signed headers are not in lower case and sorted"));
        }
        if !names.contains(&"content-type") || !names.contains(&"host") {
            return Err(invalid("content-type and host must be signed"));
        }
        Ok(authorization)
    }

    fn parse(value: &'a str) -> Option<Self> {
        let mut fields = value.strip_prefix(ALGORITHM)?.strip_prefix(' ')?.split(", ");
        let mut field = |name| fields.next()?.strip_prefix(name)?.strip_prefix('=');
        let (credential, signed_headers, signature) =
            (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
        let mut parts = credential.split('/');
        let (secret_id, date, service) = (parts.next()?, parts.next()?, parts.next()?);
        let complete = parts.eq([TERMINATOR]) && fields.next().is_none();
        complete.then_some(Self { secret_id, date, service, signed_headers, signature })
    }

    /// Whether this is the signature of the request with that key. Compares in constant time.
    fn is_over(&self, canonical_request: &str, timestamp: i64, secret_key: &str) -> bool {
        let Self { date, service, .. } = self;
        let digest = sha256_hex(canonical_request.as_bytes());
        let to_sign = format!("{ALGORITHM}\n{timestamp}\n{date}/{service}/{TERMINATOR}\n{digest}");

        let key = hmac(format!("TC3{secret_key}").as_bytes(), date).finalize().into_bytes();
        let key = hmac(&key, service).finalize().into_bytes();
        let key = hmac(&key, TERMINATOR).finalize().into_bytes();
        let in_lower_case = !self.signature.bytes().any(|byte| byte.is_ascii_uppercase());
        in_lower_case
            && hex::decode(self.signature).is_ok_and(|signature| hmac(&key, &to_sign).verify_slice(&signature).is_ok())
    }
}
