//! The page at `/`: what whoever is on call wants at a glance, without a script and without anything from elsewhere.
//!
//! - `report` gathers it from the inventory: `account` tells of one account, `standing` how a user stands, `worst` keeps
//!   the worst few of many.
//! - `problems` are what of it needs attention.
//! - `page` writes it: `lists` its tables, `text` numbers, times and foreign text, `style` what it looks like.

mod account;
mod lists;
mod page;
mod problems;
mod report;
mod standing;
mod style;
mod text;
mod worst;

use std::sync::Arc;

use http::HeaderValue;
use tokio::time::Instant;

use self::{page::Page, report::Report};
use super::TelemetryPath;
use crate::{clock::Clock, inventory::Inventory, metrics::Own};

/// What the page is made from.
#[derive(Debug)]
pub struct Status {
    inventory: Arc<Inventory>,
    own: Arc<Own>,
    clock: Arc<dyn Clock>,
    telemetry_path: TelemetryPath,
    started: Instant,
    policy: HeaderValue,
}

// === impl Status ===

impl Status {
    /// Tells of `inventory`, and of what `own` says of the configuration, as of the time that `clock` tells, in an exporter
    /// that starts now and has its metrics at `telemetry_path`.
    #[must_use]
    pub fn new(inventory: Arc<Inventory>, own: Arc<Own>, clock: Arc<dyn Clock>, telemetry_path: TelemetryPath) -> Self {
        Self { inventory, own, clock, telemetry_path, started: Instant::now(), policy: style::policy() }
    }

    /// The page as of now, an HTML document that loads itself anew every few seconds if it `refreshes`. It takes
    /// milliseconds where there are thousands of users.
    #[must_use]
    pub fn page(&self, refreshes: bool) -> String {
        let config_refused = self.own.config_is_refused();
        let report = Report { config_refused, ..Report::of(&self.inventory, self.clock.now(), self.started.elapsed()) };
        Page::of(&report, &self.telemetry_path, refreshes).to_string()
    }

    /// The `Content-Security-Policy` that it is to be sent with.
    #[must_use]
    pub fn policy(&self) -> HeaderValue {
        self.policy.clone()
    }
}

#[cfg(test)]
mod tests;
