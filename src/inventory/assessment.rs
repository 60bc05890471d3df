//! The one judge: what is true of an account, its users and their keys at a moment.
//!
//! Nothing of it is stored: it is calculated for each scrape and each page. Metrics, the page, `list` and the alerts show what is
//! decided here, and decide nothing themselves. So a new state is one variant, and everything that shows states fails to
//! compile until it handles it.

mod findings;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

pub use findings::{AUTO_DISABLE_NOTICE, Finding, Findings, Verdict};
use tencentcloud_api::KeyStatus;

use super::{Account, AccountSettings, Listing, Policy, Progress, Snapshot, User, account::State};

/// An answer about a user is late once it is older than this many effective poll intervals.
pub const LATE_INTERVALS: u32 = 3;

/// An account is in an outage once no user that exists was answered about for this many effective poll intervals.
pub const OUTAGE_INTERVALS: u32 = 2;

/// The moment of an assessment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the machine's clock.
    pub local: Timestamp,
    /// By the clock that only runs forward.
    pub instant: Instant,
}

/// What is true of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// As of this time, by the account's clock.
    pub now: Timestamp,
    /// Whether it can be polled.
    pub state: AccountState,
    /// What is wrong with the account as a whole, the gravest first.
    pub problems: Vec<AccountProblem>,
    /// Listings of users that have not ended yet.
    pub awaited: Vec<Listing>,
    /// Its users.
    pub users: UserCounts,
    /// Their keys as last answered, those of failing users included.
    pub keys: KeyCounts,
    /// Whether each listing of users has been good, and each user asked about, once since the start. What was restored from
    /// before a restart counts.
    pub is_complete: bool,
    /// Whether no user is answered about; nothing as long as it is not known. See [`OUTAGE_INTERVALS`]. An outage is over
    /// once each user has been polled since the first answer.
    pub outage: Option<bool>,
    /// Whether it is known of each key when it was last used, where that is asked for.
    pub last_uses_known: Option<bool>,
    /// How often each user is polled: the poll interval, or as often as the rate limit allows.
    pub effective_interval: Duration,
    /// The age of the oldest answer about a user that exists, of those that have been answered about.
    pub oldest_answer: Option<Duration>,
}

/// Whether an account can be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// No poll and no listing of users has ended yet.
    Unknown,
    /// There are no users here to poll, and every listing says so. Another shard may have them.
    Empty,
    /// The last poll of at least one user succeeded.
    Up,
    /// No last poll of any user succeeded; or there are no users, as a listing failed.
    Down,
}

/// Something that is wrong with an account as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountProblem {
    /// Its poller shows no sign of life.
    Silent,
    /// It is [`AccountState::Down`].
    Down,
    /// It is not down, and yet in an outage: see [`Assessment::outage`].
    Outage,
    /// The last attempt at a listing failed.
    ListingFailed(Listing),
    /// The credential cannot be renewed; the last good one is still in use.
    CredentialNotRenewed,
    /// The machine's clock is so far behind the API's that signatures and ages follow the API's.
    ClockSkew(SignedDuration),
    /// The API has throttled the account, so it sends fewer requests.
    Throttled,
    /// The rate limit reaches each user in no less than this, which is longer than the poll interval.
    IntervalTooShort(Duration),
}

/// [`AccountProblem`] without its figures; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// [`AccountProblem::Silent`].
    Silent,
    /// [`AccountProblem::Down`].
    Down,
    /// [`AccountProblem::Outage`].
    Outage,
    /// [`AccountProblem::ListingFailed`].
    ListingFailed(Listing),
    /// [`AccountProblem::CredentialNotRenewed`].
    CredentialNotRenewed,
    /// [`AccountProblem::ClockSkew`].
    ClockSkew,
    /// [`AccountProblem::Throttled`].
    Throttled,
    /// [`AccountProblem::IntervalTooShort`].
    IntervalTooShort,
}

/// Numbers of users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserCounts {
    /// All.
    pub total: usize,
    /// [`UserState::Unknown`].
    pub unknown: usize,
    /// [`UserState::Up`].
    pub up: usize,
    /// [`UserState::Failing`].
    pub failing: usize,
    /// [`UserState::Missing`].
    pub missing: usize,
    /// Those who were never answered about.
    pub unanswered: usize,
    /// Those that exist and whose last answer is older than [`LATE_INTERVALS`] effective poll intervals.
    pub late: usize,
    /// Users with a reported [`Finding::AtLimit`] or [`Finding::OverLimit`].
    pub at_limit: usize,
    /// Users with a reported [`Finding::OverLimit`].
    pub over_limit: usize,
    /// Users with a reported [`Finding::ConsoleLogin`].
    pub console_login: usize,
    /// Those with an exemption that has ended.
    pub exemption_ended: usize,
}

/// Numbers of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// All.
    pub total: usize,
    /// Those with a finding that is not reported.
    pub exempt: usize,
    /// By finding that is reported, in the order of [`Finding::ALL`].
    by_finding: [usize; Finding::ALL.len()],
    /// By status, in the order of [`KeyStatus::ALL`].
    by_status: [usize; KeyStatus::ALL.len()],
    /// Those of which it is not known when they were last used.
    pub last_use_unknown: usize,
}

/// What is true of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserAssessment {
    /// How its last poll ended.
    pub state: UserState,
    /// Whether it was ever answered about.
    pub is_answered: bool,
    /// Whether the user exists and its last answer is older than [`LATE_INTERVALS`] effective poll intervals.
    pub is_late: bool,
    /// What is found of it.
    pub verdict: Verdict,
    /// Whether it has an exemption that has ended.
    pub exemption_ended: bool,
}

/// How a user's last poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// No poll has ended yet.
    Unknown,
    /// It brought the keys.
    Up,
    /// It failed.
    Failing,
    /// It failed, and the last answer was that there is no such user.
    Missing,
}

/// How many keys a user has beside how many it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLimit {
    /// Fewer, or none.
    Below,
    /// As many.
    At,
    /// More.
    Over,
}

// === impl Moment ===

impl Moment {
    /// Now, where the machine's clock says `local`.
    #[must_use]
    pub fn now(local: Timestamp) -> Self {
        Self { local, instant: Instant::now() }
    }
}

/// How long existing users must be without an answer for an outage to begin.
pub(super) fn outage_after(effective_interval: Duration) -> Duration {
    effective_interval.saturating_mul(OUTAGE_INTERVALS)
}

// === impl Account ===

impl Account {
    /// How often each user is polled: the poll interval, or as often as the rate limit allows.
    #[must_use]
    pub fn effective_interval(&self) -> Duration {
        self.state().effective_interval(self.progress())
    }

    /// What is true of the account, whose users are `users`, at `moment`.
    #[must_use]
    pub fn assess(&self, users: &Snapshot, moment: Moment) -> Assessment {
        // Copies: polls must not wait until all users are assessed.
        let (settings, listings, progress) = (self.settings(), self.listings(), self.progress());
        let effective_interval = self.effective_interval();
        let now = progress.correct(moment.local);
        let (mut user_counts, mut keys, mut oldest) = (UserCounts::default(), KeyCounts::default(), None);
        for (_, user) in users.iter() {
            let assessed = user.assess(&settings, effective_interval, now);
            user_counts.add(assessed);
            keys.add(user, user.policy(&settings), now);
            if assessed.state != UserState::Missing {
                oldest = oldest.max(user.answered.get().map(|answered| since(answered, now)));
            }
        }
        let failed = |listing: &Listing| listings.get(*listing).failure.is_some();
        let finding_users: Vec<Listing> = settings.listings.iter().filter(|listing| listing.finds_users()).collect();
        let awaited: Vec<Listing> =
            finding_users.iter().copied().filter(|listing| listings.get(*listing).up().is_none()).collect();
        let state = if user_counts.up > 0 {
            AccountState::Up
        } else if user_counts.failing + user_counts.missing > 0 {
            AccountState::Down
        } else if user_counts.total > 0 {
            AccountState::Unknown
        } else if finding_users.iter().any(failed) {
            AccountState::Down
        } else if awaited.is_empty() {
            AccountState::Empty
        } else {
            AccountState::Unknown
        };
        let is_throttled = progress.rate.zip(progress.rate_limit).is_some_and(|(rate, limit)| rate < limit);
        let skew = progress.skew(moment.local).filter(|_| now != moment.local);
        let outage = users.covered().outage(moment.instant, outage_after(effective_interval));
        let problems = [
            progress.is_silent(moment.instant).then_some(AccountProblem::Silent),
            match state {
                AccountState::Down => Some(AccountProblem::Down),
                AccountState::Unknown | AccountState::Empty | AccountState::Up => {
                    (outage == Some(true)).then_some(AccountProblem::Outage)
                }
            },
        ]
        .into_iter()
        .chain(settings.listings.iter().filter(failed).map(|listing| Some(AccountProblem::ListingFailed(listing))))
        .chain([
            self.credential_problem().map(|_| AccountProblem::CredentialNotRenewed),
            skew.map(AccountProblem::ClockSkew),
            is_throttled.then_some(AccountProblem::Throttled),
            (effective_interval > settings.poll_interval)
                .then_some(AccountProblem::IntervalTooShort(effective_interval)),
        ]);
        Assessment {
            now,
            state,
            problems: problems.flatten().collect(),
            awaited,
            users: user_counts,
            keys,
            is_complete: users.covered().is_complete(),
            outage,
            last_uses_known: settings.listings.last_uses.then_some(keys.last_use_unknown == 0),
            effective_interval,
            oldest_answer: oldest,
        }
    }
}

// === impl State ===

impl State {
    pub(super) fn effective_interval(&self, progress: Progress) -> Duration {
        let needed = progress.rate_limit.map(|limit| time_for(self.uins.len(), limit));
        needed.unwrap_or_default().max(self.settings.poll_interval)
    }
}

// === impl Assessment ===

impl Assessment {
    /// Whether it is proven that nothing is wrong with polling: every listing has succeeded, every user was answered about,
    /// and no answer is late.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let UserCounts { unknown, failing, late, .. } = self.users;
        self.outage != Some(true)
            && self.problems.is_empty()
            && self.awaited.is_empty()
            && unknown + failing + late == 0
    }
}

// === impl AccountState ===

impl AccountState {
    /// The value of `tencentcloud_cam_account_up`.
    #[must_use]
    pub fn up(self) -> Option<bool> {
        match self {
            Self::Unknown | Self::Empty => None,
            Self::Up => Some(true),
            Self::Down => Some(false),
        }
    }
}

// === impl AccountProblem ===

impl AccountProblem {
    /// Its kind.
    #[must_use]
    pub fn kind(self) -> ProblemKind {
        match self {
            Self::Silent => ProblemKind::Silent,
            Self::Down => ProblemKind::Down,
            Self::Outage => ProblemKind::Outage,
            Self::ListingFailed(listing) => ProblemKind::ListingFailed(listing),
            Self::CredentialNotRenewed => ProblemKind::CredentialNotRenewed,
            Self::ClockSkew(_) => ProblemKind::ClockSkew,
            Self::Throttled => ProblemKind::Throttled,
            Self::IntervalTooShort(_) => ProblemKind::IntervalTooShort,
        }
    }
}

// === impl User ===

impl User {
    /// What is true of the user, polled once every `effective_interval`, where it is `now` by the account's clock.
    #[must_use]
    pub fn assess(&self, settings: &AccountSettings, effective_interval: Duration, now: Timestamp) -> UserAssessment {
        let (state, longest) = (self.state(), effective_interval.saturating_mul(LATE_INTERVALS));
        let policy = self.policy(settings);
        UserAssessment {
            state,
            is_answered: self.answered.get().is_some(),
            is_late: state != UserState::Missing
                && self.answered.get().is_some_and(|answered| since(answered, now) > longest),
            verdict: self.verdict(policy, now),
            exemption_ended: policy.exemptions.iter().any(|exemption| exemption.has_ended(now)),
        }
    }

    /// How the last poll ended. A user that is down and was answered about, but has no keys, does not exist; further polls
    /// that fail change nothing about that.
    #[must_use]
    pub fn state(&self) -> UserState {
        match self.up {
            None => UserState::Unknown,
            Some(true) => UserState::Up,
            Some(false) if self.answered.get().is_some() && self.keys.is_none() => UserState::Missing,
            Some(false) => UserState::Failing,
        }
    }

    /// Whether a poll of the user has ended since the start, or its answer was restored.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.answered.get().is_some() || self.failure.is_some()
    }

    /// Since when its polls have failed, where the last one did: since the last answer, or since the first failed poll if there
    /// was none. Not known of a user that was never answered about before a restart, until it is polled again.
    #[must_use]
    pub fn failing_since(&self) -> Option<Timestamp> {
        match self.state() {
            UserState::Unknown | UserState::Up => None,
            UserState::Failing | UserState::Missing => {
                self.answered.get().or(self.failure.as_ref().map(|failure| failure.since))
            }
        }
    }
}

// === impl UserCounts ===

impl UserCounts {
    fn add(&mut self, user: UserAssessment) {
        self.total += 1;
        match user.state {
            UserState::Unknown => self.unknown += 1,
            UserState::Up => self.up += 1,
            UserState::Failing => self.failing += 1,
            UserState::Missing => self.missing += 1,
        }
        self.unanswered += usize::from(!user.is_answered);
        self.late += usize::from(user.is_late);
        let has = |finding: Finding| user.verdict.findings.contains(finding);
        self.at_limit += usize::from(has(Finding::AtLimit) || has(Finding::OverLimit));
        self.over_limit += usize::from(has(Finding::OverLimit));
        self.console_login += usize::from(has(Finding::ConsoleLogin));
        self.exemption_ended += usize::from(user.exemption_ended);
    }
}

impl std::ops::AddAssign for UserCounts {
    fn add_assign(&mut self, other: Self) {
        let Self {
            total,
            unknown,
            up,
            failing,
            missing,
            unanswered,
            late,
            at_limit,
            over_limit,
            console_login,
            exemption_ended,
        } = other;
        self.total += total;
        self.unknown += unknown;
        self.up += up;
        self.failing += failing;
        self.missing += missing;
        self.unanswered += unanswered;
        self.late += late;
        self.at_limit += at_limit;
        self.over_limit += over_limit;
        self.console_login += console_login;
        self.exemption_ended += exemption_ended;
    }
}

// === impl KeyCounts ===

impl KeyCounts {
    /// Keys with `finding`.
    #[must_use]
    pub fn with(&self, finding: Finding) -> usize {
        self.by_finding[finding as usize]
    }

    /// Keys of `status`.
    #[must_use]
    pub fn of(&self, status: KeyStatus) -> usize {
        KeyStatus::ALL.iter().zip(self.by_status).find(|(of, _)| **of == status).map_or(0, |(_, number)| number)
    }

    fn add(&mut self, user: &User, policy: &Policy, now: Timestamp) {
        for (key, verdict) in user.judged_keys(policy, now) {
            self.total += 1;
            self.last_use_unknown += usize::from(key.last_use.is_none());
            self.exempt += usize::from(!verdict.exempt.is_empty());
            for finding in verdict.findings.iter() {
                self.by_finding[finding as usize] += 1;
            }
            for (status, number) in KeyStatus::ALL.iter().zip(&mut self.by_status) {
                *number += usize::from(key.status == *status);
            }
        }
    }
}

impl std::ops::AddAssign for KeyCounts {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.last_use_unknown += other.last_use_unknown;
        self.exempt += other.exempt;
        self.by_finding.iter_mut().zip(other.by_finding).for_each(|(sum, number)| *sum += number);
        self.by_status.iter_mut().zip(other.by_status).for_each(|(sum, number)| *sum += number);
    }
}

/// How long so many requests take at `rate` a second.
#[expect(clippy::cast_precision_loss, reason = "numbers of users are far below 2^52")]
#[must_use]
pub fn time_for(requests: usize, rate: f64) -> Duration {
    Duration::try_from_secs_f64(requests as f64 / rate).unwrap_or(Duration::MAX)
}

fn since(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(time)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tencentcloud_api::Reason;

    use super::*;
    use crate::inventory::Failure;

    #[test]
    fn a_user_who_does_not_exist_is_known_after_a_restart_as_well() {
        let epoch = Timestamp::UNIX_EPOCH;
        let failure = |reason: Reason| Some(Failure::new(reason, None, &reason.label(), epoch).into());
        let missing = User { up: Some(false), answered: epoch.into(), ..User::default() };
        let listed = User { keys: Some([].into()), ..missing.clone() };
        for (user, state) in [
            (User::default(), UserState::Unknown),
            (User { answered: epoch.into(), ..User::default() }, UserState::Unknown),
            (User { up: Some(true), ..listed.clone() }, UserState::Up),
            (listed.clone(), UserState::Failing),
            (User { failure: failure(Reason::Denied), ..listed }, UserState::Failing),
            (User { failure: failure(Reason::UserNotFound), ..missing.clone() }, UserState::Missing),
            (User { failure: failure(Reason::Timeout), ..missing.clone() }, UserState::Missing),
            (missing, UserState::Missing),
            (User { up: Some(false), ..User::default() }, UserState::Failing),
        ] {
            assert_eq!(user.state(), state, "{user:?}");
        }
    }
}
