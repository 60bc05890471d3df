//! What the page tells, gathered from the inventory.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    account::{self, AccountReport, Trouble},
    standing::Standing,
    worst::Worst,
};
use crate::{
    inventory::{Account, AccountName, Facts, Failure, Inventory, Key, User},
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
    pub(super) troubles: [Named; Trouble::KINDS],
}

/// Numbers over all accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) accounts: usize,
    pub(super) users: usize,
    /// Users of whom no poll has ended yet.
    pub(super) unknown: usize,
    /// Users whose last poll failed.
    pub(super) failing: usize,
    pub(super) absent: usize,
    /// Users whose last answer is old.
    pub(super) late: usize,
    pub(super) keys: usize,
    pub(super) inactive_keys: usize,
    pub(super) stale_keys: usize,
    pub(super) at_limit: usize,
    /// Of those at their limit, the ones who are over it.
    pub(super) over_limit: usize,
}

/// A key.
#[derive(Debug)]
pub(super) struct OldKey {
    pub(super) account: AccountName,
    pub(super) uin: Uin,
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
    pub(super) keys: usize,
    pub(super) limit: u32,
}

/// A user whose last poll failed.
#[derive(Debug)]
pub(super) struct Failing {
    pub(super) account: AccountName,
    pub(super) uin: Uin,
    pub(super) cause: Cause,
    /// How long it has been failing; nothing where that began before a restart.
    pub(super) since: Option<SignedDuration>,
    /// How long ago the API last answered about it.
    pub(super) answered: Option<SignedDuration>,
}

/// A user who does not exist.
#[derive(Debug)]
pub(super) struct Absent {
    pub(super) account: AccountName,
    pub(super) uin: Uin,
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

/// Its age in seconds; and where it stands, which tells it from others as old.
pub(super) type KeyRank = (i64, Reverse<(usize, Uin, usize)>);
/// Keys above the limit, and all keys; and where it stands.
pub(super) type LimitRank = (i64, usize, Reverse<(usize, Uin)>);
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
            troubles: Default::default(),
        };
        let mut causes = HashMap::new();
        for (place, account) in inventory.accounts().iter().enumerate() {
            report.account(place, account, &mut causes);
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

    fn account(&mut self, place: usize, account: &Account, causes: &mut HashMap<Cause, usize>) {
        let (facts, progress) = (account.facts(), account.progress());
        let now = progress.correct(self.made);
        let mut of_account = AccountReport::of(place, account);
        account.each_user(|uin, user| {
            let standing = Standing::of(user);
            of_account.see(user, standing, now);
            match standing {
                Standing::Unknown => self.totals.unknown += 1,
                Standing::Up => {}
                Standing::Failing => {
                    let failing = Failing::of(account, uin, user, now);
                    *causes.entry(failing.cause).or_default() += 1;
                    self.failing.offer(Reverse((user.answered, place, uin)), || failing);
                }
                Standing::Absent => {
                    let answered = user.answered.map(|answered| now.duration_since(answered));
                    let absent = || Absent { account: account.name().clone(), uin, answered };
                    self.absent.offer(Reverse((user.answered, place, uin)), absent);
                }
            }
            self.keys(user.keys.as_deref().unwrap_or_default(), (place, uin), account, &facts, now);
        });
        of_account.conclude(&progress, self.made);
        self.max_ages.insert(facts.key_max_age);
        self.totals.accounts += 1;
        self.totals.users += of_account.users;
        self.totals.failing += of_account.failing;
        self.totals.absent += of_account.absent;
        self.totals.late += of_account.late;
        for trouble in &of_account.troubles {
            self.troubles[trouble.kind()].add(account.name());
        }
        self.accounts.offer(of_account.rank(), || of_account);
    }

    /// Counts the keys of a user in.
    fn keys(&mut self, keys: &[Key], (place, uin): (usize, Uin), account: &Account, facts: &Facts, now: Timestamp) {
        for (number, key) in keys.iter().enumerate() {
            let age = now.duration_since(key.created);
            let is_stale = Duration::try_from(age).is_ok_and(|age| age > facts.key_max_age);
            self.totals.keys += 1;
            self.totals.inactive_keys += usize::from(key.status == KeyStatus::Inactive);
            self.totals.stale_keys += usize::from(is_stale);
            self.keys.offer((age.as_secs(), Reverse((place, uin, number))), || OldKey {
                account: account.name().clone(),
                uin,
                label: key.label.clone(),
                status: key.status,
                age,
                is_stale,
            });
        }
        let above = i64::try_from(keys.len()).unwrap_or(i64::MAX) - i64::from(facts.key_limit);
        if above < 0 || keys.is_empty() {
            return;
        }
        self.totals.at_limit += 1;
        self.totals.over_limit += usize::from(above > 0);
        self.at_limit.offer((above, keys.len(), Reverse((place, uin))), || AtLimit {
            account: account.name().clone(),
            uin,
            keys: keys.len(),
            limit: facts.key_limit,
        });
    }
}

// === impl Failing ===

impl Failing {
    fn of(account: &Account, uin: Uin, user: &User, now: Timestamp) -> Self {
        let ago = |time| now.duration_since(time);
        Self {
            account: account.name().clone(),
            uin,
            cause: user.failure.map_or(Cause::BeforeRestart, Cause::of),
            since: user.failure.map(|failure| ago(failure.since)),
            answered: user.answered.map(ago),
        }
    }
}

// === impl Cause ===

impl Cause {
    fn of(failure: Failure) -> Self {
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
