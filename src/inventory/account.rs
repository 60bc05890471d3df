//! One account: its settings, and the data of its users.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::{MappedRecursiveRwLockReadGuard, Mutex, RecursiveRwLock, RecursiveRwLockReadGuard};
use tencentcloud_api::{AccessKey, AccessKeyId, LastUse, Reason, Uin};
use tokio::time::Instant;

use super::{
    AccountName, AccountSettings, Failure, Found, IdLabel, Key, Listing, ListingFailure, ListingState, Listings,
    Progress, Snapshot, Sources, User, Users,
    assessment::{UserState, outage_after},
    changed::Changed,
    coverage::{Coverage, ListingsSoFar, PollEnd},
    policy::Resolver,
};

/// One account: its settings, and the data of its users.
#[derive(Debug)]
pub struct Account {
    name: AccountName,
    state: RecursiveRwLock<State>,
    /// Locked after the state.
    progress: Mutex<Progress>,
    changed: Changed,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: AccountSettings,
    users: Users,
    /// The keys of `users`, shared with snapshots.
    pub(super) uins: Arc<[Uin]>,
    sources: Sources,
    members: Option<Arc<Found>>,
    listings: Listings,
    credential_problem: Option<CredentialProblem>,
    coverage: Coverage,
}

/// Why the credential cannot be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialProblem {
    /// In words; free of secrets and of bounded length.
    pub error: Arc<str>,
    /// When it could first not be renewed.
    pub since: Timestamp,
}

/// How many users are read under one lock. A poll that waits for it waits some ten microseconds.
const BATCH: usize = 256;

// === impl Account ===

impl Account {
    /// An account with these users, without data yet.
    #[must_use]
    pub fn new(name: AccountName, settings: AccountSettings, uins: impl IntoIterator<Item = Uin>) -> Self {
        let state = State {
            settings,
            users: Users::default(),
            uins: Arc::default(),
            sources: Sources::default(),
            members: None,
            listings: Listings::default(),
            credential_problem: None,
            coverage: Coverage::new(Instant::now()),
        };
        let account =
            Self { name, state: RecursiveRwLock::new(state), progress: Mutex::default(), changed: Changed::now() };
        account.set_configured(&uins.into_iter().collect());
        account
    }

    /// The label `account`.
    #[must_use]
    pub fn name(&self) -> &AccountName {
        &self.name
    }

    /// Reads the state, even by a reader that holds [`Self::users`].
    pub(super) fn state(&self) -> RecursiveRwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// Changes the state. An outage that is due begins before the change, which may decide when one is due.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.write();
        let outage_after = outage_after(state.effective_interval(self.progress()));
        state.coverage.look(Instant::now(), outage_after);
        let result = change(&mut state);
        self.changed.again();
        result
    }

    /// What is configured.
    #[must_use]
    pub fn settings(&self) -> AccountSettings {
        self.state().settings.clone()
    }

    /// Replaces what is configured. Keys with labels of another kind are removed: their ids are not kept, and the old labels
    /// may show what must no longer be shown.
    pub fn set_settings(&self, settings: AccountSettings) {
        self.change(|state| state.set_settings(settings));
    }

    /// Replaces the users of the configuration and of `uins_file`. Users that are in no source any more are removed at once.
    pub fn set_configured(&self, uins: &BTreeSet<Uin>) {
        self.change(|state| state.change_sources(|sources| sources.configured.clone_from(uins)));
    }

    /// Replaces the sub-users that the API listed, as [`Self::set_configured`] does.
    pub fn set_found(&self, found: Found) {
        self.change(|state| state.change_sources(|sources| sources.found = found));
    }

    /// Replaces the users of the configured types that the API listed, as [`Self::set_configured`] does.
    pub fn set_typed(&self, typed: Found) {
        self.change(|state| state.change_sources(|sources| sources.typed = typed));
    }

    /// Replaces the calling user, as [`Self::set_configured`] does.
    pub fn set_caller(&self, caller: Option<Uin>) {
        self.change(|state| state.change_sources(|sources| sources.caller = caller));
    }

    /// Where the users come from.
    #[must_use]
    pub fn sources(&self) -> Sources {
        self.state().sources.clone()
    }

    /// The members of the account's organization; none before they were listed.
    #[must_use]
    pub fn members(&self) -> Option<Arc<Found>> {
        self.state().members.clone()
    }

    /// Replaces the members of the account's organization; none if it has no organization.
    pub fn set_members(&self, members: Option<Found>) {
        self.change(|state| state.members = members.map(Arc::new));
    }

    /// The users as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let state = self.state();
        Snapshot::of(Arc::clone(&state.uins), &state.users, state.coverage.covered())
    }

    /// Polling begins. The users known at the start, or before a restart, are set.
    pub fn begin(&self) {
        self.change(|state| {
            state.cover_listings();
            state.coverage.begin(Instant::now());
        });
    }

    /// The users. Polls wait while the guard is held.
    pub fn users(&self) -> MappedRecursiveRwLockReadGuard<'_, Users> {
        RecursiveRwLockReadGuard::map(self.state(), |state| &state.users)
    }

    /// Shows each user, in the order of UINs, a few hundred at a time, so that polls do not wait longer. A user that is added
    /// or removed meanwhile may be shown or not.
    pub fn each_user(&self, mut see: impl FnMut(Uin, &User)) {
        let mut from = Bound::Unbounded;
        loop {
            let users = self.users();
            let mut last = None;
            for (uin, user) in users.range((from, Bound::Unbounded)).take(BATCH) {
                see(*uin, user);
                last = Some(*uin);
            }
            let Some(last) = last else { return };
            from = Bound::Excluded(last);
        }
    }

    /// The progress of polling.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Changes the progress of polling.
    pub fn note(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock());
    }

    /// The last result of each listing.
    #[must_use]
    pub fn listings(&self) -> Listings {
        self.state().listings.clone()
    }

    /// A listing succeeded and was accepted.
    pub fn listing_succeeded(&self, listing: Listing, at: Timestamp) {
        self.change_listing(listing, |state| state.succeed(at));
    }

    /// A listing failed, or was not accepted.
    pub fn listing_failed(&self, listing: Listing, failure: ListingFailure) {
        self.change_listing(listing, |state| state.fail(failure));
    }

    /// A listing is no longer made, or starts again.
    pub fn forget_listing(&self, listing: Listing) {
        self.change_listing(listing, |state| *state = ListingState::default());
    }

    fn change_listing(&self, listing: Listing, change: impl FnOnce(&mut ListingState)) {
        self.change(|state| {
            change(state.listings.get_mut(listing));
            state.cover_listings();
        });
    }

    /// Why the credential cannot be renewed, while the last valid one is still in use.
    #[must_use]
    pub fn credential_problem(&self) -> Option<CredentialProblem> {
        self.state().credential_problem.clone()
    }

    /// The credential cannot be renewed because of `error`, found `at` that time; or can be again. The time of the first
    /// error in a row is kept.
    pub fn set_credential_problem(&self, error: Option<Arc<str>>, at: Timestamp) {
        self.change(|state| {
            let since = state.credential_problem.as_ref().map_or(at, |problem| problem.since);
            state.credential_problem = error.map(|error| CredentialProblem { error, since });
        });
    }

    /// The current time, if the machine's clock says `local`.
    #[must_use]
    pub fn correct(&self, local: Timestamp) -> Timestamp {
        self.progress.lock().correct(local)
    }

    /// The API listed the user's keys. Returns whether that is the first answer after an outage.
    pub fn poll_succeeded(&self, uin: Uin, keys: &[AccessKey], at: Timestamp) -> bool {
        self.polled(uin, None, |user, id_label| {
            let keys = labelled_keys(user, keys, id_label);
            let has_same_keys = user.keys.as_ref().is_some_and(|known| Arc::ptr_eq(known, &keys));
            if user.up == Some(true) && has_same_keys {
                user.answered.set(at);
                return;
            }
            let user = Arc::make_mut(user);
            (user.up, user.answered, user.keys, user.failure) = (Some(true), at.into(), Some(keys), None);
        })
    }

    /// The user was answered by a clock that turned out to be off by so much.
    pub fn correct_answered(&self, uin: Uin, by: SignedDuration) {
        self.change(|state| {
            if let Some(user) = state.users.get(&uin)
                && let Some(at) = user.answered.get().and_then(|at| at.checked_add(by).ok())
            {
                user.answered.set(at);
            }
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
        self.change(|state| {
            let labels = state.settings.id_label.labels(ids.clone());
            let last_uses: BTreeMap<String, LastUse> =
                labels.into_iter().zip(ids).filter_map(|(label, id)| Some((label, last_use(id)?))).collect();
            if let Some(user) = state.users.get_mut(&uin) {
                change_keys(user, |key| key.last_use = last_uses.get(key.label.as_str()).copied().or(key.last_use));
            }
        });
    }

    /// Last uses are no longer requested.
    pub fn forget_last_use(&self) {
        self.change(|state| state.users.values_mut().for_each(|user| change_keys(user, |key| key.last_use = None)));
    }

    /// A poll of the user failed. That the user does not exist is an answer: the keys are removed.
    pub fn poll_failed(&self, uin: Uin, failure: Failure) {
        self.polled(uin, Some(failure.reason), |user, _| {
            let mut failed = User { up: Some(false), ..User::clone(user) };
            if failure.reason == Reason::UserNotFound {
                (failed.answered, failed.keys) = (failure.since.into(), None);
            }
            failed.failure = Some(failure.after(user.failure.as_deref()).into());
            if failed != **user {
                *user = failed.into();
            }
        });
    }

    /// A poll of the user has ended with this change; if it failed, for that `reason`. Returns whether it brought the first
    /// answer after an outage.
    fn polled(&self, uin: Uin, reason: Option<Reason>, change: impl FnOnce(&mut Arc<User>, IdLabel)) -> bool {
        self.change(|state| {
            let Some(user) = state.users.get_mut(&uin) else { return false };
            change(user, state.settings.id_label);
            let users = &state.users;
            let end = match reason {
                None => PollEnd::Answered,
                Some(Reason::UserNotFound) if users.values().all(|user| user.state() == UserState::Missing) => {
                    PollEnd::Answered
                }
                Some(_) => PollEnd::Otherwise,
            };
            state.coverage.polled(uin, end, users, Instant::now())
        })
    }

    /// Restores a user from the state file, unless the user has been polled since. Returns whether it did.
    /// [`Self::set_found`] restores names.
    pub fn restore(&self, uin: Uin, user: User) -> bool {
        self.change(|state| match state.users.get_mut(&uin) {
            Some(known) if (known.up, known.answered.get(), &known.keys) == (None, None, &None) => {
                *known = user.with_configured(known).into();
                true
            }
            _ => false,
        })
    }

    /// The data from before a restart has been restored; it is `now`.
    pub fn recalled(&self, now: Timestamp) {
        self.change(|state| {
            for (listing, was_restored) in [
                (Listing::Users, !state.sources.found.is_empty()),
                (Listing::TypedUsers, !state.sources.typed.is_empty()),
                (Listing::Caller, state.sources.caller.is_some()),
                (Listing::Members, state.members.is_some()),
            ] {
                state.listings.get_mut(listing).was_restored = was_restored;
            }
            state.cover_listings();
            state.coverage.recall(&state.users, now, Instant::now());
        });
    }

    /// A number that differs after every change of the data or the settings.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changed.last()
    }
}

// === impl State ===

impl State {
    fn set_settings(&mut self, settings: AccountSettings) {
        let before = std::mem::replace(&mut self.settings, settings);
        let settings = &self.settings;
        if before.id_label != settings.id_label {
            self.users.values_mut().for_each(|user| *user = user.configured().into());
            self.coverage.set_users(&self.users, Instant::now());
        }
        if (&before.policy, &before.overrides) != (&settings.policy, &settings.overrides) {
            let mut policies = Resolver::new(&settings.policy, &settings.overrides);
            for (uin, user) in &mut self.users {
                let policy = policies.resolve(*uin, user.name.as_deref());
                if user.policy != policy {
                    Arc::make_mut(user).policy = policy;
                }
            }
        }
        self.cover_listings();
    }

    fn change_sources(&mut self, change: impl FnOnce(&mut Sources)) {
        let Self { settings, users, sources, .. } = self;
        change(sources);
        users.retain(|uin, _| sources.contain(*uin));
        let mut policies = Resolver::new(&settings.policy, &settings.overrides);
        for uin in sources.users() {
            let is_new = !users.contains_key(&uin);
            let (user, found) = (users.entry(uin).or_default(), sources.found(uin));
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
        if !self.uins.iter().eq(users.keys()) {
            self.uins = users.keys().copied().collect();
        }
        self.coverage.set_users(users, Instant::now());
    }

    fn cover_listings(&mut self) {
        let (mut all_known, mut any_failed) = (true, false);
        for listing in self.settings.listings.iter().filter(|listing| listing.finds_users()) {
            let state = self.listings.get(listing);
            all_known &= state.succeeded.is_some() || state.was_restored;
            any_failed |= state.failure.is_some();
        }
        self.coverage.set_listings(ListingsSoFar { all_known, any_failed });
    }
}

/// The keys of an answer with their labels. Last uses are kept. If nothing has changed, it is the same allocation.
fn labelled_keys(user: &User, keys: &[AccessKey], id_label: IdLabel) -> Arc<[Key]> {
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
            Key { label: label.into(), status: key.status, created: key.created, last_use }
        })
        .collect();
    keys.sort_unstable_by(|one, other| one.label.cmp(&other.label));
    known.filter(|known| **known == *keys).unwrap_or_else(|| keys.into())
}

/// Changes the user's keys, unless that makes no difference.
fn change_keys(user: &mut Arc<User>, change: impl FnMut(&mut Key)) {
    let Some(known) = &user.keys else { return };
    let mut keys = known.to_vec();
    keys.iter_mut().for_each(change);
    if **known != *keys {
        Arc::make_mut(user).keys = Some(keys.into());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tencentcloud_api::KeyStatus;

    use super::*;
    use crate::inventory::Policy;

    fn account() -> (Account, Uin) {
        let settings = AccountSettings { poll_interval: Duration::from_secs(1), ..AccountSettings::default() };
        let uin = "100013065917".parse().unwrap();
        (Account::new("prod".parse().unwrap(), settings, [uin]), uin)
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
        User { up: Some(true), answered: second(s).into(), keys: Some([].into()), ..User::default() }
    }

    /// The API returned that the user does not exist.
    fn absent(s: i64) -> User {
        let failure = failure(Reason::UserNotFound, None, s);
        User {
            up: Some(false),
            answered: second(s).into(),
            keys: None,
            failure: Some(failure.into()),
            ..User::default()
        }
    }

    #[test]
    fn a_user_never_answered_is_unknown_rather_than_without_keys() {
        let (account, uin) = account();
        assert_eq!(*account.users()[&uin], User::default());
        account.poll_failed(uin, failure(Reason::Timeout, None, 0));
        let failure = failure(Reason::Timeout, None, 0);
        assert_eq!(*account.users()[&uin], User { up: Some(false), failure: Some(failure.into()), ..User::default() });
        account.poll_succeeded(uin, &[], second(1));
        assert_eq!(*account.users()[&uin], answered(1));
    }

    #[test]
    fn a_success_replaces_all_and_a_failure_replaces_nothing() {
        let (account, uin) = account();
        account.poll_succeeded(uin, &[key("a"), key("b")], second(1));
        account.poll_succeeded(uin, &[key("b"), key("c")], second(2));
        let good = User::clone(&account.users()[&uin]);
        assert_eq!(good.keys.as_ref().unwrap().len(), 2);
        account.poll_failed(uin, failure(Reason::Denied, Some("UnauthorizedOperation"), 3));
        let denied = Some(failure(Reason::Denied, Some("UnauthorizedOperation"), 3).into());
        assert_eq!(*account.users()[&uin], User { up: Some(false), failure: denied, ..good.clone() });
        account.poll_failed(uin, failure(Reason::Timeout, None, 4));
        let timeout = Some(failure(Reason::Timeout, None, 3).into());
        assert_eq!(*account.users()[&uin], User { up: Some(false), failure: timeout, ..good });
    }

    #[test]
    fn the_same_keys_again_are_not_a_new_list() {
        let (account, uin) = account();
        let keys = || account.users()[&uin].keys.clone().unwrap();
        account.poll_succeeded(uin, &[key("a"), key("b")], second(1));
        let first = keys();
        account.poll_failed(uin, failure(Reason::Timeout, None, 1));
        account.poll_succeeded(uin, &[key("b"), key("a")], second(2));
        assert!(Arc::ptr_eq(&first, &keys()));
        let inactive = AccessKey { status: KeyStatus::Inactive, ..key("b") };
        account.poll_succeeded(uin, &[key("a"), inactive], second(3));
        assert!(!Arc::ptr_eq(&first, &keys()));
    }

    #[test]
    fn a_user_that_a_reader_holds_is_not_replaced_if_only_a_time_changes() {
        let (account, uin) = account();
        let held = || Arc::clone(&account.users()[&uin]);
        account.poll_succeeded(uin, &[key("a")], second(1));
        let first = held();
        account.set_found([(uin, "alice".into())].into());
        let named = held();
        assert_eq!((first.name.as_deref(), named.name.as_deref()), (None, Some("alice")));
        account.set_found([(uin, "alice".into())].into());
        account.used(uin, [], |_| None);
        account.forget_last_use();
        assert!(Arc::ptr_eq(&named, &held()));
        account.poll_succeeded(uin, &[key("a")], second(2));
        assert!(Arc::ptr_eq(&named, &held()));
        assert_eq!(held().answered.get(), Some(second(2)));
        account.poll_failed(uin, failure(Reason::Timeout, None, 2));
        let failed = held();
        account.poll_failed(uin, failure(Reason::Timeout, None, 3));
        assert!(Arc::ptr_eq(&failed, &held()));
        assert_eq!((named.up, failed.up), (Some(true), Some(false)));
    }

    #[test]
    fn no_such_user_is_an_answer() {
        let (account, uin) = account();
        account.poll_succeeded(uin, &[key("a")], second(1));
        account.poll_failed(uin, failure(Reason::UserNotFound, None, 2));
        assert_eq!(*account.users()[&uin], absent(2));
    }

    #[test]
    fn a_few_hundred_users_at_a_time_are_all_users_once() {
        let users = |number: u64| (1..=number).map(|uin| Uin::try_from(uin).unwrap());
        let at_once = u64::try_from(BATCH).unwrap();
        for number in [0, 1, at_once - 1, at_once, at_once + 1, 3 * at_once] {
            let (account, _) = account();
            account.set_configured(&users(number).collect());
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
        account.poll_failed(uin, failure(Reason::UserNotFound, None, 2));
        assert!(!account.restore(uin, before));
        assert_eq!(*account.users()[&uin], absent(2));
    }

    #[test]
    fn users_that_are_taken_out_are_forgotten_and_the_others_kept() {
        let (account, uin) = account();
        let other = "100013065918".parse().unwrap();
        account.poll_succeeded(uin, &[key("a")], second(1));
        account.set_configured(&[uin, other].into());
        assert_eq!(account.users()[&uin].answered.get(), Some(second(1)));
        assert_eq!(*account.users()[&other], User::default());
        account.set_configured(&[other].into());
        account.poll_succeeded(uin, &[key("a")], second(2));
        assert!(!account.users().contains_key(&uin), "a late answer does not bring the user back");
    }

    #[test]
    fn keys_labelled_in_another_way_are_forgotten() {
        let (account, uin) = account();
        account.poll_succeeded(uin, &[key("a")], second(1));
        let policy = Policy { limit: 3, ..Policy::default() }.into();
        account.set_settings(AccountSettings { policy, ..account.settings() });
        assert!(account.users()[&uin].keys.is_some());
        account.set_settings(AccountSettings { id_label: IdLabel::Hashed, ..account.settings() });
        assert_eq!(*account.users()[&uin], User::default());
    }
}
