//! Logs when polls of a user begin to fail, and when they succeed again: once, not once a poll.
//!
//! An error of one user is logged for each user. An error of the account, or of the connection to the API, fails all polls of
//! the account: it is logged for the first two users.

use std::{collections::HashMap, fmt};

use tencentcloud_api::{Reason, Uin};
use tracing::{debug, info, warn};

use crate::inventory::AccountName;

/// The users of an account whose last poll failed.
#[derive(Debug)]
pub struct FailureLog {
    account: AccountName,
    down: HashMap<Uin, Reason>,
    users: HashMap<Reason, usize>,
}

// === impl FailureLog ===

impl FailureLog {
    /// No user of the account has failed yet.
    #[must_use]
    pub fn of(account: AccountName) -> Self {
        Self { account, down: HashMap::new(), users: HashMap::new() }
    }

    /// A poll of the user failed.
    pub fn record(&mut self, uin: Uin, reason: Reason, error: &impl fmt::Display) {
        let before = self.down.insert(uin, reason);
        if before == Some(reason) {
            debug!(account = %self.account, %uin, reason = reason.label(), %error, "poll still fails");
            return;
        }
        if let Some(before) = before {
            self.decrement(before);
        }
        let users = self.users.entry(reason).or_default();
        *users += 1;
        if reason.is_user_specific() {
            warn!(account = %self.account, %uin, reason = reason.label(), %error, "poll failed");
        } else {
            match *users {
                1 => warn!(account = %self.account, %uin, reason = reason.label(), %error, "poll failed"),
                2 => warn!(
                    account = %self.account, %uin, reason = reason.label(), %error,
                    "more polls of the account fail for the same reason: logging further ones at level debug"
                ),
                _ => {
                    debug!(account = %self.account, %uin, reason = reason.label(), %error, "poll failed too");
                }
            }
        }
    }

    /// A poll of the user succeeded.
    pub fn clear(&mut self, uin: Uin) {
        let Some(reason) = self.down.remove(&uin) else { return };
        let left = self.decrement(reason);
        if reason.is_user_specific() {
            info!(account = %self.account, %uin, reason = reason.label(), "poll succeeds again");
        } else if left == 0 {
            info!(account = %self.account, %uin, reason = reason.label(), "no poll of the account fails for this reason any more");
        }
    }

    /// Forgets the other users.
    pub fn retain(&mut self, is_there: impl Fn(Uin) -> bool) {
        let gone: Vec<(Uin, Reason)> =
            self.down.iter().filter(|(uin, _)| !is_there(**uin)).map(|(uin, reason)| (*uin, *reason)).collect();
        for (uin, reason) in gone {
            self.down.remove(&uin);
            self.decrement(reason);
        }
    }

    /// Returns how many users still fail for the reason.
    fn decrement(&mut self, reason: Reason) -> usize {
        let users = self.users.entry(reason).or_default();
        *users = users.saturating_sub(1);
        *users
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use parking_lot::Mutex;
    use tracing::subscriber::with_default;
    use tracing_subscriber::fmt;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged, from level info on, when so many users fail for a reason of the account and then succeed.
    fn logged(users: u64) -> String {
        let lines = Log::default();
        let writer = lines.clone();
        with_default(fmt().with_ansi(false).with_writer(move || writer.clone()).finish(), || {
            let mut log = FailureLog::of("prod".parse().unwrap());
            let uins: Vec<Uin> = (1..=users).map(|uin| uin.to_string().parse().unwrap()).collect();
            for uin in &uins {
                log.record(*uin, Reason::Timeout, &"no answer");
            }
            for uin in &uins {
                log.clear(*uin);
            }
        });
        let bytes = lines.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn failure_of_one_user_is_not_the_account_s() {
        let log = logged(1);
        assert!(log.contains("poll failed") && !log.contains("more polls"), "{log}");
    }

    #[test]
    fn failure_of_many_users_is_logged_for_two() {
        let log = logged(50);
        assert_eq!((log.matches("WARN").count(), log.matches("INFO").count()), (2, 1), "{log}");
        assert_eq!(log.matches("more polls of the account fail").count(), 1, "{log}");
    }
}
