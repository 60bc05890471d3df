//! Whether an account may ask now.
//!
//! The API counts requests by the second in which they *arrive*, and a second may start at any moment. Two rules
//! together keep every such second at or below the limit:
//!
//! - A window counts every request that may have arrived within the last second: those under way, and those that ended
//!   less than a second ago. At the rate, the next one waits. Spacing alone would not do, for what leaves evenly spaced
//!   may arrive in a bunch.
//! - A governor (GCRA) spaces requests. Its burst is one cell: an account that was idle starts without a jump.
//!
//! Why that suffices: take limit + 1 requests that arrive within one second, and of them the one sent last. When it was
//! sent, each of the others had been sent, and had not yet arrived or had arrived less than a second before; so none had
//! ended more than a second before, and the window held all of them. It was full, and the last one would have waited.
//! The rate may have been below the limit then, by `congestion`: so was the window's room, and it looked no less far back.
//!
//! A rate that is no whole number has the room of the next lower one, and one below 1 a window of as many seconds as it
//! has between two requests.

use std::{collections::VecDeque, time::Duration};

use governor::{
    Quota,
    clock::Clock as GovernorClock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

use super::{
    Rate,
    congestion::{Congestion, DRAIN, Sent},
};

/// The API's second, and a little more: our timers and its clock do not agree to the microsecond.
const SECOND: Duration = Duration::from_millis(1_002);

/// The most that a window may have to hold.
const MOST: usize = 20;

/// How much faster than the limit requests may follow each other. At just the limit, each one that the window delays
/// would be lost; and a second is kept by the window alone.
const HASTE: f64 = 1.25;

type Governor = governor::RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// The budget of an account: who would send takes a [`Permit`] first, and hands it back when the request has ended.
#[derive(Debug)]
pub struct Budget {
    congestion: Congestion,
    governor: Governor,
    /// The governor's.
    spacing: Duration,
    /// There is no permit before.
    resumes: Instant,
    under_way: usize,
    /// When each of the latest requests ended, in order; as many as any window holds.
    ended: VecDeque<Instant>,
    /// The one that ended last.
    last: Option<Sent>,
}

/// Leave to send one request. Dropping it instead of handing it back leaves its place taken for good.
#[derive(Debug)]
#[must_use = "a permit is handed back to the budget when its request has ended"]
pub struct Permit(Sent);

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
    /// A budget of at most `limit` requests a second.
    #[must_use]
    pub fn new(limit: Rate) -> Self {
        Self::starting_after(limit, Duration::ZERO)
    }

    /// A budget that gives no permit before `pause` has passed: for an account that may have asked just now, by another
    /// budget.
    #[must_use]
    pub fn starting_after(limit: Rate, pause: Duration) -> Self {
        Self {
            congestion: Congestion::new(limit),
            governor: governor(SECOND),
            spacing: SECOND,
            resumes: Instant::now() + pause,
            under_way: 0,
            ended: VecDeque::with_capacity(MOST + 1),
            last: None,
        }
    }

    /// Leave to send now.
    ///
    /// # Errors
    /// When to ask again.
    pub fn take(&mut self) -> Result<Permit, Refusal> {
        let now = Instant::now();
        if now < self.resumes {
            return Err(Refusal::Until(self.resumes));
        }
        let rate = self.congestion.rate(now);
        let (room, hold) = window(rate);
        let recent = self.ended.iter().rev().take_while(|ended| **ended + hold > now).count();
        let held = self.under_way + recent;
        if held >= room {
            // The one that has to leave the window first: with it leave all that ended before.
            let leaves = room.checked_sub(self.under_way + 1).and_then(|later| self.ended.iter().nth_back(later));
            return Err(leaves.map_or(Refusal::UntilOneEnds, |ended| Refusal::Until(*ended + hold)));
        }
        if let Err(not_until) = self.governor.check() {
            return Err(Refusal::Until(now + not_until.wait_time_from(self.governor.clock().now())));
        }
        self.space(rate);
        self.under_way += 1;
        Ok(Permit(Sent { at: now, among: held + 1 }))
    }

    /// The request of `permit` has ended, now.
    pub fn give_back(&mut self, permit: Permit) {
        self.under_way -= 1;
        if self.ended.len() == MOST {
            self.ended.pop_front();
        }
        self.ended.push_back(Instant::now());
        self.last = Some(permit.0);
    }

    /// The API has refused the request whose permit was handed back last, as one too many in its second.
    pub fn throttled(&mut self) {
        let now = Instant::now();
        if self.last.is_some_and(|request| self.congestion.refused(request, now)) {
            self.resumes = self.resumes.max(now + DRAIN);
        }
    }

    /// From now on the limit is `limit`. What was sent under the old one still counts.
    pub fn set_limit(&mut self, limit: Rate) {
        self.congestion.set_limit(limit);
    }

    /// Requests a second that it gives leave for at present.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.congestion.rate(Instant::now())
    }

    /// Spaces what follows the permit just given as `rate` wants it. A governor never changes its pace, and a new one
    /// knows of no permit; at this moment the one just given is all that there is to know.
    fn space(&mut self, rate: f64) {
        let limit = self.congestion.limit().get();
        let spacing = Duration::from_secs_f64(1.0 / if rate < limit { rate } else { HASTE * limit });
        if spacing != self.spacing {
            self.governor = governor(spacing);
            self.spacing = spacing;
            let _ = self.governor.check();
        }
    }
}

/// How many requests a window holds at this rate, and for how long.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are from 0 to 20")]
fn window(rate: f64) -> (usize, Duration) {
    ((rate as usize).max(1), SECOND.mul_f64((1.0 / rate).max(1.0)))
}

#[expect(clippy::expect_used, reason = "no spacing is none: the highest of rates is 25")]
fn governor(spacing: Duration) -> Governor {
    let quota = Quota::with_period(spacing).expect("a spacing");
    Governor::direct_with_clock(quota, TokioClock(Instant::now()))
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

    use super::{super::RateLimit, *};

    fn limit(rate: u32) -> Rate {
        RateLimit::new(rate).unwrap().into()
    }

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
        let (mut budget, start) = (Budget::new(limit(rate)), Instant::now());
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
            let mut budget = Budget::new(limit(20));
            tokio::time::sleep(Duration::from_mins(1)).await;
            let permit = budget.take().unwrap();
            assert_eq!(budget.take().unwrap_err(), Refusal::Until(Instant::now() + Duration::from_millis(40)));
            budget.give_back(permit);
        });
    }

    #[test]
    fn a_request_that_hangs_keeps_its_place() {
        paused(async {
            let mut budget = Budget::new(limit(1));
            let permit = budget.take().unwrap();
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert_eq!(budget.take().unwrap_err(), Refusal::UntilOneEnds);
            budget.give_back(permit);
            assert_eq!(budget.take().unwrap_err(), Refusal::Until(Instant::now() + SECOND));
        });
    }
}
