//! The limit of requests: a token bucket. governor's arithmetic overflows for long intervals with large bursts.

use std::{num::NonZeroU32, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// What `rate_limit` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RateLimit {
    /// The time between two requests, when there is one after the other. Above zero.
    pub(super) interval: Duration,
    /// Requests that may come at once, after none have come for long.
    pub(super) burst: NonZeroU32,
}

/// The tokens that are left.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: RateLimit,
    began: Instant,
    /// When it will be full, since it began.
    full: Mutex<Duration>,
}

// === impl Bucket ===

impl Bucket {
    /// A full one.
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, began: Instant::now(), full: Mutex::default() }
    }

    /// Takes a token. Without one left, the request is one too many.
    pub(super) fn take(&self) -> bool {
        let now = self.began.elapsed();
        let mut full = self.full.lock();
        let taken = now.max(*full).saturating_add(self.limit.interval);
        let fits = taken <= now.saturating_add(self.limit.interval.saturating_mul(self.limit.burst.get()));
        if fits {
            *full = taken;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_one_an_interval() {
        let limit = RateLimit { interval: Duration::from_secs(2), burst: NonZeroU32::new(3).unwrap() };
        let bucket = Bucket::new(limit);
        let taken = || (0..10).filter(|_| bucket.take()).count();
        assert_eq!(taken(), 3);
        tokio::time::advance(Duration::from_millis(1_999)).await;
        assert_eq!(taken(), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(taken(), 1);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(taken(), 3);
    }
}
