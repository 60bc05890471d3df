//! The latch behind `/-/ready`.
//!
//! A native sidecar's readiness is its pod's: were it to follow the API, an outage in the cloud would take the
//! application beside us out of its Services. So it asks no more than one poll *attempted*, and once set it stays until
//! the process stops.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the first poll attempt may keep the pod waiting.
const READY_AFTER: Duration = Duration::from_secs(10);

/// Whether the exporter is ready.
#[derive(Debug)]
pub struct Readiness {
    started: Instant,
    attempted: AtomicBool,
    stopping: CancellationToken,
}

// === impl Readiness ===

impl Readiness {
    /// Not ready yet, from now on; never again once `stopping` is cancelled.
    #[must_use]
    pub fn new(stopping: CancellationToken) -> Self {
        Self { started: Instant::now(), attempted: AtomicBool::new(false), stopping }
    }

    /// A poll has ended, well or not.
    pub fn poll_attempted(&self) {
        self.attempted.store(true, Ordering::Relaxed);
    }

    /// Whether the exporter is ready now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let waited = || self.started.elapsed() >= READY_AFTER;
        !self.stopping.is_cancelled() && (self.attempted.load(Ordering::Relaxed) || waited())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_poll_attempt_or_ten_seconds_make_it_ready_until_it_stops() {
        let stopping = CancellationToken::new();
        let by_poll = Readiness::new(stopping.clone());
        let by_time = Readiness::new(stopping.clone());
        assert!(!by_poll.is_ready());
        by_poll.poll_attempted();
        assert!(by_poll.is_ready());
        tokio::time::advance(READY_AFTER.checked_sub(Duration::from_millis(1)).unwrap()).await;
        assert!(!by_time.is_ready());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(by_time.is_ready());
        stopping.cancel();
        assert!(!by_poll.is_ready() && !by_time.is_ready());
    }
}
