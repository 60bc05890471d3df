//! A time that polls change.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use jiff::Timestamp;

/// A time or none, in microseconds of Unix time.
///
/// It changes in place, also while readers hold the user: a time is all that most polls change, and a copy of the user for
/// each poll would scatter the users over the heap, so that freed memory could not be returned.
#[derive(Debug)]
pub struct AtomicTime(AtomicI64);

/// None. No time that can be represented is as early.
const NEVER: i64 = i64::MIN;

// === impl AtomicTime ===

impl AtomicTime {
    /// The time, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.0.load(Relaxed)).ok()
    }

    pub(super) fn set(&self, at: Timestamp) {
        self.0.store(at.as_microsecond(), Relaxed);
    }
}

impl Default for AtomicTime {
    fn default() -> Self {
        Self(NEVER.into())
    }
}

impl Clone for AtomicTime {
    fn clone(&self) -> Self {
        Self(self.0.load(Relaxed).into())
    }
}

impl PartialEq for AtomicTime {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for AtomicTime {}

impl From<Option<Timestamp>> for AtomicTime {
    fn from(at: Option<Timestamp>) -> Self {
        Self(at.map_or(NEVER, Timestamp::as_microsecond).into())
    }
}

impl From<Timestamp> for AtomicTime {
    fn from(at: Timestamp) -> Self {
        Some(at).into()
    }
}
