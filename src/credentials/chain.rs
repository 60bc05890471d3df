//! Several sources, of which the first that is set up is used.
//!
//! One that is set up and has no credential ends the chain: the next would be another identity, only because a file is
//! missing, half a pair of variables was forgotten, or a service is slow today.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tracing::info;

use super::{Error, Fetched, Source};

/// Sources, each with the name that it has in a configuration.
#[derive(Debug)]
pub struct Chain {
    sources: Vec<(&'static str, Arc<Source>)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The source that has worked, and the failures that it had had by then.
    chosen: Option<(usize, u64)>,
    /// How often there was no credential, and the failures of those that were chosen before.
    failures: u64,
}

// === impl Chain ===

impl Chain {
    /// These, in this order.
    #[must_use]
    pub fn new(sources: Vec<(&'static str, Arc<Source>)>) -> Self {
        Self { sources, state: Mutex::default() }
    }

    /// What `ask` says of the source in use, if there is one.
    pub(super) fn chosen<T>(&self, ask: impl FnOnce(&Source) -> T) -> Option<T> {
        let (place, _) = self.state.lock().chosen?;
        let (_, source) = self.sources.get(place)?;
        Some(ask(source))
    }

    pub(super) fn failures(&self) -> u64 {
        let state = self.state.lock();
        state.failures + self.failures_of_chosen(&state)
    }

    /// The failures of the source in use, since it is.
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

    /// Tells whether that is another source than before.
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
