//! What a listener serves.

use http::{Request, Response};
use hyper::body::Incoming;

use super::{Body, response::ResponseGuard};

/// Responds to requests.
pub trait Handler: Send + Sync + 'static {
    /// Responds to `request`. `under_way` lives as long as the response does.
    fn respond(
        &self,
        request: &Request<Incoming>,
        under_way: &ResponseGuard,
    ) -> impl Future<Output = Response<Body>> + Send;
}
