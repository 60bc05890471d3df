//! The worst few of many, found without sorting the many.

use std::collections::BTreeMap;

/// The most that a list shows.
pub(super) const SHOWN: usize = 50;

/// The entries of the highest ranks, and how many there were in all. No two entries have one rank.
#[derive(Debug)]
pub(super) struct TopN<R, T> {
    kept: BTreeMap<R, T>,
    of: usize,
}

// === impl TopN ===

impl<R: Ord, T> TopN<R, T> {
    /// Here is another. It is made only if it is kept.
    pub(super) fn offer(&mut self, rank: R, entry: impl FnOnce() -> T) {
        self.of += 1;
        if self.kept.len() == SHOWN {
            if self.kept.first_key_value().is_some_and(|(least, _)| *least > rank) {
                return;
            }
            self.kept.pop_first();
        }
        self.kept.insert(rank, entry());
    }

    /// Those that are kept, the worst first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.kept.values().rev()
    }

    /// How many are kept.
    pub(super) fn shown(&self) -> usize {
        self.kept.len()
    }

    /// How many there were.
    pub(super) fn of(&self) -> usize {
        self.of
    }
}

impl<R, T> Default for TopN<R, T> {
    /// None yet.
    fn default() -> Self {
        Self { kept: BTreeMap::new(), of: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_ranks_are_kept_and_all_are_counted() {
        let mut worst = TopN::default();
        // Every rank below 1,000 once, in no order.
        for n in 0..1_000_u32 {
            let rank = n * 617 % 1_000;
            worst.offer(rank, || rank);
        }
        assert_eq!((worst.shown(), worst.of()), (SHOWN, 1_000));
        assert!(worst.iter().copied().eq((950..1_000).rev()));
    }

    #[test]
    fn few_are_all_kept() {
        let mut worst = TopN::default();
        for rank in [2, 3, 1] {
            worst.offer(rank, || rank);
        }
        assert!(worst.iter().copied().eq([3, 2, 1]));
        assert_eq!((worst.shown(), worst.of()), (3, 3));
    }
}
