//! What a listener serves.

use http::{Request, Response};
use hyper::body::Incoming;

use super::{Body, answer::Answer};

/// Whatever answers requests.
pub trait Site: Send + Sync + 'static {
    /// Answers `request`; `answer` is under way from now on.
    fn respond(&self, request: &Request<Incoming>, answer: &Answer) -> impl Future<Output = Response<Body>> + Send;
}
