//! Decides which user is polled next, and when.
//!
//! Every user has a phase, a place in the interval. It is a hash of account and UIN, and the intervals are counted from the
//! Unix epoch, so load is flat and a restart changes no phase. Only a user's first slot is not at its phase: the first sweep
//! goes as fast as the budget allows.
//!
//! If the budget is short, slots wait. Of those that wait, a user that was never polled goes first, then the one whose last
//! slot is longest ago. For users that succeed that is the one longest without success; one that fails has had its slot, or
//! those that fail would starve the others. A retry goes only when no slot waits. A throttled user keeps its slot, but is
//! polled after ever longer waits, and behind those that were never polled: one that is throttled each time must not starve
//! the others either.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tencentcloud_api::Uin;
use tokio::time::Instant;

use crate::inventory::{self, AccountName};

/// The longest wait of a user that fails permanently, unless the interval itself is longer.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The slots of an account's users.
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
    /// The number of the slot. A user has one slot at a time; earlier ones are void.
    stamp: u64,
}

/// Which user is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This user, now.
    Now(Slot),
    /// None before this time.
    At(Instant),
    /// None until a poll in flight has ended.
    Idle,
}

#[derive(Debug)]
struct User {
    /// The phase, in units of 2^-64 intervals.
    phase: u64,
    stamp: u64,
    under_way: bool,
    /// When its slot was, or will be, due.
    due: Instant,
    /// When it last had a slot, in milliseconds since the start; `None` if it never had one.
    last: Option<i64>,
    /// How often in a row it failed permanently.
    failures: u32,
    /// Retries since its slot.
    retries: u32,
    /// How often its slot was postponed.
    postponed: u32,
    /// Whether the current sweep still waits for it.
    awaited: bool,
}

/// Slots go before retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Slot,
    Retry,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    until: Instant,
    class: Class,
    slot: Slot,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ready {
    class: Class,
    last: Option<i64>,
    postponed: u32,
    slot: Slot,
}

/// A sweep: every user once, except those that fail permanently.
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
    /// The schedule of an account without users, each of which is polled once an interval. The time of day is `now`.
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

    /// Replaces the users, each with the time since its last success, if there was one. New ones are due at once; slots of
    /// users that are removed are void.
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

    /// Replaces the interval.
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
            } else if self.is_current(entry.slot) {
                let next = self.phase_after(entry.slot.uin, now);
                self.wait_for_slot(entry.slot.uin, next);
            }
        }
    }

    /// Users that failed permanently are due at once.
    pub fn reset_failures(&mut self) {
        let mut back = vec![];
        for (uin, user) in &mut self.users {
            if std::mem::take(&mut user.failures) > 0 && !user.under_way {
                back.push(*uin);
            }
        }
        for uin in back {
            self.wait_for_slot(uin, Instant::now());
        }
    }

    /// The next slot. It stays the next one until [`Self::begin`].
    pub fn next_action(&mut self) -> Next {
        let now = Instant::now();
        while let Some(Reverse(first)) = self.waiting.peek() {
            let (slot, class, until) = (first.slot, first.class, first.until);
            let Some(user) = self.users.get(&slot.uin).filter(|user| user.stamp == slot.stamp) else {
                self.waiting.pop();
                continue;
            };
            if until > now {
                break;
            }
            self.ready.push(Reverse(Ready { class, last: user.last, postponed: user.postponed, slot }));
            self.waiting.pop();
        }
        while let Some(Reverse(first)) = self.ready.peek() {
            if self.is_current(first.slot) {
                return Next::Now(first.slot);
            }
            self.ready.pop();
        }
        self.waiting.peek().map_or(Next::Idle, |Reverse(first)| Next::At(first.until))
    }

    /// When the next slot was, or will be, due; `None` if only retries are left.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        match self.ready.peek() {
            Some(Reverse(Ready { class: Class::Slot, slot, .. })) => self.users.get(&slot.uin).map(|user| user.due),
            Some(_) => None,
            None => self.waiting.peek().map(|Reverse(first)| first.until),
        }
    }

    /// Takes the slot that [`Self::next_action`] returned.
    pub fn begin(&mut self, slot: Slot) -> Slot {
        let retry = self.ready.pop().is_some_and(|Reverse(first)| first.class == Class::Retry);
        let stamp = self.stamp();
        let Some(user) = self.users.get_mut(&slot.uin) else { return slot };
        user.stamp = stamp;
        user.under_way = true;
        if !retry {
            user.retries = 0;
        }
        Slot { stamp, ..slot }
    }

    /// The poll succeeded. Returns when the user's next slot is due.
    pub fn done(&mut self, slot: Slot) -> Option<Instant> {
        self.current(slot)?.failures = 0;
        let next = self.had_slot(slot.uin, self.interval);
        self.wait_for_slot(slot.uin, next);
        Some(next)
    }

    /// The poll failed permanently: each time the wait is twice as long, up to an hour. Returns when the user is due.
    pub fn fail_permanently(&mut self, slot: Slot) -> Option<Instant> {
        let interval = self.interval;
        let user = self.current(slot)?;
        let longer = interval.saturating_mul(2u32.saturating_pow(user.failures));
        user.failures += 1;
        let next = self.had_slot(slot.uin, longer.min(LONGEST_WAIT.max(interval)));
        self.wait_for_slot(slot.uin, next);
        Some(next)
    }

    /// The poll failed transiently: the user is polled again after `wait`, which gets the number of retries since its slot,
    /// unless its next slot comes first. Returns when the user is due.
    pub fn retry(&mut self, slot: Slot, wait: impl FnOnce(u32) -> Duration) -> Option<Instant> {
        let at = Instant::now() + wait(self.current(slot)?.retries);
        let next = self.had_slot(slot.uin, self.interval);
        self.wait_for_slot(slot.uin, next);
        if at < next
            && let Some(user) = self.users.get_mut(&slot.uin)
        {
            user.retries += 1;
            let slot = Slot { uin: slot.uin, stamp: user.stamp };
            self.waiting.push(Reverse(Waiting { until: at, class: Class::Retry, slot }));
        }
        Some(next.min(at))
    }

    /// The poll was throttled: the user keeps its slot, and is polled again after `wait`, which gets how often it was
    /// postponed before. If an interval has passed since the slot was due, this is a failure, and returns `false`.
    pub fn defer(&mut self, slot: Slot, wait: impl FnOnce(u32) -> Duration) -> bool {
        let interval = self.interval;
        let Some(user) = self.current(slot) else { return true };
        if user.due.elapsed() >= interval {
            return false;
        }
        let at = Instant::now() + wait(user.postponed);
        user.postponed = user.postponed.saturating_add(1);
        self.wait(slot.uin, Class::Slot, at);
        true
    }

    /// The user has been polled. Returns how long the sweep took, if it was the last one.
    pub fn swept(&mut self, slot: Slot) -> Option<Duration> {
        if self.sweep.awaited == 0 {
            self.start_sweep();
        }
        let user = self.current(slot)?;
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

    /// The progress of the current sweep.
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
        let user =
            User { phase, last, due, stamp: 0, under_way: false, failures: 0, retries: 0, postponed: 0, awaited: true };
        self.users.insert(uin, user);
        self.wait_for_slot(uin, due);
    }

    /// The user has had its slot, now. Its next one is at its phase, `wait` from now, give or take half an interval.
    fn had_slot(&mut self, uin: Uin, wait: Duration) -> Instant {
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

    fn wait_for_slot(&mut self, uin: Uin, due: Instant) {
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
            self.waiting.push(Reverse(Waiting { until, class, slot: Slot { uin, stamp } }));
        }
    }

    fn stamp(&mut self) -> u64 {
        self.stamps += 1;
        self.stamps
    }

    fn is_current(&self, slot: Slot) -> bool {
        self.users.get(&slot.uin).is_some_and(|user| user.stamp == slot.stamp)
    }

    fn current(&mut self, slot: Slot) -> Option<&mut User> {
        self.users.get_mut(&slot.uin).filter(|user| user.stamp == slot.stamp)
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
    /// The user.
    #[must_use]
    pub fn uin(self) -> Uin {
        self.uin
    }
}

/// The first half of a hash that never changes: a restart, an update or another machine must change no phase.
fn phase(account: &AccountName, uin: Uin) -> u64 {
    let hash = Sha256::new().chain_update(account.as_str()).chain_update([0]).chain_update(uin.get().to_be_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    hash[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests;
