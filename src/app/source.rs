//! Where configurations come from: once at the start, and again at each reload.

use std::{fmt, fs, path::PathBuf};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::{
    config::{Config, Faults},
    environment::Environment,
};

/// Loads the configuration.
pub struct ConfigSource {
    file: Option<PathBuf>,
    load: Box<dyn Fn() -> Result<Config, Faults> + Send + Sync>,
    /// What the file held when it was last loaded, good or not.
    loaded: Mutex<Option<[u8; 32]>>,
}

// === impl ConfigSource ===

impl ConfigSource {
    /// The file at `path`, with the variables of `environment` over it.
    #[must_use]
    pub fn file(path: PathBuf, environment: Environment) -> Self {
        let load = {
            let path = path.clone();
            move || Config::load(&path, &environment)
        };
        Self { file: Some(path), load: Box::new(load), loaded: Mutex::default() }
    }

    /// Whatever `load` gives.
    #[must_use]
    pub fn new(load: impl Fn() -> Result<Config, Faults> + Send + Sync + 'static) -> Self {
        Self { file: None, load: Box::new(load), loaded: Mutex::default() }
    }

    /// The configuration as it is now. Blocks for as long as the file does.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(&self) -> Result<Config, Faults> {
        // First: what changes after this is seen as a change.
        *self.loaded.lock() = self.digest();
        (self.load)()
    }

    /// Whether the file holds something else than when it was last loaded. One that cannot be read has not changed.
    pub(super) fn has_changed(&self) -> bool {
        let now = self.digest();
        now.is_some() && now != *self.loaded.lock()
    }

    fn digest(&self) -> Option<[u8; 32]> {
        fs::read(self.file.as_ref()?).ok().map(|bytes| Sha256::digest(bytes).into())
    }
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSource").field("file", &self.file).finish_non_exhaustive()
    }
}
