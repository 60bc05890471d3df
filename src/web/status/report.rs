//! What the page tells, gathered from the inventory.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    account::{self, AccountReport},
    worst::Worst,
};
use crate::{
    inventory::{
        Account, AccountName, Facts, Failure, Inventory, User,
        assessment::{Finding, KeyCounts, KeyLimit, Moment, ProblemKind, UserCounts, UserState},
    },
    tencent::{KeyStatus, Reason, Uin},
};

/// The most accounts that are named where others are only counted.
const NAMED: usize = 3;

/// Everything that the page tells.
#[derive(Debug)]
pub(super) struct Report {
    /// When it was gathered, by the machine's clock.
    pub(super) made: Timestamp,
    /// For how long the exporter has been running.
    pub(super) uptime: Duration,
    /// Whether the configuration could not be used when it was last loaded.
    pub(super) config_refused: bool,
    pub(super) totals: Totals,
    /// The ages from which keys are stale, in one account or another.
    pub(super) max_ages: BTreeSet<Duration>,
    pub(super) accounts: Worst<account::Rank, AccountReport>,
    pub(super) keys: Worst<KeyRank, OldKey>,
    /// Users who have as many keys as they may have, or more.
    pub(super) at_limit: Worst<LimitRank, AtLimit>,
    /// Users whose last poll failed.
    pub(super) failing: Worst<SinceRank, Failing>,
    /// Users who do not exist.
    pub(super) absent: Worst<SinceRank, Absent>,
    /// Why polls failed, with the users of whom that is true; most of them first.
    pub(super) causes: Vec<(Cause, usize)>,
    /// What is wrong with accounts, by kind, the gravest first.
    pub(super) problems: BTreeMap<ProblemKind, Named>,
}

/// Numbers over all accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) accounts: usize,
    /// Accounts of which it is proven that nothing is wrong with polling them.
    pub(super) proven: usize,
    pub(super) users: UserCounts,
    pub(super) keys: KeyCounts,
}

/// A key.
#[derive(Debug)]
pub(super) struct OldKey {
    pub(super) account: AccountName,
    pub(super) uin: Uin,
    pub(super) name: Option<Arc<str>>,
    pub(super) label: String,
    pub(super) status: KeyStatus,
    pub(super) age: SignedDuration,
    /// Whether it is older than it may be.
    pub(super) is_stale: bool,
}

/// A user with as many keys as it may have, or more.
#[derive(Debug)]
pub(super) struct AtLimit {
    pub(super) account: AccountName,
    pub(super) uin: Uin,
    pub(super) name: Option<Arc<str>>,
    pub(super) keys: usize,
    pub(super) limit: u32,
    pub(super) is_over: bool,
}

/// A user whose last poll failed.
#[derive(Debug)]
pub(super) struct Failing {
    pub(super) account: AccountName,
    pub(super) uin: Uin,
    pub(super) name: Option<Arc<str>>,
    pub(super) cause: Cause,
    /// In words, with the request id; nothing where it failed before a restart.
    pub(super) error: Option<Arc<str>>,
    /// How long it has been failing; nothing where that began before a restart.
    pub(super) since: Option<SignedDuration>,
    /// In how long it is polled next.
    pub(super) next_poll: Option<SignedDuration>,
    /// How long ago the API last answered about it.
    pub(super) answered: Option<SignedDuration>,
}

/// A user who does not exist.
#[derive(Debug)]
pub(super) struct Absent {
    pub(super) account: AccountName,
    pub(super) uin: Uin,
    pub(super) name: Option<Arc<str>>,
    /// How long ago the API last said so.
    pub(super) answered: Option<SignedDuration>,
}

/// Why a poll failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cause {
    /// For this reason, and with this code where the API answered with one.
    Known(Reason, Option<&'static str>),
    /// It failed before a restart, and has not been asked since.
    BeforeRestart,
}

/// Accounts, the first few by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) names: Vec<AccountName>,
    pub(super) of: usize,
}

/// Whether it is stale, and its age in seconds; and where it stands, which tells it from others as old.
pub(super) type KeyRank = (bool, i64, Reverse<(usize, Uin, usize)>);
/// Whether it has more keys than it may have, and how many; and where it stands.
pub(super) type LimitRank = (bool, usize, Reverse<(usize, Uin)>);
/// Since when, the earliest first; and where it stands.
pub(super) type SinceRank = Reverse<(Option<Timestamp>, usize, Uin)>;

// === impl Report ===

impl Report {
    /// Of `inventory`, where the machine's clock says `local`, in an exporter that has been running for `uptime`.
    pub(super) fn of(inventory: &Inventory, local: Timestamp, uptime: Duration) -> Self {
        let mut report = Self {
            made: local,
            uptime,
            config_refused: false,
            totals: Totals::default(),
            max_ages: BTreeSet::new(),
            accounts: Worst::default(),
            keys: Worst::default(),
            at_limit: Worst::default(),
            failing: Worst::default(),
            absent: Worst::default(),
            causes: vec![],
            problems: BTreeMap::new(),
        };
        let (mut causes, moment) = (HashMap::new(), Moment::now(local));
        for (place, account) in inventory.accounts().iter().enumerate() {
            report.account(place, account, moment, &mut causes);
        }
        report.causes = causes.into_iter().collect();
        report.causes.sort_unstable_by_key(|(cause, users)| (Reverse(*users), cause.labels()));
        report
    }

    /// The accounts to show: in the order of the configuration if that is all, otherwise the worst first.
    pub(super) fn accounts(&self) -> Vec<&AccountReport> {
        let mut accounts: Vec<&AccountReport> = self.accounts.iter().collect();
        if self.accounts.shown() == self.accounts.of() {
            accounts.sort_unstable_by_key(|account| account.place);
        }
        accounts
    }

    fn account(&mut self, place: usize, account: &Account, moment: Moment, causes: &mut HashMap<Cause, usize>) {
        let (facts, now, users) = (account.facts(), account.correct(moment.local), account.snapshot());
        for (uin, user) in users.iter() {
            let assessed = user.assess(&facts);
            match assessed.state {
                UserState::Unknown | UserState::Up => {}
                UserState::Failing => {
                    let failing = Failing::of(account, uin, user, now);
                    *causes.entry(failing.cause).or_default() += 1;
                    self.failing.offer(Reverse((user.answered, place, uin)), || failing);
                }
                UserState::Missing => {
                    let answered = user.answered.map(|answered| now.duration_since(answered));
                    let name = user.name.clone();
                    let absent = || Absent { account: account.name().clone(), uin, name, answered };
                    self.absent.offer(Reverse((user.answered, place, uin)), absent);
                }
            }
            self.keys((place, uin), user, assessed.limit, account, &facts, now);
        }
        let of_account = AccountReport::of(place, account, &users, moment);
        self.max_ages.insert(facts.key_max_age);
        self.totals.accounts += 1;
        self.totals.proven += usize::from(of_account.assessment.is_proven());
        self.totals.users += of_account.assessment.users;
        self.totals.keys += of_account.assessment.keys;
        for problem in &of_account.assessment.problems {
            self.problems.entry(problem.kind()).or_default().add(account.name());
        }
        self.accounts.offer(of_account.rank(), || of_account);
    }

    /// Offers the keys of a user, and the user where the limit is reached, to the lists.
    fn keys(
        &mut self,
        (place, uin): (usize, Uin),
        user: &User,
        limit: KeyLimit,
        account: &Account,
        facts: &Facts,
        now: Timestamp,
    ) {
        let keys = user.keys.as_deref().unwrap_or_default();
        for (number, key) in keys.iter().enumerate() {
            let (age, findings) = (key.age(now), key.findings(limit, facts, now));
            let is_stale = findings.contains(Finding::Stale);
            self.keys.offer((is_stale, age.as_secs(), Reverse((place, uin, number))), || OldKey {
                account: account.name().clone(),
                uin,
                name: user.name.clone(),
                label: key.label.clone(),
                status: key.status,
                age,
                is_stale,
            });
        }
        let rank = match limit {
            KeyLimit::Below => return,
            KeyLimit::At | KeyLimit::Over => (limit == KeyLimit::Over, keys.len(), Reverse((place, uin))),
        };
        self.at_limit.offer(rank, || AtLimit {
            account: account.name().clone(),
            uin,
            name: user.name.clone(),
            keys: keys.len(),
            limit: facts.key_limit,
            is_over: limit == KeyLimit::Over,
        });
    }
}

// === impl Failing ===

impl Failing {
    fn of(account: &Account, uin: Uin, user: &User, now: Timestamp) -> Self {
        let (ago, failure) = (|time| now.duration_since(time), user.failure.as_ref());
        Self {
            account: account.name().clone(),
            uin,
            name: user.name.clone(),
            cause: failure.map_or(Cause::BeforeRestart, Cause::of),
            error: failure.map(|failure| Arc::clone(&failure.error)),
            since: failure.map(|failure| ago(failure.since)),
            next_poll: failure.and_then(|failure| failure.next_poll).map(|next| next.duration_since(now)),
            answered: user.answered.map(ago),
        }
    }
}

// === impl Cause ===

impl Cause {
    fn of(failure: &Failure) -> Self {
        Self::Known(failure.reason, failure.code)
    }

    /// The labels of its reason and of its code.
    pub(super) fn labels(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Known(reason, code) => (reason.label(), code),
            Self::BeforeRestart => ("before the restart", None),
        }
    }
}

// === impl Named ===

impl Named {
    fn add(&mut self, name: &AccountName) {
        self.of += 1;
        if self.names.len() < NAMED {
            self.names.push(name.clone());
        }
    }
}
