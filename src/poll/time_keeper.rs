//! The time that an account's poller uses and signs with, and its log messages.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{ApiClock, ApiTime, SigningClock, Uin};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::inventory::AccountName;

/// How many requests in a row may be sent again at once because their time was refused. As many may be in flight when the
/// machine's clock turns out to be wrong.
const MAX_RETRIES: u32 = 32;

/// How long the machine's clock must have been right before that is logged. A clock that changes back and forth is
/// logged once.
const RIGHT_FOR: Duration = Duration::from_mins(10);

/// The time of one account.
#[derive(Debug)]
pub(super) struct TimeKeeper {
    api: ApiTime,
    signing: SigningClock,
    retries_left: u32,
    /// A user whose answer was dated by the machine's clock while the API's may turn out to be right.
    undecided: Option<Uin>,
    wrong_is_logged: bool,
    right_since: Option<Instant>,
}

/// What an accepted answer has changed.
pub(super) struct Noted {
    /// The API's clock, if it is used.
    pub(super) believed: Option<ApiClock>,
    /// A user whose last answer was dated by a clock that was so far behind the one that is used now.
    pub(super) corrected: Option<(Uin, SignedDuration)>,
}

// === impl TimeKeeper ===

impl TimeKeeper {
    /// The time to sign a request with at `now`.
    pub(super) fn signing(&self, now: Timestamp) -> Timestamp {
        self.signing.now(now)
    }

    /// The answer to an accepted request says that it is `time`. The machine's clock says `local`.
    pub(super) fn accepted(&mut self, time: Timestamp, local: Timestamp, account: &AccountName) -> Noted {
        self.api.accepted(time, local);
        let believed = self.api.believed();
        let now = believed.map_or(local, |clock| clock.correct(local));
        self.signing.accepted(time, now);
        self.retries_left = MAX_RETRIES;
        self.log(now.duration_since(local), account);
        let corrected = self.undecided.take().filter(|_| now != local).map(|uin| (uin, now.duration_since(local)));
        Noted { believed, corrected }
    }

    /// The last accepted answer was that to a poll of the user, and has been dated.
    pub(super) fn dated(&mut self, uin: Uin) {
        self.undecided = Some(uin).filter(|_| self.api.is_open());
    }

    /// A request that was signed at `signed_at` was refused for its time at `now`, and the answer says that it is `time`.
    /// Returns whether to send it again at once.
    pub(super) fn refused(&mut self, time: Timestamp, signed_at: Timestamp, local: Timestamp, now: Timestamp) -> bool {
        self.api.refused(time, local);
        let has_a_chance = self.signing.refused(time, signed_at, now) && self.retries_left > 0;
        if has_a_chance {
            self.retries_left -= 1;
        }
        has_a_chance
    }

    fn log(&mut self, skew: SignedDuration, account: &AccountName) {
        if !skew.is_zero() {
            self.right_since = None;
            if !std::mem::replace(&mut self.wrong_is_logged, true) {
                let seconds = skew.as_secs();
                warn!(%account, seconds, "local clock is wrong: using the API's clock for signatures and ages");
            }
        } else if self.wrong_is_logged && self.right_since.get_or_insert_with(Instant::now).elapsed() >= RIGHT_FOR {
            self.wrong_is_logged = false;
            info!(%account, "local clock is right again");
        }
    }
}

impl Default for TimeKeeper {
    fn default() -> Self {
        Self {
            api: ApiTime::default(),
            signing: SigningClock::default(),
            retries_left: MAX_RETRIES,
            undecided: None,
            wrong_is_logged: false,
            right_since: None,
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

    #[tokio::test(start_paused = true)]
    async fn an_answer_noted_before_the_clock_was_known_is_corrected() {
        let (mut time, account, uin) = (TimeKeeper::default(), "a".parse().unwrap(), Uin::try_from(7).unwrap());
        let accepted = |time: &mut TimeKeeper| time.accepted(start() + HOUR, start(), &account).corrected;
        assert_eq!(accepted(&mut time), None);
        time.dated(uin);
        assert_eq!(accepted(&mut time), Some((uin, HOUR)));
        assert_eq!(accepted(&mut time), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_refuses_every_time_is_not_asked_at_once_for_ever() {
        let mut time = TimeKeeper::default();
        let again = |second: i64| start() + SignedDuration::from_hours(second);
        let asked = (0..1_000).filter(|hour| time.refused(again(*hour), start() - HOUR, start(), start())).count();
        assert_eq!(asked, MAX_RETRIES as usize);
        let _ = time.accepted(start(), start(), &"a".parse().unwrap());
        assert!(time.refused(start(), start() - HOUR, start(), start()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_changes_to_and_fro_is_logged_once() {
        let (mut time, account) = (TimeKeeper::default(), "a".parse().unwrap());
        for _ in 0..100 {
            time.log(HOUR, &account);
            advance(Duration::from_mins(5)).await;
            time.log(SignedDuration::ZERO, &account);
            assert!(time.wrong_is_logged);
            advance(Duration::from_mins(5)).await;
        }
        time.log(SignedDuration::ZERO, &account);
        advance(Duration::from_mins(10)).await;
        time.log(SignedDuration::ZERO, &account);
        assert!(!time.wrong_is_logged);
    }
}
