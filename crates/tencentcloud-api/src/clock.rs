//! The one door to the wall clock.
//!
//! Everything that needs the time of day is handed a [`Clock`], so that tests can run a day in a second. Waiting is
//! another matter: it goes through `tokio::time`, which tests can pause.

use std::{fmt, time::Duration};

use jiff::Timestamp;

/// Tells the time of day.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The time `elapsed` after `time`, or the last one that there is.
#[must_use]
pub fn later(time: Timestamp, elapsed: Duration) -> Timestamp {
    time.checked_add(elapsed).unwrap_or(Timestamp::MAX)
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that clippy.toml sends everybody to")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
