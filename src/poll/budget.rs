//! Whether an account may ask now.
//!
//! The API counts requests by the second in which they *arrive*, and a second may start at any moment. Two rules
//! together keep every such second at or below the rate:
//!
//! - A governor (GCRA) spaces requests a cell apart, 1/rate. Its burst is one cell: with a burst of N it would let
//!   nearly 2N through in the second after an idle one.
//! - A window counts every request that may have arrived within the last second: those under way, and those that ended
//!   less than a second ago. At the rate, the next one waits. Spacing alone would not do, for what leaves evenly spaced
//!   may arrive in a bunch.
//!
//! Why that suffices: take rate + 1 requests that arrive within one second, and of them the one sent last. When it was
//! sent, each of the others had been sent, and had not yet arrived or had arrived less than a second before; so none had
//! ended more than a second before, and the window held all of them. It was full, and the last one would have waited.

use std::{collections::VecDeque, time::Duration};

use governor::{
    Quota,
    clock::Clock as GovernorClock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

use super::RateLimit;

/// The API's second, and a little more: our timers and its clock do not agree to the microsecond.
const WINDOW: Duration = Duration::from_millis(1_002);

type Governor = governor::RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// The budget of an account: who would send takes a [`Permit`] first, and hands it back when the request has ended.
#[derive(Debug)]
pub struct Budget {
    governor: Governor,
    rate: usize,
    under_way: usize,
    /// When each request of the last second ended, in order.
    ended: VecDeque<Instant>,
}

/// Leave to send one request. Dropping it instead of handing it back leaves its place taken for good.
#[derive(Debug)]
#[must_use = "a permit is handed back to the budget when its request has ended"]
pub struct Permit(());

/// Why there is no permit now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There may be one at this time.
    Until(Instant),
    /// There may be one when a request under way has ended.
    UntilOneEnds,
}

/// tokio's clock, which tests pause, as governor wants it: the time since the budget was made.
#[derive(Clone, Copy, Debug)]
struct TokioClock(Instant);

// === impl Budget ===

impl Budget {
    /// A budget of `rate` requests a second.
    #[must_use]
    pub fn new(rate: RateLimit) -> Self {
        Self {
            governor: Governor::direct_with_clock(
                Quota::per_second(rate.get()).allow_burst(std::num::NonZeroU32::MIN),
                TokioClock(Instant::now()),
            ),
            rate: rate.get().get() as usize,
            under_way: 0,
            ended: VecDeque::new(),
        }
    }

    /// Leave to send now.
    ///
    /// # Errors
    /// When to ask again.
    pub fn take(&mut self) -> Result<Permit, Refusal> {
        let now = Instant::now();
        while self.ended.front().is_some_and(|ended| *ended + WINDOW <= now) {
            self.ended.pop_front();
        }
        if self.under_way + self.ended.len() >= self.rate {
            return Err(self.ended.front().map_or(Refusal::UntilOneEnds, |ended| Refusal::Until(*ended + WINDOW)));
        }
        match self.governor.check() {
            Ok(()) => {
                self.under_way += 1;
                Ok(Permit(()))
            }
            Err(not_until) => Err(Refusal::Until(now + not_until.wait_time_from(self.governor.clock().now()))),
        }
    }

    /// The request of `permit` has ended, now.
    #[expect(clippy::needless_pass_by_value, reason = "a permit handed back is gone")]
    pub fn give_back(&mut self, permit: Permit) {
        let Permit(()) = permit;
        self.under_way -= 1;
        self.ended.push_back(Instant::now());
    }
}

// === impl TokioClock ===

impl GovernorClock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::{sleep_until, timeout_at};

    use super::*;

    /// The most arrivals that any second from `t`, included, to `t` + 1 s, not included, holds.
    fn densest_second(arrivals: &mut [Instant]) -> usize {
        arrivals.sort();
        (0..arrivals.len())
            .map(|first| {
                arrivals[first..].iter().take_while(|at| **at < arrivals[first] + Duration::from_secs(1)).count()
            })
            .max()
            .unwrap_or(0)
    }

    /// Sends as fast as the budget allows: request `i` arrives after `trips[i].0` and ends `trips[i].1` later, both in
    /// milliseconds.
    async fn send(rate: u32, trips: &[(u64, u64)]) -> (Vec<Instant>, Duration) {
        let (mut budget, start) = (Budget::new(RateLimit::new(rate).unwrap()), Instant::now());
        let (mut arrivals, mut under_way) = (vec![], tokio::task::JoinSet::new());
        for (there, back) in trips {
            let permit = loop {
                match budget.take() {
                    Ok(permit) => break permit,
                    Err(Refusal::Until(at)) => match timeout_at(at, under_way.join_next()).await {
                        Ok(Some(ended)) => budget.give_back(ended.unwrap()),
                        Ok(None) => sleep_until(at).await,
                        Err(_) => {}
                    },
                    Err(Refusal::UntilOneEnds) => budget.give_back(under_way.join_next().await.unwrap().unwrap()),
                }
            };
            let arrives = Instant::now() + Duration::from_millis(*there);
            arrivals.push(arrives);
            let ends = arrives + Duration::from_millis(*back);
            under_way.spawn(async move {
                sleep_until(ends).await;
                permit
            });
        }
        (arrivals, start.elapsed())
    }

    fn paused<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_second_of_arrivals_is_over_the_rate_however_long_trips_take(
            rate in 1u32..=20,
            trips in prop::collection::vec((0u64..400, 0u64..400), 1..150),
        ) {
            let densest = paused(async { densest_second(&mut send(rate, &trips).await.0) });
            prop_assert!(densest <= rate as usize, "{densest} at a rate of {rate}");
        }
    }

    #[test]
    fn short_trips_use_nearly_all_of_the_rate() {
        let (_, took) = paused(send(20, &[(1, 1); 400]));
        let used = 400.0 / 20.0 / took.as_secs_f64();
        assert!(used > 0.97, "{used}");
    }

    #[test]
    fn an_idle_account_saves_up_nothing() {
        paused(async {
            let mut budget = Budget::new(RateLimit::new(20).unwrap());
            tokio::time::sleep(Duration::from_mins(1)).await;
            let permit = budget.take().unwrap();
            assert_eq!(budget.take().unwrap_err(), Refusal::Until(Instant::now() + Duration::from_millis(50)));
            budget.give_back(permit);
        });
    }

    #[test]
    fn a_request_that_hangs_keeps_its_place() {
        paused(async {
            let mut budget = Budget::new(RateLimit::new(1).unwrap());
            let permit = budget.take().unwrap();
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert_eq!(budget.take().unwrap_err(), Refusal::UntilOneEnds);
            budget.give_back(permit);
            assert_eq!(budget.take().unwrap_err(), Refusal::Until(Instant::now() + WINDOW));
        });
    }
}
