//! What is exposed: the inventory as it is at the scrape, and the exporter's own counters.
//!
//! docs/metrics.md describes every family; a test holds the two together.
//!
//! - `users`, `accounts` and `counters` define the families and their samples, each once; [`Own`] has those of the process.
//! - `snapshot` is what a scrape shows: everything at one moment.
//! - `cursor` writes a snapshot piece by piece, in one of the formats: `text`, `openmetrics`, `protobuf`.

mod accounts;
mod counters;
mod cursor;
mod family;
mod openmetrics;
mod own;
mod protobuf;
mod snapshot;
#[cfg(test)]
mod tests;
mod text;
mod users;

use std::{fmt, sync::Arc};

use exporter_toolkit::Pieces as _;
use jiff::Timestamp;
use prometheus::{Registry, process_collector::ProcessCollector};
use thiserror::Error;

pub use counters::ACTIONS;
pub use cursor::Cursor;
pub use exporter_toolkit::Format;
pub use own::{AccountMetrics, ActionMetrics, Own, log_lines_dropped};
use tencentcloud_api::Clock;

use self::snapshot::Snapshot;
use crate::inventory::Inventory;

/// Everything that `/metrics` shows.
pub struct Metrics {
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
    registry: Registry,
    own: Own,
}

/// A family cannot be written. It should never happen.
#[derive(Debug, Error)]
#[error("a family of metrics cannot be written")]
pub struct Error(#[from] prometheus::Error);

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
    /// Exposes `inventory` as of the time of `clock` at each scrape, with the exporter's `own` metrics and
    /// those of the process.
    ///
    /// # Errors
    /// Two families of one name.
    pub fn new(inventory: Arc<Inventory>, own: &Own, clock: Arc<dyn Clock>) -> prometheus::Result<Self> {
        let registry = Registry::new();
        own.register(&registry)?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self { inventory, clock, registry, own: own.clone() })
    }

    /// The exposition as it is now.
    ///
    /// # Errors
    /// See [`struct@Error`].
    pub fn scrape(&self, format: Format) -> Result<Cursor, Error> {
        let snapshot = Snapshot::of(&self.inventory, self.clock.now(), &self.own, &self.registry, format)?;
        Ok(Cursor::new(snapshot, format))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
