//! The users that every server exposes: for the simulator, for the exporter's state file, for the peers, and as series.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tencentcloud_api::{AccessKey, AccessKeyId, Clock, Credential, KeyStatus, SystemClock, Uin};
use tencentcloud_cam_exporter::{
    inventory::{Account, AccountSettings, IdLabel, Inventory, Policy},
    state::{State, StateFile},
};
use tencentcloud_simulator::{Caller, Key, Population, User};

const FIRST_UIN: u64 = 100_013_000_000;
const KEYS: u64 = 2;

/// As many characters as ids of access keys have after their prefix, and the ones they are of.
const ID_CHARACTERS: usize = 32;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The oldest key, and the seconds in which the others were made.
const OLDEST: i64 = 1_600_000_000;
const ERA: u64 = 150_000_000;

pub(crate) struct Users {
    accounts: usize,
    users: Vec<Listed>,
}

struct Listed {
    account: usize,
    uin: u64,
    keys: Vec<AccessKey>,
}

// === impl Users ===

impl Users {
    pub(crate) fn new(number: u64, accounts: u64) -> Self {
        let user = |user: u64| {
            let uin = FIRST_UIN + user;
            let account = usize::try_from(user * accounts / number).unwrap();
            Listed { account, uin, keys: (0..KEYS).map(|key| self::key(uin, key)).collect() }
        };
        Self { accounts: accounts.try_into().unwrap(), users: (0..number).map(user).collect() }
    }

    pub(crate) fn number(&self) -> usize {
        self.users.len()
    }

    pub(crate) fn accounts(&self) -> usize {
        self.accounts
    }

    pub(crate) fn uins(&self, account: usize) -> impl Iterator<Item = u64> {
        self.of(account).map(|user| user.uin)
    }

    fn of(&self, account: usize) -> impl Iterator<Item = &Listed> {
        self.users.iter().filter(move |user| user.account == account)
    }

    pub(crate) fn population(&self) -> Population {
        let key = |key: &AccessKey| Key::new(key.id.expose().to_owned(), key.status.label(), key.created);
        let caller = |account| Caller { uin: account as u64 + 1, credential: credential(account) };
        Population {
            callers: (0..self.accounts).map(caller).collect(),
            users: self.users.iter().map(|user| (user.uin, User::with_keys(user.keys.iter().map(key)))).collect(),
        }
    }

    /// Writes a state file, as if every user had just been polled.
    pub(crate) fn save(&self, path: PathBuf) {
        let settings = AccountSettings {
            policy: Policy { max_age: Duration::from_hours(24), ..Policy::default() }.into(),
            id_label: IdLabel::Full,
            poll_interval: Duration::from_mins(1),
            ..AccountSettings::default()
        };
        let uin = |number: u64| Uin::try_from(number).unwrap();
        let accounts = (0..self.accounts).map(|index| {
            let account = Account::new(name(index).parse().unwrap(), settings.clone(), self.uins(index).map(uin));
            for user in self.of(index) {
                account.poll_succeeded(uin(user.uin), &user.keys, SystemClock.now());
            }
            Arc::new(account)
        });
        StateFile::new(path).save(&State::of(&Inventory::new(accounts.collect()))).unwrap();
    }

    /// What the peers read.
    pub(crate) fn json(&self) -> Value {
        let answered = SystemClock.now().as_second();
        let key = |AccessKey { id, status, created }: &AccessKey| json!({"id": id.expose(), "status": status.label(), "created": created.as_second()});
        let user = |user: &Listed| {
            let keys: Vec<Value> = user.keys.iter().map(key).collect();
            json!({"account": name(user.account), "uin": user.uin.to_string(), "answered": answered, "keys": keys})
        };
        self.users.iter().map(user).collect()
    }

    /// The series of these users, their labels in the order of the alphabet.
    pub(crate) fn series(&self) -> BTreeSet<String> {
        let mut series = BTreeSet::new();
        let mut add = |family: &str, labels: String| series.insert(format!("tencentcloud_cam_{family}{{{labels}}}"));
        let statuses = KeyStatus::ALL.map(|status| format!(r#"status="{}""#, status.label()));
        for Listed { account, uin, keys } in &self.users {
            let (account, uin) = (format!(r#"account="{}""#, name(*account)), format!(r#"uin="{uin}""#));
            add("user_up", format!("{account},{uin}"));
            add("user_last_success_timestamp_seconds", format!("{account},{uin}"));
            for status in &statuses {
                add("access_keys", format!("{account},{status},{uin}"));
            }
            for key in keys {
                let id = format!(r#"access_key_id="{}""#, key.id.expose());
                add("access_key_created_timestamp_seconds", format!("{id},{account},{uin}"));
                add("access_key_age_seconds", format!("{id},{account},{uin}"));
                for status in &statuses {
                    add("access_key_status", format!("{id},{account},{status},{uin}"));
                }
            }
        }
        series
    }
}

pub(crate) fn name(account: usize) -> String {
    format!("account-{account}")
}

/// The credential of each account is another one, as the API counts requests by caller.
pub(crate) fn credential(account: usize) -> Credential {
    let (secret_id, secret_key) = (format!("AKIDcaller{account}"), format!("secret{account}"));
    Credential { secret_id: secret_id.into(), secret_key: secret_key.into(), token: None }
}

/// Looks like one of those that the API makes, and is the same at each run.
fn key(uin: u64, number: u64) -> AccessKey {
    let hash = Sha256::digest(format!("{uin}/{number}"));
    let id: String =
        hash[..ID_CHARACTERS].iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect();
    let when = (uin * 7_919 + number * 104_729) % ERA;
    AccessKey {
        id: AccessKeyId::from(format!("AKID{id}").as_str()),
        status: KeyStatus::Active,
        created: Timestamp::from_second(OLDEST + i64::try_from(when).unwrap()).unwrap(),
    }
}
