//! Who we are: where the credential of an account comes from.
//!
//! A source is asked before each request, so that a rotated secret is taken up with the next one.
//!
//! - `env` and `file` are places where somebody put a credential.
//! - `profile` is a credentials file of the official tools, `tccli` the form that the command line tool writes. Such a file
//!   says who signs, `identity`: the owner of a key, or a role, for which `profile_source` has a credential issued. `search`
//!   finds the file.
//! - `cvm_role`, `tke_oidc` and `assume_role` have temporary ones issued; `renewed` renews those in time, once for all
//!   who use them, and `sts` is what two of them ask.
//! - `chain` tries several of these in turn.
//! - `error` is why there is none.

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
pub use error::{Error, Fault, Place, ProfileFault, Told};
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

/// Where a credential comes from.
#[derive(Debug)]
pub enum Source {
    /// Environment variables.
    Env(Env),
    /// Files, such as a mounted Kubernetes secret.
    File(Arc<File<Paths>>),
    /// A credentials file of the official tools.
    Profile(ProfileSource),
    /// The key in such a file, to assume the role with that the file names.
    ProfileKey(ProfileKey),
    /// The credentials file of the official tools, wherever it is.
    ProfileLookup(ProfileLookup),
    /// Somebody who issues temporary ones.
    RefreshingProvider(RefreshingProvider),
    /// The first of several that has one.
    Chain(Chain),
}

/// A credential, and why it may be an old one.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The credential.
    pub credential: Credential,
    /// Why the source gave no credential now, where this is the last good one.
    pub problem: Option<Error>,
}

/// Issues temporary credentials.
pub trait CredentialProvider: fmt::Debug + Send + Sync {
    /// A credential, now.
    fn issue(&self, now: Timestamp) -> BoxFuture<'_, Result<Temporary, Error>>;
}

// === impl Source ===

impl Source {
    /// The credential as of `now`, or the last good one. Waits only where there is none that is good.
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

    /// Renews the credential where it is time to. Waits for nothing.
    pub fn keep(&self, now: Timestamp) {
        match self {
            Self::RefreshingProvider(renewed) => renewed.keep(now),
            Self::Chain(chain) => chain.chosen(|source| source.keep(now)).unwrap_or_default(),
            Self::Profile(profile) => profile.keep(now),
            Self::ProfileLookup(search) => search.found().map(|profile| profile.keep(now)).unwrap_or_default(),
            Self::Env(_) | Self::File(_) | Self::ProfileKey(_) => {}
        }
    }

    /// The API does not accept the credential. Tells after how long the source may well have another one, and who was
    /// refused should ask again; nothing if that is in vain. A credential is doubted once, however many are refused.
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

    /// When the credential ends, if it is known to.
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
            // Who assumes the role counts them.
            Self::ProfileKey(_) => 0,
            Self::ProfileLookup(search) => search.failures(),
            Self::RefreshingProvider(renewed) => renewed.failures(),
            Self::Chain(chain) => chain.failures(),
        }
    }
}
