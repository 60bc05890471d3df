//! Answers a request.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;
use tracing::error;

use super::{NotReloaded, Readiness, Reloader, TelemetryPath};
use crate::{inventory::Inventory, metrics::Metrics};

const TEXT: &str = "text/plain; charset=utf-8";
/// Where a reload is asked for.
const RELOAD: &str = "/-/reload";

const HTML: &str = "text/html; charset=utf-8";

/// The content type of Prometheus's text format. Source: <https://prometheus.io/docs/instrumenting/content_negotiation/>.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a poller may show no life. It does so every ten seconds; a poll takes a minute at the most, and holds
/// nobody up.
const SILENCE: Duration = Duration::from_mins(3);

/// What there is to answer from.
#[derive(Debug)]
pub struct Routes {
    metrics: Arc<Metrics>,
    inventory: Arc<Inventory>,
    readiness: Arc<Readiness>,
    telemetry_path: TelemetryPath,
    reloader: Option<Reloader>,
    landing_page: Bytes,
}

// === impl Routes ===

impl Routes {
    /// Serves `metrics` at `telemetry_path`, says whether the accounts of `inventory` are polled and whether `readiness`
    /// has come, and reloads where there is a `reloader`.
    #[must_use]
    pub fn new(
        metrics: Arc<Metrics>,
        inventory: Arc<Inventory>,
        readiness: Arc<Readiness>,
        telemetry_path: TelemetryPath,
        reloader: Option<Reloader>,
    ) -> Self {
        let landing_page = landing_page(&telemetry_path).into();
        Self { metrics, inventory, readiness, telemetry_path, reloader, landing_page }
    }

    /// The answer to `request`.
    pub async fn answer<B: Body>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !request.body().is_end_stream() {
            let mut response = plain(StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body\n");
            // What it is sending is not read, so nothing after it could be told apart.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return response;
        }
        let path = request.uri().path();
        match *request.method() {
            Method::POST | Method::PUT if path == RELOAD => self.reload().await,
            Method::GET | Method::HEAD if path == RELOAD => {
                not_allowed("POST, PUT", "this path takes a POST or PUT request\n")
            }
            Method::GET | Method::HEAD => self.page(path).await,
            _ => not_allowed("GET, HEAD", "this path takes a GET or HEAD request\n"),
        }
    }

    async fn page(&self, path: &str) -> Response<Full<Bytes>> {
        match path {
            path if path == self.telemetry_path.as_str() => self.exposition().await,
            "/" => response(StatusCode::OK, HTML, self.landing_page.clone()),
            "/-/healthy" => self.health(),
            "/-/ready" if self.readiness.is_ready() => plain(StatusCode::OK, "ready\n"),
            "/-/ready" => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            _ => plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    fn health(&self) -> Response<Full<Bytes>> {
        let accounts = self.inventory.accounts();
        match accounts.iter().find(|account| account.progress().heartbeat.elapsed() > SILENCE) {
            None => plain(StatusCode::OK, "healthy\n"),
            Some(silent) => {
                let text = format!("the poller of account {} shows no life\n", silent.name());
                response(StatusCode::SERVICE_UNAVAILABLE, TEXT, text.into())
            }
        }
    }

    async fn reload(&self) -> Response<Full<Bytes>> {
        let Some(reloader) = &self.reloader else {
            return plain(StatusCode::FORBIDDEN, "reloading by request is off: start with --web.enable-lifecycle\n");
        };
        match reloader.reload().await {
            Ok(()) => plain(StatusCode::OK, "reloaded\n"),
            Err(NotReloaded::Refused(faults)) => {
                let text = format!("the configuration cannot be used, and the last good one stays:\n{faults}\n");
                response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, text.into())
            }
            Err(NotReloaded::Stopping) => plain(StatusCode::SERVICE_UNAVAILABLE, "the exporter is stopping\n"),
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

fn not_allowed(allowed: &'static str, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
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

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        clock::SystemClock,
        inventory::{Account, Facts, IdLabel},
        metrics::Own,
    };

    #[tokio::test(start_paused = true)]
    async fn a_poller_that_shows_no_life_is_not_healthy() {
        let facts = Facts {
            key_limit: 2,
            key_max_age: Duration::ZERO,
            id_label: IdLabel::Masked,
            poll_interval: Duration::from_secs(1),
        };
        let account = Arc::new(Account::new("prod".parse().unwrap(), facts, []));
        let inventory = Arc::new(Inventory::new(vec![Arc::clone(&account)]));
        let own = Own::new(jiff::Timestamp::UNIX_EPOCH).unwrap();
        let metrics = Arc::new(Metrics::new(Arc::clone(&inventory), &own, Arc::new(SystemClock)).unwrap());
        let readiness = Arc::new(Readiness::new(CancellationToken::new()));
        let routes = Routes::new(metrics, inventory, readiness, "/metrics".parse().unwrap(), None);

        let healthy = Request::get("/-/healthy").body(Empty::<Bytes>::new()).unwrap();
        tokio::time::advance(SILENCE).await;
        assert_eq!(routes.answer(&healthy).await.status(), StatusCode::OK);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(routes.answer(&healthy).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        account.note(|progress| progress.heartbeat = tokio::time::Instant::now());
        assert_eq!(routes.answer(&healthy).await.status(), StatusCode::OK);
    }
}
