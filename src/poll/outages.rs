//! Logs what fails, and when it is over: once, not once a poll.
//!
//! What is wrong with one user is told for each. What is wrong with the account or the way to the API befalls all of its
//! users alike, and is told for the first of them.

use std::{collections::HashMap, fmt};

use tracing::{debug, info, warn};

use crate::{
    inventory::AccountName,
    tencent::{Reason, Uin},
};

/// The users of an account whose last poll failed.
#[derive(Debug)]
pub struct Outages {
    account: AccountName,
    down: HashMap<Uin, Reason>,
    users: HashMap<Reason, usize>,
}

// === impl Outages ===

impl Outages {
    /// Of an account where nothing has failed yet.
    #[must_use]
    pub fn of(account: AccountName) -> Self {
        Self { account, down: HashMap::new(), users: HashMap::new() }
    }

    /// A poll of the user failed.
    pub fn began(&mut self, uin: Uin, reason: Reason, error: &impl fmt::Display) {
        let before = self.down.insert(uin, reason);
        if before == Some(reason) {
            debug!(account = %self.account, %uin, reason = reason.label(), %error, "polling the user still fails");
            return;
        }
        if let Some(before) = before {
            self.one_less(before);
        }
        let users = self.users.entry(reason).or_default();
        *users += 1;
        if reason.is_the_user_s() {
            warn!(account = %self.account, %uin, reason = reason.label(), %error, "polling the user failed");
        } else if *users == 1 {
            warn!(account = %self.account, %uin, reason = reason.label(), %error, "polling the account fails");
        } else {
            debug!(account = %self.account, %uin, reason = reason.label(), %error, "polling the user failed too");
        }
    }

    /// A poll of the user succeeded.
    pub fn over(&mut self, uin: Uin) {
        let Some(reason) = self.down.remove(&uin) else { return };
        let left = self.one_less(reason);
        if reason.is_the_user_s() {
            info!(account = %self.account, %uin, reason = reason.label(), "polling the user succeeds again");
        } else if left == 0 {
            info!(account = %self.account, reason = reason.label(), "polling the account succeeds again");
        }
    }

    /// Forgets the users that are no longer there.
    pub fn retain(&mut self, is_there: impl Fn(Uin) -> bool) {
        let gone: Vec<(Uin, Reason)> =
            self.down.iter().filter(|(uin, _)| !is_there(**uin)).map(|(uin, reason)| (*uin, *reason)).collect();
        for (uin, reason) in gone {
            self.down.remove(&uin);
            self.one_less(reason);
        }
    }

    /// Tells how many users are left that fail for the reason.
    fn one_less(&mut self, reason: Reason) -> usize {
        let users = self.users.entry(reason).or_default();
        *users = users.saturating_sub(1);
        *users
    }
}
