//! What is exposed: the inventory as it is at the scrape, and the exporter's own counters.
//!
//! docs/metrics.md describes every family; a test holds the two together.
//!
//! - `users` declares what is exposed of a user, `accounts` of an account, `counters` what is counted of an account; [`Own`] has
//!   the families of the process.
//! - `snapshot` is what a scrape shows: everything at one moment.
//! - `cursor` writes a snapshot piece by piece, in one of the formats of [`exporter_toolkit::exposition`].

mod accounts;
mod counters;
mod cursor;
mod families;
mod family;
mod own;
mod snapshot;
#[cfg(test)]
mod tests;
mod users;

use std::{fmt, sync::Arc};

use exporter_toolkit::{Names, Pieces as _};
use jiff::Timestamp;
use prometheus::Registry;
use thiserror::Error;

pub use counters::ACTIONS;
pub use cursor::Cursor;
pub use exporter_toolkit::Format;
pub use families::Families;
pub use own::{AccountMetrics, ActionMetrics, Own, log_lines_dropped};
use tencentcloud_api::Clock;

use self::{
    families::Wanted,
    snapshot::{Snapshot, Source},
};
use crate::inventory::Inventory;

/// Everything that `/metrics` shows.
pub struct Metrics {
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
    registry: Registry,
    own: Own,
    families: Families,
}

/// A family cannot be written. It should never happen.
#[derive(Debug, Error)]
#[error("a family of metrics cannot be written")]
pub struct Error(#[from] prometheus::Error);

/// The families of `inventory` alone, in Prometheus's text format, where the machine's clock says `local`.
#[must_use]
pub fn of_inventory(inventory: &Inventory, local: Timestamp) -> Vec<u8> {
    let all_families = Wanted { families: &Families::default(), names: &Names::default() };
    let mut cursor = Cursor::new(Snapshot::of_inventory(inventory, local), Format::Text, all_families);
    let mut all = vec![];
    cursor.fill(&mut all, usize::MAX);
    all
}

/// The names of all families.
///
/// # Errors
/// A name that Prometheus does not allow.
pub fn family_names() -> prometheus::Result<Vec<String>> {
    let own = Own::new()?.collectors();
    let own = own.iter().flat_map(|collector| collector.desc()).map(|family| family.fq_name.clone());
    Ok(Source::all().map(|source| source.family().name.to_owned()).chain(own).collect())
}

// === impl Metrics ===

impl Metrics {
    /// Exposes `families` of `inventory` as of the time of `clock` at each scrape, with those of the exporter's `own` metrics
    /// and of the process.
    ///
    /// # Errors
    /// Two families of one name.
    pub fn new(
        inventory: Arc<Inventory>,
        own: &Own,
        clock: Arc<dyn Clock>,
        families: Families,
    ) -> prometheus::Result<Self> {
        let registry = Registry::new();
        own.collectors().into_iter().try_for_each(|collector| registry.register(collector))?;
        Ok(Self { inventory, clock, registry, own: own.clone(), families })
    }

    /// The exposition as it is now, of the families in `names`.
    ///
    /// # Errors
    /// See [`struct@Error`].
    pub fn scrape(&self, format: Format, names: &Names) -> Result<Cursor, Error> {
        let wanted = Wanted { families: &self.families, names };
        let mut gathered = self.registry.gather();
        gathered.retain(|family| wanted.contains(family.name()));
        let snapshot = Snapshot::of(&self.inventory, self.clock.now(), &self.own, &gathered, format)?;
        Ok(Cursor::new(snapshot, format, wanted))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
