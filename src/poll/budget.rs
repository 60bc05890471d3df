//! Whether an account may ask now.
//!
//! The API counts requests by the second in which they *arrive*, and a second may start at any moment. Two rules
//! together keep every such second at or below the limit:
//!
//! - A window counts every request that may have arrived within the last second: those under way, and those that ended
//!   less than a second ago. At the rate, the next one waits. Spacing alone would not do, for what leaves evenly spaced
//!   may arrive in a bunch.
//! - A governor (GCRA) spaces requests 1/rate apart. Its burst is one cell, so an account that was idle starts without a
//!   jump.
//!
//! Why that suffices: take limit + 1 requests that arrive within one second, and of them the one sent last. When it was
//! sent, each of the others had been sent, and had not yet arrived or had arrived less than a second before; so none had
//! ended more than a second before, and the window held all of them. It was full, and the last one would have waited.
//! The rate may have been below the limit then, by `congestion`: so was the window's room, and it looked no less far back.
//!
//! So what has ended must not arrive later. A request that timed out may be in the kernel's buffers still: it is lost, and ends for the
//! window only when it cannot arrive any more.
//!
//! A window has room for as many whole requests as the rate has. Below 1 a second it has room for one, and is longer
//! instead.

use std::{collections::VecDeque, time::Duration};

use governor::{
    Quota,
    clock::Clock as GovernorClock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tencentcloud_api::MAX_TRANSIT;
use tokio::time::Instant;

use super::{
    Rate,
    congestion::{Congestion, Sent},
};

/// The API's second, and a little more: our timers and its clock do not agree to the microsecond.
const SECOND: Duration = Duration::from_millis(1_002);

/// The most that a window may have to hold: a second at the highest [`Rate`].
const MOST: usize = 20;

/// How much faster than the limit requests may follow each other while the window is nearly full, which then keeps the
/// limit alone. At just the limit what the window delays, as answers do not come evenly, could never be made up for.
const BURST_FACTOR: f64 = 4.0;

type Governor = governor::RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// The budget of an account: who would send takes a [`Permit`] first, and hands it back when the request has ended.
#[derive(Debug)]
pub struct Budget {
    congestion: Congestion,
    governor: Governor,
    /// What the governor was made for.
    spacing: Duration,
    /// When the governor next gives leave.
    spaced: Instant,
    /// There is no permit before.
    resumes: Instant,
    under_way: usize,
    /// When each of the latest requests ended, in order; as many as any window holds. One that is lost may end in the future.
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
            spaced: Instant::now(),
            resumes: Instant::now() + pause,
            under_way: 0,
            ended: VecDeque::with_capacity(MOST),
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
        let (places, span) = window(rate);
        let recent = self.ended.iter().rev().take_while(|ended| **ended + span > now).count();
        let held = self.under_way + recent;
        if held >= places {
            // The one that has to leave the window first: with it leave all that ended before.
            let leaves = places.checked_sub(self.under_way + 1).and_then(|later| self.ended.iter().nth_back(later));
            // Not before the governor's time either: a caller need not come twice.
            return Err(leaves.map_or(Refusal::UntilOneEnds, |ended| Refusal::Until(self.spaced.max(*ended + span))));
        }
        if let Err(not_until) = self.governor.check() {
            return Err(Refusal::Until(now + not_until.wait_time_from(self.governor.clock().now())));
        }
        let among = held + 1;
        let near_full = rate >= self.congestion.limit().get() && among * 4 >= places * 3;
        self.space(Duration::from_secs_f64(1.0 / if near_full { BURST_FACTOR * rate } else { rate }));
        self.spaced = now + self.spacing;
        self.under_way += 1;
        Ok(Permit(Sent { at: now, among }))
    }

    /// The request of `permit` has ended, now.
    pub fn give_back(&mut self, permit: Permit) {
        self.end(permit, Instant::now());
    }

    /// The request of `permit` timed out or was given up: it may still arrive.
    pub fn lose(&mut self, permit: Permit) {
        let arrived = permit.0.at + MAX_TRANSIT;
        self.end(permit, arrived.max(Instant::now()));
    }

    #[expect(clippy::needless_pass_by_value, reason = "a permit handed back is gone")]
    fn end(&mut self, permit: Permit, at: Instant) {
        self.under_way -= 1;
        if self.ended.len() == MOST {
            self.ended.pop_front();
        }
        self.ended.insert(self.ended.partition_point(|ended| *ended <= at), at);
        self.last = Some(permit.0);
    }

    /// The API has refused the request whose permit was handed back last: it was one too many in its second.
    pub fn throttled(&mut self) {
        let now = Instant::now();
        if let Some(drain) = self.last.and_then(|request| self.congestion.refused(request, now)) {
            self.resumes = self.resumes.max(now + drain);
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

    /// Spaces what follows the permit just given. A governor never changes its pace, and a new one knows of no permit;
    /// at this moment the one just given is all that there is to know.
    fn space(&mut self, spacing: Duration) {
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

#[expect(clippy::expect_used, reason = "no spacing is none: the hastiest rate is 80")]
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
    use tokio::time::{sleep, sleep_until};

    use super::{super::RateLimit, *};

    /// A request, and what happens when it ends.
    #[derive(Clone, Copy, Debug)]
    struct Trip {
        /// Milliseconds until it arrives.
        there: u64,
        /// Milliseconds from then until it ends; of one that is lost, from when it was sent.
        back: u64,
        then: Then,
    }

    #[derive(Clone, Copy, Debug)]
    enum Then {
        Nothing,
        Lost,
        Refused,
        Limit(Rate),
    }

    /// One that has arrived, under this limit.
    struct Arrived {
        at: Instant,
        limit: f64,
    }

    fn limit(rate: u32) -> Rate {
        RateLimit::new(rate).unwrap().into()
    }

    /// Sends as fast as the budget allows.
    async fn send(mut limit: Rate, trips: &[Trip]) -> Vec<Arrived> {
        let mut budget = Budget::new(limit);
        let (mut arrived, mut under_way) = (vec![], tokio::task::JoinSet::new());
        for trip in trips {
            let permit = loop {
                let wake = match budget.take() {
                    Ok(permit) => break permit,
                    Err(Refusal::Until(at)) => at,
                    Err(Refusal::UntilOneEnds) => Instant::now() + Duration::from_hours(1),
                };
                let ended: Option<(Permit, Then)> = tokio::select! {
                    Some(ended) = under_way.join_next() => Some(ended.unwrap()),
                    () = sleep_until(wake) => None,
                };
                let Some((permit, then)) = ended else { continue };
                match then {
                    Then::Lost => budget.lose(permit),
                    Then::Nothing | Then::Refused | Then::Limit(_) => budget.give_back(permit),
                }
                match then {
                    Then::Nothing | Then::Lost => {}
                    Then::Refused => budget.throttled(),
                    Then::Limit(other) => {
                        limit = other;
                        budget.set_limit(limit);
                    }
                }
                assert!(budget.rate() <= limit.get());
            };
            let (there, back) = (Duration::from_millis(trip.there), Duration::from_millis(trip.back));
            let (there, ends) = match trip.then {
                Then::Lost => (there * 25, back),
                Then::Nothing | Then::Refused | Then::Limit(_) => (there, there + back),
            };
            arrived.push(Arrived { at: Instant::now() + there, limit: limit.get() });
            let (ends, then) = (Instant::now() + ends, trip.then);
            under_way.spawn(async move {
                sleep_until(ends).await;
                (permit, then)
            });
        }
        arrived
    }

    /// Of the requests sent up to `last`, itself included: the most that any second in which it arrived holds. At a
    /// limit below 1 that second is longer.
    fn densest_second(arrived: &[Arrived], last: usize) -> usize {
        let (end, sent) = (arrived[last].at, &arrived[..=last]);
        let second = Duration::from_secs_f64((1.0 / arrived[last].limit).max(1.0));
        let starts = sent.iter().map(|first| first.at).filter(|start| (*start..*start + second).contains(&end));
        starts.map(|start| sent.iter().filter(|one| (start..start + second).contains(&one.at)).count()).max().unwrap()
    }

    fn paused<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
    }

    fn limits() -> impl Strategy<Value = Rate> {
        (1u32..=20, 1u32..=4).prop_map(|(rate, sharers)| limit(rate).share(sharers.try_into().unwrap()))
    }

    fn trips() -> impl Strategy<Value = Vec<Trip>> {
        let then = prop_oneof![
            60 => Just(Then::Nothing),
            3 => Just(Then::Lost),
            1 => Just(Then::Refused),
            1 => limits().prop_map(Then::Limit),
        ];
        let way = prop_oneof![0u64..10, 0u64..400];
        let trip = (way.clone(), way, then).prop_map(|(there, back, then)| Trip { there, back, then });
        prop::collection::vec(trip, 1..150)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_second_of_arrivals_is_over_the_limit_whatever_happens(limit in limits(), trips in trips()) {
            let arrived = paused(send(limit, &trips));
            for (last, Arrived { limit, .. }) in arrived.iter().enumerate() {
                let densest = densest_second(&arrived, last);
                let within = densest == 1 || f64::from(u32::try_from(densest).unwrap()) <= *limit;
                prop_assert!(within, "{densest} at a limit of {limit}");
            }
        }
    }

    #[test]
    fn short_trips_use_nearly_all_of_the_limit() {
        for (rate, sharers) in [(20, 1), (1, 1), (7, 1), (1, 4)] {
            let limit = limit(rate).share(sharers.try_into().unwrap());
            let arrived = paused(send(limit, &[Trip { there: 1, back: 1, then: Then::Nothing }; 400]));
            let took = arrived[399].at - arrived[0].at;
            let used = 399.0 / limit.get() / took.as_secs_f64();
            assert!(used > 0.98, "{used} of {limit:?}");
        }
    }

    #[test]
    fn refusals_of_what_was_under_way_are_one_event() {
        paused(async {
            let mut budget = Budget::new(limit(20));
            let mut permits = vec![];
            for _ in 0..11 {
                permits.push(budget.take().unwrap());
                sleep(Duration::from_millis(50)).await;
            }
            for permit in permits.drain(9..).rev() {
                budget.give_back(permit);
                budget.throttled();
                assert!((budget.rate() - 9.0).abs() < f64::EPSILON, "{}", budget.rate());
            }
            assert_eq!(budget.take().unwrap_err(), Refusal::Until(Instant::now() + Duration::from_millis(550)));
        });
    }

    #[test]
    fn another_limit_forgets_nothing() {
        paused(async {
            let mut budget = Budget::new(limit(1));
            let permit = budget.take().unwrap();
            budget.give_back(permit);
            budget.set_limit(limit(1).share(10.try_into().unwrap()));
            assert_eq!(budget.take().unwrap_err(), Refusal::Until(Instant::now() + SECOND * 10));
        });
    }

    #[test]
    fn one_that_starts_after_another_waits() {
        paused(async {
            let resumes = Instant::now() + Duration::from_secs(2);
            let mut budget = Budget::starting_after(limit(20), Duration::from_secs(2));
            assert_eq!(budget.take().unwrap_err(), Refusal::Until(resumes));
            sleep_until(resumes).await;
            let _permit = budget.take().unwrap();
        });
    }

    #[test]
    fn an_idle_account_saves_up_nothing() {
        paused(async {
            let mut budget = Budget::new(limit(20));
            sleep(Duration::from_mins(1)).await;
            let permit = budget.take().unwrap();
            assert_eq!(budget.take().unwrap_err(), Refusal::Until(Instant::now() + Duration::from_millis(50)));
            budget.give_back(permit);
        });
    }

    #[test]
    fn a_request_that_hangs_keeps_its_place() {
        paused(async {
            let mut budget = Budget::new(limit(1));
            let permit = budget.take().unwrap();
            sleep(Duration::from_mins(1)).await;
            assert_eq!(budget.take().unwrap_err(), Refusal::UntilOneEnds);
            budget.give_back(permit);
            assert_eq!(budget.take().unwrap_err(), Refusal::Until(Instant::now() + SECOND));
        });
    }
}
