//! The probes alone, for a listener of their own: what `--probe.listen-address` is for.
//!
//! A kubelet has neither a client certificate nor a password, and what troubles the port of the scrapes is no reason to
//! restart the container. So this listener speaks plain HTTP, requires no authentication, and shares no limit.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::{Body, Exporter, Routes, handler::Handler, respond::plain, response::ResponseGuard, routes};

/// The most connections at once: a kubelet needs one.
pub const MAX_PROBE_CONNECTIONS: usize = 32;

/// `/-/healthy` and `/-/ready` of the routes, and nothing else.
#[derive(Debug)]
pub struct Probes<E>(Arc<Routes<E>>);

// === impl Probes ===

impl<E: Exporter> Probes<E> {
    /// Those of `routes`.
    #[must_use]
    pub fn new(routes: Arc<Routes<E>>) -> Self {
        Self(routes)
    }
}

impl<E: Exporter> Handler for Probes<E> {
    async fn respond(&self, request: &Request<Incoming>, _: &ResponseGuard) -> Response<Body> {
        match request.uri().path() {
            routes::HEALTHY | routes::READY => self.0.answer(request).await,
            _ => plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }
}
