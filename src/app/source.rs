//! Where configurations come from: once at the start, and again at each reload.

use std::{fmt, path::PathBuf};

use jiff::Timestamp;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::{
    config::{self, Config, Faults, MAX_BYTES, Shard},
    environment::Environment,
    files::{self, Watched},
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
    /// What it held when it was last loaded, good or not.
    loaded: Mutex<Option<Hash>>,
}

type Hash = [u8; 32];

// === impl ConfigSource ===

impl ConfigSource {
    /// The file at `path`, with the variables of `environment` over it, and of that the part of `shard`.
    #[must_use]
    pub fn file(path: PathBuf, environment: Environment, shard: Shard) -> Self {
        let watched = Mutex::new(Watched::new(vec![path.clone()], MAX_BYTES));
        Self(Kind::File(ConfigFile { path, environment, shard, watched, loaded: Mutex::default() }))
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

    /// Whether the file has come to hold something else than when it was last loaded. One that is being written, or that
    /// cannot be read, has not changed yet.
    pub(super) fn has_changed(&self, now: Timestamp) -> bool {
        match &self.0 {
            Kind::File(file) => file.has_changed(now),
            Kind::Made(_) => false,
        }
    }
}

// === impl ConfigFile ===

impl ConfigFile {
    fn load(&self) -> Result<Config, Faults> {
        let content = config::read(&self.path);
        *self.loaded.lock() = content.as_ref().ok().map(|content| Sha256::digest(content).into());
        Config::decode(content?, &self.environment).map(|config| config.shard(self.shard))
    }

    fn has_changed(&self, now: Timestamp) -> bool {
        let hash = self.watched.lock().look(now, |contents| {
            let hash = contents.iter().fold(Sha256::new(), |hash, content| hash.chain_update(content.expose_secret()));
            Ok::<Hash, files::Error>(hash.finalize().into())
        });
        hash.is_ok_and(|hash| *self.loaded.lock() != Some(hash))
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
