//! Finds the credentials file of the official tools.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use exporter_toolkit::files;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;

use super::{Error, Fetched, Profile, ProfileSource};
use crate::environment::Environment;

/// The variable with the path of the file.
const VARIABLE: &str = "TENCENTCLOUD_CREDENTIALS_FILE";

/// The path for all users of the machine.
const OF_THE_MACHINE: &str = "/etc/tencentcloud/credentials";

/// The path in a home directory.
const OF_THE_USER: &str = "~/.tencentcloud/credentials";

/// A profile in the first file that exists.
#[derive(Debug)]
pub struct ProfileLookup {
    candidates: Vec<Arc<ProfileSource>>,
    /// Whether a variable names the file, so that it must exist.
    is_named: bool,
    found: Mutex<Option<Found>>,
    /// How often there was no credential before a file was found.
    failures: AtomicU64,
}

#[derive(Debug)]
struct Found {
    source: Arc<ProfileSource>,
    /// The number of its failures before that.
    failures: u64,
}

// === impl ProfileLookup ===

impl ProfileLookup {
    /// The profile `name`, in the file that a variable of `environment` names, or else in that of the home directory or the
    /// machine. `make` creates its source.
    #[must_use]
    pub fn new(name: &str, environment: &Environment, make: impl Fn(Profile) -> ProfileSource) -> Self {
        let named = environment.filled(VARIABLE);
        let places = named.map_or_else(|| vec![OF_THE_USER, OF_THE_MACHINE], |path| vec![path]);
        let profile = |path: &str| Profile::new(Path::new(path), name.to_owned(), environment);
        Self {
            candidates: places.into_iter().map(|path| Arc::new(make(profile(path)))).collect(),
            is_named: named.is_some(),
            found: Mutex::default(),
            failures: AtomicU64::default(),
        }
    }

    pub(super) async fn fetch(&self, now: Timestamp) -> Result<Fetched, Error> {
        if let Some(found) = self.found() {
            return found.fetch(now).await;
        }
        for candidate in &self.candidates {
            let outcome = candidate.fetch(now).await;
            if let Err(Error::Files(files::Error::Unreadable { kind: io::ErrorKind::NotFound, .. })) = &outcome
                && !self.is_named
                && !is_link(candidate.path()).await
            {
                continue;
            }
            if outcome.is_ok() {
                *self.found.lock() = Some(Found { source: Arc::clone(candidate), failures: candidate.failures() });
            } else {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            return outcome;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        Err(Error::NoProfile(self.candidates.iter().map(|candidate| candidate.path().clone()).collect()))
    }

    /// The source of the file that was found.
    pub(super) fn found(&self) -> Option<Arc<ProfileSource>> {
        self.found.lock().as_ref().map(|found| Arc::clone(&found.source))
    }

    pub(super) fn failures(&self) -> u64 {
        let found = self.found.lock();
        let since = found.as_ref().map(|found| found.source.failures().saturating_sub(found.failures));
        self.failures.load(Ordering::Relaxed) + since.unwrap_or_default()
    }
}

/// Whether there is a link, even if its target is missing for now.
async fn is_link(path: &Path) -> bool {
    let path: PathBuf = path.to_owned();
    spawn_blocking(move || path.is_symlink()).await.unwrap_or_default()
}
