//! The one door to the wall clock.
//!
//! Everything that needs the time of day is handed a [`Clock`], so that tests can run a day in a second. Waiting is
//! another matter: it goes through `tokio::time`, which tests can pause.

use std::fmt;

use jiff::Timestamp;

/// Tells the time of day.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that clippy.toml sends everybody to")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
