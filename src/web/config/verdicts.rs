//! Remembers which passwords were right and which were wrong, so that bcrypt judges each but once.
//!
//! A password that was right is never forgotten for one that was wrong: whoever tries passwords by the thousand does not
//! make a scraper wait.

use std::collections::VecDeque;

/// The most that are remembered.
const MOST: usize = 100;

/// A keyed hash of a user, a password hash and a password.
pub(super) type Digest = [u8; 32];

/// The verdicts, each list with the oldest first.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    right: VecDeque<Digest>,
    wrong: VecDeque<Digest>,
}

// === impl Verdicts ===

impl Verdicts {
    /// Whether it was right, if that is remembered.
    pub(super) fn get(&self, digest: &Digest) -> Option<bool> {
        // Nobody can aim at a digest without the key, so how long this takes tells nothing.
        if self.right.contains(digest) {
            return Some(true);
        }
        self.wrong.contains(digest).then_some(false)
    }

    /// Remembers that it was `right`, or was not.
    pub(super) fn remember(&mut self, digest: Digest, right: bool) {
        let full = self.right.len() + self.wrong.len() == MOST;
        if full && self.wrong.pop_front().is_none() {
            if !right {
                return;
            }
            self.right.pop_front();
        }
        if right { &mut self.right } else { &mut self.wrong }.push_back(digest);
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
        let mut verdicts = Verdicts::default();
        verdicts.remember(digest(0), true);
        for number in 1..10_000 {
            verdicts.remember(digest(number), false);
        }
        assert_eq!(verdicts.get(&digest(0)), Some(true));
        assert_eq!(verdicts.get(&digest(1)), None);
        assert_eq!(verdicts.get(&digest(9_999)), Some(false));
        assert_eq!(verdicts.right.len() + verdicts.wrong.len(), MOST);
    }

    #[test]
    fn with_right_ones_alone_the_oldest_makes_room() {
        let mut verdicts = Verdicts::default();
        for number in 0..=100 {
            verdicts.remember(digest(number), true);
        }
        verdicts.remember(digest(101), false);
        assert_eq!((verdicts.get(&digest(0)), verdicts.get(&digest(101))), (None, None));
        assert_eq!((verdicts.right.len(), verdicts.wrong.len()), (MOST, 0));
    }
}
