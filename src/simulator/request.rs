//! What a request asks for.
//!
//! Sources: <https://www.tencentcloud.com/document/api/1036/38589> for the codes,
//! <https://cloud.tencent.com/document/product/598/45156> for the parameters.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use serde_json::Value;

use super::Rejection;

const MAX_CLIENT_CHARS: usize = 128;

/// What every request says in its headers.
pub(super) struct Common<'a> {
    pub(super) action: &'a str,
    pub(super) version: &'a str,
}

// === impl Common ===

impl<'a> Common<'a> {
    pub(super) fn read(request: &'a Request<Bytes>) -> Result<Self, Rejection> {
        let content_types: &[&str] = match *request.method() {
            Method::POST => &["application/json", "application/json; charset=utf-8"],
            Method::GET => &["application/x-www-form-urlencoded"],
            _ => {
                return Err(Rejection::new("UnsupportedProtocol", "Only GET and POST requests are supported."));
            }
        };
        if request.uri().path() != "/" {
            return Err(Rejection::new("InvalidRequest", "The path of a request is `/`."));
        }
        let headers = request.headers();
        let common = Self { action: required(headers, "X-TC-Action")?, version: required(headers, "X-TC-Version")? };
        let content_type = required(headers, header::CONTENT_TYPE.as_str())?;
        if !content_types.contains(&content_type) {
            return Err(Rejection::new("InvalidRequest", format!("The Content-Type is none of {content_types:?}.")));
        }
        if headers.contains_key("x-tc-requestclient") && !single(headers, "x-tc-requestclient").is_some_and(is_client) {
            return Err(Rejection::new("InvalidParameter", "The parameter `X-TC-RequestClient` is not valid."));
        }
        Ok(common)
    }
}

/// The parameters of `ListAccessKeys`: whose keys, the caller's own where it is left out.
pub(super) fn target_uin(request: &Request<Bytes>) -> Result<Option<u64>, Rejection> {
    let mut target = None;
    for (name, value) in parameters(request)? {
        if name != "TargetUin" {
            return Err(Rejection::new("UnknownParameter", format!("The parameter `{name}` is not recognized.")));
        }
        let uin = value.ok_or_else(|| {
            Rejection::new(
                "InvalidParameter",
                "The value type of parameter `TargetUin` is not valid: an integer is expected.",
            )
        })?;
        target = Some(uin);
    }
    Ok(target)
}

/// Every parameter's name with its value where that is an integer, which is the only type there is.
fn parameters(request: &Request<Bytes>) -> Result<Vec<(String, Option<u64>)>, Rejection> {
    if request.method() == Method::GET {
        let pairs = request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        return Ok(pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.parse().ok()))
            .collect());
    }
    match serde_json::from_slice(request.body()) {
        Ok(Value::Object(fields)) => Ok(fields.into_iter().map(|(name, value)| (name, value.as_u64())).collect()),
        _ => Err(Rejection::new("InvalidParameter", "The request body is not a JSON object.")),
    }
}

/// The header's value, where the request has the header once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

fn required<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Rejection> {
    single(headers, name).ok_or_else(|| Rejection::missing(name))
}

fn is_client(text: &str) -> bool {
    (1..=MAX_CLIENT_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_ ,;.".contains(&byte))
}
