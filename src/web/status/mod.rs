//! The page at `/`: what whoever is on call wants at a glance, without a script and without anything from elsewhere.
//!
//! - `report` gathers it from the inventory: `account` tells of one account, `standing` how a user stands, `worst` keeps
//!   the worst few of many.
//! - `problems` are what of it needs attention.
//! - `page` writes it: `lists` its tables, `text` numbers, times and foreign text, `style` what it looks like.
//! - [`advice()`] is what to do about a poll that failed.

mod account;
pub mod advice;
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

pub use advice::advice;

use self::{page::Page, report::Report};
use super::TelemetryPath;
use crate::{clock::Clock, inventory::Inventory};

/// What the page is made from.
#[derive(Debug)]
pub struct Status {
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
    telemetry_path: TelemetryPath,
    started: Instant,
    policy: HeaderValue,
}

// === impl Status ===

impl Status {
    /// Tells of `inventory`, as of the time that `clock` tells, in an exporter that starts now and has its metrics at
    /// `telemetry_path`.
    #[must_use]
    pub fn new(inventory: Arc<Inventory>, clock: Arc<dyn Clock>, telemetry_path: TelemetryPath) -> Self {
        Self { inventory, clock, telemetry_path, started: Instant::now(), policy: style::policy() }
    }

    /// The page as of now, an HTML document that loads itself anew every few seconds if it `refreshes`. It takes
    /// milliseconds where there are thousands of users.
    #[must_use]
    pub fn page(&self, refreshes: bool) -> String {
        let report = Report::of(&self.inventory, self.clock.now(), self.started.elapsed());
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
