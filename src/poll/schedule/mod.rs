//! Whose turn it is.
//!
//! Every user has a phase, a place in the interval. It is a hash of who the user is, and the intervals are counted from the
//! Unix epoch, so load is flat and a restart moves nobody. Only the first turn is not at its phase: the first sweep goes
//! as fast as the budget allows.
//!
//! When the budget is short, turns wait. Of those that wait, the user that was never asked goes first, then the one
//! whose last turn is longest ago. For users that are answered that is the one longest without success; one that fails
//! has had its turn, or those that fail would starve the others. A retry goes only when no turn waits. A throttled user
//! keeps its turn, but is asked after ever longer waits, and behind those that were never asked: one that is throttled
//! each time must not starve the others either.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tencentcloud_api::{Connection, Uin};
use tokio::time::Instant;

use crate::inventory::{self, AccountName};

/// The longest that a user who fails for good waits to be asked again, unless the interval itself is longer.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The turns of an account's users.
#[derive(Debug)]
pub struct Schedule {
    account: AccountName,
    interval: Duration,
    start: Instant,
    /// The time of day at the start, since the Unix epoch.
    epoch: Duration,
    users: HashMap<Uin, User>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    ready: BinaryHeap<Reverse<Ready>>,
    stamps: u64,
    sweep: Sweep,
}

/// A user's slot. Its result is reported once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    uin: Uin,
    /// Which of all turns it is. A user has one at a time; those it had before count for nothing.
    stamp: u64,
}

/// Who goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This one, now.
    Now(Slot),
    /// Idle before this time.
    At(Instant),
    /// Idle until one of those under way is back.
    Idle,
}

#[derive(Debug)]
struct User {
    /// The phase, in units of 2^-64 intervals.
    phase: u64,
    stamp: u64,
    under_way: bool,
    /// When its turn was, or will be, due.
    due: Instant,
    /// When it last had a turn, in milliseconds since the start; nothing if it never had one.
    last: Option<i64>,
    /// How often in a row it failed for good.
    failures: u32,
    /// Retries since its turn.
    retries: u32,
    /// How often its turn was postponed.
    postponed: u32,
    /// Whether its last request was lost with the connection it went over.
    lost: bool,
    /// Whether the sweep under way still waits for it.
    awaited: bool,
}

/// Turns go before retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Slot,
    Retry,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    until: Instant,
    class: Class,
    turn: Slot,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ready {
    class: Class,
    last: Option<i64>,
    postponed: u32,
    turn: Slot,
}

/// A sweep: every user once, but for those that fail for good.
#[derive(Debug)]
struct Sweep {
    started: Instant,
    asked: usize,
    awaited: usize,
    /// When the last of those awaited is due.
    last_due: Instant,
}

// === impl Schedule ===

impl Schedule {
    /// Of an account's users, of whom there are none yet, each once an interval. The time of day is `now`.
    #[must_use]
    pub fn new(account: AccountName, interval: Duration, now: Timestamp) -> Self {
        let start = Instant::now();
        Self {
            account,
            interval,
            start,
            epoch: Duration::try_from(now.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default(),
            users: HashMap::new(),
            waiting: BinaryHeap::new(),
            ready: BinaryHeap::new(),
            stamps: 0,
            sweep: Sweep::starting(),
        }
    }

    /// These are the users from now on, each with the time since its last success, where there was one. New ones go at
    /// once; turns of those that are no longer there count for nothing.
    pub fn set_users(&mut self, users: impl IntoIterator<Item = (Uin, Option<Duration>)>) {
        let mut before = std::mem::take(&mut self.users);
        for (uin, since_success) in users {
            if let Some(user) = before.remove(&uin) {
                self.users.insert(uin, user);
            } else {
                self.add(uin, since_success);
            }
        }
        self.sweep.awaited = self.users.values().filter(|user| user.awaited).count();
    }

    /// Each once in this interval from now on.
    pub fn set_interval(&mut self, interval: Duration) {
        if interval == self.interval {
            return;
        }
        self.interval = interval;
        let now = Instant::now();
        self.sweep.last_due = now;
        for Reverse(entry) in std::mem::take(&mut self.waiting) {
            if entry.until <= now {
                self.waiting.push(Reverse(entry));
            } else if self.is_current(entry.turn) {
                let next = self.phase_after(entry.turn.uin, now);
                self.wait_for_turn(entry.turn.uin, next);
            }
        }
    }

    /// Whoever failed for good is asked again at once.
    pub fn reset_failures(&mut self) {
        let mut back = vec![];
        for (uin, user) in &mut self.users {
            if std::mem::take(&mut user.failures) > 0 && !user.under_way {
                back.push(*uin);
            }
        }
        for uin in back {
            self.wait_for_turn(uin, Instant::now());
        }
    }

    /// Who goes next. Stays so until [`Self::begin`].
    pub fn next_action(&mut self) -> Next {
        let now = Instant::now();
        while let Some(Reverse(first)) = self.waiting.peek() {
            let (turn, class, until) = (first.turn, first.class, first.until);
            let Some(user) = self.users.get(&turn.uin).filter(|user| user.stamp == turn.stamp) else {
                self.waiting.pop();
                continue;
            };
            if until > now {
                break;
            }
            self.ready.push(Reverse(Ready { class, last: user.last, postponed: user.postponed, turn }));
            self.waiting.pop();
        }
        while let Some(Reverse(first)) = self.ready.peek() {
            if self.is_current(first.turn) {
                return Next::Now(first.turn);
            }
            self.ready.pop();
        }
        self.waiting.peek().map_or(Next::Idle, |Reverse(first)| Next::At(first.until))
    }

    /// When the turn that goes next was, or will be, due; nothing where only retries are left.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        match self.ready.peek() {
            Some(Reverse(Ready { class: Class::Slot, turn, .. })) => self.users.get(&turn.uin).map(|user| user.due),
            Some(_) => None,
            None => self.waiting.peek().map(|Reverse(first)| first.until),
        }
    }

    /// The turn that [`Self::next_action`] named is taken. Tells over which connection.
    pub fn begin(&mut self, turn: Slot) -> (Slot, Connection) {
        let retry = self.ready.pop().is_some_and(|Reverse(first)| first.class == Class::Retry);
        let stamp = self.stamp();
        let Some(user) = self.users.get_mut(&turn.uin) else { return (turn, Connection::Pooled) };
        user.stamp = stamp;
        user.under_way = true;
        if !retry {
            user.retries = 0;
        }
        let connection = if std::mem::take(&mut user.lost) { Connection::Fresh } else { Connection::Pooled };
        (Slot { stamp, ..turn }, connection)
    }

    /// The user goes once more, at once and over a fresh connection: the one that its request went over was closed.
    pub fn again(&mut self, turn: Slot) {
        if let Some(user) = self.current(turn) {
            user.lost = true;
            self.wait(turn.uin, Class::Slot, Instant::now());
        }
    }

    /// The user keeps its turn, and is asked again after `wait`.
    pub fn later(&mut self, turn: Slot, wait: Duration) {
        if self.current(turn).is_some() {
            self.wait(turn.uin, Class::Slot, Instant::now() + wait);
        }
    }

    /// The user was answered, and need not be asked before its next turn. Returns when that is, here and in the next two.
    pub fn done(&mut self, turn: Slot) -> Option<Instant> {
        self.current(turn)?.failures = 0;
        let next = self.had_a_turn(turn.uin, self.interval);
        self.wait_for_turn(turn.uin, next);
        Some(next)
    }

    /// The user failed, and will do so again: each time it is asked after twice as long, up to an hour.
    pub fn fail_permanently(&mut self, turn: Slot) -> Option<Instant> {
        let interval = self.interval;
        let user = self.current(turn)?;
        let longer = interval.saturating_mul(2u32.saturating_pow(user.failures));
        user.failures += 1;
        let next = self.had_a_turn(turn.uin, longer.min(LONGEST_WAIT.max(interval)));
        self.wait_for_turn(turn.uin, next);
        Some(next)
    }

    /// The user failed with something that may pass: it goes again after `wait`, which is told how many retries there
    /// were since its turn, unless its next turn comes first.
    pub fn retry(&mut self, turn: Slot, wait: impl FnOnce(u32) -> Duration) -> Option<Instant> {
        let at = Instant::now() + wait(self.current(turn)?.retries);
        let next = self.had_a_turn(turn.uin, self.interval);
        self.wait_for_turn(turn.uin, next);
        if at < next
            && let Some(user) = self.users.get_mut(&turn.uin)
        {
            user.retries += 1;
            let turn = Slot { uin: turn.uin, stamp: user.stamp };
            self.waiting.push(Reverse(Waiting { until: at, class: Class::Retry, turn }));
        }
        Some(next.min(at))
    }

    /// The user was throttled: it keeps its turn, and goes again after `wait`, which gets how often it was postponed
    /// before. Not so if an interval has passed since its turn was due: then this is a failure, and returns `false`.
    pub fn defer(&mut self, turn: Slot, wait: impl FnOnce(u32) -> Duration) -> bool {
        let interval = self.interval;
        let Some(user) = self.current(turn) else { return true };
        if user.due.elapsed() >= interval {
            return false;
        }
        let at = Instant::now() + wait(user.postponed);
        user.postponed = user.postponed.saturating_add(1);
        self.wait(turn.uin, Class::Slot, at);
        true
    }

    /// Notes that the user has been asked. Tells how long the sweep took when it was the last of one.
    pub fn swept(&mut self, turn: Slot) -> Option<Duration> {
        if self.sweep.awaited == 0 {
            self.start_sweep();
        }
        let user = self.current(turn)?;
        if !std::mem::take(&mut user.awaited) {
            return None;
        }
        self.sweep.asked += 1;
        self.sweep.awaited -= 1;
        if self.sweep.awaited > 0 {
            return None;
        }
        let took = self.sweep.started.elapsed();
        self.start_sweep();
        Some(took)
    }

    /// How far the sweep under way has got.
    #[must_use]
    pub fn sweep(&self) -> inventory::Sweep {
        let Sweep { asked, awaited, last_due, .. } = self.sweep;
        inventory::Sweep { asked, awaited, last_due }
    }

    fn add(&mut self, uin: Uin, since_success: Option<Duration>) {
        let due = Instant::now();
        let now = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        let last =
            since_success.map(|ago| now.saturating_sub_unsigned(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX)));
        let phase = phase(&self.account, uin);
        let user = User {
            phase,
            last,
            due,
            stamp: 0,
            under_way: false,
            failures: 0,
            retries: 0,
            postponed: 0,
            lost: false,
            awaited: true,
        };
        self.users.insert(uin, user);
        self.wait_for_turn(uin, due);
    }

    /// The user has had its turn, now. Its next one is at its phase, `wait` from now, give or take half an interval.
    fn had_a_turn(&mut self, uin: Uin, wait: Duration) -> Instant {
        let now = Instant::now();
        let since_start = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        if let Some(user) = self.users.get_mut(&uin) {
            user.last = Some(since_start);
            user.postponed = 0;
        }
        self.phase_after(uin, now + wait - self.interval / 2)
    }

    /// The first time from `from` on that is at the user's phase.
    fn phase_after(&self, uin: Uin, from: Instant) -> Instant {
        let phase = self.users.get(&uin).map_or(0, |user| user.phase);
        let interval = self.interval.as_nanos();
        let place = (u128::from(phase) * interval) >> 64;
        let since_epoch = (self.epoch + from.duration_since(self.start)).as_nanos();
        let into_interval = (since_epoch + interval - place) % interval;
        let left = if into_interval == 0 { 0 } else { interval - into_interval };
        from + Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
    }

    fn wait_for_turn(&mut self, uin: Uin, due: Instant) {
        if let Some(user) = self.users.get_mut(&uin) {
            user.due = due;
            if user.awaited {
                self.sweep.last_due = self.sweep.last_due.max(due);
            }
        }
        self.wait(uin, Class::Slot, due);
    }

    fn wait(&mut self, uin: Uin, class: Class, until: Instant) {
        let stamp = self.stamp();
        if let Some(user) = self.users.get_mut(&uin) {
            user.stamp = stamp;
            user.under_way = false;
            self.waiting.push(Reverse(Waiting { until, class, turn: Slot { uin, stamp } }));
        }
    }

    fn stamp(&mut self) -> u64 {
        self.stamps += 1;
        self.stamps
    }

    fn is_current(&self, turn: Slot) -> bool {
        self.users.get(&turn.uin).is_some_and(|user| user.stamp == turn.stamp)
    }

    fn current(&mut self, turn: Slot) -> Option<&mut User> {
        self.users.get_mut(&turn.uin).filter(|user| user.stamp == turn.stamp)
    }

    fn start_sweep(&mut self) {
        self.sweep = Sweep::starting();
        for user in self.users.values_mut() {
            user.awaited = user.failures <= 1;
            if user.awaited {
                self.sweep.awaited += 1;
                self.sweep.last_due = self.sweep.last_due.max(user.due);
            }
        }
    }
}

// === impl Sweep ===

impl Sweep {
    /// A sweep that begins now.
    fn starting() -> Self {
        let now = Instant::now();
        Self { started: now, asked: 0, awaited: 0, last_due: now }
    }
}

// === impl Slot ===

impl Slot {
    /// Whose turn it is.
    #[must_use]
    pub fn uin(self) -> Uin {
        self.uin
    }
}

/// The first half of a hash that stays the same for ever: a restart, an update or another machine must move nobody.
fn phase(account: &AccountName, uin: Uin) -> u64 {
    let hash = Sha256::new().chain_update(account.as_str()).chain_update([0]).chain_update(uin.get().to_be_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    hash[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests;
