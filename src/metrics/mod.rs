//! What is exposed: the inventory as it is at the scrape, and the exporter's own counters, in one registry.
//!
//! docs/metrics.md describes every family; a test holds the two together.

mod inventory;
mod own;

use std::sync::Arc;

use prometheus::{Registry, TextEncoder, process_collector::ProcessCollector};

pub use own::{AccountMetrics, Own};

use crate::{clock::Clock, inventory::Inventory};

/// Everything that `/metrics` shows.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
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
        registry.register(Box::new(inventory::Collector::new(inventory, clock)?))?;
        own.register(&registry)?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self { registry })
    }

    /// The exposition in Prometheus's text format 0.0.4.
    ///
    /// # Errors
    /// A family that cannot be written.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
