//! Holds answers to wrong passwords back, where many come at a time.

use std::time::Duration;

use tokio::{
    sync::{Mutex as AsyncMutex, Semaphore},
    time::{Instant, sleep_until},
};

/// Wrong passwords that are answered at once, after a pause.
const BURST: u32 = 8;

/// The time between two answers, in checks. So clients that wait for their answers leave half of the time for others.
const SPACING: u32 = 2;

/// Says when a wrong password is answered.
#[derive(Debug)]
pub(super) struct Pacer {
    /// When the next may be answered. Waited for in the order of arrival.
    next: AsyncMutex<Instant>,
    places: Semaphore,
}

// === impl Pacer ===

impl Pacer {
    /// One that holds at most `places` answers back at a time.
    pub(super) fn new(places: usize) -> Self {
        Self { next: AsyncMutex::new(Instant::now()), places: Semaphore::new(places) }
    }

    /// Waits until a wrong password may be answered, of which the check took `cost`.
    pub(super) async fn hold(&self, cost: Duration) {
        let Ok(_place) = self.places.try_acquire() else { return };
        let mut next = self.next.lock().await;
        sleep_until(*next).await;
        let spacing = cost * SPACING;
        let earliest = Instant::now().checked_sub(spacing * BURST);
        *next = earliest.map_or(*next, |earliest| earliest.max(*next)) + spacing;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::timeout;

    use super::*;

    const COST: Duration = Duration::from_millis(50);
    const MAX_HELD: usize = 128;

    async fn held(pacer: &Pacer) -> Duration {
        let started = Instant::now();
        pacer.hold(COST).await;
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_few_answers_there_is_one_every_other_check() {
        let pacer = Pacer::new(MAX_HELD);
        tokio::time::advance(Duration::from_mins(1)).await;
        for _ in 0..=BURST {
            assert_eq!(held(&pacer).await, Duration::ZERO);
        }
        for _ in 0..10 {
            assert_eq!(held(&pacer).await, COST * SPACING);
        }
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(held(&pacer).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_holds_nobody_else_and_no_more_are_held_than_may_be() {
        let pacer = Arc::new(Pacer::new(MAX_HELD));
        for _ in 0..100 {
            let _ = timeout(Duration::from_millis(1), pacer.hold(COST)).await;
        }
        assert!(held(&pacer).await <= COST * SPACING);
        let holding: Vec<_> = (0..MAX_HELD)
            .map(|_| {
                let pacer = Arc::clone(&pacer);
                tokio::spawn(async move { held(&pacer).await })
            })
            .collect();
        while pacer.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(held(&pacer).await, Duration::ZERO);
        for one in holding {
            one.await.unwrap();
        }
    }
}
