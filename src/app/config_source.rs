//! Where configurations come from: once at the start, and again at each reload.

use std::{
    fmt,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use exporter_toolkit::files::{self, Watched};
use jiff::Timestamp;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::{
    config::{self, Config, Faults, MAX_BYTES, Shard},
    environment::Environment,
};

/// Loads the configuration.
pub struct ConfigSource(Kind);

enum Kind {
    File(ConfigFile),
    Made(Box<dyn Fn() -> Result<Config, Faults> + Send + Sync>),
}

struct ConfigFile {
    path: PathBuf,
    environment: Environment,
    shard: Shard,
    /// What it holds, by its hash.
    watched: Mutex<Watched<Hash>>,
    /// What it held when it was last loaded, good or not; nothing if it could not be read.
    loaded: Mutex<Option<Hash>>,
    /// Whether it was read at the start and is not a regular file, so that it cannot be read again.
    is_used_up: AtomicBool,
    has_started: AtomicBool,
}

/// What a look at the file finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileChange {
    /// What was loaded, or what is not loaded yet because it is still being written.
    Unchanged,
    /// Something else than what was loaded.
    Changed,
    /// Nothing: why it cannot be read.
    Lost(String),
}

type Hash = [u8; 32];

// === impl ConfigSource ===

impl ConfigSource {
    /// The file at `path`, with the variables of `environment` over it, and of that the part of `shard`.
    #[must_use]
    pub fn file(path: PathBuf, environment: Environment, shard: Shard) -> Self {
        let watched = Mutex::new(Watched::new(vec![path.clone()], MAX_BYTES));
        Self(Kind::File(ConfigFile {
            path,
            environment,
            shard,
            watched,
            loaded: Mutex::default(),
            is_used_up: AtomicBool::default(),
            has_started: AtomicBool::default(),
        }))
    }

    /// Whatever `load` gives, whole.
    #[must_use]
    pub fn new(load: impl Fn() -> Result<Config, Faults> + Send + Sync + 'static) -> Self {
        Self(Kind::Made(Box::new(load)))
    }

    /// The configuration as it is now. Blocks for as long as the file does.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(&self) -> Result<Config, Faults> {
        match &self.0 {
            Kind::File(file) => file.load(),
            Kind::Made(load) => load(),
        }
    }

    /// Which part of it this exporter takes.
    pub(super) fn shard(&self) -> Shard {
        match &self.0 {
            Kind::File(file) => file.shard,
            Kind::Made(_) => Shard::WHOLE,
        }
    }

    /// Compares the file with what it held when it was last loaded. Blocks for as long as the file does.
    pub(super) fn look(&self, now: Timestamp) -> FileChange {
        match &self.0 {
            Kind::File(file) => file.look(now),
            Kind::Made(_) => FileChange::Unchanged,
        }
    }

    /// Whether the file could not be read when it was last loaded, or has been forgotten since.
    pub(super) fn is_known_lost(&self) -> bool {
        match &self.0 {
            Kind::File(file) => file.loaded.lock().is_none(),
            Kind::Made(_) => false,
        }
    }

    /// The file cannot be read any more: whatever it holds once it can be is a change.
    pub(super) fn forget(&self) {
        if let Kind::File(file) = &self.0 {
            *file.loaded.lock() = None;
        }
    }
}

// === impl ConfigFile ===

impl ConfigFile {
    fn load(&self) -> Result<Config, Faults> {
        let content = if self.has_started.swap(true, Ordering::Relaxed) {
            config::read_again(&self.path)
        } else {
            let content = config::read(&self.path);
            let is_used_up = content.as_ref().is_ok_and(|content| !content.is_regular);
            self.is_used_up.store(is_used_up, Ordering::Relaxed);
            content
        };
        *self.loaded.lock() = content.as_ref().ok().map(|content| Sha256::digest(&content.bytes).into());
        let content = content?;
        let folder = content.folder(&self.path);
        Config::decode(content.bytes, folder, &self.environment).map(|config| config.shard(self.shard))
    }

    fn look(&self, now: Timestamp) -> FileChange {
        if self.is_used_up.load(Ordering::Relaxed) {
            return FileChange::Unchanged;
        }
        let hash = self.watched.lock().look(now, |contents| {
            let hash = contents.iter().fold(Sha256::new(), |hash, content| hash.chain_update(content.expose_secret()));
            Ok::<Hash, files::Error>(hash.finalize().into())
        });
        let loaded = *self.loaded.lock();
        match hash {
            Ok(hash) if loaded == Some(hash) => FileChange::Unchanged,
            Ok(_) => FileChange::Changed,
            // It is being written again and again.
            Err(files::Error::Unsettled { .. }) => FileChange::Unchanged,
            Err(error) => FileChange::Lost(error.to_string()),
        }
    }
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(file) => f.debug_tuple("ConfigSource").field(&file.path).finish(),
            Kind::Made(_) => f.debug_tuple("ConfigSource").finish_non_exhaustive(),
        }
    }
}
