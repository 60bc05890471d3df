//! Whose turn it is.
//!
//! Every user has a place in the interval, evenly spaced in the order of the UINs, so load is flat. The first sweep does
//! not wait for the places: it goes as fast as the budget allows. From then on a user is due once an interval, at its
//! place; one whose turn has passed unused, for want of budget, takes the next one rather than two at once. Whoever has
//! been due longest goes first, and a retry only when nobody is due: the users that fail do not hold up the others.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use tokio::time::Instant;

use crate::tencent::{Connection, Uin};

/// The turns of an account's users.
#[derive(Debug)]
pub struct Schedule {
    start: Instant,
    interval: Duration,
    users: Vec<UserTurns>,
    due: BinaryHeap<Reverse<(Instant, Slot)>>,
    retries: BinaryHeap<Reverse<(Instant, Slot)>>,
    sweep: Sweep,
}

/// A user's number in the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(usize);

/// Who goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This one, now.
    Now(Slot),
    /// Nobody before this time.
    At(Instant),
    /// Nobody until one of those under way is back.
    Nobody,
}

#[derive(Debug)]
struct UserTurns {
    uin: Uin,
    /// Which interval since the start the user's turn is in.
    interval: u32,
    /// Retries since the last turn.
    retries: u32,
    /// Whether the turn of the sweep under way is still to come.
    awaited: bool,
    /// Whether the last request was lost with the connection it went over.
    lost: bool,
}

/// A sweep: every user once.
#[derive(Debug)]
struct Sweep {
    started: Instant,
    awaited: usize,
}

// === impl Schedule ===

impl Schedule {
    /// Of these users, each once an interval, from now on.
    #[must_use]
    pub fn new(users: impl IntoIterator<Item = Uin>, interval: Duration) -> Self {
        let start = Instant::now();
        let users: Vec<UserTurns> = users
            .into_iter()
            .map(|uin| UserTurns { uin, interval: 0, retries: 0, awaited: true, lost: false })
            .collect();
        let due = (0..users.len()).map(|user| Reverse((start, Slot(user)))).collect();
        let sweep = Sweep { started: start, awaited: users.len() };
        Self { start, interval, users, due, retries: BinaryHeap::new(), sweep }
    }

    /// Who goes next. Stays so until [`Self::begin`].
    #[must_use]
    pub fn next(&self) -> Next {
        let now = Instant::now();
        let (due, retry) = (self.due.peek().map(|next| next.0), self.retries.peek().map(|next| next.0));
        let ready = |turn: &(Instant, Slot)| turn.0 <= now;
        match due.filter(ready).or(retry.filter(ready)) {
            Some((_, slot)) => Next::Now(slot),
            None => due.into_iter().chain(retry).map(|(at, _)| at).min().map_or(Next::Nobody, Next::At),
        }
    }

    /// When the turn that has waited longest was due, or the next one will be.
    #[must_use]
    pub fn earliest_due(&self) -> Option<Instant> {
        self.due.peek().map(|next| next.0.0)
    }

    /// The user of a slot.
    #[must_use]
    pub fn uin(&self, slot: Slot) -> Uin {
        self.users[slot.0].uin
    }

    /// The user that [`Self::next`] named goes. Tells over which connection.
    pub fn begin(&mut self, slot: Slot) -> Connection {
        for turns in [&mut self.due, &mut self.retries] {
            if turns.peek().is_some_and(|next| next.0.1 == slot) {
                turns.pop();
                break;
            }
        }
        if std::mem::take(&mut self.users[slot.0].lost) { Connection::Fresh } else { Connection::Pooled }
    }

    /// The user goes once more, at once and over a fresh connection: the one that its request went over was closed.
    pub fn again(&mut self, slot: Slot) {
        self.users[slot.0].lost = true;
        self.due.push(Reverse((Instant::now(), slot)));
    }

    /// The user is back, and need not be asked before its next turn.
    pub fn done(&mut self, slot: Slot) {
        let next = self.next_turn(slot);
        let user = &mut self.users[slot.0];
        user.interval = next;
        user.retries = 0;
        let at = self.turn(slot, next);
        self.due.push(Reverse((at, slot)));
    }

    /// The user is back with a failure that may pass: it goes again after `wait`, told how many retries there were
    /// since its turn, unless its next turn comes first.
    pub fn retry(&mut self, slot: Slot, wait: impl FnOnce(u32) -> Duration) {
        let at = Instant::now() + wait(self.users[slot.0].retries);
        if at < self.turn(slot, self.next_turn(slot)) {
            self.users[slot.0].retries += 1;
            self.retries.push(Reverse((at, slot)));
        } else {
            self.done(slot);
        }
    }

    /// Notes that the user has been asked. Tells how long the sweep took when it was the last of one.
    pub fn swept(&mut self, slot: Slot) -> Option<Duration> {
        if !std::mem::take(&mut self.users[slot.0].awaited) {
            return None;
        }
        self.sweep.awaited -= 1;
        if self.sweep.awaited > 0 {
            return None;
        }
        let now = Instant::now();
        let took = now.duration_since(self.sweep.started);
        self.users.iter_mut().for_each(|user| user.awaited = true);
        self.sweep = Sweep { started: now, awaited: self.users.len() };
        Some(took)
    }

    /// The interval of the user's next turn: the one after its last, or a later one where that has passed already.
    fn next_turn(&self, slot: Slot) -> u32 {
        let since_place = Instant::now().saturating_duration_since(self.turn(slot, 0));
        let passed = since_place.as_nanos() / self.interval.as_nanos();
        let coming = u32::try_from(passed).unwrap_or(u32::MAX - 1) + 1;
        coming.max(self.users[slot.0].interval + 1)
    }

    fn turn(&self, slot: Slot, interval: u32) -> Instant {
        let place = self.interval.mul_f64(slot.share(self.users.len()));
        self.start + self.interval * interval + place
    }
}

// === impl Slot ===

impl Slot {
    #[expect(clippy::cast_precision_loss, reason = "numbers of users are far below 2^52")]
    fn share(self, users: usize) -> f64 {
        self.0 as f64 / users as f64
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep_until};

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn schedule(users: u64) -> Schedule {
        Schedule::new((1..=users).map(|uin| Uin::try_from(uin).unwrap()), INTERVAL)
    }

    /// The next one, when its time has come, which is told in seconds since the start.
    async fn next(schedule: &mut Schedule) -> (u64, Slot) {
        loop {
            match schedule.next() {
                Next::Now(slot) => {
                    schedule.begin(slot);
                    return (schedule.start.elapsed().as_secs(), slot);
                }
                Next::At(at) => sleep_until(at).await,
                Next::Nobody => panic!("nobody left"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_sweep_is_at_once_and_later_ones_are_spread_evenly() {
        let mut schedule = schedule(3);
        let mut turns = vec![];
        for _ in 0..9 {
            let (at, slot) = next(&mut schedule).await;
            turns.push((at, slot.0));
            schedule.done(slot);
        }
        let even = |k: u64| [(30 * k, 0), (30 * k + 10, 1), (30 * k + 20, 2)];
        assert_eq!(turns, [vec![(0, 0), (0, 1), (0, 2)], even(1).into(), even(2).into()].concat());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_missed_is_not_made_up_for() {
        let mut schedule = schedule(1);
        let (_, slot) = next(&mut schedule).await;
        advance(Duration::from_secs(100)).await;
        schedule.done(slot);
        assert_eq!(next(&mut schedule).await.0, 120);
    }

    #[tokio::test(start_paused = true)]
    async fn with_too_little_budget_everybody_gets_a_turn_in_turn() {
        let mut schedule = schedule(50);
        let mut asked = [0u32; 50];
        for _ in 0..500 {
            let (_, slot) = next(&mut schedule).await;
            asked[slot.0] += 1;
            advance(Duration::from_secs(1)).await;
            schedule.done(slot);
        }
        assert_eq!(asked, [10; 50]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_comes_within_the_interval_or_not_at_all() {
        let mut schedule = schedule(1);
        let (_, slot) = next(&mut schedule).await;
        schedule.retry(slot, |retry| Duration::from_secs(20 + u64::from(retry)));
        assert_eq!(next(&mut schedule).await.0, 20);
        schedule.retry(slot, |retry| Duration::from_secs(20 + u64::from(retry)));
        assert_eq!(next(&mut schedule).await.0, 30, "41 s is past the next turn");
        schedule.retry(slot, |retry| Duration::from_secs(20 + u64::from(retry)));
        assert_eq!(next(&mut schedule).await.0, 50, "a new turn counts its retries anew");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_due_goes_before_who_retries() {
        let mut schedule = schedule(2);
        let (_, failing) = next(&mut schedule).await;
        schedule.retry(failing, |_| Duration::ZERO);
        let (_, second) = next(&mut schedule).await;
        assert_ne!(second, failing);
        assert_eq!(next(&mut schedule).await.1, failing);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_lost_with_its_connection_goes_again_at_once_over_a_fresh_one() {
        let mut schedule = schedule(1);
        let Next::Now(slot) = schedule.next() else { panic!("nobody is due") };
        assert_eq!(schedule.begin(slot), Connection::Pooled);
        schedule.again(slot);
        assert_eq!(schedule.next(), Next::Now(slot));
        assert_eq!(schedule.begin(slot), Connection::Fresh);
        schedule.done(slot);
        sleep_until(schedule.earliest_due().unwrap()).await;
        assert_eq!(schedule.begin(slot), Connection::Pooled);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sweep_ends_with_the_last_user_asked() {
        let mut schedule = schedule(2);
        let (_, first) = next(&mut schedule).await;
        assert_eq!(schedule.swept(first), None);
        assert_eq!(schedule.swept(first), None, "a retry is no other user");
        let (_, second) = next(&mut schedule).await;
        advance(Duration::from_secs(7)).await;
        assert_eq!(schedule.swept(second), Some(Duration::from_secs(7)));
        advance(Duration::from_secs(5)).await;
        assert_eq!((schedule.swept(second), schedule.swept(first)), (None, Some(Duration::from_secs(5))));
    }
}
