//! How much of an account's limit the others who share it leave to us.
//!
//! Nothing tells of them but the refusals of our own requests. So the rate falls by a factor when one is refused, and
//! climbs again, by steps that grow:
//!
//! - It falls to [`CUT`] of the requests that had fitted into the refused one's second, not of the rate as it stood.
//!   After a pause, or early in a second, those are fewer than the rate, and exactly what there was room for; so two cuts
//!   do what halving blindly would take five for, each of which costs refused requests. Those that were under way
//!   meanwhile tell nothing new: one cut for all of them.
//! - Then nothing is sent for [`DRAIN`]. The API counts what it refuses as well, so its second must empty first.
//! - Then it climbs by [`STEP`], and [`GROWTH`] more with the square of the time since the cut. Slowly at first, for
//!   there each probe of what the others still take costs a refused request: with half the limit taken, there is one
//!   refusal about every 14 s. Fast later, for then they seem to have gone: it is back at the limit after 28 s. No fixed
//!   step does both.

use std::time::Duration;

use tokio::time::Instant;

use super::Rate;

/// What a refusal leaves of what had fitted.
const CUT: f64 = 0.9;

/// How long nothing is sent after a cut.
pub(super) const DRAIN: Duration = Duration::from_millis(500);

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
    /// Nobody takes anything of `limit`, as far as is known.
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

    #[expect(clippy::cast_precision_loss, reason = "at most 20")]
    /// The API refused `request`, of which we hear `now`. Tells whether that was news.
    pub(super) fn refused(&mut self, request: Sent, now: Instant) -> bool {
        if self.latest.is_some_and(|cut| request.at <= cut.at) {
            return false;
        }
        let fitted = (request.among - 1) as f64;
        let to = CUT * self.rate(now).min(fitted);
        self.latest = Some(Cut { at: now, to: to.max(FLOOR * self.limit.get()) });
        true
    }
}
