//! The order in which waiting passwords are checked.
//!
//! Nothing tells a right password from a wrong one before it is checked, so the order goes by what is known: sources
//! take turns, and of the connections from one source, those with fewer failures go first. Among equals, the newest and the
//! oldest alternate: clients that wait for their answers before they try again cannot keep a newcomer waiting, and whatever
//! they do, each password is checked in the end, as every fourth turn belongs to the one that has waited longest.

use std::{collections::BTreeMap, sync::Arc};

use super::peer::{Peer, Source};

/// The most sources that are remembered.
const MAX_SOURCES: usize = 1024;

/// Those that wait, the oldest first.
#[derive(Debug)]
pub(super) struct Line<T> {
    /// The most that wait.
    capacity: usize,
    waiting: Vec<Waiting<T>>,
    turns: u64,
    /// The last turn of each source.
    last_turns: BTreeMap<Source, u64>,
}

#[derive(Debug)]
struct Waiting<T> {
    peer: Arc<Peer>,
    /// The failures of the connection, and how many of its passwords already waited.
    strikes: usize,
    item: T,
}

// === impl Line ===

impl<T> Line<T> {
    /// One in which at most `capacity` wait.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, waiting: vec![], turns: 0, last_turns: BTreeMap::new() }
    }

    /// Adds `item`, from `peer`. Where the line is full, the newest of those with the most strikes is dropped.
    pub(super) fn join(&mut self, peer: &Arc<Peer>, item: T) {
        let ahead = self.waiting.iter().filter(|waiting| Arc::ptr_eq(&waiting.peer, peer)).count();
        let strikes = peer.failures() as usize + ahead;
        self.waiting.push(Waiting { peer: Arc::clone(peer), strikes, item });
        if self.waiting.len() > self.capacity {
            let worst = (0..self.waiting.len()).max_by_key(|index| (self.waiting[*index].strikes, *index));
            worst.map(|index| self.waiting.remove(index));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Removes those that `leaves` is true of.
    pub(super) fn remove_if(&mut self, mut leaves: impl FnMut(&T) -> bool) -> Vec<T> {
        self.waiting.extract_if(.., |waiting| leaves(&waiting.item)).map(|waiting| waiting.item).collect()
    }

    /// Removes the one whose turn it is.
    pub(super) fn next(&mut self) -> Option<T> {
        let turn = self.turns + 1;
        let index = if turn.is_multiple_of(4) {
            0
        } else {
            (0..self.waiting.len()).min_by_key(|index| {
                let waiting = &self.waiting[*index];
                let last_turn = self.last_turns.get(&waiting.peer.source()).copied();
                let place = if turn.is_multiple_of(2) { *index } else { self.waiting.len() - index };
                (last_turn, waiting.strikes, place)
            })?
        };
        if index >= self.waiting.len() {
            return None;
        }
        self.turns = turn;
        let next = self.waiting.remove(index);
        self.last_turns.insert(next.peer.source(), turn);
        if self.last_turns.len() > MAX_SOURCES {
            let forgotten = turn.saturating_sub(MAX_SOURCES as u64 / 2);
            self.last_turns.retain(|_, last_turn| *last_turn > forgotten);
        }
        Some(next.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 512;

    fn peer(address: &str) -> Arc<Peer> {
        Peer::new(address.parse().unwrap())
    }

    /// The turn at which `"right"` is taken, where each turn is followed by what `refill` does.
    fn turns_until_right(line: &mut Line<&'static str>, mut refill: impl FnMut(&mut Line<&'static str>)) -> usize {
        for turn in 1..10_000 {
            if line.next().unwrap() == "right" {
                return turn;
            }
            refill(line);
        }
        panic!("never");
    }

    #[test]
    fn another_source_has_the_next_turn_but_one() {
        let mut line = Line::new(CAPACITY);
        let flood = |line: &mut Line<_>| line.join(&peer("192.0.2.1"), "wrong");
        (0..200).for_each(|_| flood(&mut line));
        for _ in 0..20 {
            line.next();
            flood(&mut line);
        }
        for _ in 0..10 {
            line.join(&peer("192.0.2.2"), "right");
            assert!(turns_until_right(&mut line, flood) <= 3);
        }
    }

    #[test]
    fn a_connection_without_failures_goes_before_those_with_failures_from_the_same_source() {
        let mut line = Line::new(CAPACITY);
        let kept: Vec<_> = (0..100).map(|_| peer("192.0.2.1")).collect();
        for one in &kept {
            one.record(false);
            line.join(one, "wrong");
        }
        let mut next = 0;
        let flood = |line: &mut Line<_>| {
            next += 1;
            line.join(&kept[next % 100], "wrong");
        };
        line.join(&peer("192.0.2.1"), "right");
        assert!(turns_until_right(&mut line, flood) <= 3);
    }

    #[test]
    fn a_connection_with_many_requests_at_once_counts_as_one() {
        let mut line = Line::new(CAPACITY);
        let multiplexed = peer("192.0.2.1");
        (0..200).for_each(|_| line.join(&multiplexed, "wrong"));
        line.join(&peer("192.0.2.1"), "right");
        assert!(turns_until_right(&mut line, |line| line.join(&multiplexed, "wrong")) <= 3);
    }

    #[test]
    fn from_the_same_source_and_over_new_connections_a_newcomer_goes_soon() {
        let mut line = Line::new(CAPACITY);
        (0..100).for_each(|_| line.join(&peer("192.0.2.1"), "wrong"));
        line.join(&peer("192.0.2.1"), "right");
        assert!(turns_until_right(&mut line, |_| {}) <= 2);
    }

    #[test]
    fn whatever_others_do_each_has_its_turn() {
        // All that the order goes by speaks against it: failures, a turn just had, and new sources all the time.
        let mut line = Line::new(CAPACITY);
        let failed = peer("192.0.2.1");
        line.join(&failed, "wrong");
        line.next();
        failed.record(false);
        let mut number = 0_u32;
        let mut flood = |line: &mut Line<_>| {
            number += 1;
            line.join(&peer(&std::net::Ipv4Addr::from_bits(number).to_string()), "wrong");
        };
        (0..100).for_each(|_| flood(&mut line));
        line.join(&failed, "right");
        assert!(turns_until_right(&mut line, flood) <= 4 * 101);
        assert!(line.last_turns.len() <= MAX_SOURCES);
    }

    #[test]
    fn a_full_line_drops_the_newest_with_the_most_strikes() {
        let mut line = Line::new(CAPACITY);
        let multiplexed = peer("192.0.2.1");
        (0..=CAPACITY).for_each(|number| line.join(&multiplexed, number));
        line.join(&peer("192.0.2.2"), 10_000);
        let mut left = line.remove_if(|_| true);
        assert_eq!(left.pop(), Some(10_000));
        assert_eq!(left, (0..CAPACITY - 1).collect::<Vec<_>>());
        assert_eq!(line.next(), None);
    }
}
