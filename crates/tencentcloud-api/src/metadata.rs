//! The metadata service of a virtual machine, which hands out credentials of the machine's role.
//!
//! Source: the documents of CVM, "Querying Instance Metadata". It is reached by plain HTTP, on an address that leads
//! nowhere but to the machine's own host.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Deserialize;
use thiserror::Error;

use crate::{
    Connection, Endpoint, Error as WireError, NotAnEndpoint, Reason, Temporary, Transport,
    sts::{Secret, is_role_name, temporary},
};

/// Where it is on every virtual machine.
const HOST: &str = "http://metadata.tencentyun.com";

const PATH: &str = "/latest/meta-data/cam/security-credentials/";

/// What a request may take. The service is on the same host.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The name of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleName(String);

/// Text that is not a [`RoleName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a role's name: expected 1 to 128 letters, digits or _+=,.@-")]
pub struct NotARoleName;

/// Asks the metadata service.
pub struct Metadata {
    base: String,
    transport: Arc<dyn Transport>,
}

/// Why there is no credential.
#[derive(Debug, Error)]
pub enum Error {
    /// It says that the machine has no role.
    #[error("the machine has no role: bind one to it in the CVM console")]
    NoRole,
    /// It names several, of which each is another identity.
    #[error("the machine has several roles")]
    SeveralRoles,
    /// It says something else than success.
    #[error("its code is not Success")]
    NoSuccess,
    /// It cannot be reached, or said something that cannot be understood.
    #[error(transparent)]
    Wire(#[from] WireError),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    code: String,
    tmp_secret_id: Option<Secret>,
    tmp_secret_key: Option<Secret>,
    token: Option<Secret>,
    expired_time: Option<i64>,
}

// === impl Metadata ===

impl Metadata {
    /// The service of the machine that this runs on.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { base: HOST.to_owned(), transport }
    }

    /// One that is elsewhere: a test's.
    ///
    /// # Errors
    /// The text is not an [`Endpoint`].
    pub fn at(endpoint: &str, transport: Arc<dyn Transport>) -> Result<Self, NotAnEndpoint> {
        let endpoint: Endpoint = endpoint.parse()?;
        Ok(Self { base: endpoint.to_string().trim_end_matches('/').to_owned(), transport })
    }

    /// A credential of `role`, or of the machine's role, whatever that is. It is the same one for hours.
    ///
    /// # Errors
    /// Whatever kept the service from giving one.
    pub async fn credential(&self, role: Option<&RoleName>) -> Result<Temporary, Error> {
        let role = match role {
            Some(role) => role.clone(),
            None => self.role().await?,
        };
        let body = self.get(&role.0).await?;
        // serde's own messages may quote a secret.
        let response: Response =
            serde_json::from_slice(&body).map_err(|_| malformed("no JSON, or of another shape"))?;
        if response.code != "Success" {
            return Err(Error::NoSuccess);
        }
        let (Some(id), Some(key), Some(token), Some(expires)) =
            (response.tmp_secret_id, response.tmp_secret_key, response.token, response.expired_time)
        else {
            return Err(malformed("a part of the credential is missing").into());
        };
        Ok(temporary([id, key, token], expires).map_err(WireError::Malformed)?)
    }

    async fn role(&self) -> Result<RoleName, Error> {
        let body = self.get("").await?;
        // A name, and perhaps the end of its line.
        let mut names = std::str::from_utf8(&body).unwrap_or_default().lines().filter(|line| !line.trim().is_empty());
        let name = names.next().unwrap_or_default().trim();
        if names.next().is_some() {
            return Err(Error::SeveralRoles);
        }
        Ok(name.parse().map_err(|_| malformed("what should be the name of a role is none"))?)
    }

    async fn get(&self, name: &str) -> Result<Bytes, Error> {
        match self.ask(name, Connection::Pooled).await {
            Err(Error::Wire(WireError::StaleConnection(_))) => self.ask(name, Connection::Fresh).await,
            other => other,
        }
    }

    async fn ask(&self, name: &str, connection: Connection) -> Result<Bytes, Error> {
        let request = Request::get(format!("{}{PATH}{name}", self.base))
            .body(Bytes::new())
            .map_err(|error| WireError::Malformed(error.to_string()))?;
        let response = tokio::time::timeout(TIMEOUT, self.transport.send(request, connection))
            .await
            .map_err(|_| WireError::Timeout(TIMEOUT))??;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            StatusCode::NOT_FOUND => Err(Error::NoRole),
            status => Err(WireError::HttpStatus(status.as_u16()).into()),
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata").field("base", &self.base).finish_non_exhaustive()
    }
}

// === impl Error ===

impl Error {
    /// Whether the same request may well succeed in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoRole | Self::SeveralRoles => false,
            Self::NoSuccess => true,
            Self::Wire(error) => error.reason().is_transient() || error.reason() == Reason::Malformed,
        }
    }
}

// === impl RoleName ===

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RoleName {
    type Err = NotARoleName;

    fn from_str(text: &str) -> Result<Self, NotARoleName> {
        if is_role_name(text) && !matches!(text, "." | "..") { Ok(Self(text.to_owned())) } else { Err(NotARoleName) }
    }
}

fn malformed(what: &str) -> WireError {
    WireError::Malformed(format!("the metadata service: {what}"))
}
