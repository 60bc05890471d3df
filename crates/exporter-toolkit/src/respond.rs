//! Makes responses.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::Body;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// A response of plain text, which no cache keeps.
pub fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    response(status, TEXT, Body::from(text.into()))
}

/// A response of HTML, which no cache keeps, and which may load nothing unless its `Content-Security-Policy` is replaced.
pub fn html(status: StatusCode, page: impl Into<Bytes>) -> Response<Body> {
    response(status, HTML, Body::from(page.into()))
}

pub(crate) fn response(status: StatusCode, content_type: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
