//! What we know of every user, and how fresh it is. Knows no HTTP, and no clock of its own: times are handed in.
//!
//! The rules of truth under failure live here:
//! - a success replaces a user's keys whole;
//! - a failure leaves the last good keys and the time of the last success where they were, and marks the user down;
//! - "no such user" is an answer: the keys go;
//! - of a user never yet answered nothing is known, which is not the same as no keys.

pub mod assessment;
mod coverage;
mod facts;
mod failure;
mod listing;
mod names;
mod pace;
mod policy;
mod progress;
mod snapshot;
mod sources;
mod user;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::time::Instant;

pub use coverage::Covered;
pub use facts::AccountSettings;
pub use failure::Failure;
pub use listing::{ConfiguredListings, Listing, ListingFailure, ListingState, Listings, error_text};
pub use names::{AccountName, IdLabel, NotAnAccountName, NotAnIdLabel};
pub use pace::Pace;
pub use policy::{Exemption, Override, Policy};
pub use progress::{Progress, SILENCE, Sweep};
pub use snapshot::Snapshot;
pub use sources::{Found, FoundUser, Sources};
use tencentcloud_api::{AccessKey, AccessKeyId, LastUse, Reason, Uin};
pub use user::{Key, User};

use self::{
    assessment::UserState,
    coverage::{Coverage, ListingsSoFar, PollEnd},
    policy::Resolver,
};

/// Every account.
#[derive(Debug)]
pub struct Inventory {
    accounts: RwLock<Vec<Arc<Account>>>,
    /// Zero-based ordinal of this shard.
    shard: AtomicU32,
    changed: Changed,
}

/// One account: what is configured of it, and what is known of its users.
#[derive(Debug)]
pub struct Account {
    name: AccountName,
    facts: RwLock<AccountSettings>,
    users: RwLock<Users>,
    /// Those of the users, which a change of the users' sources replaces.
    uins: Mutex<Arc<[Uin]>>,
    sources: Mutex<Sources>,
    members: Mutex<Option<Arc<Found>>>,
    listings: Mutex<Listings>,
    credential_problem: Mutex<Option<CredentialProblem>>,
    progress: Mutex<Progress>,
    /// Locked after everything else.
    coverage: Mutex<Coverage>,
    changed: Changed,
}

/// When something last changed, in changes of anything since the start: no two changes have one number.
#[derive(Debug)]
struct Changed(AtomicU64);

/// Why the credential cannot be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialProblem {
    /// In words; free of secrets and of bounded length.
    pub error: Arc<str>,
    /// When it could first not be renewed.
    pub since: Timestamp,
}

/// How many users are read in one go. To a poll that waits this is some ten microseconds.
const AT_ONCE: usize = 256;

/// The users of an account, in the order of their UINs. A change replaces a user that a reader still holds; what readers
/// hold stays as it was.
pub type Users = BTreeMap<Uin, Arc<User>>;

// === impl Inventory ===

impl Inventory {
    /// Of these accounts, in the order of the configuration.
    #[must_use]
    pub fn new(accounts: Vec<Arc<Account>>) -> Self {
        Self { accounts: RwLock::new(accounts), shard: AtomicU32::new(0), changed: Changed::now() }
    }

    /// Zero-based ordinal of this shard.
    #[must_use]
    pub fn shard(&self) -> u32 {
        self.shard.load(Ordering::Relaxed)
    }

    /// This is the exporter with that number among those that share the work.
    pub fn set_shard(&self, ordinal: u32) {
        self.shard.store(ordinal, Ordering::Relaxed);
    }

    /// The accounts, in the order of the configuration.
    #[must_use]
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.read().clone()
    }

    /// A number that is another one whenever anything that is known has changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        let accounts = self.accounts.read();
        accounts.iter().map(|account| account.changes()).fold(self.changed.last(), u64::max)
    }

    /// These are the accounts from now on.
    pub fn set_accounts(&self, accounts: Vec<Arc<Account>>) {
        *self.accounts.write() = accounts;
        self.changed.again();
    }
}

// === impl Account ===

impl Account {
    /// An account of whose users nothing is known yet.
    #[must_use]
    pub fn new(name: AccountName, facts: AccountSettings, uins: impl IntoIterator<Item = Uin>) -> Self {
        let account = Self {
            name,
            facts: RwLock::new(facts),
            users: RwLock::default(),
            uins: Mutex::default(),
            sources: Mutex::default(),
            members: Mutex::default(),
            listings: Mutex::default(),
            credential_problem: Mutex::default(),
            progress: Mutex::default(),
            coverage: Mutex::new(Coverage::new(Instant::now())),
            changed: Changed::now(),
        };
        account.set_users(&uins.into_iter().collect());
        account
    }

    /// The label `account`.
    #[must_use]
    pub fn name(&self) -> &AccountName {
        &self.name
    }

    /// What is configured.
    #[must_use]
    pub fn facts(&self) -> AccountSettings {
        self.facts.read().clone()
    }

    /// Something else is configured. Keys that are labelled in another way than before are forgotten: their ids are not
    /// kept, and the old labels may show what must no longer be shown.
    pub fn set_facts(&self, facts: AccountSettings) {
        let mut users = self.users.write();
        self.look();
        let before = self.facts();
        if before.id_label != facts.id_label {
            users.values_mut().for_each(|user| *user = user.configured().into());
            self.coverage.lock().set_users(&users, Instant::now());
        }
        if (&before.policy, &before.overrides) != (&facts.policy, &facts.overrides) {
            let mut policies = Resolver::new(&facts.policy, &facts.overrides);
            for (uin, user) in users.iter_mut() {
                let policy = policies.resolve(*uin, user.name.as_deref());
                if user.policy != policy {
                    Arc::make_mut(user).policy = policy;
                }
            }
        }
        *self.facts.write() = facts;
        self.note_listings();
        self.changed.again();
    }

    /// Replaces the configured users. Users that are in no source any more are removed at once, here and in the next
    /// two.
    pub fn set_users(&self, uins: &BTreeSet<Uin>) {
        self.change_sources(|sources| sources.listed.clone_from(uins));
    }

    /// Replaces the users that the API listed.
    pub fn set_found(&self, found: Found) {
        self.change_sources(|sources| sources.found = found);
    }

    /// Replaces the calling user.
    pub fn set_caller(&self, caller: Option<Uin>) {
        self.change_sources(|sources| sources.caller = caller);
    }

    /// Where the users come from.
    #[must_use]
    pub fn sources(&self) -> Sources {
        self.sources.lock().clone()
    }

    /// The members of the account's organisation, where it has one and they were ever listed.
    #[must_use]
    pub fn members(&self) -> Option<Arc<Found>> {
        self.members.lock().clone()
    }

    /// These are the members of its organisation from now on; nothing where it has none.
    pub fn set_members(&self, members: Option<Found>) {
        *self.members.lock() = members.map(Arc::new);
        self.changed.again();
    }

    fn change_sources(&self, change: impl FnOnce(&mut Sources)) {
        let mut users = self.users.write();
        self.look();
        let mut sources = self.sources.lock();
        change(&mut sources);
        users.retain(|uin, _| sources.contain(*uin));
        let facts = self.facts();
        let mut policies = Resolver::new(&facts.policy, &facts.overrides);
        for uin in sources.users() {
            let is_new = !users.contains_key(&uin);
            let (user, found) = (users.entry(uin).or_default(), sources.found.get(&uin));
            let (name, console_login) = (found.map(|found| &found.name), found.and_then(|found| found.console_login));
            let is_renamed = user.name.as_ref() != name;
            if is_new || is_renamed || user.console_login != console_login {
                let user = Arc::make_mut(user);
                if is_new || is_renamed {
                    user.policy = policies.resolve(uin, name.map(|name| &**name));
                }
                (user.name, user.console_login) = (name.cloned(), console_login);
            }
        }
        let mut uins = self.uins.lock();
        if !uins.iter().eq(users.keys()) {
            *uins = users.keys().copied().collect();
        }
        self.coverage.lock().set_users(&users, Instant::now());
        self.changed.again();
    }

    /// The users as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let users = self.users.read();
        Snapshot::of(Arc::clone(&self.uins.lock()), &users, self.coverage.lock().covered())
    }

    /// Polling begins: all users who are known at the start, or were before a restart, are there.
    pub fn begin(&self) {
        self.note_listings();
        self.coverage.lock().begin(Instant::now());
    }

    /// Before anything changes that decides how long an outage takes to begin.
    fn look(&self) {
        let longest = self.outage_after();
        self.coverage.lock().look(Instant::now(), longest);
    }

    fn note_listings(&self) {
        let (facts, listings) = (self.facts(), self.listings.lock());
        let (mut all_known, mut any_failed) = (true, false);
        for listing in facts.listings.iter().filter(|listing| listing.finds_users()) {
            let state = listings.get(listing);
            all_known &= state.succeeded.is_some() || state.was_restored;
            any_failed |= state.failure.is_some();
        }
        self.coverage.lock().set_listings(ListingsSoFar { all_known, any_failed });
    }

    /// What is known of the users. Polls wait while it is held.
    pub fn users(&self) -> RwLockReadGuard<'_, Users> {
        self.users.read()
    }

    /// Shows each user, in the order of their UINs, a few hundred at a time: polls wait no longer than for those. Who
    /// comes or goes meanwhile may be shown or not.
    pub fn each_user(&self, mut see: impl FnMut(Uin, &User)) {
        let mut from = Bound::Unbounded;
        loop {
            let users = self.users.read();
            let mut last = None;
            for (uin, user) in users.range((from, Bound::Unbounded)).take(AT_ONCE) {
                see(*uin, user);
                last = Some(*uin);
            }
            let Some(last) = last else { return };
            from = Bound::Excluded(last);
        }
    }

    /// How polling gets on.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Notes how polling gets on.
    pub fn note(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock());
    }

    /// How each listing ended when it was last tried.
    #[must_use]
    pub fn listings(&self) -> Listings {
        self.listings.lock().clone()
    }

    /// A listing succeeded and was believed.
    pub fn listing_succeeded(&self, listing: Listing, at: Timestamp) {
        self.listings.lock().get_mut(listing).succeed(at);
        self.note_listings();
        self.changed.again();
    }

    /// A listing failed, or was not believed.
    pub fn listing_failed(&self, listing: Listing, failure: ListingFailure) {
        self.listings.lock().get_mut(listing).fail(failure);
        self.note_listings();
        self.changed.again();
    }

    /// A listing is no longer made, or begins from nothing.
    pub fn forget_listing(&self, listing: Listing) {
        *self.listings.lock().get_mut(listing) = ListingState::default();
        self.note_listings();
        self.changed.again();
    }

    /// Why the credential cannot be renewed while the last good one is still in use.
    #[must_use]
    pub fn credential_problem(&self) -> Option<CredentialProblem> {
        self.credential_problem.lock().clone()
    }

    /// The credential cannot be renewed, as `error` says since `at`, or can be again. It counts from the first of the
    /// errors in a row.
    pub fn set_credential_problem(&self, error: Option<Arc<str>>, at: Timestamp) {
        let mut problem = self.credential_problem.lock();
        let since = problem.as_ref().map_or(at, |problem| problem.since);
        *problem = error.map(|error| CredentialProblem { error, since });
    }

    /// The time to go by where the machine's clock says `local` now.
    #[must_use]
    pub fn correct(&self, local: Timestamp) -> Timestamp {
        self.progress.lock().correct(local)
    }

    /// The API listed the user's keys. Returns whether that is the first answer after an outage.
    pub fn listed(&self, uin: Uin, keys: &[AccessKey], at: Timestamp) -> bool {
        self.polled(uin, None, |user, id_label| {
            let labels = id_label.labels(keys.iter().map(|key| &key.id));
            let known = user.keys.clone();
            let last_uses: HashMap<(&str, Timestamp), LastUse> = known
                .iter()
                .flat_map(|keys| &**keys)
                .filter_map(|key| Some(((&*key.label, key.created), key.last_use?)))
                .collect();
            let mut keys: Vec<Key> = keys
                .iter()
                .zip(labels)
                .map(|(key, label)| {
                    let last_use = last_uses.get(&(&*label, key.created)).copied();
                    Key { label, status: key.status, created: key.created, last_use }
                })
                .collect();
            keys.sort_unstable_by(|one, other| one.label.cmp(&other.label));
            let same = known.filter(|known| **known == *keys);
            let keys = Some(same.unwrap_or_else(|| keys.into()));
            let user = Arc::make_mut(user);
            (user.up, user.answered, user.keys, user.failure) = (Some(true), Some(at), keys, None);
        })
    }

    /// The user was answered by a clock that turned out to be off by so much.
    pub fn correct_answered(&self, uin: Uin, by: SignedDuration) {
        self.change(uin, |user, _| {
            let user = Arc::make_mut(user);
            user.answered = user.answered.and_then(|at| at.checked_add(by).ok());
        });
    }

    /// Records when keys of the user were last used. The user's keys have these `ids`, as last listed; of those that
    /// `last_use` does not know, what was known stays.
    pub fn used<'a>(
        &self,
        uin: Uin,
        ids: impl IntoIterator<Item = &'a AccessKeyId> + Clone,
        last_use: impl Fn(&AccessKeyId) -> Option<LastUse>,
    ) {
        self.change(uin, |user, id_label| {
            let labels = id_label.labels(ids.clone());
            let last_uses: BTreeMap<String, LastUse> =
                labels.into_iter().zip(ids).filter_map(|(label, id)| Some((label, last_use(id)?))).collect();
            if let Some(keys) =
                changed_keys(user, |key| key.last_use = last_uses.get(&key.label).copied().or(key.last_use))
            {
                Arc::make_mut(user).keys = Some(keys);
            }
        });
    }

    /// Last uses are no longer requested.
    pub fn forget_last_use(&self) {
        for user in self.users.write().values_mut() {
            if let Some(keys) = changed_keys(user, |key| key.last_use = None) {
                Arc::make_mut(user).keys = Some(keys);
            }
        }
        self.changed.again();
    }

    /// A poll of the user failed. That there is no such user is an answer: the keys go.
    pub fn failed(&self, uin: Uin, failure: Failure) {
        self.polled(uin, Some(failure.reason), |user, _| {
            let at = failure.since;
            let failure = failure.after(user.failure.as_ref());
            let is_missing = failure.reason == Reason::UserNotFound;
            if !is_missing && user.up == Some(false) && user.failure.as_ref() == Some(&failure) {
                return;
            }
            let user = Arc::make_mut(user);
            if is_missing {
                (user.answered, user.keys) = (Some(at), None);
            }
            (user.up, user.failure) = (Some(false), Some(failure));
        });
    }

    /// Restores a user from the state file, unless the user has been polled since. Returns whether it did. [`Self::set_found`]
    /// restores names.
    pub fn restore(&self, uin: Uin, user: User) -> bool {
        match self.users.write().get_mut(&uin) {
            Some(known) if (known.up, known.answered, &known.keys) == (None, None, &None) => {
                let User { name, console_login, policy, .. } = known.configured();
                *known = User { name, console_login, policy, ..user }.into();
                self.changed.again();
                true
            }
            _ => false,
        }
    }

    /// What was known before a restart has been restored; it is `now`.
    pub fn recalled(&self, now: Timestamp) {
        let (users, sources) = (self.users.read(), self.sources());
        let mut listings = self.listings.lock();
        for (listing, was_restored) in [
            (Listing::Users, !sources.found.is_empty()),
            (Listing::Caller, sources.caller.is_some()),
            (Listing::Members, self.members().is_some()),
        ] {
            listings.get_mut(listing).was_restored = was_restored;
        }
        drop(listings);
        self.note_listings();
        self.coverage.lock().recall(&users, now, Instant::now());
    }

    /// A number that is another one whenever what is known or configured has changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changed.last()
    }

    /// A poll of the user has ended, with this change; where it failed, for that `reason`.
    /// Returns whether it brought the first answer after an outage.
    fn polled(&self, uin: Uin, reason: Option<Reason>, change: impl FnOnce(&mut Arc<User>, IdLabel)) -> bool {
        let mut users = self.users.write();
        let id_label = self.facts.read().id_label;
        let Some(user) = users.get_mut(&uin) else { return false };
        self.look();
        change(user, id_label);
        let end = match reason {
            None => PollEnd::Answered,
            Some(Reason::UserNotFound) if users.values().all(|user| user.state() == UserState::Missing) => {
                PollEnd::Answered
            }
            Some(_) => PollEnd::Otherwise,
        };
        let is_first = self.coverage.lock().polled(uin, end, &users, Instant::now());
        self.changed.again();
        is_first
    }

    fn change(&self, uin: Uin, change: impl FnOnce(&mut Arc<User>, IdLabel)) {
        // In this order everywhere: the users, then the facts or the sources.
        let mut users = self.users.write();
        let id_label = self.facts.read().id_label;
        if let Some(user) = users.get_mut(&uin) {
            change(user, id_label);
            self.changed.again();
        }
    }
}

/// The user's keys with this change, if it makes a difference.
fn changed_keys(user: &User, change: impl FnMut(&mut Key)) -> Option<Arc<[Key]>> {
    let known = user.keys.as_ref()?;
    let mut keys = known.to_vec();
    keys.iter_mut().for_each(change);
    (**known != *keys).then(|| keys.into())
}

// === impl Changed ===

impl Changed {
    fn now() -> Self {
        Self(Self::next().into())
    }

    fn next() -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        LAST.fetch_add(1, Ordering::Relaxed)
    }

    /// To be called after the change, or while others are kept from it.
    fn again(&self) {
        self.0.store(Self::next(), Ordering::Release);
    }

    fn last(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tencentcloud_api::KeyStatus;

    use super::*;

    fn account() -> (Account, Uin) {
        let facts = AccountSettings { poll_interval: Duration::from_secs(1), ..AccountSettings::default() };
        let uin = "100013065917".parse().unwrap();
        (Account::new("prod".parse().unwrap(), facts, [uin]), uin)
    }

    fn key(id: &str) -> AccessKey {
        AccessKey { id: id.into(), status: KeyStatus::Active, created: Timestamp::UNIX_EPOCH }
    }

    fn second(s: i64) -> Timestamp {
        Timestamp::from_second(s).unwrap()
    }

    fn failure(reason: Reason, code: Option<&'static str>, s: i64) -> Failure {
        Failure::new(reason, code, &reason.label(), second(s))
    }

    /// The API returned at this second that the user has no keys.
    fn answered(s: i64) -> User {
        User { up: Some(true), answered: Some(second(s)), keys: Some([].into()), ..User::default() }
    }

    /// The API returned that the user does not exist.
    fn absent(s: i64) -> User {
        let failure = failure(Reason::UserNotFound, None, s);
        User { up: Some(false), answered: Some(second(s)), keys: None, failure: Some(failure), ..User::default() }
    }

    #[test]
    fn a_user_never_answered_is_unknown_rather_than_without_keys() {
        let (account, uin) = account();
        assert_eq!(*account.users()[&uin], User::default());
        account.failed(uin, failure(Reason::Timeout, None, 0));
        let failure = failure(Reason::Timeout, None, 0);
        assert_eq!(*account.users()[&uin], User { up: Some(false), failure: Some(failure), ..User::default() });
        account.listed(uin, &[], second(1));
        assert_eq!(*account.users()[&uin], answered(1));
    }

    #[test]
    fn a_success_replaces_all_and_a_failure_replaces_nothing() {
        let (account, uin) = account();
        account.listed(uin, &[key("a"), key("b")], second(1));
        account.listed(uin, &[key("b"), key("c")], second(2));
        let good = User::clone(&account.users()[&uin]);
        assert_eq!(good.keys.as_ref().unwrap().len(), 2);
        account.failed(uin, failure(Reason::Denied, Some("UnauthorizedOperation"), 3));
        let denied = Some(failure(Reason::Denied, Some("UnauthorizedOperation"), 3));
        assert_eq!(*account.users()[&uin], User { up: Some(false), failure: denied, ..good.clone() });
        account.failed(uin, failure(Reason::Timeout, None, 4));
        let timeout = Some(failure(Reason::Timeout, None, 3));
        assert_eq!(*account.users()[&uin], User { up: Some(false), failure: timeout, ..good });
    }

    #[test]
    fn the_same_keys_again_are_not_a_new_list() {
        let (account, uin) = account();
        let keys = || account.users()[&uin].keys.clone().unwrap();
        account.listed(uin, &[key("a"), key("b")], second(1));
        let first = keys();
        account.failed(uin, failure(Reason::Timeout, None, 1));
        account.listed(uin, &[key("b"), key("a")], second(2));
        assert!(Arc::ptr_eq(&first, &keys()));
        let inactive = AccessKey { status: KeyStatus::Inactive, ..key("b") };
        account.listed(uin, &[key("a"), inactive], second(3));
        assert!(!Arc::ptr_eq(&first, &keys()));
    }

    #[test]
    fn a_user_that_a_reader_holds_is_replaced_only_by_news() {
        let (account, uin) = account();
        let held = || Arc::clone(&account.users()[&uin]);
        account.listed(uin, &[key("a")], second(1));
        let first = held();
        account.set_found([(uin, "alice".into())].into());
        let named = held();
        assert_eq!((first.name.as_deref(), named.name.as_deref()), (None, Some("alice")));
        account.set_found([(uin, "alice".into())].into());
        account.used(uin, [], |_| None);
        account.forget_last_use();
        assert!(Arc::ptr_eq(&named, &held()));
        account.failed(uin, failure(Reason::Timeout, None, 2));
        let failed = held();
        account.failed(uin, failure(Reason::Timeout, None, 3));
        assert!(Arc::ptr_eq(&failed, &held()));
        assert_eq!((named.up, failed.up), (Some(true), Some(false)));
    }

    #[test]
    fn no_such_user_is_an_answer() {
        let (account, uin) = account();
        account.listed(uin, &[key("a")], second(1));
        account.failed(uin, failure(Reason::UserNotFound, None, 2));
        assert_eq!(*account.users()[&uin], absent(2));
    }

    #[test]
    fn a_few_hundred_users_at_a_time_are_all_users_once() {
        let users = |number: u64| (1..=number).map(|uin| Uin::try_from(uin).unwrap());
        let at_once = u64::try_from(AT_ONCE).unwrap();
        for number in [0, 1, at_once - 1, at_once, at_once + 1, 3 * at_once] {
            let (account, _) = account();
            account.set_users(&users(number).collect());
            let mut seen = vec![];
            account.each_user(|uin, _| seen.push(uin));
            assert!(seen.into_iter().eq(users(number)), "{number}");
        }
    }

    #[test]
    fn what_was_known_before_fills_only_what_is_not_known() {
        let (account, uin) = account();
        let before = answered(1);
        assert!(!account.restore("100013065918".parse().unwrap(), before.clone()));
        assert!(account.restore(uin, before.clone()));
        assert_eq!(*account.users(), Users::from([(uin, before.clone().into())]));
        account.failed(uin, failure(Reason::UserNotFound, None, 2));
        assert!(!account.restore(uin, before));
        assert_eq!(*account.users()[&uin], absent(2));
    }

    #[test]
    fn users_that_are_taken_out_are_forgotten_and_the_others_kept() {
        let (account, uin) = account();
        let other = "100013065918".parse().unwrap();
        account.listed(uin, &[key("a")], second(1));
        account.set_users(&[uin, other].into());
        assert_eq!(account.users()[&uin].answered, Some(second(1)));
        assert_eq!(*account.users()[&other], User::default());
        account.set_users(&[other].into());
        account.listed(uin, &[key("a")], second(2));
        assert!(!account.users().contains_key(&uin), "a late answer does not bring the user back");
    }

    #[test]
    fn keys_labelled_in_another_way_are_forgotten() {
        let (account, uin) = account();
        account.listed(uin, &[key("a")], second(1));
        let policy = Policy { limit: 3, ..Policy::default() }.into();
        account.set_facts(AccountSettings { policy, ..account.facts() });
        assert!(account.users()[&uin].keys.is_some());
        account.set_facts(AccountSettings { id_label: IdLabel::Hashed, ..account.facts() });
        assert_eq!(*account.users()[&uin], User::default());
    }
}
