//! How much of an account's limit the others who share it leave to us.
//!
//! Nothing tells of them but the refusals of our own requests. So the rate falls by a factor when one is refused, and
//! climbs again, by steps that grow:
//!
//! - It falls to [`CUT`] of the requests that had fitted into the refused one's second, not of the rate as it stood.
//!   After a pause, or early in a second, those are fewer than the rate, and exactly what there was room for; so two cuts
//!   do what halving blindly would take five for, each of which costs refused requests. Those that were under way
//!   meanwhile tell nothing new: one cut for all of them.
//! - Then nothing is sent for a while, as the API counts what it refuses as well: for as much of a second as that one
//!   held of the limit. From the full limit that empties our own second, and so the next refusal tells the truth.
//! - Then it climbs by [`STEP`], and [`GROWTH`] more with the square of the time since the cut. Slowly at first, for
//!   there each probe of what the others still take costs a refused request: with half the limit taken, there is one
//!   refusal about every 15 s. Fast later, for then they seem to have gone: it is back at the limit after 27 s. No fixed
//!   step does both.

use std::time::Duration;

use tokio::time::Instant;

use super::Rate;

/// What a refusal leaves of what had fitted.
const CUT: f64 = 0.9;

/// The climb at first: this much of the limit, each second.
const STEP: f64 = 0.0015;

/// What the climb gains: this much of the limit, each second, times the seconds squared.
const GROWTH: f64 = 8.25e-5;

/// The least that is left, of the limit: enough to notice that a storm is over.
const FLOOR: f64 = 0.05;

/// A request, as it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// When.
    pub(super) at: Instant,
    /// How many of ours may have arrived within a second with it, itself included.
    pub(super) among: usize,
}

/// What is known of the others.
#[derive(Debug)]
pub(super) struct Congestion {
    limit: Rate,
    latest: Option<Cut>,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    at: Instant,
    to: f64,
}

// === impl Congestion ===

impl Congestion {
    /// Idle takes anything of `limit`, as far as is known.
    pub(super) fn new(limit: Rate) -> Self {
        Self { limit, latest: None }
    }

    /// Requests a second that may be sent at `now`.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        let limit = self.limit.get();
        self.latest.map_or(limit, |cut| {
            let time = now.duration_since(cut.at).as_secs_f64();
            let climbed = STEP * time + GROWTH * time.powi(3) / 3.0;
            (cut.to + limit * climbed).min(limit)
        })
    }

    /// The most that may be sent a second.
    pub(super) fn limit(&self) -> Rate {
        self.limit
    }

    /// Another limit, of which the others take as much as before.
    pub(super) fn set_limit(&mut self, limit: Rate) {
        self.limit = limit;
    }

    /// The API refused `request`, of which we hear `now`. How long to send nothing, if that was news.
    #[expect(clippy::cast_precision_loss, reason = "a second holds 20")]
    pub(super) fn refused(&mut self, request: Sent, now: Instant) -> Option<Duration> {
        if self.latest.is_some_and(|cut| request.at <= cut.at) {
            return None;
        }
        let (limit, among) = (self.limit.get(), request.among as f64);
        let to = CUT * self.rate(now).min(among - 1.0);
        self.latest = Some(Cut { at: now, to: to.max(FLOOR * limit) });
        Some(Duration::from_secs_f64((among / limit).min(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::RateLimit, *};

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// At 20 a second, just after the refusal of a request among so many.
    fn cut(among: usize) -> (Congestion, Instant) {
        let (mut congestion, now) = (Congestion::new(RateLimit::new(20).unwrap().into()), Instant::now());
        assert!(congestion.refused(Sent { at: now, among }, now).is_some());
        (congestion, now)
    }

    #[tokio::test(start_paused = true)]
    async fn climbs_slowly_at_first_and_is_back_within_half_a_minute() {
        let (congestion, start) = cut(11);
        let rate = |seconds| congestion.rate(after(start, seconds));
        assert!(rate(0) < 9.001 && rate(5) < 9.3 && (9.7..10.0).contains(&rate(10)) && rate(15) > 11.0);
        assert!(rate(25) < 20.0);
        assert!([27, 100, 100_000].into_iter().all(|seconds| (rate(seconds) - 20.0).abs() < f64::EPSILON));
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_leaves_a_floor() {
        let (mut congestion, start) = cut(20);
        for second in 1..60 {
            let now = after(start, second);
            assert!(congestion.refused(Sent { at: now, among: 1 }, now).is_some());
        }
        assert!((congestion.rate(after(start, 59)) - 1.0).abs() < f64::EPSILON);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_before_the_cut_does_not_cut_again() {
        let (mut congestion, start) = cut(20);
        let late = after(start, 1);
        assert_eq!(congestion.refused(Sent { at: start, among: 20 }, late), None);
        assert_eq!(congestion.refused(Sent { at: late, among: 10 }, late), Some(Duration::from_millis(500)));
    }
}
