//! The progress of polling an account: its numbers that no user has.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::ApiClock;
use tokio::time::Instant;

use super::Pace;

/// How long a poller may show no sign of life. It does so every ten seconds; a poll takes a minute at most, and delays
/// nothing else.
pub const SILENCE: Duration = Duration::from_mins(3);

/// The progress of polling an account. Not kept over a restart.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// When the poller last showed that it is alive.
    pub heartbeat: Instant,
    /// When the poll that goes next was, or will be, due.
    pub next_due: Option<Instant>,
    /// Duration of the last complete sweep over the users.
    pub last_sweep: Option<Duration>,
    /// The current sweep; `None` before the poller starts.
    pub sweep: Option<Sweep>,
    /// Requests of the last seconds.
    pub pace: Pace,
    /// Polls since the start that failed for a reason that is not the user's.
    pub failed_polls: u64,
    /// The current rate limit, in requests a second.
    pub rate: Option<f64>,
    /// The configured rate limit, or this shard's share of it.
    pub rate_limit: Option<f64>,
    /// The API's clock, where several answers agree on it.
    pub api_clock: Option<ApiClock>,
    /// When the credential expires, if it is temporary.
    pub credential_expires: Option<Timestamp>,
}

/// The progress of a sweep, which polls every user once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Users that have been polled, successfully or not.
    pub asked: usize,
    /// Users that are still to be polled.
    pub awaited: usize,
    /// When the last of them is due. It is polled later if the budget is short.
    pub last_due: Instant,
}

// === impl Progress ===

impl Progress {
    /// The time to go by where the machine's clock says `local` now.
    #[must_use]
    pub fn correct(&self, local: Timestamp) -> Timestamp {
        self.api_clock.map_or(local, |clock| clock.correct(local))
    }

    /// Whether the poller has shown no sign of life for [`SILENCE`].
    #[must_use]
    pub fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heartbeat) > SILENCE
    }

    /// How far the API's clock is ahead of the machine's, which says `local` now.
    #[must_use]
    pub fn skew(&self, local: Timestamp) -> Option<SignedDuration> {
        self.api_clock.map(|clock| clock.skew(local))
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            heartbeat: Instant::now(),
            next_due: None,
            last_sweep: None,
            sweep: None,
            pace: Pace::default(),
            failed_polls: 0,
            rate: None,
            rate_limit: None,
            api_clock: None,
            credential_expires: None,
        }
    }
}
