//! The field `discover` of an account.

use exporter_toolkit::yaml::{Refused, fields};

use super::read::{duration, patterns};
use crate::{
    pattern::Pattern,
    poll::{Discovery, Interval},
};

fields! {
    /// `discover`.
    pub(super) struct DiscoverFields {
        interval: Interval, read duration(Interval::new), default Interval::OF_DISCOVERY;
        include: Vec<Pattern>, read patterns, default vec![];
        exclude: Vec<Pattern>, read patterns, default vec![];
    }
}

// === impl DiscoverFields ===

impl DiscoverFields {
    /// How to find users.
    pub(super) fn discovery(&self) -> Result<Discovery, Refused> {
        Ok(Discovery { interval: self.interval()?, include: self.include()?, exclude: self.exclude()? })
    }
}
