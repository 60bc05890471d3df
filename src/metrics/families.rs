//! Which families are exposed.

use exporter_toolkit::Names;

use crate::pattern::{Pattern, selects};

/// Which families are exposed: `--metric-allowlist` and `--metric-denylist`. By default, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Families {
    /// If there are any, only families that match one of them are exposed.
    pub allowed: Vec<Pattern>,
    /// Families that match one of them are not exposed.
    pub denied: Vec<Pattern>,
}

/// The families of one scrape: those that are exposed and that it requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) families: &'a Families,
    pub(super) names: &'a Names,
}

// === impl Families ===

impl Families {
    fn contains(&self, name: &str) -> bool {
        selects(&self.allowed, &self.denied, |pattern| pattern.matches(name))
    }
}

// === impl Wanted ===

impl Wanted<'_> {
    pub(super) fn contains(self, name: &str) -> bool {
        self.names.contains(name) && self.families.contains(name)
    }
}
