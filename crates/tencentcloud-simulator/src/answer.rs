//! Answers, as the API writes them.
//!
//! Source: <https://cloud.tencent.com/document/api/664/51412>: an error too has the HTTP status 200.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use jiff::{Timestamp, tz::Offset};
use serde_json::{Map, Value, json};

/// An error that the API answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The code, such as `AuthFailure.SignatureExpire`.
    pub code: String,
    /// The text.
    pub message: String,
}

// === impl Rejection ===

impl Rejection {
    /// The code for one request too many in a second.
    pub(crate) const TOO_FREQUENT: &str = "RequestLimitExceeded";

    /// The error of this code and text.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    pub(crate) fn missing(name: &str) -> Self {
        Self::new("MissingParameter", format!("The request is missing a required parameter `{name}`."))
    }

    /// The caller lacks that permission, such as `cam:ListAccessKeys`.
    pub(crate) fn denied(permission: &str, request_id: &str) -> Self {
        Self::new(
            "AuthFailure.UnauthorizedOperation",
            format!(
                "You are not authorized to perform this operation. Check your CAM policies, and ensure that you are \
                 using the correct access keys. [[request id:{request_id}]you are not authorized to perform operation \
                 ({permission})\nresource (*) has no permission"
            ),
        )
    }
}

/// An id as every answer has one, never the same twice.
pub(crate) fn request_id() -> String {
    let id = format!("{:032x}", fastrand::u128(..));
    [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-")
}

/// The answer with these fields, or with this error.
pub(crate) fn response(
    answer: &Result<Map<String, Value>, Rejection>,
    request_id: &str,
    now: Timestamp,
) -> Response<Bytes> {
    let mut fields = match answer {
        Ok(fields) => fields.clone(),
        Err(Rejection { code, message }) => {
            Map::from_iter([("Error".to_owned(), json!({"Code": code, "Message": message}))])
        }
    };
    fields.insert("RequestId".to_owned(), request_id.into());
    let mut response = Response::new(json!({"Response": fields}).to_string().into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    date(response.headers_mut(), now);
    response
}

/// Tells the server's time, unless the headers tell one.
pub(crate) fn date(headers: &mut HeaderMap, now: Timestamp) {
    let date = Offset::UTC.to_datetime(now).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        headers.entry(header::DATE).or_insert(date);
    }
}
