//! What is exposed: the inventory as it is at the scrape, and the exporter's own counters.
//!
//! docs/metrics.md describes every family; a test holds the two together.
//!
//! Each family and its samples are defined once, for users in `users`, for accounts in `accounts`, and the exporter's own
//! in [`Own`]. From there:
//!
//! - `exposition` keeps the inventory's text ready, in `block`s of users made of `part`s, and puts bodies together.
//! - `text`, `openmetrics` and `protobuf` are the formats; `gzip` compresses in pieces.
//! - [`Metrics`] shares what is prepared among scrapes.

mod accounts;
mod block;
mod body;
mod exposition;
mod family;
mod gzip;
mod openmetrics;
mod own;
mod part;
mod protobuf;
#[cfg(test)]
mod tests;
mod text;
mod users;

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus::{Registry, process_collector::ProcessCollector};
use thiserror::Error;
use tokio::{sync::Mutex as AsyncMutex, task::JoinError};

pub use body::Body;
pub use own::{AccountMetrics, ActionMetrics, HttpRefused, Own};

use self::exposition::Exposition;
use crate::{clock::Clock, inventory::Inventory};

/// Of so many users, the exposition is written where it is asked for: that holds a poll up by some hundred microseconds, and
/// the way to another thread and back takes longer.
const AT_ONCE: usize = 256;

/// Everything that `/metrics` shows.
pub struct Metrics {
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
    registry: Registry,
    own: Own,
    exposition: Arc<AsyncMutex<Exposition>>,
    latest: Mutex<Latest>,
}

/// In what format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    #[default]
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
    /// Prometheus's protocol buffers, delimited.
    Protobuf,
}

/// Why there is no exposition. None of it should ever happen.
#[derive(Debug, Error)]
pub enum Error {
    /// A family cannot be written.
    #[error("a family of metrics cannot be written")]
    Encoding(#[from] prometheus::Error),
    /// The body cannot be compressed.
    #[error("the exposition cannot be compressed")]
    Compression(#[from] flate2::CompressError),
    /// Whoever wrote it died.
    #[error("writing the exposition died")]
    Died(#[from] JoinError),
}

/// The bodies made of one state of things.
#[derive(Debug, Default)]
struct Latest {
    state: Option<State>,
    bodies: Vec<(Format, bool, Arc<Body>)>,
}

/// The families of `inventory` alone, in Prometheus's text format, where the machine's clock says `local`.
///
/// # Errors
/// See [`enum@Error`].
pub fn of_inventory(inventory: &Inventory, local: Timestamp) -> Result<Body, Error> {
    let mut exposition = Exposition::new();
    exposition.update(inventory, local);
    exposition.text(Format::Text, &Registry::new(), false)
}

/// What a body depends on. As long as it is the same, so is the body, but for what the process itself takes: that is told
/// as of the same second.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    inventory: u64,
    own: u64,
    /// The machine's time, and each account's, in whole seconds.
    seconds: Vec<i64>,
}

// === impl Metrics ===

impl Metrics {
    /// Exposes `inventory` as of the time that `clock` tells at each scrape, with the exporter's `own` metrics and
    /// those of the process.
    ///
    /// # Errors
    /// Two families of one name.
    pub fn new(inventory: Arc<Inventory>, own: &Own, clock: Arc<dyn Clock>) -> prometheus::Result<Self> {
        let registry = Registry::new();
        own.register(&registry)?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let exposition = Arc::new(AsyncMutex::new(Exposition::new()));
        Ok(Self { inventory, clock, registry, own: own.clone(), exposition, latest: Mutex::default() })
    }

    /// The exposition as it is now. Scrapes that come at a time share the work, as do those of one second between which
    /// nothing happens. Of many users, it is done on a thread of its own.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub async fn scrape(&self, format: Format, gzip: bool) -> Result<Arc<Body>, Error> {
        if let Some(body) = self.latest(&self.state(), format, gzip) {
            return Ok(body);
        }
        let mut exposition = Arc::clone(&self.exposition).lock_owned().await;
        // Before anything is read: what changes meanwhile makes another state.
        let state = self.state();
        if let Some(body) = self.latest(&state, format, gzip) {
            return Ok(body);
        }
        let (inventory, registry, local) = (Arc::clone(&self.inventory), self.registry.clone(), self.clock.now());
        let users: usize = inventory.accounts().iter().map(|account| account.users().len()).sum();
        let write = move || {
            exposition.update(&inventory, local);
            let body = match format {
                Format::Text | Format::OpenMetrics => exposition.text(format, &registry, gzip),
                Format::Protobuf => exposition.protobuf(&registry, gzip),
            };
            (body, exposition)
        };
        // Whoever waits for the exposition gets it once the body is there to be found.
        let (body, _exposition) = if users <= AT_ONCE { write() } else { tokio::task::spawn_blocking(write).await? };
        let body = Arc::new(body?);
        let mut latest = self.latest.lock();
        if latest.state == Some(state) {
            latest.bodies.push((format, gzip, Arc::clone(&body)));
        }
        Ok(body)
    }

    fn state(&self) -> State {
        let local = self.clock.now();
        let accounts = self.inventory.accounts();
        let seconds = accounts.iter().map(|account| account.correct(local).as_second());
        State {
            inventory: self.inventory.changes(),
            own: self.own.changes(),
            seconds: [local.as_second()].into_iter().chain(seconds).collect(),
        }
    }

    /// The body of that state, if there is one. Those of another are let go.
    fn latest(&self, state: &State, format: Format, gzip: bool) -> Option<Arc<Body>> {
        let mut latest = self.latest.lock();
        if latest.state.as_ref() != Some(state) {
            *latest = Latest { state: Some(state.clone()), bodies: vec![] };
        }
        let body = latest.bodies.iter().find(|body| (body.0, body.1) == (format, gzip));
        body.map(|(_, _, body)| Arc::clone(body))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
