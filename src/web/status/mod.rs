//! The pages at `/`: what the person on call wants at a glance, and every user and key, a page at a time. They have no
//! script and load nothing from elsewhere.
//!
//! - `query` says which page is asked for.
//! - `report` gathers the overview from the inventory: `account` has one account, `worst` keeps the worst few of many.
//!   `list` gathers a page of a whole list. `rows` are users and keys in either.
//! - `problems` are what needs attention, `note` why, and `runbook` where to read on.
//! - `page` writes the overview with its `lists`, and `list_page` a page of a list. `frame` and `table` are what both have,
//!   `text` writes numbers and times, `foreign` text from elsewhere, and `style` is what it all looks like. Each part of a
//!   page is a function that returns `Markup`: maud's templates escape every value.
//! - The sentences are where they are written, in each language: see [`Language`].

mod account;
mod foreign;
mod frame;
mod list;
mod list_page;
mod lists;
mod note;
mod page;
mod problems;
pub(super) mod query;
mod report;
mod rows;
mod runbook;
mod style;
mod table;
mod text;
mod worst;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use exporter_toolkit::TelemetryPath;
use http::HeaderValue;
use tencentcloud_api::Clock;
use tokio::{
    sync::Mutex as AsyncMutex,
    task::{JoinError, spawn_blocking},
    time::{Instant, sleep_until},
};

use self::{list::Listed, list_page::list_page, page::overview, query::List, report::Report};
use crate::{inventory::Inventory, language::Language, metrics::Own};

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
    latest_list: Arc<AsyncMutex<LatestList>>,
}

/// How long after one page of a list the next is made at the earliest. Requests for different pages share nothing, so many
/// of them must not take all of a processor.
const BETWEEN_LISTS: Duration = Duration::from_millis(50);

/// The last overviews made, of each language: one that refreshes itself, and one that does not.
type Latest = [[Option<(State, Bytes)>; 2]; Language::ALL.len()];

/// The last page of a list that was made.
#[derive(Debug, Default)]
struct LatestList {
    made: Option<(Language, List, State, Option<Bytes>)>,
    /// When the next one may be made.
    next: Option<Instant>,
}

/// What a page is made from, and when, in whole seconds. As long as it is the same, requests share a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    second: i64,
    inventory: u64,
    config_refused: bool,
}

// === impl Status ===

impl Status {
    /// Shows `inventory`, and what `own` says of the configuration, as of the time of `clock`, in an exporter
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
            latest_list: Arc::default(),
        }
    }

    /// The overview as of now, in `language`: an HTML document that loads itself again every few seconds unless it
    /// `is_still`. It takes milliseconds where there are thousands of users.
    #[must_use]
    pub fn overview(&self, language: Language, is_still: bool) -> String {
        let (now, uptime) = (self.clock.now(), self.started.elapsed());
        let config_refused = self.own.config_is_refused();
        let report = Report { config_refused, ..Report::of(language, &self.inventory, now, uptime) };
        overview(&report, &self.telemetry_path, is_still).into_string()
    }

    fn list(&self, language: Language, list: &List) -> Option<String> {
        let listed = Listed::of(list, &self.inventory, self.clock.now())?;
        Some(list_page(language, &listed, &self.telemetry_path).into_string())
    }

    /// The overview, made on a thread of its own. At most one is made at a time, and requests of the same second share it.
    ///
    /// # Errors
    /// Making it panicked.
    pub(super) async fn shared_overview(
        self: &Arc<Self>,
        language: Language,
        is_still: bool,
    ) -> Result<Bytes, JoinError> {
        let mut latest = Arc::clone(&self.latest).lock_owned().await;
        let state = self.state();
        let place = (language as usize, usize::from(is_still));
        if let Some((of, page)) = &latest[place.0][place.1]
            && *of == state
        {
            return Ok(page.clone());
        }
        let status = Arc::clone(self);
        // The lock goes along: were the request cancelled, the next would wait for this page to be made.
        let make = move || {
            let page = Bytes::from(status.overview(language, is_still));
            latest[place.0][place.1] = Some((state, page.clone()));
            page
        };
        spawn_blocking(make).await
    }

    /// A page of a list, made on a thread of its own; nothing where there is no such account. At most one is made at a time,
    /// some time after the one before, and the overview does not wait for them. Requests for the same page in the same
    /// second share it.
    ///
    /// # Errors
    /// Making it panicked.
    pub(super) async fn shared_list(
        self: &Arc<Self>,
        language: Language,
        list: List,
    ) -> Result<Option<Bytes>, JoinError> {
        let mut latest = Arc::clone(&self.latest_list).lock_owned().await;
        if let Some(next) = latest.next {
            sleep_until(next).await;
        }
        let state = self.state();
        if let Some((of_language, of, at, page)) = &latest.made
            && (*of_language, of, *at) == (language, &list, state)
        {
            return Ok(page.clone());
        }
        let status = Arc::clone(self);
        let make = move || {
            let page = status.list(language, &list).map(Bytes::from);
            let made = Some((language, list, state, page.clone()));
            *latest = LatestList { made, next: Some(Instant::now() + BETWEEN_LISTS) };
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

    /// The `Content-Security-Policy` that pages are to be sent with.
    #[must_use]
    pub fn policy(&self) -> HeaderValue {
        self.policy.clone()
    }
}

#[cfg(test)]
mod tests;
