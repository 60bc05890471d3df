//! What is exposed: the inventory as it is at the scrape, and the exporter's own counters.
//!
//! docs/metrics.md describes every family; a test holds the two together.
//!
//! - `users`, `accounts` and `counters` define the families and their samples, each once; [`Own`] has those of the process.
//! - `snapshot` is what a scrape shows: everything at one moment.
//! - `cursor` writes a snapshot piece by piece, in one of the formats: `text`, `openmetrics`, `protobuf`.
//! - [`Scrape`] is the body, written as its reader takes it.

mod accounts;
mod counters;
mod cursor;
mod family;
mod openmetrics;
mod own;
mod protobuf;
mod scrape;
mod snapshot;
#[cfg(test)]
mod tests;
mod text;
mod users;

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus::{Registry, process_collector::ProcessCollector};
use thiserror::Error;

pub use counters::ACTIONS;
pub use own::{AccountMetrics, ActionMetrics, HttpRefused, Own, log_lines_dropped};
pub use scrape::Scrape;
use tencentcloud_api::Clock;

use self::{cursor::Cursor, scrape::Compressor, snapshot::Snapshot};
use crate::inventory::Inventory;

/// Everything that `/metrics` shows.
pub struct Metrics {
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
    registry: Registry,
    own: Own,
    compressor: Arc<Mutex<Compressor>>,
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
}

/// The families of `inventory` alone, in Prometheus's text format, where the machine's clock says `local`.
#[must_use]
pub fn of_inventory(inventory: &Inventory, local: Timestamp) -> Vec<u8> {
    let mut cursor = Cursor::new(Snapshot::of_inventory(inventory, local), Format::Text);
    let mut all = vec![];
    cursor.fill(&mut all, usize::MAX);
    all
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
        let compressor = Arc::new(Mutex::new(Compressor::new()));
        Ok(Self { inventory, clock, registry, own: own.clone(), compressor })
    }

    /// The exposition as it is now.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn scrape(&self, format: Format, gzip: bool) -> Result<Scrape, Error> {
        let snapshot = Snapshot::of(&self.inventory, self.clock.now(), &self.own, &self.registry, format)?;
        Scrape::new(Cursor::new(snapshot, format), gzip.then(|| Arc::clone(&self.compressor)))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
