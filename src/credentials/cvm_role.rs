//! The role of the virtual machine. The metadata service issues its credentials.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tencentcloud_api::{
    Temporary, Transport,
    metadata::{self, Metadata, RoleName},
};

use super::{CredentialProvider, Error, RequestError};
use crate::environment::Environment;

/// Another address of the metadata service, for tests.
const ENDPOINT: &str = "CAM_EXPORTER_METADATA_ENDPOINT";

/// The metadata service, and the role.
#[derive(Debug)]
pub struct CvmRole {
    role: Option<RoleName>,
    metadata: Result<Metadata, Error>,
}

// === impl CvmRole ===

impl CvmRole {
    /// The role of that name; `None` is the role of the machine.
    #[must_use]
    pub fn new(role: Option<RoleName>, environment: &Environment, transport: &Arc<dyn Transport>) -> Self {
        let transport = Arc::clone(transport);
        let metadata = match environment.get(ENDPOINT) {
            None => Ok(Metadata::new(transport)),
            Some(endpoint) => Metadata::at(endpoint.expose_secret(), transport)
                .map_err(|error| Error::Wrong { name: ENDPOINT, problem: error.to_string() }),
        };
        Self { role, metadata }
    }
}

impl CredentialProvider for CvmRole {
    fn issue(&self, _: Timestamp) -> BoxFuture<'_, Result<Temporary, Error>> {
        Box::pin(async {
            let metadata = self.metadata.as_ref().map_err(Clone::clone)?;
            let answer = metadata.credential(self.role.as_ref()).await;
            answer.map_err(|error| match error {
                metadata::Error::NoRole => Error::NoRole,
                metadata::Error::SeveralRoles | metadata::Error::NoSuccess | metadata::Error::Wire(_) => {
                    Error::Metadata(RequestError::from(&error))
                }
            })
        })
    }
}
