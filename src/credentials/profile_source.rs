//! The credential of a profile: the key in its file, or the role that the file names.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tencentcloud_api::{Clock, Credential, sts::AssumeRole};

use super::{Error, Fetched, File, Profile, ProfileFault, RefreshingProvider, Source, file::Found, identity::Identity};

/// A profile. Its file may name another identity at any time.
pub struct ProfileSource {
    file: Arc<File<Profile>>,
    make_issuer: MakeIssuer,
    issuing: Mutex<Issuing>,
    /// How often the key in the file had expired.
    expired: AtomicU64,
}

/// The key in the file of a profile. It assumes the role that the file names.
#[derive(Debug)]
pub struct ProfileKey(Arc<File<Profile>>);

/// An identity that a file names, and whose credential is issued elsewhere.
#[derive(Clone, Debug)]
pub enum Issued {
    /// The role of the virtual machine.
    CvmRole,
    /// This role, assumed with the credential of that source.
    Role(Box<AssumeRole>, Arc<Source>),
}

/// Creates the source that renews the credential of an identity.
pub type MakeIssuer = Box<dyn Fn(Issued) -> RefreshingProvider + Send + Sync>;

/// The source that renews the credential now.
#[derive(Default)]
struct Issuing {
    current: Option<(Role, Arc<RefreshingProvider>)>,
    /// The failures of the sources before.
    failures: u64,
}

#[derive(PartialEq, Eq)]
enum Role {
    OfMachine,
    Assumed(Box<AssumeRole>),
}

// === impl ProfileSource ===

impl ProfileSource {
    /// The source of `profile`. `clock` determines how long ago its file was written.
    #[must_use]
    pub fn new(profile: Profile, clock: Arc<dyn Clock>, make_issuer: MakeIssuer) -> Self {
        let file = Arc::new(File::new(profile, clock));
        Self { file, make_issuer, issuing: Mutex::default(), expired: AtomicU64::default() }
    }

    /// The file.
    pub(super) fn path(&self) -> &PathBuf {
        &self.file.content().path
    }

    pub(super) async fn fetch(&self, now: Timestamp) -> Result<Fetched, Error> {
        let Found { value: identity, problem } = Arc::clone(&self.file).find().await?;
        let role = match identity {
            Identity::Key(key) => {
                self.issuing.lock().end();
                let credential = key.at(now, self.path());
                if credential.is_err() {
                    self.expired.fetch_add(1, Ordering::Relaxed);
                }
                return Ok(Fetched { credential: credential?, problem });
            }
            Identity::Role(_, request) => Role::Assumed(request),
            Identity::CvmRole => Role::OfMachine,
        };
        let fetched = self.renewed_for(role).fetch(now).await?;
        Ok(Fetched { problem: problem.or(fetched.problem), ..fetched })
    }

    /// The source that renews the credential of the role. It stays as long as the file names the same role.
    fn renewed_for(&self, role: Role) -> Arc<RefreshingProvider> {
        let mut issuing = self.issuing.lock();
        if let Some((current, renewed)) = &issuing.current
            && *current == role
        {
            return Arc::clone(renewed);
        }
        issuing.end();
        let issued = match &role {
            Role::OfMachine => Issued::CvmRole,
            Role::Assumed(request) => {
                let key = Source::ProfileKey(ProfileKey(Arc::clone(&self.file)));
                Issued::Role(request.clone(), Arc::new(key))
            }
        };
        let renewed = Arc::new((self.make_issuer)(issued));
        issuing.current = Some((role, Arc::clone(&renewed)));
        renewed
    }

    fn renewed(&self) -> Option<Arc<RefreshingProvider>> {
        self.issuing.lock().current.as_ref().map(|(_, renewed)| Arc::clone(renewed))
    }

    /// See [`Source::keep`].
    pub(super) fn keep(&self, now: Timestamp) {
        if let Some(renewed) = self.renewed() {
            renewed.keep(now);
        }
    }

    /// See [`Source::refused`].
    pub(super) fn refused(&self, credential: &Credential, now: Timestamp) -> Option<Duration> {
        match self.renewed() {
            Some(renewed) => renewed.refused(credential, now),
            None => self.file.refused(credential),
        }
    }

    pub(super) fn expires(&self) -> Option<Timestamp> {
        match self.renewed() {
            Some(renewed) => renewed.expires(),
            None => self.file.last()?.key()?.expires,
        }
    }

    pub(super) fn failures(&self) -> u64 {
        let issuing = self.issuing.lock();
        let current = issuing.current.as_ref().map_or(0, |(_, renewed)| renewed.failures());
        self.file.failures() + self.expired.load(Ordering::Relaxed) + issuing.failures + current
    }
}

impl fmt::Debug for ProfileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProfileSource").field(self.file.content()).finish()
    }
}

// === impl Issuing ===

impl Issuing {
    /// The file does not name such a role any more.
    fn end(&mut self) {
        if let Some((_, renewed)) = self.current.take() {
            self.failures += renewed.failures();
        }
    }
}

// === impl ProfileKey ===

impl ProfileKey {
    pub(super) async fn fetch(&self, now: Timestamp) -> Result<Fetched, Error> {
        let Found { value: identity, problem } = Arc::clone(&self.0).find().await?;
        let profile = self.0.content();
        // The file may name another identity by now.
        let key = identity.key().ok_or_else(|| profile.fault(ProfileFault::NoField("secretId")))?;
        Ok(Fetched { credential: key.at(now, &profile.path)?, problem })
    }

    pub(super) fn refused(&self, credential: &Credential) -> Option<Duration> {
        self.0.refused(credential)
    }
}
