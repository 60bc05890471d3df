//! What an exporter hands over.

use std::error::Error;

use http::{HeaderMap, Response};

use crate::{Body, Format, Names, Pieces};

/// An exporter: what [`Routes`](crate::Routes) serve.
pub trait Exporter: Send + Sync + 'static {
    /// The formats that it can write, the one for those who ask for none of them first.
    const FORMATS: &'static [Format];

    /// The exposition as it is now, in `format`, which is one of [`Self::FORMATS`]. Families that `names` does not contain are
    /// left out.
    ///
    /// # Errors
    /// It cannot be written. The error is logged, and the response has status 500.
    fn exposition(&self, format: Format, names: &Names) -> Result<Box<dyn Pieces>, Box<dyn Error + Send + Sync>>;

    /// Whether it is healthy, as `/-/healthy` says.
    ///
    /// # Errors
    /// Why it is not, in a line. The response has status 503.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether it is ready, as `/-/ready` says.
    fn is_ready(&self) -> bool {
        true
    }

    /// The page at `/`, whose address has this `query`, for a request with these `headers`. Without one, there is a page with
    /// a link to the metrics.
    fn page(&self, query: Option<&str>, headers: &HeaderMap) -> impl Future<Output = Option<Response<Body>>> + Send {
        let _ = (query, headers);
        std::future::ready(None)
    }
}
