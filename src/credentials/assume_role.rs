//! Assumes a role with a credential from another source.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tencentcloud_api::{Temporary, later, sts::AssumeRole as Request};
use tokio::time::Instant;

use super::{CredentialProvider, Error, Source, Sts, sts::failed};

/// `AssumeRole` of STS.
#[derive(Debug)]
pub struct AssumeRole {
    request: Request,
    source: Arc<Source>,
    sts: Sts,
}

// === impl AssumeRole ===

impl AssumeRole {
    /// Assumes the role of `request` with the credential of `source`.
    #[must_use]
    pub fn new(request: Request, source: Arc<Source>, sts: Sts) -> Self {
        Self { request, source, sts }
    }

    async fn assume(&self, now: Timestamp) -> Result<Temporary, Error> {
        let mut doubted = false;
        let asked = Instant::now();
        loop {
            let now = later(now, asked.elapsed());
            let credential = self.source.fetch(now).await.map_err(|error| Error::Source(Box::new(error)))?.credential;
            let error = match self.sts.ask(Some(&credential), &self.request, self.request.duration_seconds, now).await {
                Ok(temporary) => return Ok(temporary),
                Err(error) => error,
            };
            // The source may have a new one by now. One retry is enough, because the caller retries as well.
            let again = if error.is_credential_error() { self.source.refused(&credential, now) } else { None };
            match again {
                Some(wait) if !doubted => {
                    doubted = true;
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(failed::<Request>(&error)),
            }
        }
    }
}

impl CredentialProvider for AssumeRole {
    fn issue(&self, now: Timestamp) -> BoxFuture<'_, Result<Temporary, Error>> {
        Box::pin(self.assume(now))
    }
}
