//! When something is asked that is not of one user: who asks, who there is, when keys were used.
//!
//! Of each kind one request is under way at a time. What fails is logged once, and once when it is over.

use std::{fmt, time::Duration};

use tencentcloud_api::{Connection, Reason};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::{backoff, inventory::AccountName};

/// One kind of request.
#[derive(Debug)]
pub(super) struct PeriodicRequest {
    account: AccountName,
    what: &'static str,
    /// Nothing while it is under way, or is not to be asked.
    due: Option<Instant>,
    under_way: bool,
    retries: u32,
    /// Whether its last request was lost with the connection it went over.
    lost: bool,
    /// Why it fails, as it was last logged.
    problem: Option<Reason>,
}

// === impl PeriodicRequest ===

impl PeriodicRequest {
    /// One that nobody has asked for yet. `what` is asked for, in words.
    pub(super) fn new(account: AccountName, what: &'static str) -> Self {
        Self { account, what, due: None, under_way: false, retries: 0, lost: false, problem: None }
    }

    /// To be asked for now, unless it is being asked for.
    pub(super) fn now(&mut self) {
        if !self.under_way {
            self.due = Some(Instant::now());
        }
    }

    /// Not to be asked for.
    pub(super) fn stop(&mut self) {
        self.due = None;
        self.problem = None;
    }

    /// When it is to be asked for.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It is asked for. Tells over which connection.
    pub(super) fn begin(&mut self) -> Connection {
        self.due = None;
        self.under_way = true;
        if std::mem::take(&mut self.lost) { Connection::Fresh } else { Connection::Pooled }
    }

    /// It goes once more, at once and over a fresh connection: the one that its request went over was closed.
    pub(super) fn again(&mut self) {
        self.lost = true;
        self.under_way = false;
        self.now();
    }

    /// It goes once more, after `wait`.
    pub(super) fn later(&mut self, wait: Duration) {
        self.under_way = false;
        self.due = Some(Instant::now() + wait);
    }

    /// It was answered, and is asked for again after `wait`, if ever.
    pub(super) fn done(&mut self, wait: Option<Duration>) {
        self.under_way = false;
        self.retries = 0;
        self.due = wait.map(|wait| Instant::now() + wait);
        if self.problem.take().is_some() {
            info!(account = %self.account, "{} succeeds again", self.what);
        }
    }

    /// It failed with something that may pass: it is asked for again soon, and after `longest` at the latest.
    pub(super) fn failed_for_now(
        &mut self,
        reason: Reason,
        error: &impl fmt::Display,
        longest: Duration,
        random: &mut fastrand::Rng,
    ) {
        let wait = backoff::wait(self.retries, random).min(longest);
        self.retries += 1;
        self.failed(reason, error, wait);
    }

    /// It failed, and is asked for again after `wait`.
    pub(super) fn failed(&mut self, reason: Reason, error: &impl fmt::Display, wait: Duration) {
        self.later(wait);
        if self.problem.replace(reason) == Some(reason) {
            debug!(account = %self.account, reason = reason.label(), %error, "{} still fails", self.what);
        } else {
            warn!(account = %self.account, reason = reason.label(), %error, "{} failed", self.what);
        }
    }
}
