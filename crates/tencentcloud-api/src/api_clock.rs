//! The API's clock, as the `Date` headers of its answers tell it.
//!
//! Between two answers it goes on with the monotonic clock, so a step of the machine's own clock shows at once and
//! changes nothing here.
//!
//! What an answer says of the time is checked before it is believed:
//! - Ages follow the API's clock only where several accepted answers agree on it, or where the machine's clock agrees.
//!   Otherwise they follow the machine's. See [`ApiTime`].
//! - A refusal of a request for its time changes what the next requests are signed with, and nothing else. See
//!   [`SigningClock`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::clock::later;

/// How far the machine's clock may be off before the API's is believed instead. The API refuses requests that are five
/// minutes off; below a minute, the whole seconds of a `Date` header and the way it came would be corrected as well.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// How far a request's time may be from what its refusal says the time is, and yet not be the reason of the refusal.
const SAME_TIME: SignedDuration = SignedDuration::from_secs(30);

/// How many accepted answers in a row must agree before the first clock is believed against the machine's.
const FIRST_AGREEMENT: u32 = 2;

/// How many must agree before a clock is believed against one that was believed until now, and over how long.
const NEW_AGREEMENT: (u32, Duration) = (5, Duration::from_mins(1));

/// A reading of the API's clock.
#[derive(Clone, Copy, Debug)]
pub struct ApiClock {
    read: Timestamp,
    at: Instant,
}

/// What accepted answers say of the API's clock, and which of it is believed.
///
/// A service of many machines may have one whose clock is wrong. So a reading counts at once where it agrees with the
/// machine's clock, or with the one that is believed; any other only when several in a row agree.
#[derive(Debug, Default)]
pub struct ApiTime {
    believed: Option<ApiClock>,
    run: Option<Run>,
}

/// Accepted answers in a row that agree with each other, and with nothing else.
#[derive(Debug)]
struct Run {
    last: ApiClock,
    readings: u32,
    began: Instant,
}

/// The clock that requests are signed by, where it is another than the one that is believed.
#[derive(Debug, Default)]
pub struct SigningClock(Option<ApiClock>);

// === impl ApiClock ===

impl ApiClock {
    /// It says `time`, now.
    #[must_use]
    pub fn reads(time: Timestamp) -> Self {
        Self { read: time, at: Instant::now() }
    }

    /// What it says now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        later(self.read, self.at.elapsed())
    }

    /// How far it is ahead of the machine's clock, which says `local` now.
    #[must_use]
    pub fn skew(&self, local: Timestamp) -> SignedDuration {
        self.now().duration_since(local)
    }

    /// The time to go by where the machine's clock says `local` now.
    #[must_use]
    pub fn correct(&self, local: Timestamp) -> Timestamp {
        if self.agrees_with(local) { local } else { self.now() }
    }

    fn agrees_with(&self, now: Timestamp) -> bool {
        self.skew(now).abs() <= TOLERANCE
    }
}

// === impl ApiTime ===

impl ApiTime {
    /// The clock that is believed, if there is one.
    #[must_use]
    pub fn believed(&self) -> Option<ApiClock> {
        self.believed
    }

    /// Whether a response had a time that is not trusted yet, and another may confirm it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.believed.is_none() && self.run.is_some()
    }

    /// An answer to an accepted request says that it is `time`; the machine's clock says `local`.
    pub fn accepted(&mut self, time: Timestamp, local: Timestamp) {
        let reading = ApiClock::reads(time);
        if reading.agrees_with(local) || self.believed.is_some_and(|believed| reading.agrees_with(believed.now())) {
            (self.believed, self.run) = (Some(reading), None);
            return;
        }
        let run = match self.run.take() {
            Some(run) if reading.agrees_with(run.last.now()) => {
                Run { last: reading, readings: run.readings.saturating_add(1), ..run }
            }
            _ => Run { last: reading, readings: 1, began: Instant::now() },
        };
        let (readings, time) = if self.believed.is_some() { NEW_AGREEMENT } else { (FIRST_AGREEMENT, Duration::ZERO) };
        if run.readings >= readings && run.began.elapsed() >= time {
            self.believed = Some(reading);
        } else {
            self.run = Some(run);
        }
    }

    /// A refusal says that it is `time`. It proves nothing against the machine's clock, and may confirm it.
    pub fn refused(&mut self, time: Timestamp, local: Timestamp) {
        let reading = ApiClock::reads(time);
        if self.believed.is_none() && reading.agrees_with(local) {
            (self.believed, self.run) = (Some(reading), None);
        }
    }
}

// === impl SigningClock ===

impl SigningClock {
    /// The time to sign with, where `believed` is the time that is used otherwise.
    #[must_use]
    pub fn now(&self, believed: Timestamp) -> Timestamp {
        self.0.map_or(believed, |clock| clock.now())
    }

    /// A request signed at `signed_at` was refused for its time, and the answer says that it is `time`. Tells whether
    /// another try has a chance.
    pub fn refused(&mut self, time: Timestamp, signed_at: Timestamp, believed: Timestamp) -> bool {
        let reading = ApiClock::reads(time);
        self.0 = (!reading.agrees_with(believed)).then_some(reading);
        time.duration_since(signed_at).abs() > SAME_TIME
    }

    /// A request was accepted, and the answer says that it is `time`.
    pub fn accepted(&mut self, time: Timestamp, believed: Timestamp) {
        if self.0.is_some() {
            let reading = ApiClock::reads(time);
            self.0 = (!reading.agrees_with(believed)).then_some(reading);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn start() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    /// The time to go by where the machine's clock says `local`.
    fn correct(time: &ApiTime, local: Timestamp) -> Timestamp {
        time.believed().map_or(local, |clock| clock.correct(local))
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_of_the_machine_s_clock_is_seen_through() {
        let clock = ApiClock::reads(start());
        advance(Duration::from_hours(2)).await;
        let now = start() + Duration::from_hours(2);
        assert_eq!(clock.correct(now), now);
        let stepped = now + Duration::from_hours(1);
        assert_eq!(clock.skew(stepped), SignedDuration::from_hours(-1));
        assert_eq!(clock.correct(stepped), now);
        let within = now + Duration::from_secs(59);
        assert_eq!(clock.correct(within), within, "a minute may be the way that the answer came");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_at_the_end_of_time_stands_still() {
        let clock = ApiClock::reads(Timestamp::MAX);
        advance(Duration::from_hours(2)).await;
        assert_eq!(clock.now(), Timestamp::MAX);
        assert_eq!(clock.correct(Timestamp::MIN), Timestamp::MAX);
        assert_eq!(ApiClock::reads(Timestamp::MIN).correct(Timestamp::MAX), Timestamp::MIN);
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_proves_nothing_against_the_machine_s_clock_and_two_do() {
        let mut time = ApiTime::default();
        time.accepted(start() + HOUR, start());
        assert_eq!(correct(&time, start()), start());
        time.accepted(start() + HOUR, start());
        assert_eq!(correct(&time, start()), start() + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_never_move_it() {
        let mut time = ApiTime::default();
        for _ in 0..100 {
            time.refused(start() + HOUR, start());
        }
        assert_eq!(correct(&time, start()), start());
        time.accepted(start() + HOUR, start());
        time.refused(start(), start());
        time.accepted(start() + HOUR, start());
        assert_eq!(correct(&time, start()), start(), "a refusal agrees with the machine");
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_many_backends_with_a_wrong_clock_moves_nothing() {
        let (mut time, mut local) = (ApiTime::default(), start());
        for number in 1..=10_000 {
            let wrong = number % 3 == 0 || number % 7 < 2;
            time.accepted(if wrong { local - 3 * HOUR } else { local }, local);
            assert_eq!(correct(&time, local), local, "{number}");
            let second = Duration::from_secs(1);
            advance(second).await;
            local += second;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_whose_clock_is_set_wrong_or_right_changes_no_time() {
        let (mut time, mut truth) = (ApiTime::default(), start());
        for minute in 0..600 {
            let off = if (200..400).contains(&minute) { HOUR } else { SignedDuration::ZERO };
            assert_eq!(correct(&time, truth + off), truth, "{minute}");
            time.accepted(truth, truth + off);
            advance(Duration::from_mins(1)).await;
            truth += Duration::from_mins(1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn several_answers_over_a_minute_replace_what_was_believed() {
        let mut time = ApiTime::default();
        time.accepted(start(), start());
        for second in 0..=60 {
            let local = start() + Duration::from_secs(second);
            assert_eq!(correct(&time, local), local);
            time.accepted(local + HOUR, local);
            advance(Duration::from_secs(1)).await;
        }
        let local = start() + Duration::from_secs(61);
        assert_eq!(correct(&time, local), local + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_signed_with_follows_a_refusal_until_the_believed_time_does_as_well() {
        let mut clock = SigningClock::default();
        assert!(clock.refused(start() + HOUR, start(), start()));
        assert_eq!(clock.now(start()), start() + HOUR);
        assert!(!clock.refused(start() + HOUR, start() + HOUR, start()), "it was signed with that");
        clock.accepted(start() + HOUR, start());
        assert_eq!(clock.now(start()), start() + HOUR);
        clock.accepted(start() + HOUR, start() + HOUR);
        assert_eq!(clock.now(start() + HOUR), start() + HOUR);
        assert!(clock.refused(start() + HOUR, start(), start()));
        assert!(clock.refused(start(), start() + HOUR, start()));
        assert_eq!(clock.now(start()), start());
    }
}
