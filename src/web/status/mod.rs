//! The page at `/`: what whoever is on call wants at a glance, without a script and without anything from elsewhere.
//!
//! - `report` gathers it from the inventory: `account` tells of one account, `worst` keeps the worst few of many.
//! - `problems` are what of it needs attention.
//! - `page` writes it: `lists` its tables, `text` numbers, times and foreign text, `style` what it looks like.

mod account;
mod lists;
mod page;
mod problems;
mod report;
mod style;
mod text;
mod worst;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use tokio::{
    sync::Mutex as AsyncMutex,
    task::{JoinError, spawn_blocking},
    time::Instant,
};

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
    latest: Arc<AsyncMutex<Latest>>,
}

/// The last pages made: one that does not refresh itself, and one that does.
type Latest = [Option<(State, Bytes)>; 2];

/// What a page is made from, and when, in whole seconds. As long as it is the same, requests share a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    second: i64,
    inventory: u64,
    config_refused: bool,
}

// === impl Status ===

impl Status {
    /// Tells of `inventory`, and of what `own` says of the configuration, as of the time that `clock` tells, in an exporter
    /// that starts now and has its metrics at `telemetry_path`.
    #[must_use]
    pub fn new(inventory: Arc<Inventory>, own: Arc<Own>, clock: Arc<dyn Clock>, telemetry_path: TelemetryPath) -> Self {
        Self {
            inventory,
            own,
            clock,
            telemetry_path,
            started: Instant::now(),
            policy: style::policy(),
            latest: Arc::default(),
        }
    }

    /// The page as of now, an HTML document that loads itself anew every few seconds if it `refreshes`. It takes
    /// milliseconds where there are thousands of users.
    #[must_use]
    pub fn page(&self, refreshes: bool) -> String {
        let config_refused = self.own.config_is_refused();
        let report = Report { config_refused, ..Report::of(&self.inventory, self.clock.now(), self.started.elapsed()) };
        Page::of(&report, &self.telemetry_path, refreshes).to_string()
    }

    /// As [`Self::page`], made on a thread of its own. At most one is made at a time, and requests of the same second share
    /// it.
    ///
    /// # Errors
    /// Making it panicked.
    pub async fn shared_page(self: &Arc<Self>, refreshes: bool) -> Result<Bytes, JoinError> {
        let mut latest = Arc::clone(&self.latest).lock_owned().await;
        let state = self.state();
        if let Some((of, page)) = &latest[usize::from(refreshes)]
            && *of == state
        {
            return Ok(page.clone());
        }
        let status = Arc::clone(self);
        // The lock goes along: were the request cancelled, the next would wait for this page to be made.
        let make = move || {
            let page = Bytes::from(status.page(refreshes));
            latest[usize::from(refreshes)] = Some((state, page.clone()));
            page
        };
        spawn_blocking(make).await
    }

    fn state(&self) -> State {
        State {
            second: self.clock.now().as_second(),
            inventory: self.inventory.changes(),
            config_refused: self.own.config_is_refused(),
        }
    }

    /// The `Content-Security-Policy` that it is to be sent with.
    #[must_use]
    pub fn policy(&self) -> HeaderValue {
        self.policy.clone()
    }
}

#[cfg(test)]
mod tests;
