//! What a listener serves.

use http::{Request, Response};
use hyper::body::Incoming;

use super::{Body, response::ResponseGuard};

/// Responds to requests.
pub trait Handler: Send + Sync + 'static {
    /// Responds to `request`. `guard` lives as long as the response is under way.
    fn respond(
        &self,
        request: &Request<Incoming>,
        guard: &ResponseGuard,
    ) -> impl Future<Output = Response<Body>> + Send;
}
