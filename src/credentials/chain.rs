//! Several sources, of which the first that has a credential is used.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tracing::info;

use super::{Error, Fetched, Source};

/// Sources, each with the name that it has in a configuration.
#[derive(Debug)]
pub struct Chain {
    sources: Vec<(&'static str, Arc<Source>)>,
    /// The one that has worked, until it fails for good.
    chosen: Mutex<Option<usize>>,
}

// === impl Chain ===

impl Chain {
    /// These, in this order.
    #[must_use]
    pub fn new(sources: Vec<(&'static str, Arc<Source>)>) -> Self {
        Self { sources, chosen: Mutex::default() }
    }

    /// What `ask` says of the source in use, if there is one.
    pub(super) fn chosen<T>(&self, ask: impl FnOnce(&Source) -> T) -> Option<T> {
        let (_, source) = self.sources.get((*self.chosen.lock())?)?;
        Some(ask(source))
    }

    pub(super) fn failures(&self) -> u64 {
        self.chosen(Source::failures).unwrap_or_default()
    }

    pub(super) async fn fetch(&self, now: Timestamp) -> Result<Fetched, Error> {
        let chosen = *self.chosen.lock();
        if let Some((_, source)) = chosen.and_then(|place| self.sources.get(place)) {
            match source.fetch(now).await {
                Err(error) if !error.is_transient() => *self.chosen.lock() = None,
                outcome => return outcome,
            }
        }
        let mut skipped = vec![];
        for (place, (name, source)) in self.sources.iter().enumerate() {
            match source.fetch(now).await {
                Ok(fetched) => {
                    if self.chosen.lock().replace(place) != Some(place) {
                        info!(source = name, "the credential comes from the first source that has one");
                    }
                    return Ok(fetched);
                }
                Err(error) => {
                    let transient = error.is_transient();
                    skipped.push((*name, error));
                    // It is the one: another would be somebody else, only because this one is slow today.
                    if transient {
                        break;
                    }
                }
            }
        }
        Err(Error::Chain(skipped))
    }
}
