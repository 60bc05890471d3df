//! What is known of the users, kept in a file over a restart.
//!
//! After a start the last good inventory is served at once, with its old success times: keys do not vanish until they
//! are polled, and alerts do not flap. Polling goes on as if nothing had been restored.
//!
//! - Labels are kept as they are exposed. With `id_label: full` they are whole ids; secrets are never in the file. What
//!   was labelled in another way than is now configured is not restored, and neither is an account or a user that is no
//!   longer configured.
//! - A file is replaced whole, by a rename: the folder must be writable, and in a container it is the folder that must
//!   be mounted, not the file. Two exporters need two files.
//! - A file that is damaged, foreign or of a newer version is put aside, and the exporter starts without it. A file
//!   that cannot be read stays where it is.
//!
//! `file` knows where, `format` knows the bytes. Nothing here knows a clock, a task, or when to save.

mod file;
mod format;

use std::collections::BTreeMap;

pub use file::{Refused, StateFile};
pub use format::Fault;

use crate::{
    inventory::{AccountName, IdLabel, Inventory, User},
    tencent::Uin,
};

/// What is known of the users of every account. Of a user that is not here nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    accounts: BTreeMap<AccountName, BTreeMap<Uin, Saved>>,
}

/// What is known of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Saved {
    /// How the keys were labelled.
    id_label: IdLabel,
    user: User,
}

// === impl State ===

impl State {
    /// As it is now. A copy, for polls must not wait while it is written.
    #[must_use]
    pub fn of(inventory: &Inventory) -> Self {
        let mut state = Self::default();
        for account in inventory.accounts() {
            let users = account.users();
            // While the users are held, nobody labels them in another way.
            let id_label = account.facts().id_label;
            for (uin, user) in users.iter().filter(|(_, user)| **user != User::default()) {
                state.insert(account.name().clone(), *uin, Saved { id_label, user: user.clone() });
            }
        }
        state
    }

    /// Hands each account what is known of its users; returns of how many. Whatever has been polled since is newer, and
    /// stays.
    #[must_use]
    pub fn restore(mut self, inventory: &Inventory) -> usize {
        let mut restored = 0;
        for account in inventory.accounts() {
            let id_label = account.facts().id_label;
            for (uin, saved) in self.accounts.remove(account.name()).unwrap_or_default() {
                if saved.id_label == id_label && account.restore(uin, saved.user) {
                    restored += 1;
                }
            }
        }
        restored
    }

    /// Returns what was there before.
    fn insert(&mut self, account: AccountName, uin: Uin, saved: Saved) -> Option<Saved> {
        self.accounts.entry(account).or_default().insert(uin, saved)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use jiff::Timestamp;
    use proptest::{
        collection::{btree_map, vec},
        option,
        prelude::*,
        sample::select,
    };

    use super::*;
    use crate::{
        inventory::{Account, Facts, Key, Users},
        tencent::KeyStatus,
    };

    fn account(name: &str, id_label: IdLabel, users: &Users) -> Arc<Account> {
        let second = Duration::from_secs(1);
        let facts = Facts { key_limit: 2, key_max_age: second, id_label, poll_interval: second };
        let account = Account::new(name.parse().unwrap(), facts, users.keys().copied());
        for (uin, user) in users {
            account.restore(*uin, user.clone());
        }
        Arc::new(account)
    }

    fn user(second: i64) -> User {
        User {
            up: Some(true),
            answered: Some(Timestamp::from_second(second).unwrap()),
            keys: Some([].into()),
            failure: None,
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
        let labels = vec(any::<char>(), 1..=50).prop_map(String::from_iter);
        let keys = btree_map(labels, (select(&KeyStatus::ALL), times()), 0..4).prop_map(|keys| {
            keys.into_iter().map(|(label, (status, created))| Key { label, status, created }).collect()
        });
        let user = (any::<Option<bool>>(), option::of(times()), option::of(keys))
            .prop_map(|(up, answered, keys)| User { up, answered, keys, failure: None });
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
                    let nothing = users.keys().map(|uin| (*uin, User::default())).collect();
                    account(name, *id_label, if known { users } else { &nothing })
                };
                Inventory::new(accounts.iter().map(account).collect())
            };
            let folder = tempfile::tempdir().unwrap();
            let file = StateFile::new(folder.path().join("state"));
            file.save(&State::of(&inventory(true))).unwrap();

            let after = inventory(false);
            let _ = file.load().unwrap().unwrap().restore(&after);
            for (account, (_, users)) in after.accounts().iter().zip(accounts.values()) {
                prop_assert_eq!(&*account.users(), users);
            }
        }
    }

    #[test]
    fn only_what_is_configured_and_labelled_as_before_is_restored() {
        let known = |numbers: &[u64]| numbers.iter().map(|number| (uin(*number), user(1))).collect::<Users>();
        let before = Inventory::new(vec![
            account("kept", IdLabel::Masked, &known(&[1, 2])),
            account("relabelled", IdLabel::Full, &known(&[3])),
            account("gone", IdLabel::Masked, &known(&[4])),
        ]);
        let newer = Users::from([(uin(5), User::default()), (uin(2), user(9)), (uin(1), User::default())]);
        let nothing = Users::from([(uin(3), User::default())]);
        let after = Inventory::new(vec![
            account("kept", IdLabel::Masked, &newer),
            account("relabelled", IdLabel::Masked, &nothing),
        ]);
        assert_eq!(State::of(&before).restore(&after), 1);
        let kept = Users::from([(uin(5), User::default()), (uin(2), user(9)), (uin(1), user(1))]);
        assert_eq!(*after.accounts()[0].users(), kept);
        assert_eq!(*after.accounts()[1].users(), nothing);
    }
}
