//! What one sweep over all accounts has found: every key with its findings, and every user and listing that failed.
//! `inventory::assessment` decides what is true; this only puts it in order.
//!
//! - [`key`] has the keys, and their order.
//! - [`failure`] says why there are none of a user, or no list of users.
//! - [`json`] is the shape that programs read, and [`csv`] the same for spreadsheets; `list` of the command line draws the
//!   table.

pub mod csv;
pub mod failure;
pub mod json;
pub mod key;

use jiff::Timestamp;

pub use failure::{FailedListing, Failure, Why};
pub use key::{KeyReport, Order};
use tencentcloud_api::Uin;

use crate::{
    app::Swept,
    inventory::{
        AccountName, AccountSettings, Exemption,
        assessment::{AccountProblem, Assessment, Finding, Moment, UserState},
    },
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
    /// The worst first, unless [sorted](Self::sort) otherwise.
    pub keys: Vec<KeyReport>,
    /// Whether it is known of any key when it was last used.
    pub knows_last_use: bool,
    /// Users who could not be polled, in the order of the configuration and of their UINs.
    pub failures: Vec<Failure>,
    /// Exemptions that have ended, in the order of the configuration and of UINs.
    pub ended_exemptions: Vec<EndedExemption>,
    /// Listings that failed, in the order of the configuration.
    pub failed_listings: Vec<FailedListing>,
}

/// A user's exemption that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedExemption {
    /// The account.
    pub account: AccountName,
    /// The user.
    pub uin: Uin,
    /// What the user is called, where that is known.
    pub user_name: Option<String>,
    /// What it was exempt from, until when, and why.
    pub exemption: Exemption,
}

/// An account.
#[derive(Debug)]
pub struct AccountReport {
    /// Its name.
    pub name: AccountName,
    /// What is expected of its keys.
    pub settings: AccountSettings,
    /// What is true of it.
    pub assessment: Assessment,
}

// === impl Report ===

impl Report {
    /// Of what a sweep has found.
    #[must_use]
    pub fn of(swept: &Swept) -> Self {
        let Swept { inventory, at, is_whole } = swept;
        let mut report = Self {
            made: *at,
            is_whole: *is_whole,
            accounts: vec![],
            keys: vec![],
            knows_last_use: false,
            failures: vec![],
            ended_exemptions: vec![],
            failed_listings: vec![],
        };
        for account in inventory.accounts() {
            let (name, settings, now) = (account.name(), account.settings(), account.correct(*at));
            let (users, listings) = (account.snapshot(), account.listings());
            let assessment = account.assess(&users, Moment::now(*at));
            for (uin, user) in users.iter() {
                report.keys.extend(KeyReport::of_user(name, (uin, user), &settings, now));
                let ended = user.policy(&settings).exemptions.iter().filter(|exemption| exemption.has_ended(now));
                report.ended_exemptions.extend(ended.map(|exemption| EndedExemption {
                    account: name.clone(),
                    uin,
                    user_name: user.name.as_deref().map(str::to_owned),
                    exemption: exemption.clone(),
                }));
                if user.state() != UserState::Up {
                    report.failures.push(Failure::of(name, uin, user));
                }
            }
            report.failed_listings.extend(assessment.problems.iter().filter_map(|problem| {
                let AccountProblem::ListingFailed(listing) = *problem else { return None };
                let failure = listings.get(listing).failure.clone()?;
                Some(FailedListing { account: name.clone(), listing, failure })
            }));
            report.accounts.push(AccountReport { name: name.clone(), settings, assessment });
        }
        report.knows_last_use = report.keys.iter().any(|key| key.last_used.is_some());
        report.sort(Order::Worst);
        report
    }

    /// Puts the keys in this order.
    pub fn sort(&mut self, order: Order) {
        order.sort(&mut self.keys);
    }

    /// Leaves only keys with findings.
    pub fn retain_findings(&mut self) {
        self.keys.retain(|key| !key.findings.is_empty());
    }

    /// Whether it says of every user which keys there are: every listing succeeded, every user was answered about, and the
    /// sweep was not stopped. That a user does not exist is an answer.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_whole && self.failed_listings.is_empty() && self.failures.iter().all(Failure::is_missing)
    }

    /// Whether a listing of users failed, so that there may be unknown users.
    #[must_use]
    pub fn may_lack_users(&self) -> bool {
        self.failed_listings.iter().any(|failed| failed.listing.finds_users())
    }

    /// How many users there are.
    #[must_use]
    pub fn users(&self) -> usize {
        self.accounts.iter().map(|account| account.assessment.users.total).sum()
    }

    /// How many keys there are, with or without findings.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.accounts.iter().map(|account| account.assessment.keys.total).sum()
    }

    /// How many keys have a finding that is not reported.
    #[must_use]
    pub fn exempt_keys(&self) -> usize {
        self.accounts.iter().map(|account| account.assessment.keys.exempt).sum()
    }

    /// How many keys have this finding.
    #[must_use]
    pub fn count(&self, finding: Finding) -> usize {
        self.accounts.iter().map(|account| account.assessment.keys.with(finding)).sum()
    }
}
