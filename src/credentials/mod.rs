//! Who we are: where the credential of an account comes from.
//!
//! A source is asked before each request, so that a rotated secret is taken up with the next one.

mod env;
mod file;

use std::{fmt, path::PathBuf, sync::Arc};

use thiserror::Error;

pub use env::Env;
pub use file::{File, Paths};

use crate::{files, tencent::Credential};

/// Where a credential comes from.
#[derive(Debug)]
pub enum Source {
    /// Environment variables.
    Env(Env),
    /// Files, such as a mounted Kubernetes secret.
    File(Arc<File>),
}

/// A credential, and why it may be an old one.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The credential.
    pub credential: Credential,
    /// Why the source gave no credential now, where this is the last good one.
    pub problem: Option<Error>,
}

/// Why no credential could be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The variable is not set, or set to nothing.
    #[error("environment variable {0} is not set: set it, or choose another source under `credentials`")]
    Unset(&'static str),
    /// The files cannot be read as they are.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// The value cannot be a secret of the API.
    #[error("{place} {fault}")]
    Unusable {
        /// The variable or the file.
        place: Place,
        /// What is wrong with its content, which is not shown.
        fault: Fault,
    },
    /// The files cannot be read in time.
    #[error("reading the files takes too long: check the mount")]
    Hanging,
}

/// Where a secret was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An environment variable.
    Variable(&'static str),
    /// A file.
    File(PathBuf),
}

/// What is wrong with a secret's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Nothing but blanks.
    #[error("is empty")]
    Empty,
    /// A blank or another character that no secret has inside it.
    #[error("holds a blank, a control character or one beyond ASCII: it must be the secret and nothing else")]
    Foreign,
}

// === impl Source ===

impl Source {
    /// The credential as it is now, or the last good one.
    ///
    /// # Errors
    /// Why there is none, and never was.
    pub async fn fetch(&self) -> Result<Fetched, Error> {
        match self {
            Self::Env(env) => Ok(Fetched { credential: env.credential()?, problem: None }),
            Self::File(file) => Arc::clone(file).fetch().await,
        }
    }
}

// === impl Place ===

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// The secret in `text`. Files tend to end in a newline, and pasted values in a blank: the API takes neither.
fn secret(text: &str, place: impl FnOnce() -> Place) -> Result<&str, Error> {
    let secret = text.trim();
    let fault = match secret {
        "" => Fault::Empty,
        secret if secret.bytes().all(|byte| byte.is_ascii_graphic()) => return Ok(secret),
        _ => Fault::Foreign,
    };
    Err(Error::Unusable { place: place(), fault })
}
