//! Divides the work between several exporters, which do not communicate.

use std::{num::NonZeroU32, str::FromStr};

use sha2::{Digest, Sha256};
use tencentcloud_api::Uin;
use thiserror::Error;

use crate::inventory::AccountName;

/// Maximum number of shards.
const MAX_TOTAL: u32 = 10_000;

/// One of several exporters, and its part of the work.
///
/// The number of the shard is the first 8 bytes of a SHA-256, as a big-endian number, modulo the total. The hash is that of an
/// account's name, such as `prod`, or of a name and a UIN, such as `prod/100013065917`. It must never change between versions,
/// because old and new exporters must agree during an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    ordinal: u32,
    total: NonZeroU32,
}

/// What shards divide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShardBy {
    /// Whole accounts.
    #[default]
    Account,
    /// The users of each account.
    User,
}

/// Numbers that are not those of a [`Shard`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAShard {
    /// The total is 0, or too large.
    #[error("{0} shards: expected 1 to {MAX_TOTAL}")]
    Total(u32),
    /// The number is not below the total.
    #[error("shard {ordinal} of {total}: expected 0 to {}", total - 1)]
    Ordinal {
        /// The number of the shard.
        ordinal: u32,
        /// The number of shards.
        total: u32,
    },
}

/// Text that is not a [`ShardBy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("nothing to shard by: expected account or user")]
pub struct NotAShardBy;

// === impl Shard ===

impl Shard {
    /// The only shard.
    pub const WHOLE: Self = Self { ordinal: 0, total: NonZeroU32::MIN };

    /// The shard number `ordinal`, counted from 0, of `total`.
    ///
    /// # Errors
    /// The total is 0 or above 10 000, or the number is not below the total.
    pub fn new(ordinal: u32, total: u32) -> Result<Self, NotAShard> {
        match NonZeroU32::new(total).filter(|total| total.get() <= MAX_TOTAL) {
            None => Err(NotAShard::Total(total)),
            Some(_) if ordinal >= total => Err(NotAShard::Ordinal { ordinal, total }),
            Some(total) => Ok(Self { ordinal, total }),
        }
    }

    /// Its number, counted from 0.
    #[must_use]
    pub fn ordinal(self) -> u32 {
        self.ordinal
    }

    /// The number of shards.
    #[must_use]
    pub fn total(self) -> NonZeroU32 {
        self.total
    }

    /// Whether this shard polls the account, if shards divide accounts.
    #[must_use]
    pub fn owns_account(self, name: &AccountName) -> bool {
        self.owns(name.as_str())
    }

    /// Whether this shard polls the user, if shards divide the users of the account.
    #[must_use]
    pub fn owns_user(self, account: &AccountName, uin: Uin) -> bool {
        // The name of an account has no slash.
        self.owns(&format!("{account}/{uin}"))
    }

    fn owns(self, text: &str) -> bool {
        hash(text) % u64::from(self.total.get()) == u64::from(self.ordinal)
    }
}

fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

// === impl ShardBy ===

impl FromStr for ShardBy {
    type Err = NotAShardBy;

    fn from_str(text: &str) -> Result<Self, NotAShardBy> {
        match text {
            "account" => Ok(Self::Account),
            "user" => Ok(Self::User),
            _ => Err(NotAShardBy),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        config::{Account, Config},
        environment::Environment,
    };

    /// Three accounts with `users` users. Shards divide the users of the second.
    fn config(users: u64) -> Config {
        let uins: Vec<u64> = (1..=users).collect();
        let text = format!(
            "accounts:
              - {{name: prod, uins: {uins:?}, credentials: {{env: {{}}}}}}
              - {{name: large, uins: {uins:?}, uins_file: more.txt, shard_by: user, credentials: {{env: {{}}}}}}
              - {{name: test, uins: {uins:?}, credentials: {{env: {{}}}}}}"
        );
        Config::parse(&text, &Environment::default()).unwrap()
    }

    fn shards(total: u32) -> impl Iterator<Item = Shard> {
        (0..total).map(move |ordinal| Shard::new(ordinal, total).unwrap())
    }

    fn users(accounts: &[Account]) -> impl Iterator<Item = (String, Uin)> {
        accounts.iter().flat_map(|account| account.uins.iter().map(|uin| (account.name.to_string(), *uin)))
    }

    #[test]
    fn the_hash_never_changes() {
        // Expected: printf %s prod | sha256sum
        assert_eq!(hash("prod"), 0x6754_af96_32a2_745e);
        assert_eq!(hash("prod/100013065917"), 0x197d_471d_59fc_ebb1);
        let name: AccountName = "prod".parse().unwrap();
        let uin = "100013065917".parse().unwrap();
        let owners = |owns: &dyn Fn(Shard) -> bool| -> Vec<u32> {
            [2, 3, 10, 10_000].map(|total| shards(total).find(|shard| owns(*shard)).unwrap().ordinal).into()
        };
        assert_eq!(owners(&|shard| shard.owns_account(&name)), [0, 1, 4, 5_134]);
        assert_eq!(owners(&|shard| shard.owns_user(&name, uin)), [1, 1, 3, 1_713]);
    }

    #[test]
    fn shards_are_counted_from_0() {
        assert_eq!(Shard::new(0, 1), Ok(Shard::WHOLE));
        assert!(Shard::new(9_999, 10_000).is_ok());
        let refusal = |ordinal, total| Shard::new(ordinal, total).unwrap_err().to_string();
        assert_eq!(refusal(0, 0), "0 shards: expected 1 to 10000");
        assert_eq!(refusal(0, 10_001), "10001 shards: expected 1 to 10000");
        assert_eq!(refusal(3, 3), "shard 3 of 3: expected 0 to 2");
    }

    #[test]
    fn one_shard_changes_nothing() {
        assert_eq!(config(5).shard(Shard::WHOLE), config(5));
    }

    #[test]
    fn users_are_divided_evenly() {
        for shard in shards(4) {
            let share = config(10_000).shard(shard);
            let large = share.accounts.iter().find(|account| account.name.as_str() == "large").unwrap();
            assert!((2_300..2_700).contains(&large.uins.len()), "{}", large.uins.len());
        }
    }

    proptest! {
        #[test]
        fn every_user_is_polled_by_exactly_one_shard(total in 1_u32..40, users_each in 1_u64..40) {
            let whole = config(users_each);
            let mut found = BTreeMap::new();
            for shard in shards(total) {
                let share = whole.clone().shard(shard);
                for user in users(&share.accounts) {
                    prop_assert_eq!(found.insert(user.clone(), shard), None, "{:?}", user);
                }
                for account in &share.accounts {
                    let divided = account.shard_by == ShardBy::User;
                    prop_assert_eq!(account.rate_share().get(), if divided { total } else { 1 });
                    // Users in a file are divided like those in the list.
                    prop_assert!(account.uins.iter().all(|uin| account.owns(*uin)));
                    let others = whole.accounts[0].uins.difference(&account.uins).filter(|uin| account.owns(**uin));
                    prop_assert_eq!(others.count(), 0);
                }
            }
            prop_assert_eq!(found.into_keys().collect::<Vec<_>>(), {
                let mut all: Vec<_> = users(&whole.accounts).collect();
                all.sort();
                all
            });
        }
    }
}
