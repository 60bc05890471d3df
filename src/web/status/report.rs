//! The content of the overview, from the inventory.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tencentcloud_api::Uin;

use super::{
    account::{self, AccountReport},
    note::Note,
    rows::{Cause, KeyRow, UserRow},
    worst::TopN,
};
use crate::{
    inventory::{
        Account, AccountName, AccountSettings, Inventory, Listing, User,
        assessment::{Finding, KeyCounts, Moment, ProblemKind, UserAssessment, UserCounts, UserState},
    },
    language::Language,
};

/// The most accounts that are named where others are only counted.
const NAMED: usize = 3;

/// The content of the overview.
#[derive(Debug)]
pub(super) struct Report {
    /// The language of the page, and of the notes.
    pub(super) language: Language,
    /// When it was gathered, by the machine's clock.
    pub(super) made: Timestamp,
    /// For how long the exporter has been running.
    pub(super) uptime: Duration,
    /// Whether the configuration could not be used when it was last loaded.
    pub(super) config_refused: bool,
    pub(super) totals: Totals,
    /// The ages from which keys are stale, in one account or another.
    pub(super) max_ages: BTreeSet<Duration>,
    pub(super) accounts: TopN<account::Rank, AccountReport>,
    pub(super) keys: TopN<KeyRank, KeyRow>,
    /// Users who have as many keys as they may have, or more.
    pub(super) at_limit: TopN<LimitRank, UserRow>,
    /// Users whose last poll failed.
    pub(super) failing: TopN<SinceRank, UserRow>,
    /// Users who do not exist.
    pub(super) absent: TopN<SinceRank, UserRow>,
    /// Why polls failed; what is true of most users first.
    pub(super) causes: Vec<CauseReport>,
    /// What is wrong with accounts, by kind, the gravest first.
    pub(super) problems: BTreeMap<ProblemKind, Affected>,
    /// The listings of users that have not ended yet, and the accounts that wait for them.
    pub(super) awaited: BTreeMap<Listing, Named>,
    /// The accounts with users that have not been polled yet.
    pub(super) unpolled: Named,
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

/// Why polls failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CauseReport {
    pub(super) cause: Cause,
    /// The users whose polls fail for that.
    pub(super) users: usize,
    /// Since when the first of them has been failing, by what its account's clock says now.
    pub(super) since: Option<(Timestamp, Timestamp)>,
    /// What was answered about that one.
    pub(super) error: Option<Arc<str>>,
}

/// Accounts that have a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Affected {
    pub(super) accounts: Named,
    /// What is to be said of the first of them.
    pub(super) note: Note,
}

/// Accounts, the first few by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) names: Vec<AccountName>,
    pub(super) of: usize,
}

/// Whether it is stale, and its age in seconds; and its position, which separates it from others of the same age.
pub(super) type KeyRank = (bool, i64, Reverse<(usize, Uin, usize)>);
/// Whether it has more keys than it may have, and how many; and where it stands.
pub(super) type LimitRank = (bool, usize, Reverse<(usize, Uin)>);
/// Since when, the earliest first; and where it stands.
pub(super) type SinceRank = Reverse<(Option<Timestamp>, usize, Uin)>;

/// Where an account and a user of it stand.
type Place = (usize, Uin);

// === impl Report ===

impl Report {
    /// Of `inventory`, in `language`, where the machine's clock says `local`, in an exporter that has been running for
    /// `uptime`.
    pub(super) fn of(language: Language, inventory: &Inventory, local: Timestamp, uptime: Duration) -> Self {
        let mut report = Self {
            language,
            made: local,
            uptime,
            config_refused: false,
            totals: Totals::default(),
            max_ages: BTreeSet::new(),
            accounts: TopN::default(),
            keys: TopN::default(),
            at_limit: TopN::default(),
            failing: TopN::default(),
            absent: TopN::default(),
            causes: vec![],
            problems: BTreeMap::new(),
            awaited: BTreeMap::new(),
            unpolled: Named::default(),
        };
        let (mut causes, moment) = (HashMap::new(), Moment::now(local));
        for (place, account) in inventory.accounts().iter().enumerate() {
            report.account(place, account, moment, &mut causes);
        }
        report.causes = causes.into_values().collect();
        report.causes.sort_unstable_by_key(|cause| (Reverse(cause.users), cause.cause.labels(language)));
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

    fn account(&mut self, place: usize, account: &Account, moment: Moment, causes: &mut HashMap<Cause, CauseReport>) {
        let (settings, now, users) = (account.settings(), account.correct(moment.local), account.snapshot());
        let interval = account.effective_interval();
        for (uin, user) in users.iter() {
            let assessed = user.assess(&settings, interval, now);
            let row = || UserRow::of(account, (uin, user), assessed, &settings, now);
            match assessed.state {
                UserState::Unknown | UserState::Up => {}
                UserState::Failing => {
                    CauseReport::add(causes, user, now);
                    self.failing.offer(Reverse((user.answered.get(), place, uin)), row);
                }
                UserState::Missing => self.absent.offer(Reverse((user.answered.get(), place, uin)), row),
            }
            self.limit((place, uin), user, assessed, row);
            self.keys((place, uin), user, account, &settings, now);
        }
        let of_account = AccountReport::of(place, account, &users, moment);
        let assessment = &of_account.assessment;
        self.max_ages.insert(settings.policy.max_age);
        self.totals.accounts += 1;
        self.totals.proven += usize::from(assessment.is_proven());
        self.totals.users += assessment.users;
        self.totals.keys += assessment.keys;
        for problem in &assessment.problems {
            let affected = self.problems.entry(problem.kind()).or_insert_with(|| {
                let note = Note::of(self.language, *problem, &of_account);
                Affected { accounts: Named::default(), note }
            });
            affected.accounts.add(account.name());
        }
        for listing in &assessment.awaited {
            self.awaited.entry(*listing).or_default().add(account.name());
        }
        if assessment.users.unknown > 0 {
            self.unpolled.add(account.name());
        }
        self.accounts.offer(of_account.rank(), || of_account);
    }

    /// Offers the user to the list of those at their limit, where it is reached.
    fn limit(&mut self, (place, uin): Place, user: &User, assessed: UserAssessment, row: impl FnOnce() -> UserRow) {
        let keys = user.keys.as_deref().unwrap_or_default().len();
        let has = |finding: Finding| assessed.verdict.findings.contains(finding);
        if has(Finding::AtLimit) || has(Finding::OverLimit) {
            self.at_limit.offer((has(Finding::OverLimit), keys, Reverse((place, uin))), row);
        }
    }

    /// Offers the keys of a user to their list.
    fn keys(
        &mut self,
        (place, uin): Place,
        user: &User,
        account: &Account,
        settings: &AccountSettings,
        now: Timestamp,
    ) {
        let policy = user.policy(settings);
        for (number, (key, verdict)) in user.judged_keys(policy, now).enumerate() {
            let is_stale = verdict.findings.contains(Finding::Stale);
            let rank = (is_stale, key.age(now).as_secs(), Reverse((place, uin, number)));
            self.keys.offer(rank, || KeyRow::of(account, (uin, user), key, verdict, policy, now));
        }
    }
}

// === impl CauseReport ===

impl CauseReport {
    fn add(causes: &mut HashMap<Cause, Self>, user: &User, now: Timestamp) {
        let failure = user.failure.as_deref();
        let cause = failure.map_or(Cause::BeforeRestart, Cause::of);
        let report = causes.entry(cause).or_insert(Self { cause, users: 0, since: None, error: None });
        report.users += 1;
        if let Some(failure) = failure
            && report.since.is_none_or(|(since, _)| failure.since < since)
        {
            report.since = Some((failure.since, now));
            report.error = Some(Arc::clone(&failure.error));
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
