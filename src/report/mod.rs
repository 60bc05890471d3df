//! What one sweep over all accounts has found: every key with what is to be said of it, and every user who could not be
//! polled.
//!
//! - [`key`] judges keys.
//! - [`failure`] says why there are none of a user.
//! - [`json`] is the shape that programs read; `list` of the command line draws the table.

pub mod failure;
pub mod json;
pub mod key;

use jiff::Timestamp;

pub use failure::{Failure, Why};
pub use key::KeyReport;

use crate::{
    app::Swept,
    inventory::{AccountName, Facts, assessment::Finding},
};

/// Everything that was found.
#[derive(Debug)]
pub struct Report {
    /// When, by the machine's clock.
    pub made: Timestamp,
    /// Whether the sweep came to its end.
    pub is_whole: bool,
    /// In the order of the configuration.
    pub accounts: Vec<AccountReport>,
    /// The worst first.
    pub keys: Vec<KeyReport>,
    /// Users who could not be polled, in the order of the configuration and of their UINs.
    pub failures: Vec<Failure>,
    /// Accounts whose users could not be found, in whole or in part.
    pub unfound: Vec<AccountName>,
}

/// An account.
#[derive(Debug)]
pub struct AccountReport {
    /// Its name.
    pub name: AccountName,
    /// What is expected of its keys.
    pub facts: Facts,
    /// How many users it has.
    pub users: usize,
}

// === impl Report ===

impl Report {
    /// Of what a sweep has found.
    #[must_use]
    pub fn of(swept: &Swept) -> Self {
        let Swept { inventory, unfound, at, is_whole } = swept;
        let mut report = Self {
            made: *at,
            is_whole: *is_whole,
            accounts: vec![],
            keys: vec![],
            failures: vec![],
            unfound: unfound.clone(),
        };
        for account in inventory.accounts() {
            let (name, facts, now) = (account.name(), account.facts(), account.correct(*at));
            let mut users = 0;
            account.each_user(|uin, user| {
                users += 1;
                report.keys.extend(KeyReport::of_user(name, (uin, user), &facts, now));
                if user.keys.is_none() {
                    report.failures.push(Failure::of(name, uin, user));
                }
            });
            report.accounts.push(AccountReport { name: name.clone(), facts, users });
        }
        report.keys.sort_by_cached_key(KeyReport::rank);
        report
    }

    /// How many keys there is something of this kind to say of.
    #[must_use]
    pub fn count(&self, finding: Finding) -> usize {
        self.keys.iter().filter(|key| key.findings.contains(finding)).count()
    }

    /// Whether it is known of any key when it was last used.
    #[must_use]
    pub fn knows_last_use(&self) -> bool {
        self.keys.iter().any(|key| key.last_used.is_some())
    }
}
