//! What an account has been asked about since the start, and whether it is answered at all.
//!
//! This is the memory behind `account_inventory_complete` and `account_outage`, which cannot be read off the users as they are
//! now. It knows no clock: times are handed in.
//!
//! ```text
//!                        complete, and answered
//!            Unknown ──────────────────────────────> Answered <─┐
//!               │                                       │       │ each user polled since
//!               └──── no answer for two intervals ──────┤       │
//!                                                       v       │
//!                                                  Unanswered ──┴─> Ending
//!                                                       first answer
//! ```

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use tencentcloud_api::Uin;
use tokio::time::Instant;

use super::{User, Users, assessment::UserState};

/// What an account has been asked about since the start.
#[derive(Debug)]
pub(super) struct Coverage {
    covered: Covered,
    listings: ListingsSoFar,
    /// Users that have not been polled since the start, and whose last answer was not restored.
    unasked: BTreeSet<Uin>,
    /// Users who must be polled before an outage is over, or before it is known that there is none.
    awaited: BTreeSet<Uin>,
}

/// The part of it that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Covered {
    has_begun: bool,
    has_users: bool,
    is_complete: bool,
    spell: Spell,
    /// When the account first had a user.
    start: Instant,
    /// When the newest answer came about a user that exists.
    newest: Option<Instant>,
}

/// How the listings that make the set of users have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ListingsSoFar {
    /// Each has succeeded, once at least, or what it listed was restored.
    pub(super) all_known: bool,
    /// The last attempt at one of them failed.
    pub(super) any_failed: bool,
}

/// How a poll of a user has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollEnd {
    /// It was answered about the user, or that no user of the account exists.
    Answered,
    /// It failed; or it was answered that the user does not exist, while others may.
    Otherwise,
}

/// Whether the account is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spell {
    Unknown,
    Answered,
    /// For two effective intervals it was not.
    Unanswered,
    /// It is again, but not every user has been polled since.
    Ending,
}

// === impl Coverage ===

impl Coverage {
    /// Of an account without users that is not polled yet.
    pub(super) fn new(now: Instant) -> Self {
        let covered = Covered {
            has_begun: false,
            has_users: false,
            is_complete: false,
            spell: Spell::Unknown,
            start: now,
            newest: None,
        };
        Self { covered, listings: ListingsSoFar::default(), unasked: BTreeSet::new(), awaited: BTreeSet::new() }
    }

    pub(super) fn covered(&self) -> Covered {
        self.covered
    }

    /// Polling begins.
    pub(super) fn begin(&mut self, now: Instant) {
        (self.covered.has_begun, self.covered.start) = (true, now);
        self.update();
    }

    /// What was known of these users before a restart has been restored; it is `time`.
    pub(super) fn recall(&mut self, users: &Users, time: Timestamp, now: Instant) {
        self.unasked = unasked(users);
        let does_exist = |user: &User| user.state() != UserState::Missing;
        let any_exists = users.values().any(|user| does_exist(user));
        let newest =
            users.values().filter(|user| !any_exists || does_exist(user)).filter_map(|user| user.answered.get()).max();
        if let Some(newest) = newest {
            let age = Duration::try_from(time.duration_since(newest)).unwrap_or_default();
            self.covered.newest = now.checked_sub(age).or(Some(now));
        }
        // A user that failed before the restart may belong to an outage that was not over.
        let failing = users.iter().filter(|(_, user)| user.state() == UserState::Failing);
        self.awaited.extend(failing.map(|(uin, _)| *uin));
        self.update();
    }

    /// These are the users from now on.
    pub(super) fn set_users(&mut self, users: &Users, now: Instant) {
        let covered = &mut self.covered;
        if !covered.has_users {
            (covered.start, covered.newest) = (now, None);
        }
        covered.has_users = !users.is_empty();
        self.unasked = unasked(users);
        self.awaited.retain(|uin| users.contains_key(uin));
        if covered.spell == Spell::Ending {
            self.awaited.extend(&self.unasked);
        }
        self.update();
    }

    /// A listing that makes the set of users has ended, or is no longer made.
    pub(super) fn set_listings(&mut self, listings: ListingsSoFar) {
        self.listings = listings;
        self.update();
    }

    /// A poll of one of the `users` has ended. Returns whether it brought the first answer after an outage.
    pub(super) fn polled(&mut self, uin: Uin, end: PollEnd, users: &Users, now: Instant) -> bool {
        let is_first = end == PollEnd::Answered && self.covered.spell == Spell::Unanswered;
        self.unasked.remove(&uin);
        if end == PollEnd::Answered {
            self.covered.newest = Some(now);
        }
        if is_first {
            self.covered.spell = Spell::Ending;
            self.awaited = users.keys().copied().collect();
        }
        self.awaited.remove(&uin);
        self.update();
        is_first
    }

    /// An outage begins, where there has been no answer for `longest`. To be called before anything changes.
    pub(super) fn look(&mut self, now: Instant, longest: Duration) {
        if self.covered.is_overdue(now, longest) {
            self.covered.spell = Spell::Unanswered;
            self.awaited.clear();
        }
    }

    fn update(&mut self) {
        let (covered, listings) = (&mut self.covered, self.listings);
        covered.is_complete |= covered.has_begun && listings.all_known && self.unasked.is_empty();
        if !covered.has_users && listings.any_failed {
            covered.spell = Spell::Unanswered;
        }
        if !covered.has_users && !listings.any_failed && covered.spell == Spell::Unanswered {
            covered.spell = Spell::Unknown;
        }
        let is_known = covered.is_complete && (covered.newest.is_some() || !covered.has_users);
        if self.awaited.is_empty() && (covered.spell == Spell::Ending || covered.spell == Spell::Unknown && is_known) {
            covered.spell = Spell::Answered;
        }
    }
}

fn unasked(users: &Users) -> BTreeSet<Uin> {
    users.iter().filter(|(_, user)| !user.is_asked()).map(|(uin, _)| *uin).collect()
}

// === impl Covered ===

impl Covered {
    /// Whether every listing has been good, and every user asked about, once since the start.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self.is_complete
    }

    /// Whether no user is answered about, where that takes no answer for `longest`; nothing as long as it is not known.
    #[must_use]
    pub fn outage(self, now: Instant, longest: Duration) -> Option<bool> {
        match self.spell {
            _ if self.is_overdue(now, longest) => Some(true),
            Spell::Unknown => None,
            Spell::Answered => Some(false),
            Spell::Unanswered | Spell::Ending => Some(true),
        }
    }

    fn is_overdue(self, now: Instant, longest: Duration) -> bool {
        let since = self.newest.unwrap_or(self.start);
        self.has_begun && self.has_users && now.saturating_duration_since(since) >= longest
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tencentcloud_api::Reason;

    use super::*;
    use crate::inventory::Failure;

    const LONGEST: Duration = Duration::from_mins(10);
    const UNLISTED: ListingsSoFar = ListingsSoFar { all_known: false, any_failed: true };
    const LISTED: ListingsSoFar = ListingsSoFar { all_known: true, any_failed: false };

    /// An account, minute by minute.
    struct Story {
        coverage: Coverage,
        users: Users,
        began: Instant,
        minute: u64,
    }

    impl Story {
        /// Polling of these users begins, after what was known of them has been restored.
        fn of(users: impl IntoIterator<Item = (u64, User)>) -> Self {
            let began = Instant::now();
            let users = users.into_iter().map(|(number, user)| (uin(number), Arc::new(user))).collect();
            let mut coverage = Coverage::new(began);
            coverage.set_listings(LISTED);
            coverage.set_users(&users, began);
            coverage.recall(&users, time(0), began);
            coverage.begin(began);
            Self { coverage, users, began, minute: 0 }
        }

        fn new(users: u64) -> Self {
            Self::of((1..=users).map(|number| (number, User::default())))
        }

        fn now(&self) -> Instant {
            self.began + Duration::from_mins(self.minute)
        }

        fn at(&mut self, minute: u64) -> &mut Self {
            self.minute = minute;
            self
        }

        fn polled(&mut self, numbers: &[u64], end: PollEnd) -> &mut Self {
            let now = self.now();
            for number in numbers {
                self.coverage.look(now, LONGEST);
                self.coverage.polled(uin(*number), end, &self.users, now);
                Arc::make_mut(self.users.get_mut(&uin(*number)).unwrap()).failure = Some(failure().into());
            }
            self
        }

        fn answered(&mut self, numbers: &[u64]) -> &mut Self {
            self.polled(numbers, PollEnd::Answered)
        }

        fn failed(&mut self, numbers: &[u64]) -> &mut Self {
            self.polled(numbers, PollEnd::Otherwise)
        }

        fn users(&mut self, numbers: &[u64]) -> &mut Self {
            let now = self.now();
            self.coverage.look(now, LONGEST);
            let known = |number: &u64| (uin(*number), self.users.get(&uin(*number)).cloned().unwrap_or_default());
            self.users = numbers.iter().map(known).collect();
            self.coverage.set_users(&self.users, now);
            self
        }

        fn listings(&mut self, listings: ListingsSoFar) -> &mut Self {
            self.coverage.set_listings(listings);
            self
        }

        /// Whether the account is complete, and whether it is in an outage.
        fn shows(&self, is_complete: bool, outage: Option<bool>) {
            let covered = self.coverage.covered();
            let shown = (covered.is_complete(), covered.outage(self.now(), LONGEST));
            assert_eq!(shown, (is_complete, outage), "at {}: {:?}", self.minute, self.coverage);
        }
    }

    fn uin(number: u64) -> Uin {
        number.try_into().unwrap()
    }

    fn time(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + 60 * minute).unwrap()
    }

    fn failure() -> Failure {
        Failure::new(Reason::Timeout, None, &"no answer", time(0))
    }

    /// A user who was answered about so many minutes before the restart.
    fn known(minutes_before: i64, up: bool) -> User {
        User { up: Some(up), answered: time(-minutes_before).into(), keys: Some([].into()), ..User::default() }
    }

    fn missing(minutes_before: i64) -> User {
        User { keys: None, ..known(minutes_before, false) }
    }

    #[test]
    fn an_account_is_complete_once_each_user_was_asked_and_stays_so() {
        let mut story = Story::new(2);
        story.shows(false, None);
        story.answered(&[1]).shows(false, None);
        story.failed(&[2]).shows(true, Some(false));
        story.failed(&[1, 2]).shows(true, Some(false));
        story.listings(ListingsSoFar { all_known: true, any_failed: true }).shows(true, Some(false));
        story.users(&[1, 2, 3]).shows(true, Some(false));
    }

    #[test]
    fn users_that_were_never_listed_leave_it_incomplete() {
        let mut story = Story::new(1);
        story.listings(UNLISTED).answered(&[1]).shows(false, None);
        story.at(9).answered(&[1]).at(18).answered(&[1]).shows(false, None);
        story.users(&[1, 2]).listings(LISTED).shows(false, None);
        story.failed(&[2]).shows(true, Some(false));
    }

    #[test]
    fn outage_is_unknown_before_the_first_answer() {
        let mut story = Story::new(2);
        story.failed(&[1, 2]).shows(true, None);
        story.at(9).failed(&[1, 2]).shows(true, None);
        story.at(10).shows(true, Some(true));
        // Reading it is not what ends it.
        story.at(11).answered(&[2]).shows(true, Some(true));
        story.failed(&[1]).shows(true, Some(false));
    }

    #[test]
    fn an_outage_begins_after_two_intervals_and_ends_when_each_was_polled() {
        let mut story = Story::new(3);
        story.answered(&[1, 2, 3]).shows(true, Some(false));
        story.at(5).answered(&[1]).failed(&[2, 3]).shows(true, Some(false));
        story.at(14).failed(&[1, 2, 3]).shows(true, Some(false));
        story.at(15).shows(true, Some(true));
        story.at(40).failed(&[1, 2, 3]).shows(true, Some(true));
        story.at(41).answered(&[2]).shows(true, Some(true));
        story.answered(&[2]).shows(true, Some(true));
        // A poll that fails is one, and so is that of a user who has come meanwhile.
        story.failed(&[1]).users(&[1, 2, 3, 4]).answered(&[3]).shows(true, Some(true));
        story.answered(&[4]).shows(true, Some(false));
        story.at(52).shows(true, Some(true));
    }

    #[test]
    fn who_is_taken_out_is_not_waited_for() {
        let mut story = Story::new(2);
        story.answered(&[1, 2]).at(10).answered(&[1]).shows(true, Some(true));
        story.users(&[1]).shows(true, Some(false));
    }

    #[test]
    fn one_answer_and_silence_are_no_end() {
        let mut story = Story::new(2);
        story.at(10).answered(&[1]).shows(false, Some(true));
        story.at(20).failed(&[2]).shows(true, Some(true));
        story.at(21).answered(&[1]).shows(true, Some(true));
        story.failed(&[2]).shows(true, Some(false));
    }

    #[test]
    fn an_account_without_users_has_an_outage_only_if_a_listing_failed() {
        let mut story = Story::new(0);
        story.shows(true, Some(false));
        story.at(60).shows(true, Some(false));
        story.listings(UNLISTED).shows(true, Some(true));
        story.listings(LISTED).shows(true, Some(false));
        // The user was not there to be answered about before.
        story.users(&[1]).shows(true, Some(false));
        story.at(69).shows(true, Some(false));
        story.at(70).shows(true, Some(true));
    }

    #[test]
    fn an_outage_without_users_lasts_until_those_who_come_have_been_polled() {
        let mut story = Story::new(0);
        story.coverage = Coverage::new(story.began);
        story.listings(UNLISTED).shows(false, Some(true));
        story.coverage.begin(story.began);
        story.at(1).users(&[1, 2]).listings(LISTED).shows(false, Some(true));
        story.answered(&[1]).shows(false, Some(true));
        story.answered(&[2]).shows(true, Some(false));
    }

    #[test]
    fn what_was_restored_counts() {
        Story::of([(1, known(1, true)), (2, missing(3))]).shows(true, Some(false));
        let mut story = Story::of([(1, known(4, true)), (2, known(90, false))]);
        // The second may be what is left of an outage.
        story.shows(true, None);
        story.at(1).failed(&[2]).shows(true, Some(false));
        story.at(6).shows(true, Some(true));
        let mut story = Story::of([(1, known(10, true)), (2, missing(1))]);
        story.shows(true, Some(true));
        story.answered(&[1]).shows(true, Some(true));
        story.failed(&[2]).shows(true, Some(false));
        Story::of([(1, known(1, true)), (2, User::default())]).shows(false, None);
        let never_answered = User { up: Some(false), ..User::default() };
        Story::of([(1, known(1, true)), (2, never_answered)]).shows(false, None);
    }

    #[test]
    fn users_who_do_not_exist_count_only_where_there_are_no_others() {
        Story::of([(1, missing(2)), (2, missing(11))]).shows(true, Some(false));
        Story::of([(1, missing(11)), (2, missing(12))]).shows(true, Some(true));
    }
}
