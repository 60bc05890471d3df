//! Answers a request.

use std::error::Error;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use tokio::time::Instant;
use tracing::error;

use crate::{
    Body, Exporter, Names, NotReloaded, Reloader, TelemetryPath,
    negotiation::{ContentType, Encoding},
    respond::{html, plain, response},
    scrape::{Compressor, Scrape},
    scrape_timeout,
};

/// Where a reload is asked for.
const RELOAD: &str = "/-/reload";
/// Where health is asked for.
pub(crate) const HEALTHY: &str = "/-/healthy";
/// Where readiness is asked for.
pub(crate) const READY: &str = "/-/ready";

/// What is answered at each path.
#[derive(Debug)]
pub struct Routes<E> {
    exporter: E,
    telemetry_path: TelemetryPath,
    reloader: Option<Reloader>,
    compressor: Compressor,
}

// === impl Routes ===

impl<E: Exporter> Routes<E> {
    /// Serves the exposition of `exporter` at `telemetry_path`, its health, its readiness and its page, and reloads where
    /// there is a `reloader`.
    #[must_use]
    pub fn new(exporter: E, telemetry_path: TelemetryPath, reloader: Option<Reloader>) -> Self {
        Self { exporter, telemetry_path, reloader, compressor: Compressor::new() }
    }

    /// The answer to `request`.
    pub async fn answer<B: http_body::Body>(&self, request: &Request<B>) -> Response<Body> {
        if !request.body().is_end_stream() {
            let mut response = plain(StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body\n");
            // The request body is not read, so the next request could not be found.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return response;
        }
        let path = request.uri().path();
        match *request.method() {
            Method::POST | Method::PUT if path == RELOAD => self.reload().await,
            Method::GET | Method::HEAD if path == RELOAD => {
                not_allowed("POST, PUT", "this path takes a POST or PUT request\n")
            }
            Method::GET | Method::HEAD if path == "/" => self.page(request.uri().query(), request.headers()).await,
            Method::GET | Method::HEAD => self.get(request.uri(), request.headers()),
            _ => not_allowed("GET, HEAD", "this path takes a GET or HEAD request\n"),
        }
    }

    /// Whether `request` asks for the metrics.
    pub(crate) fn is_scrape<B>(&self, request: &Request<B>) -> bool {
        request.uri().path() == self.telemetry_path.as_str()
    }

    fn get(&self, uri: &Uri, headers: &HeaderMap) -> Response<Body> {
        match uri.path() {
            path if path == self.telemetry_path.as_str() => self.exposition(headers, &Names::of_query(uri.query())),
            HEALTHY => match self.exporter.health() {
                Ok(()) => plain(StatusCode::OK, "healthy\n"),
                Err(problem) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
            },
            READY if self.exporter.is_ready() => plain(StatusCode::OK, "ready\n"),
            READY => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            _ => plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    async fn page(&self, query: Option<&str>, headers: &HeaderMap) -> Response<Body> {
        if let Some(page) = self.exporter.page(query, headers).await {
            return page;
        }
        // What a path may hold needs no escaping.
        let path = &self.telemetry_path;
        html(StatusCode::OK, format!("<!DOCTYPE html>\n<title>Exporter</title>\n<a href=\"{path}\">Metrics</a>\n"))
    }

    async fn reload(&self) -> Response<Body> {
        let Some(reloader) = &self.reloader else {
            return plain(StatusCode::FORBIDDEN, "reloading by request is off: start with --web.enable-lifecycle\n");
        };
        match reloader.reload().await {
            Ok(()) => plain(StatusCode::OK, "reloaded\n"),
            Err(NotReloaded::Refused(faults)) => {
                let text = format!("the configuration cannot be used, and the last good one stays:\n{faults}\n");
                plain(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
            Err(NotReloaded::Stopping) => plain(StatusCode::SERVICE_UNAVAILABLE, "the exporter is stopping\n"),
        }
    }

    fn exposition(&self, headers: &HeaderMap, names: &Names) -> Response<Body> {
        let (content_type, encoding) = (ContentType::wanted(headers, E::FORMATS), Encoding::wanted(headers));
        match self.scrape(content_type, encoding, names) {
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
                error!(%error, cause = error.source().map(tracing::field::display), "cannot encode the metrics");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot encode the metrics: see the log\n")
            }
        }
    }

    fn scrape(
        &self,
        content_type: ContentType,
        encoding: Encoding,
        names: &Names,
    ) -> Result<Scrape, Box<dyn Error + Send + Sync>> {
        let compressor = match encoding {
            Encoding::Gzip => Some(self.compressor.clone()),
            Encoding::Identity => None,
        };
        Ok(Scrape::new(self.exporter.exposition(content_type.format(), names)?, compressor)?)
    }
}

fn not_allowed(allowed: &'static str, text: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
