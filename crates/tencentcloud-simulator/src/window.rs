//! The frequency limit: so many requests of a caller for an action in any one second.
//!
//! Source: <https://cloud.tencent.com/document/product/1278/109059>. A request that is refused counts as well, so
//! a client that does not slow down stays refused.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::Rejection;

/// How long a request counts.
pub(crate) const WINDOW: Duration = Duration::from_secs(1);

/// The requests of the last second, by action and caller.
#[derive(Debug, Default)]
pub(crate) struct Windows(HashMap<(String, u64), VecDeque<Instant>>);

// === impl Windows ===

impl Windows {
    /// Counts a request that arrives at `at`, or refuses it: more than `limit` in a second are too many.
    pub(crate) fn count(&mut self, action: &str, limit: usize, caller: u64, at: Instant) -> Result<(), Rejection> {
        let window = self.0.entry((action.to_owned(), caller)).or_default();
        while window.front().is_some_and(|first| at.duration_since(*first) >= WINDOW) {
            window.pop_front();
        }
        window.push_back(at);
        if window.len() <= limit {
            return Ok(());
        }
        Err(Rejection::new(
            Rejection::TOO_FREQUENT,
            format!(
                "Your current request times equals to `{}` in a second, which exceeds the frequency limit `{limit}` \
                 for a second. Please reduce the frequency of calls.",
                window.len()
            ),
        ))
    }
}
