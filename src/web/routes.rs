//! Answers a request.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;
use tracing::error;

use super::{Readiness, TelemetryPath};
use crate::metrics::Metrics;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// The content type of Prometheus's text format. Source: <https://prometheus.io/docs/instrumenting/content_negotiation/>.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What there is to answer from.
#[derive(Debug)]
pub struct Routes {
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    telemetry_path: TelemetryPath,
    landing_page: Bytes,
}

// === impl Routes ===

impl Routes {
    /// Serves `metrics` at `telemetry_path` and says whether `readiness` has come.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, readiness: Arc<Readiness>, telemetry_path: TelemetryPath) -> Self {
        let landing_page = landing_page(&telemetry_path).into();
        Self { metrics, readiness, telemetry_path, landing_page }
    }

    /// The answer to `request`.
    pub async fn answer<B: Body>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if !request.body().is_end_stream() {
            let mut response = plain(StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body\n");
            // What it is sending is not read, so nothing after it could be told apart.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return response;
        }
        match request.uri().path() {
            path if path == self.telemetry_path.as_str() => self.exposition().await,
            "/" => response(StatusCode::OK, HTML, self.landing_page.clone()),
            "/-/healthy" => plain(StatusCode::OK, "healthy\n"),
            "/-/ready" if self.readiness.is_ready() => plain(StatusCode::OK, "ready\n"),
            "/-/ready" => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            _ => plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    async fn exposition(&self) -> Response<Full<Bytes>> {
        let metrics = Arc::clone(&self.metrics);
        // Thousands of users take milliseconds to write down: not on a thread that polls.
        let rendered = tokio::task::spawn_blocking(move || metrics.render()).await;
        let fault = match rendered {
            Ok(Ok(text)) => return response(StatusCode::OK, EXPOSITION, text.into()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        error!(error = fault, "the metrics cannot be written down");
        plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written down: see the log\n")
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, TEXT, Bytes::from_static(text.as_bytes()))
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn landing_page(telemetry_path: &TelemetryPath) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>Tencent Cloud CAM Exporter</title></head>
<body>
<h1>Tencent Cloud CAM Exporter</h1>
<p>Access keys of Tencent Cloud CAM users, as Prometheus metrics. Version {version}.</p>
<ul>
<li><a href="{telemetry_path}">Metrics</a></li>
<li><a href="/-/healthy">Health</a></li>
<li><a href="/-/ready">Readiness</a></li>
</ul>
</body>
</html>
"#
    )
}
