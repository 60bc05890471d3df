//! Several sources. The first that is configured is used.
//!
//! A source that is configured and has no credential ends the chain. Otherwise a missing file, a forgotten variable or a slow
//! service would switch to another identity.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tracing::info;

use super::{Error, Fetched, Source};

/// Sources, with their names in the configuration.
#[derive(Debug)]
pub struct Chain {
    sources: Vec<(&'static str, Arc<Source>)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The source that has worked, and the number of its failures before that.
    chosen: Option<(usize, u64)>,
    /// How often there was no credential, and the failures of the sources in use before.
    failures: u64,
}

// === impl Chain ===

impl Chain {
    /// A chain of `sources`, in this order.
    #[must_use]
    pub fn new(sources: Vec<(&'static str, Arc<Source>)>) -> Self {
        Self { sources, state: Mutex::default() }
    }

    /// The result of `ask` for the source in use, if there is one.
    pub(super) fn chosen<T>(&self, ask: impl FnOnce(&Source) -> T) -> Option<T> {
        let (place, _) = self.state.lock().chosen?;
        let (_, source) = self.sources.get(place)?;
        Some(ask(source))
    }

    pub(super) fn failures(&self) -> u64 {
        let state = self.state.lock();
        state.failures + self.failures_of_chosen(&state)
    }

    /// The failures of the source in use, since it has been in use.
    fn failures_of_chosen(&self, state: &State) -> u64 {
        let since = |(place, before): (usize, u64)| Some(self.sources.get(place)?.1.failures().saturating_sub(before));
        state.chosen.and_then(since).unwrap_or_default()
    }

    pub(super) async fn fetch(&self, now: Timestamp) -> Result<Fetched, Error> {
        let chosen = self.state.lock().chosen;
        if let Some((name, source)) = chosen.and_then(|(place, _)| self.sources.get(place)) {
            match source.fetch(now).await {
                Err(error) if error.is_absence() => {
                    self.choose(None);
                }
                Err(error) => return Err(Error::Link { name, error: Box::new(error) }),
                Ok(fetched) => return Ok(fetched),
            }
        }
        let mut skipped = vec![];
        for (place, (name, source)) in self.sources.iter().enumerate() {
            match source.fetch(now).await {
                Ok(fetched) => {
                    if self.choose(Some(place)) {
                        info!(source = name, "using the first credential source that has a credential");
                    }
                    return Ok(fetched);
                }
                Err(error) => {
                    let is_last = place + 1 == self.sources.len();
                    if !error.is_absence() && !is_last {
                        self.state.lock().failures += 1;
                        return Err(Error::Link { name, error: Box::new(error) });
                    }
                    skipped.push((*name, error));
                }
            }
        }
        self.state.lock().failures += 1;
        Err(Error::Chain(skipped))
    }

    /// Returns whether it is another source than before.
    fn choose(&self, place: Option<usize>) -> bool {
        let mut state = self.state.lock();
        if state.chosen.map(|(chosen, _)| chosen) == place {
            return false;
        }
        state.failures += self.failures_of_chosen(&state);
        let failures = |place: usize| self.sources.get(place).map_or(0, |(_, source)| source.failures());
        state.chosen = place.map(|place| (place, failures(place)));
        true
    }
}
