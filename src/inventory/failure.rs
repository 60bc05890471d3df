//! Why a user's last poll brought no keys.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use tencentcloud_api::Reason;

use super::listing::error_text;

/// Why a poll failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub reason: Reason,
    /// The label of the API's code, if the API answered with one.
    pub code: Option<&'static str>,
    /// In words, with the request id; free of secrets and of bounded length. May hold text from the network.
    pub error: Arc<str>,
    /// When the first of the polls failed that have failed in a row, for whatever reason.
    pub since: Timestamp,
    /// When the user is polled next; later where the budget is short.
    pub next_poll: Option<Timestamp>,
}

// === impl Failure ===

impl Failure {
    /// A failure at `at`, with `error` in words; the first in a row, unless the account knows of one before.
    #[must_use]
    pub fn new(reason: Reason, code: Option<&'static str>, error: &impl fmt::Display, at: Timestamp) -> Self {
        Self { reason, code, error: error_text(error), since: at, next_poll: None }
    }

    /// This failure, where the poll before ended as `before` has it.
    pub(super) fn after(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before {
            self.since = before.since;
            if self.error == before.error {
                self.error = Arc::clone(&before.error);
            }
        }
        self
    }
}
