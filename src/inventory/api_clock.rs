//! What the API's clock says, as its answers tell it.
//!
//! Between two answers it goes on with the monotonic clock, so a step of the machine's own clock shows at once and
//! changes nothing here.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// How far the machine's clock may be off before the API's is believed instead. The API refuses requests that are five
/// minutes off; below a minute, the whole seconds of a `Date` header and the way it came would be corrected as well.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// A reading of the API's clock.
#[derive(Clone, Copy, Debug)]
pub struct ApiClock {
    read: Timestamp,
    at: Instant,
}

// === impl ApiClock ===

impl ApiClock {
    /// It says `time`, now.
    #[must_use]
    pub fn reads(time: Timestamp) -> Self {
        Self { read: time, at: Instant::now() }
    }

    /// How far it is ahead of the machine's clock, which says `local` now.
    #[must_use]
    pub fn skew(&self, local: Timestamp) -> SignedDuration {
        (self.read + self.at.elapsed()).duration_since(local)
    }

    /// The time to go by where the machine's clock says `local` now.
    #[must_use]
    pub fn correct(&self, local: Timestamp) -> Timestamp {
        let skew = self.skew(local);
        if skew.abs() > TOLERANCE { local.checked_add(skew).unwrap_or(local) } else { local }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_of_the_machine_s_clock_is_seen_through() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = ApiClock::reads(start);
        tokio::time::advance(Duration::from_hours(2)).await;
        let now = start + Duration::from_hours(2);
        assert_eq!(clock.correct(now), now);
        let stepped = now + Duration::from_hours(1);
        assert_eq!(clock.skew(stepped), SignedDuration::from_hours(-1));
        assert_eq!(clock.correct(stepped), now);
        let within = now + Duration::from_secs(59);
        assert_eq!(clock.correct(within), within, "a minute may be the way that the answer came");
    }
}
