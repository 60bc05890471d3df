//! What is known of the users, kept in a file over a restart.
//!
//! After a start the last good inventory is served at once, with its old success times: keys do not vanish until they
//! are polled, and alerts do not flap. Polling goes on as if nothing had been restored.
//!
//! - Labels are kept as they are exposed. With `id_label: full` they are whole ids; secrets are never in the file. What
//!   was labelled in another way than is now configured is not restored, and neither is an account or a user that is no
//!   longer configured. Users that discovery found are, and stay until it has listed them again; so are the members of
//!   an organization.
//! - A file is replaced whole, by a rename: the folder must be writable, and in a container it is the folder that must
//!   be mounted, not the file. Two exporters need two files.
//! - Of a file only what is configured is kept, and a row that cannot be used is skipped.
//! - A file that is damaged, foreign or of a newer version is put aside, and the exporter starts without it. A file
//!   that cannot be read stays where it is.
//!
//! `file` knows where, `format` knows the bytes. Nothing here knows a clock, a task, or when to save.

mod file;
mod format;

use std::{collections::BTreeMap, fmt, sync::Arc};

pub use file::{Refused, StateFile};
pub use format::Fault;
use tencentcloud_api::{AccessKey, Uin};

use crate::inventory::{AccountName, Found, FoundUser, IdLabel, Inventory, User};

/// What is known of the users of every account. Of a user that is not here nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Who is a member of which account's organisation.
    members: BTreeMap<AccountName, Arc<Found>>,
    accounts: BTreeMap<AccountName, BTreeMap<Uin, Saved>>,
    /// Rows of the file that could not be used.
    skipped: usize,
}

/// What of a state file is kept. Users of accounts that are members of an organisation are, where its members are.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Whether the user of that account is.
    pub user: &'a dyn Fn(&AccountName, Uin) -> bool,
    /// Whether the members of that account's organisation are.
    pub members: &'a dyn Fn(&AccountName) -> bool,
}

/// What is known of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Saved {
    /// How the keys were labelled.
    id_label: IdLabel,
    user: Arc<User>,
    /// Whether it is the user that asks.
    caller: bool,
    /// Whether it was listed as a user of a configured type.
    typed: bool,
}

/// The source of a user who is not in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// Discovery found it, under this name.
    Found(&'a str),
    /// It is the one that asks.
    Caller,
}

// === impl Wanted ===

impl fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").finish_non_exhaustive()
    }
}

// === impl State ===

impl State {
    /// As it is now: a pointer to each user, for polls must not wait while it is written.
    #[must_use]
    pub fn of(inventory: &Inventory) -> Self {
        let mut state = Self::default();
        for account in inventory.accounts() {
            if let Some(members) = account.members() {
                state.members.insert(account.name().clone(), members);
            }
            let users = account.users();
            // Their labels cannot change while the users are locked.
            let (id_label, sources) = (account.settings().id_label, account.sources());
            for (uin, user) in &*users {
                let (caller, typed) = (sources.caller == Some(*uin), sources.typed.contains_key(uin));
                if caller || user.is_known() {
                    let saved = Saved { id_label, user: Arc::clone(user), caller, typed };
                    state.insert(account.name().clone(), *uin, saved);
                }
            }
        }
        state
    }

    /// How many rows of the file could not be used.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Leaves out users with a key that was made before there were any: an earlier version took such times from the API.
    pub fn drop_impossible(&mut self) {
        for users in self.accounts.values_mut() {
            let before = users.len();
            users.retain(|_, saved| {
                saved.user.keys.iter().flat_map(|keys| &**keys).all(|key| key.created >= AccessKey::EARLIEST)
            });
            self.skipped += before - users.len();
        }
    }

    /// Whether the account is a member of an organisation: such an account is named by its UIN.
    fn is_member(&self, account: &AccountName) -> bool {
        account.as_str().parse().is_ok_and(|uin| self.members.values().any(|members| members.contains_key(&uin)))
    }

    /// Hands each account that `has` an organisation its members; each is an account itself, whose users
    /// [`Self::restore`] can restore once it is in the inventory. They stay until they have been listed again.
    pub fn restore_members(&self, inventory: &Inventory, has: impl Fn(&AccountName) -> bool) {
        for account in inventory.accounts().iter().filter(|account| has(account.name())) {
            if let Some(members) = self.members.get(account.name()) {
                account.set_members(Some(Found::clone(members)));
            }
        }
    }

    /// Hands each account what is known of its users; returns of how many. Whatever has been polled since is newer, and
    /// stays. Users that no source lists are users again if their account still `admits` them, until it is known better.
    #[must_use]
    pub fn restore(mut self, inventory: &Inventory, admits: impl Fn(&AccountName, Uin, Origin<'_>) -> bool) -> usize {
        let mut restored = 0;
        for account in inventory.accounts() {
            let (name, id_label) = (account.name(), account.settings().id_label);
            let users = self.accounts.remove(name).unwrap_or_default();
            let found = users.iter().filter_map(|(uin, saved)| {
                let User { name, console_login, .. } = &*saved.user;
                Some((*uin, FoundUser { name: name.clone()?, console_login: *console_login }))
            });
            let found = found.filter(|(uin, user)| admits(name, *uin, Origin::Found(&user.name)));
            // Each stays until the listing that found it succeeds.
            let by_type = account.settings().listings.typed_users;
            let (typed, found) = found.partition::<Found, _>(|(uin, _)| by_type && users[uin].typed);
            account.set_found(found);
            account.set_typed(typed);
            let caller = users.iter().find(|(_, saved)| saved.caller).map(|(uin, _)| *uin);
            account.set_caller(caller.filter(|uin| admits(name, *uin, Origin::Caller)));
            for (uin, saved) in users {
                if saved.id_label == id_label && account.restore(uin, Arc::unwrap_or_clone(saved.user)) {
                    restored += 1;
                }
            }
        }
        restored
    }

    /// Returns what was there before.
    fn insert_member(&mut self, organization: AccountName, member: Uin, name: Arc<str>) -> Option<FoundUser> {
        Arc::make_mut(self.members.entry(organization).or_default()).insert(member, name.into())
    }

    /// Returns what was there before.
    fn insert(&mut self, account: AccountName, uin: Uin, saved: Saved) -> Option<Saved> {
        self.accounts.entry(account).or_default().insert(uin, saved)
    }
}

#[cfg(test)]
mod tests {
    use compact_str::CompactString;
    use jiff::Timestamp;
    use proptest::{
        collection::{btree_map, vec},
        option,
        prelude::*,
        sample::select,
    };
    use tencentcloud_api::{KeyStatus, LastUse};

    use super::*;
    use crate::inventory::{Account, AccountSettings, Key, Users};

    fn account(name: &str, id_label: IdLabel, users: &Users) -> Arc<Account> {
        let settings = AccountSettings { id_label, ..AccountSettings::default() };
        let listed = users.iter().filter(|(_, user)| user.name.is_none()).map(|(uin, _)| *uin);
        let account = Account::new(name.parse().unwrap(), settings, listed);
        let found = users.iter().filter_map(|(uin, user)| {
            Some((*uin, FoundUser { name: user.name.clone()?, console_login: user.console_login }))
        });
        account.set_found(found.collect());
        for (uin, user) in users {
            account.restore(*uin, User::clone(user));
        }
        Arc::new(account)
    }

    fn user(second: i64) -> User {
        User {
            up: Some(true),
            answered: Timestamp::from_second(second).unwrap().into(),
            keys: Some([].into()),
            ..User::default()
        }
    }

    fn uin(number: u64) -> Uin {
        number.try_into().unwrap()
    }

    fn times() -> impl Strategy<Value = Timestamp> {
        (Timestamp::MIN.as_second()..=Timestamp::MAX.as_second()).prop_map(|s| Timestamp::from_second(s).unwrap())
    }

    /// Every label is one of at most 50 characters, whatever they are, and so of at most 200 bytes.
    fn users() -> impl Strategy<Value = Users> {
        let labels = vec(any::<char>(), 1..=50).prop_map(CompactString::from_iter);
        let last_use = option::of(prop_oneof![Just(LastUse::Never), times().prop_map(LastUse::At)]);
        let keys = btree_map(labels, (select(&KeyStatus::ALL), times(), last_use), 0..4).prop_map(|keys| {
            let key = |(label, (status, created, last_use))| Key { label, status, created, last_use };
            keys.into_iter().map(key).collect()
        });
        let name = option::of(vec(any::<char>(), 0..=128).prop_map(|name| String::from_iter(name).into()));
        let user = (any::<Option<bool>>(), option::of(times()), option::of(keys), name, any::<Option<bool>>());
        let user = user.prop_map(|(up, answered, keys, name, console_login)| {
            let console_login = console_login.filter(|_| name.is_some());
            Arc::new(User { up, answered: answered.into(), keys, name, console_login, ..User::default() })
        });
        btree_map((1..=u64::MAX).prop_map(uin), user, 0..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_inventory_survives_a_restart(
            accounts in btree_map(
                "[A-Za-z0-9_-]{1,64}",
                (select(&[IdLabel::Masked, IdLabel::Full, IdLabel::Hashed]), users()),
                0..4,
            ),
        ) {
            let inventory = |known: bool| {
                let account = |(name, (id_label, users)): (&String, &(IdLabel, Users))| {
                    let listed = users.iter().filter(|(_, user)| user.name.is_none());
                    let nothing = listed.map(|(uin, _)| (*uin, Arc::default())).collect();
                    account(name, *id_label, if known { users } else { &nothing })
                };
                Inventory::new(accounts.iter().map(account).collect())
            };
            let folder = tempfile::tempdir().unwrap();
            let file = StateFile::new(folder.path().join("state"));
            file.save(&State::of(&inventory(true))).unwrap();

            let after = inventory(false);
            let _ = file.load().unwrap().unwrap().restore(&after, |_, _, origin| origin != Origin::Caller);
            for (account, (_, users)) in after.accounts().iter().zip(accounts.values()) {
                prop_assert_eq!(&*account.users(), users);
            }
        }
    }

    #[test]
    fn only_what_is_configured_and_labelled_as_before_is_restored() {
        let known = |numbers: &[u64]| numbers.iter().map(|number| (uin(*number), user(1).into())).collect::<Users>();
        let before = Inventory::new(vec![
            account("kept", IdLabel::Masked, &known(&[1, 2])),
            account("relabelled", IdLabel::Full, &known(&[3])),
            account("gone", IdLabel::Masked, &known(&[4])),
        ]);
        let newer = Users::from([(uin(5), Arc::default()), (uin(2), user(9).into()), (uin(1), Arc::default())]);
        let nothing = Users::from([(uin(3), Arc::default())]);
        let after = Inventory::new(vec![
            account("kept", IdLabel::Masked, &newer),
            account("relabelled", IdLabel::Masked, &nothing),
        ]);
        assert_eq!(State::of(&before).restore(&after, |_, _, _| false), 1);
        let kept = Users::from([(uin(5), Arc::default()), (uin(2), user(9).into()), (uin(1), user(1).into())]);
        assert_eq!(*after.accounts()[0].users(), kept);
        assert_eq!(*after.accounts()[1].users(), nothing);
    }

    #[test]
    fn users_that_nobody_lists_are_users_again_where_they_are_wanted() {
        let before = account("prod", IdLabel::Masked, &Users::new());
        before.set_found([(uin(1), "ci".into()), (uin(2), "alice".into())].into());
        before.set_caller(Some(uin(3)));
        assert!(before.restore(uin(1), user(1)));
        let state = State::of(&Inventory::new(vec![before]));

        let after = account("prod", IdLabel::Masked, &Users::new());
        let inventory = Inventory::new(vec![Arc::clone(&after)]);
        assert_eq!(state.clone().restore(&inventory, |_, _, origin| origin == Origin::Found("ci")), 1);
        assert_eq!(*after.users(), Users::from([(uin(1), User { name: Some("ci".into()), ..user(1) }.into())]));
        let _ = state.restore(&inventory, |_, _, origin| origin == Origin::Caller);
        assert_eq!(*after.users(), Users::from([(uin(3), Arc::default())]));
    }
}
