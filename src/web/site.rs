//! What a listener serves.

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};

use super::answer::Answer;

/// Whatever answers requests.
pub trait Site: Send + Sync + 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + Send + 'static;

    /// Answers `request`; `answer` is under way from now on.
    fn respond(
        &self,
        request: &Request<Incoming>,
        answer: &Answer,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}
