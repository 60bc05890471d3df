//! How polling an account gets on.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::ApiClock;
use tokio::time::Instant;

use super::Pace;

/// How long a poller may show no sign of life. It does so every ten seconds; a poll takes a minute at most, and delays
/// nothing else.
pub const SILENCE: Duration = Duration::from_mins(3);

/// How polling an account gets on.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// When the poller last showed that it is alive.
    pub heartbeat: Instant,
    /// When the poll that goes next was, or will be, due.
    pub next_due: Option<Instant>,
    /// How long the last whole sweep over the users took.
    pub last_sweep: Option<Duration>,
    /// The sweep under way; nothing before the poller's first look.
    pub sweep: Option<Sweep>,
    /// How fast the account has lately asked.
    pub pace: Pace,
    /// Polls that failed for no fault of their user, since the start.
    pub failed_polls: u64,
    /// Requests a second that the account makes at most, as of now.
    pub rate: Option<f64>,
    /// The most requests a second that it will make.
    pub rate_limit: Option<f64>,
    /// The API's clock, where several answers agree on it.
    pub api_clock: Option<ApiClock>,
    /// When the credential ends, where it is a temporary one.
    pub credential_expires: Option<Timestamp>,
}

/// How far a sweep has got, which asks every user once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Users who have been asked, well or not.
    pub asked: usize,
    /// Users who are still to be asked.
    pub awaited: usize,
    /// When the last of them is due. It is asked later where the budget is short.
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
