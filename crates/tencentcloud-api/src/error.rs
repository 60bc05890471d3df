//! Everything that goes wrong between a request and its answer.

use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use crate::{Code, Reason};

/// Why a request brought no answer.
#[derive(Debug, Error)]
pub enum Error {
    /// The API answered with an error.
    #[error("{code}: {message} ({})", told_id(.request_id))]
    Api {
        /// The code, which is stable.
        code: Code,
        /// The text, which is not; free of our secrets.
        message: String,
        /// What Tencent Cloud's support asks for. Empty where the request was refused before it had one.
        request_id: String,
        /// The API's clock as the answer's `Date` header tells it.
        server_time: Option<Timestamp>,
    },
    /// Something on the way answered. The API itself says 200 even to a wrong signature.
    #[error("HTTP status {0} where the API says 200")]
    HttpStatus(u16),
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No secure connection.
    #[error("cannot connect securely: {0}")]
    Tls(String),
    /// The connection ended before the answer was whole.
    #[error("connection lost: {0}")]
    Connection(String),
    /// A connection from an earlier request had been closed by the server in the meantime. This is normal: the request
    /// may be sent once more, on a fresh connection.
    #[error("a kept connection had been closed: {0}")]
    StaleConnection(String),
    /// The answer did not come in time.
    #[error("no answer within {}", humane(*.0))]
    Timeout(Duration),
    /// The answer is larger than we read.
    #[error("the answer is larger than {} MiB", .0 >> 20)]
    TooLarge(usize),
    /// The answer is not what the API documents.
    #[error("the answer is not what the API documents: {0}")]
    Malformed(String),
}

// === impl Error ===

impl Error {
    /// The kind it falls under.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Api { code, .. } => code.reason(),
            Self::HttpStatus(429) => Reason::Throttled,
            Self::HttpStatus(500..=599) => Reason::ServerError,
            Self::HttpStatus(_) => Reason::HttpStatus,
            Self::Connect(_) => Reason::Connect,
            Self::Tls(_) => Reason::Tls,
            Self::Connection(_) | Self::StaleConnection(_) => Reason::Connection,
            Self::Timeout(_) => Reason::Timeout,
            Self::TooLarge(_) => Reason::TooLarge,
            Self::Malformed(_) => Reason::Malformed,
        }
    }

    /// The code that it counts as: that of the answer, and for HTTP status 429, which refuses a request for the same
    /// reason, `RequestLimitExceeded`.
    #[must_use]
    pub fn counts_as(&self) -> Option<Code> {
        match self {
            Self::Api { code, .. } => Some(code.clone()),
            Self::HttpStatus(429) => Some(Code::new("RequestLimitExceeded")),
            Self::HttpStatus(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::Connection(_)
            | Self::StaleConnection(_)
            | Self::Timeout(_)
            | Self::TooLarge(_)
            | Self::Malformed(_) => None,
        }
    }

    /// Whether the API says that there is no such credential, or that there is no longer.
    #[must_use]
    pub fn is_credential_error(&self) -> bool {
        let Self::Api { code, .. } = self else { return false };
        let codes = ["AuthFailure.InvalidSecretId", "AuthFailure.SecretIdNotFound", "AuthFailure.TokenFailure"];
        codes.contains(&code.label())
    }
}

fn told_id(request_id: &str) -> String {
    if request_id.is_empty() { "no request id".to_owned() } else { format!("request id {request_id}") }
}

fn humane(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
