//! The data of users and keys, and its age. It has no clock: times are parameters.
//!
//! After a failure, the data stays true:
//! - a success replaces all keys of a user;
//! - a failure keeps the last keys and the time of the last success, and marks the user down;
//! - that a user does not exist is an answer: the keys are removed;
//! - a user without an answer is unknown, which is not the same as a user without keys.

mod account;
pub mod assessment;
mod atomic_time;
mod changed;
mod coverage;
mod failure;
mod listing;
mod names;
mod pace;
mod policy;
mod progress;
mod settings;
mod snapshot;
mod sources;
mod user;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use parking_lot::RwLock;

pub use account::{Account, CredentialProblem};
pub use atomic_time::AtomicTime;
pub use coverage::Covered;
pub use failure::Failure;
pub use listing::{ConfiguredListings, Listing, ListingFailure, ListingState, Listings, error_text};
pub use names::{AccountName, IdLabel, NotAnAccountName, NotAnIdLabel};
pub use pace::Pace;
pub use policy::{Exemption, Override, Policy};
pub use progress::{Progress, SILENCE, Sweep};
pub use settings::AccountSettings;
pub use snapshot::Snapshot;
pub use sources::{Found, FoundUser, Sources};
use tencentcloud_api::Uin;
pub use user::{Key, User};

use self::changed::Changed;

/// Every account.
#[derive(Debug)]
pub struct Inventory {
    accounts: RwLock<Vec<Arc<Account>>>,
    shard: AtomicU32,
    changed: Changed,
}

/// The users of an account, in the order of their UINs. A change replaces a user that a reader still holds, and what readers
/// hold stays the same.
pub type Users = BTreeMap<Uin, Arc<User>>;

// === impl Inventory ===

impl Inventory {
    /// An inventory of these accounts, in the order of the configuration.
    #[must_use]
    pub fn new(accounts: Vec<Arc<Account>>) -> Self {
        Self { accounts: RwLock::new(accounts), shard: AtomicU32::new(0), changed: Changed::now() }
    }

    /// Zero-based ordinal of this shard.
    #[must_use]
    pub fn shard(&self) -> u32 {
        self.shard.load(Ordering::Relaxed)
    }

    /// Sets the zero-based ordinal of this shard.
    pub fn set_shard(&self, ordinal: u32) {
        self.shard.store(ordinal, Ordering::Relaxed);
    }

    /// The accounts, in the order of the configuration.
    #[must_use]
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.read().clone()
    }

    /// A number that differs after every change of the inventory.
    #[must_use]
    pub fn changes(&self) -> u64 {
        let accounts = self.accounts.read();
        accounts.iter().map(|account| account.changes()).fold(self.changed.last(), u64::max)
    }

    /// Replaces the accounts.
    pub fn set_accounts(&self, accounts: Vec<Arc<Account>>) {
        *self.accounts.write() = accounts;
        self.changed.again();
    }
}
