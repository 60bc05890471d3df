//! Where configurations come from: once at the start, and again at each reload.

use std::{fmt, fs, path::PathBuf};

use jiff::Timestamp;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::{
    config::{Config, Faults, MAX_BYTES, Shard},
    environment::Environment,
    files::{self, Watched},
};

/// Loads the configuration.
pub struct ConfigSource {
    load: Box<dyn Fn() -> Result<Config, Faults> + Send + Sync>,
    shard: Shard,
    file: Option<ConfigFile>,
}

struct ConfigFile {
    path: PathBuf,
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
        let file = ConfigFile {
            watched: Mutex::new(Watched::new(vec![path.clone()], MAX_BYTES)),
            loaded: Mutex::default(),
            path: path.clone(),
        };
        let load = Box::new(move || Config::load(&path, &environment).map(|config| config.shard(shard)));
        Self { load, shard, file: Some(file) }
    }

    /// Whatever `load` gives, whole.
    #[must_use]
    pub fn new(load: impl Fn() -> Result<Config, Faults> + Send + Sync + 'static) -> Self {
        Self { load: Box::new(load), shard: Shard::WHOLE, file: None }
    }

    /// The configuration as it is now. Blocks for as long as the file does.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(&self) -> Result<Config, Faults> {
        if let Some(file) = &self.file {
            // First: what changes after this is seen as a change.
            *file.loaded.lock() = fs::read(&file.path).ok().map(|content| Sha256::digest(content).into());
        }
        (self.load)()
    }

    /// Which part of it this exporter takes.
    pub(super) fn shard(&self) -> Shard {
        self.shard
    }

    /// Whether the file has come to hold something else than when it was last loaded. One that is being written, or that
    /// cannot be read, has not changed yet.
    pub(super) fn has_changed(&self, now: Timestamp) -> bool {
        let Some(file) = &self.file else { return false };
        let hash = file.watched.lock().look(now, |contents| {
            let hash = contents.iter().fold(Sha256::new(), |hash, content| hash.chain_update(content.expose_secret()));
            Ok::<Hash, files::Error>(hash.finalize().into())
        });
        hash.is_ok_and(|hash| *file.loaded.lock() != Some(hash))
    }
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSource").field("file", &self.file.as_ref().map(|file| &file.path)).finish_non_exhaustive()
    }
}
