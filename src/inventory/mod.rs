//! What we know of every user, and how fresh it is. Knows no HTTP, and no clock of its own: times are handed in.
//!
//! The rules of truth under failure live here:
//! - a success replaces a user's keys whole;
//! - a failure leaves the last good keys and the time of the last success where they were, and marks the user down;
//! - "no such user" is an answer: the keys go;
//! - of a user never yet answered nothing is known, which is not the same as no keys.

mod names;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::time::Instant;

pub use names::{AccountName, IdLabel, NotAnAccountName, NotAnIdLabel};

use crate::tencent::{AccessKey, KeyStatus, Uin};

/// Every account.
#[derive(Debug)]
pub struct Inventory {
    accounts: Vec<Arc<Account>>,
}

/// One account: what is configured of it, and what is known of its users.
#[derive(Debug)]
pub struct Account {
    facts: Facts,
    users: RwLock<Users>,
    progress: Mutex<Progress>,
}

/// What is configured of an account and exposed beside its keys.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The label `account`.
    pub name: AccountName,
    /// Keys a user may have.
    pub key_limit: u32,
    /// The age from which a key is called stale.
    pub key_max_age: Duration,
    /// How keys are labelled.
    pub id_label: IdLabel,
    /// How often each user is polled.
    pub poll_interval: Duration,
    /// Requests a second the account may make.
    pub rate_limit: u32,
}

/// The users of an account, in the order of their UINs.
pub type Users = BTreeMap<Uin, User>;

/// What is known of a user. Starts with nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Whether the last poll brought the user's keys; nothing before the first poll has ended.
    pub up: Option<bool>,
    /// When the API last answered about the user.
    pub answered: Option<Timestamp>,
    /// The keys as last answered; nothing before the first answer, or where there is no such user.
    pub keys: Option<Vec<Key>>,
}

/// An access key as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The label `access_key_id`; no two keys of a user share one.
    pub label: String,
    /// The last answered status.
    pub status: KeyStatus,
    /// When the key was made.
    pub created: Timestamp,
}

/// How polling an account gets on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// When the poll that has waited longest was, or will be, due.
    pub earliest_due: Option<Instant>,
    /// How long the last whole sweep over the users took.
    pub last_sweep: Option<Duration>,
    /// The API's clock less ours, in seconds.
    pub clock_skew: Option<i64>,
}

// === impl Inventory ===

impl Inventory {
    /// Of these accounts.
    #[must_use]
    pub fn new(accounts: Vec<Arc<Account>>) -> Self {
        Self { accounts }
    }

    /// The accounts, in the order of the configuration.
    #[must_use]
    pub fn accounts(&self) -> &[Arc<Account>] {
        &self.accounts
    }
}

// === impl Account ===

impl Account {
    /// An account of whose users nothing is known yet.
    #[must_use]
    pub fn new(facts: Facts, uins: impl IntoIterator<Item = Uin>) -> Self {
        let users = uins.into_iter().map(|uin| (uin, User::default())).collect();
        Self { facts, users: RwLock::new(users), progress: Mutex::default() }
    }

    /// What is configured.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What is known of the users. Polls wait while it is held.
    pub fn users(&self) -> RwLockReadGuard<'_, Users> {
        self.users.read()
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

    /// The API listed the user's keys.
    pub fn listed(&self, uin: Uin, keys: &[AccessKey], at: Timestamp) {
        let labels = self.facts.id_label.labels(keys.iter().map(|key| &key.id));
        let keys = keys
            .iter()
            .zip(labels)
            .map(|(key, label)| Key { label, status: key.status, created: key.created })
            .collect();
        self.change(uin, |user| *user = User { up: Some(true), answered: Some(at), keys: Some(keys) });
    }

    /// The API answered that there is no such user.
    pub fn not_found(&self, uin: Uin, at: Timestamp) {
        self.change(uin, |user| *user = User { up: Some(false), answered: Some(at), keys: None });
    }

    /// The API gave no answer.
    pub fn failed(&self, uin: Uin) {
        self.change(uin, |user| user.up = Some(false));
    }

    /// This was known of the user before a restart. Returns whether it is now: of a user of whom anything has been learnt
    /// since, that stays.
    pub fn restore(&self, uin: Uin, user: User) -> bool {
        match self.users.write().get_mut(&uin) {
            Some(known) if *known == User::default() => {
                *known = user;
                true
            }
            _ => false,
        }
    }

    fn change(&self, uin: Uin, change: impl FnOnce(&mut User)) {
        if let Some(user) = self.users.write().get_mut(&uin) {
            change(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> (Account, Uin) {
        let facts = Facts {
            name: "prod".parse().unwrap(),
            key_limit: 2,
            key_max_age: Duration::from_secs(1),
            id_label: IdLabel::Masked,
            poll_interval: Duration::from_secs(1),
            rate_limit: 20,
        };
        let uin = "100013065917".parse().unwrap();
        (Account::new(facts, [uin]), uin)
    }

    fn key(id: &str) -> AccessKey {
        AccessKey { id: id.into(), status: KeyStatus::Active, created: Timestamp::UNIX_EPOCH }
    }

    fn second(s: i64) -> Timestamp {
        Timestamp::from_second(s).unwrap()
    }

    #[test]
    fn a_user_never_answered_is_unknown_rather_than_without_keys() {
        let (account, uin) = account();
        assert_eq!(account.users()[&uin], User::default());
        account.failed(uin);
        assert_eq!(account.users()[&uin], User { up: Some(false), answered: None, keys: None });
        account.listed(uin, &[], second(1));
        assert_eq!(account.users()[&uin], User { up: Some(true), answered: Some(second(1)), keys: Some(vec![]) });
    }

    #[test]
    fn a_success_replaces_all_and_a_failure_replaces_nothing() {
        let (account, uin) = account();
        account.listed(uin, &[key("a"), key("b")], second(1));
        account.listed(uin, &[key("b"), key("c")], second(2));
        let good = account.users()[&uin].clone();
        assert_eq!(good.keys.as_ref().unwrap().len(), 2);
        account.failed(uin);
        assert_eq!(account.users()[&uin], User { up: Some(false), ..good });
    }

    #[test]
    fn no_such_user_is_an_answer() {
        let (account, uin) = account();
        account.listed(uin, &[key("a")], second(1));
        account.not_found(uin, second(2));
        assert_eq!(account.users()[&uin], User { up: Some(false), answered: Some(second(2)), keys: None });
    }

    #[test]
    fn what_was_known_before_fills_only_what_is_not_known() {
        let (account, uin) = account();
        let before = User { up: Some(true), answered: Some(second(1)), keys: Some(vec![]) };
        assert!(!account.restore("100013065918".parse().unwrap(), before.clone()));
        assert!(account.restore(uin, before.clone()));
        assert_eq!(*account.users(), Users::from([(uin, before.clone())]));
        account.not_found(uin, second(2));
        assert!(!account.restore(uin, before));
        assert_eq!(account.users()[&uin], User { up: Some(false), answered: Some(second(2)), keys: None });
    }
}
