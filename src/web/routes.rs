//! Answers a request.

use std::{error::Error, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::time::Instant;
use tracing::error;

use super::{
    Body, NotReloaded, Readiness, Reloader, Status, TelemetryPath,
    negotiation::{ContentType, Encoding},
    scrape_timeout,
    status::query::Query,
};
use crate::{inventory::Inventory, metrics::Metrics};

pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Where a reload is asked for.
const RELOAD: &str = "/-/reload";
/// Where health is asked for.
pub(super) const HEALTHY: &str = "/-/healthy";
/// Where readiness is asked for.
pub(super) const READY: &str = "/-/ready";

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// What there is to answer from.
#[derive(Debug)]
pub struct Routes {
    metrics: Arc<Metrics>,
    inventory: Arc<Inventory>,
    readiness: Arc<Readiness>,
    telemetry_path: TelemetryPath,
    reloader: Option<Reloader>,
    status: Arc<Status>,
}

// === impl Routes ===

impl Routes {
    /// Serves `metrics` at `telemetry_path` and the page of `status`, says whether the accounts of `inventory` are polled
    /// and whether `readiness` has come, and reloads where there is a `reloader`.
    #[must_use]
    pub fn new(
        metrics: Arc<Metrics>,
        inventory: Arc<Inventory>,
        readiness: Arc<Readiness>,
        status: Status,
        telemetry_path: TelemetryPath,
        reloader: Option<Reloader>,
    ) -> Self {
        Self { metrics, inventory, readiness, telemetry_path, reloader, status: Arc::new(status) }
    }

    /// The answer to `request`.
    pub async fn answer<B: http_body::Body>(&self, request: &Request<B>) -> Response<Body> {
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
            Method::GET | Method::HEAD if path == "/" => self.status(request.uri().query()).await,
            Method::GET | Method::HEAD => self.page(path, request.headers()),
            _ => not_allowed("GET, HEAD", "this path takes a GET or HEAD request\n"),
        }
    }

    /// Whether `request` asks for the metrics.
    pub(super) fn is_scrape<B>(&self, request: &Request<B>) -> bool {
        request.uri().path() == self.telemetry_path.as_str()
    }

    fn page(&self, path: &str, headers: &HeaderMap) -> Response<Body> {
        match path {
            path if path == self.telemetry_path.as_str() => self.exposition(headers),
            HEALTHY => self.health(),
            READY if self.readiness.is_ready() => plain(StatusCode::OK, "ready\n"),
            READY => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            _ => plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    fn health(&self) -> Response<Body> {
        let (accounts, now) = (self.inventory.accounts(), Instant::now());
        match accounts.iter().find(|account| account.progress().is_silent(now)) {
            None => plain(StatusCode::OK, "healthy\n"),
            Some(silent) => {
                let text = format!("the poller of account {} shows no life\n", silent.name());
                response(StatusCode::SERVICE_UNAVAILABLE, TEXT, Bytes::from(text).into())
            }
        }
    }

    async fn status(&self, query: Option<&str>) -> Response<Body> {
        let page = match Query::parse(query) {
            Ok(Query::Overview { is_still }) => self.status.shared_overview(is_still).await.map(Some),
            Ok(Query::List(list)) => self.status.shared_list(list).await,
            Err(error) => {
                return response(StatusCode::BAD_REQUEST, TEXT, Bytes::from(format!("{error}\n")).into());
            }
        };
        match page {
            Ok(None) => plain(StatusCode::NOT_FOUND, "there is no account of that name\n"),
            Ok(Some(page)) => {
                let mut response = response(StatusCode::OK, HTML, page.into());
                response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, self.status.policy());
                response
            }
            Err(error) => {
                error!(%error, "the status page cannot be made");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "the status page cannot be made: see the log\n")
            }
        }
    }

    async fn reload(&self) -> Response<Body> {
        let Some(reloader) = &self.reloader else {
            return plain(StatusCode::FORBIDDEN, "reloading by request is off: start with --web.enable-lifecycle\n");
        };
        match reloader.reload().await {
            Ok(()) => plain(StatusCode::OK, "reloaded\n"),
            Err(NotReloaded::Refused(faults)) => {
                let text = format!("the configuration cannot be used, and the last good one stays:\n{faults}\n");
                response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, Bytes::from(text).into())
            }
            Err(NotReloaded::Stopping) => plain(StatusCode::SERVICE_UNAVAILABLE, "the exporter is stopping\n"),
        }
    }

    fn exposition(&self, headers: &HeaderMap) -> Response<Body> {
        let (content_type, encoding) = (ContentType::wanted(headers), Encoding::wanted(headers));
        match self.metrics.scrape(content_type.format(), encoding == Encoding::Gzip) {
            Ok(scrape) => {
                let deadline = scrape_timeout::of(headers).map(|limit| Instant::now() + limit);
                let mut response = response(StatusCode::OK, content_type.value(), Body::of(scrape, deadline));
                // Whatever stands between must not hand one's answer to another.
                let vary = HeaderValue::from_static("Accept, Accept-Encoding");
                response.headers_mut().insert(header::VARY, vary);
                response.headers_mut().extend(encoding.value().map(|encoding| (header::CONTENT_ENCODING, encoding)));
                response
            }
            Err(error) => {
                error!(%error, cause = error.source().map(tracing::field::display), "the metrics cannot be written down");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written down: see the log\n")
            }
        }
    }
}

fn not_allowed(allowed: &'static str, text: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    response(status, TEXT, Bytes::from_static(text.as_bytes()).into())
}

pub(super) fn response(status: StatusCode, content_type: HeaderValue, body: Body) -> Response<Body> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::{BodyExt, Empty};
    use tencentcloud_api::SystemClock;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        inventory::{Account, Facts, Policy},
        metrics::Own,
        web::body::Incomplete,
    };

    /// The routes to an account with so many users.
    fn routes(users: u64) -> (Routes, Arc<Account>) {
        let policy = Policy { max_age: Duration::ZERO, ..Policy::default() }.into();
        let facts = Facts { policy, poll_interval: Duration::from_secs(1), ..Facts::default() };
        let uins = (1..=users).map(|uin| uin.try_into().unwrap());
        let account = Arc::new(Account::new("prod".parse().unwrap(), facts, uins));
        let inventory = Arc::new(Inventory::new(vec![Arc::clone(&account)]));
        let own = Arc::new(Own::new().unwrap());
        let clock = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::new(Arc::clone(&inventory), &own, Arc::clone(&clock) as _).unwrap());
        let readiness = Arc::new(Readiness::new(CancellationToken::new()));
        let telemetry_path: TelemetryPath = "/metrics".parse().unwrap();
        let status = Status::new(Arc::clone(&inventory), Arc::clone(&own), clock, telemetry_path.clone());
        (Routes::new(metrics, inventory, readiness, status, telemetry_path, None), account)
    }

    #[tokio::test(start_paused = true)]
    async fn a_poller_that_shows_no_life_is_not_healthy() {
        let (routes, account) = routes(0);
        let healthy = Request::get("/-/healthy").body(Empty::<Bytes>::new()).unwrap();
        tokio::time::advance(crate::inventory::SILENCE).await;
        assert_eq!(routes.answer(&healthy).await.status(), StatusCode::OK);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(routes.answer(&healthy).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        account.note(|progress| progress.heartbeat = tokio::time::Instant::now());
        assert_eq!(routes.answer(&healthy).await.status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_is_written_for_no_longer_than_its_reader_waits() {
        let scrape =
            || Request::get("/metrics").header(scrape_timeout::HEADER, "1").body(Empty::<Bytes>::new()).unwrap();
        let (large, account) = routes(5_000);
        for uin in 1..=5_000_u64 {
            account.listed(uin.try_into().unwrap(), &[], jiff::Timestamp::UNIX_EPOCH);
        }
        let mut body = large.answer(&scrape()).await.into_body();
        assert!(body.frame().await.unwrap().is_ok());
        tokio::time::advance(Duration::from_millis(899)).await;
        assert!(body.frame().await.unwrap().is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(matches!(body.frame().await, Some(Err(Incomplete::Late))), "what is cut short must not look whole");

        let (small, _) = routes(1);
        let mut body = small.answer(&scrape()).await.into_body();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(body.frame().await.unwrap().is_ok() && body.frame().await.is_none());
    }
}
