//! What is known of a user and its keys.

use std::sync::Arc;

use compact_str::CompactString;
use jiff::Timestamp;
use tencentcloud_api::{KeyStatus, LastUse};

use super::{AtomicTime, Failure, Policy};

/// What is known of a user. Starts with nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Whether the last poll brought the user's keys; nothing before the first poll has ended.
    pub up: Option<bool>,
    /// When the API last answered about the user.
    pub answered: AtomicTime,
    /// The keys of the last answer, sorted by label; none before the first answer, or if the user does not exist.
    /// While answers have the same keys, this stays the same allocation, so a reader can compare pointers.
    pub keys: Option<Arc<[Key]>>,
    /// Why the last poll brought no keys, where it did not. Not kept over a restart.
    pub failure: Option<Box<Failure>>,
    /// What the account calls the user, where that is known.
    pub name: Option<Arc<str>>,
    /// Whether the user may log in to the console, where that is known.
    pub console_login: Option<bool>,
    /// What is expected of its keys, where that is not the account's policy.
    pub policy: Option<Arc<Policy>>,
}

/// An access key as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The label `access_key_id`; no two keys of a user share one. Up to 24 bytes are held without an allocation, and most
    /// have 16.
    pub label: CompactString,
    /// The last answered status.
    pub status: KeyStatus,
    /// When the key was made.
    pub created: Timestamp,
    /// When it was last used, as last answered; nothing before the first answer.
    pub last_use: Option<LastUse>,
}

// === impl User ===

impl User {
    /// Whether anything is known of it that is worth saving.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let Self { up, answered, keys, failure, name, console_login, policy: _ } = self;
        up.is_some()
            || answered.get().is_some()
            || keys.is_some()
            || failure.is_some()
            || name.is_some()
            || console_login.is_some()
    }

    /// What of it does not come from polls.
    pub(super) fn configured(&self) -> Self {
        let Self { up: _, answered: _, keys: _, failure: _, name, console_login, policy } = self;
        Self { name: name.clone(), console_login: *console_login, policy: policy.clone(), ..Self::default() }
    }

    /// What of it comes from polls, with what of `other` does not.
    pub(super) fn with_configured(self, other: &Self) -> Self {
        let Self { up, answered, keys, failure, name: _, console_login: _, policy: _ } = self;
        Self { up, answered, keys, failure, ..other.configured() }
    }
}
