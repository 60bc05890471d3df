//! Remembers which passwords were right and which were wrong, so that bcrypt judges each but once.
//!
//! Each user's last right password has a place of its own: neither wrong ones nor other users push it out, so trying
//! passwords by the thousand does not make a scraper wait.

use std::collections::{BTreeMap, VecDeque};

use super::users::Users;

/// The most wrong ones that are remembered.
const MAX_WRONG: usize = 100;

/// A keyed hash of a user, a password hash and a password.
pub(super) type Digest = [u8; 32];

/// The cache.
#[derive(Debug, Default)]
pub(super) struct PasswordCache {
    right: BTreeMap<String, Digest>,
    /// The oldest first.
    wrong: VecDeque<Digest>,
}

// === impl PasswordCache ===

impl PasswordCache {
    /// Whether it was right, if that is remembered.
    pub(super) fn get(&self, digest: &Digest) -> Option<bool> {
        // Digests cannot be chosen without the key, so the duration of a lookup reveals nothing.
        if self.right.values().any(|right| right == digest) {
            return Some(true);
        }
        self.wrong.contains(digest).then_some(false)
    }

    /// Remembers that it was the right one of `user`.
    pub(super) fn remember_right(&mut self, user: &str, digest: Digest) {
        self.right.insert(user.to_owned(), digest);
    }

    /// Remembers that it was wrong.
    pub(super) fn remember_wrong(&mut self, digest: Digest) {
        if self.wrong.len() == MAX_WRONG {
            self.wrong.pop_front();
        }
        self.wrong.push_back(digest);
    }

    /// Forgets those of users that are gone.
    pub(super) fn keep_only(&mut self, users: &Users) {
        if self.right.len() > users.len() {
            self.right.retain(|user, _| users.contains_key(user));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u16) -> Digest {
        let mut digest = [0; 32];
        digest[..2].copy_from_slice(&number.to_le_bytes());
        digest
    }

    #[test]
    fn wrong_ones_displace_no_right_one_and_all_are_bounded() {
        let mut cache = PasswordCache::default();
        cache.remember_right("alice", digest(0));
        for number in 1..10_000 {
            cache.remember_wrong(digest(number));
        }
        assert_eq!(cache.get(&digest(0)), Some(true));
        assert_eq!(cache.get(&digest(1)), None);
        assert_eq!(cache.get(&digest(9_999)), Some(false));
        assert_eq!(cache.wrong.len(), MAX_WRONG);
    }

    /// bcrypt reads 72 bytes, so a user with a longer password has any number of right ones.
    #[test]
    fn a_user_with_many_right_passwords_displaces_no_other_user() {
        let mut cache = PasswordCache::default();
        cache.remember_right("alice", digest(0));
        for number in 1..10_000 {
            cache.remember_right("mallory", digest(number));
        }
        assert_eq!((cache.get(&digest(0)), cache.get(&digest(9_999))), (Some(true), Some(true)));
        assert_eq!(cache.right.len(), 2);
        cache.keep_only(&Users::new());
        assert_eq!(cache.right.len(), 0);
    }
}
