//! The identity that a credentials file names.

use std::path::Path;

use jiff::Timestamp;
use tencentcloud_api::{Credential, sts::AssumeRole};

use super::{Error, ProfileFault};

/// The identity that signs requests.
#[derive(Clone, Debug)]
pub enum Identity {
    /// The owner of the key.
    Key(Key),
    /// A role, assumed with the key.
    Role(Key, Box<AssumeRole>),
    /// The role of the virtual machine. A key in the file is ignored.
    CvmRole,
}

/// A key in a credentials file.
#[derive(Clone, Debug)]
pub struct Key {
    /// The pair, and its token.
    pub credential: Credential,
    /// When it expires, if the file says so.
    pub expires: Option<Timestamp>,
    /// The command that makes the command line tool write a new one.
    pub login: Option<&'static str>,
}

// === impl Identity ===

impl Identity {
    /// The key in the file, unless it is ignored.
    pub(super) fn key(&self) -> Option<&Key> {
        match self {
            Self::Key(key) | Self::Role(key, _) => Some(key),
            Self::CvmRole => None,
        }
    }
}

// === impl Key ===

impl Key {
    /// The credential, unless it has expired. The file is at `path`.
    pub(super) fn at(&self, now: Timestamp, path: &Path) -> Result<Credential, Error> {
        match self.expires {
            Some(at) if at <= now => {
                let fault = ProfileFault::Expired { at, login: self.login };
                Err(Error::Profile { path: path.to_owned(), fault })
            }
            _ => Ok(self.credential.clone()),
        }
    }
}
