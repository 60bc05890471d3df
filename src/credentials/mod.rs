//! Credential sources.
//!
//! Each request gets its credential from the source, so a rotated secret is used from the next request on.
//!
//! - `env` and `file` read a credential from variables and from files.
//! - `profile` reads a credentials file of the official SDKs, and `tccli` one of the command line tool. The file names an
//!   `identity`: the owner of a key, or a role. `profile_source` gets a credential for it. `search` finds the file.
//! - `cvm_role`, `tke_oidc` and `assume_role` request temporary credentials, the last two from STS, with `sts`. `renewed`
//!   renews them, once for all accounts that share a source.
//! - `chain` tries several of these in turn.
//! - `error` has the errors.

mod assume_role;
mod chain;
mod cvm_role;
mod env;
mod error;
mod file;
mod identity;
mod profile;
mod profile_source;
mod renewed;
mod search;
mod sts;
mod tccli;
mod tke_oidc;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

pub use assume_role::AssumeRole;
pub use chain::Chain;
pub use cvm_role::CvmRole;
pub use env::Env;
pub use error::{Error, Fault, Place, ProfileFault, RequestError};
pub use file::{Content, File, Paths};
pub use identity::{Identity, Key};
pub use profile::Profile;
pub use profile_source::{Issued, MakeIssuer, ProfileKey, ProfileSource};
pub use renewed::RefreshingProvider;
pub use search::ProfileLookup;
pub use sts::Sts;
pub use tke_oidc::TkeOidc;

use error::secret;

use tencentcloud_api::{Credential, Temporary};

/// The source of a credential.
#[derive(Debug)]
pub enum Source {
    /// Environment variables.
    Env(Env),
    /// Files, such as a mounted Kubernetes Secret.
    File(Arc<File<Paths>>),
    /// A credentials file of the official tools.
    Profile(ProfileSource),
    /// The key in such a file, which assumes the role that the file names.
    ProfileKey(ProfileKey),
    /// The credentials file of the official tools, in one of the default paths.
    ProfileLookup(ProfileLookup),
    /// An issuer of temporary credentials.
    RefreshingProvider(RefreshingProvider),
    /// The first of several that is configured.
    Chain(Chain),
}

/// A credential, and the error if it is an old one.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The credential.
    pub credential: Credential,
    /// Why the source has no credential now, if this is the last valid one.
    pub problem: Option<Error>,
}

/// Issues temporary credentials.
pub trait CredentialProvider: fmt::Debug + Send + Sync {
    /// Requests a credential.
    fn issue(&self, now: Timestamp) -> BoxFuture<'_, Result<Temporary, Error>>;
}

// === impl Source ===

impl Source {
    /// The credential at `now`, or the last valid one. Waits only if there is no valid one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn fetch(&self, now: Timestamp) -> BoxFuture<'_, Result<Fetched, Error>> {
        Box::pin(async move {
            match self {
                Self::Env(env) => Ok(Fetched { credential: env.fetch()?, problem: None }),
                Self::File(file) => Arc::clone(file).fetch().await,
                Self::Profile(profile) => profile.fetch(now).await,
                Self::ProfileKey(key) => key.fetch(now).await,
                Self::ProfileLookup(search) => search.fetch(now).await,
                Self::RefreshingProvider(renewed) => renewed.fetch(now).await,
                Self::Chain(chain) => chain.fetch(now).await,
            }
        })
    }

    /// Starts to renew the credential if it is time to. Does not wait.
    pub fn keep(&self, now: Timestamp) {
        match self {
            Self::RefreshingProvider(renewed) => renewed.keep(now),
            Self::Chain(chain) => chain.chosen(|source| source.keep(now)).unwrap_or_default(),
            Self::Profile(profile) => profile.keep(now),
            Self::ProfileLookup(search) => search.found().map(|profile| profile.keep(now)).unwrap_or_default(),
            Self::Env(_) | Self::File(_) | Self::ProfileKey(_) => {}
        }
    }

    /// The API has rejected the credential. Returns after how long to retry, because the source may have another one by then;
    /// `None` if it will not. A credential is renewed for that reason only once, even if many requests are rejected.
    pub fn refused(&self, credential: &Credential, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Env(_) => None,
            Self::File(file) => file.refused(credential),
            Self::Profile(profile) => profile.refused(credential, now),
            Self::ProfileKey(key) => key.refused(credential),
            Self::ProfileLookup(search) => search.found()?.refused(credential, now),
            Self::RefreshingProvider(renewed) => renewed.refused(credential, now),
            Self::Chain(chain) => chain.chosen(|source| source.refused(credential, now))?,
        }
    }

    /// When the credential expires, if that is known.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        match self {
            Self::RefreshingProvider(renewed) => renewed.expires(),
            Self::Chain(chain) => chain.chosen(Self::expires)?,
            Self::Profile(profile) => profile.expires(),
            Self::ProfileLookup(search) => search.found()?.expires(),
            Self::Env(_) | Self::File(_) | Self::ProfileKey(_) => None,
        }
    }

    /// How often the credential could not be read or renewed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        match self {
            Self::Env(env) => env.failures(),
            Self::File(file) => file.failures(),
            Self::Profile(profile) => profile.failures(),
            // The source that assumes the role counts them.
            Self::ProfileKey(_) => 0,
            Self::ProfileLookup(search) => search.failures(),
            Self::RefreshingProvider(renewed) => renewed.failures(),
            Self::Chain(chain) => chain.failures(),
        }
    }
}
