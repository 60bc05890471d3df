//! When the API last answered about a user.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use jiff::Timestamp;

/// When the API last answered about a user, in microseconds of Unix time.
///
/// It changes in place, also while readers hold the user: it is all that most polls change, and a copy of the user for each
/// poll would scatter the users over the heap, so that freed memory could not be returned.
#[derive(Debug)]
pub struct Answered(AtomicI64);

/// No answer yet. No time that can be represented is as early.
const NEVER: i64 = i64::MIN;

// === impl Answered ===

impl Answered {
    /// The time; nothing before the first answer.
    #[must_use]
    pub fn get(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.0.load(Relaxed)).ok()
    }

    pub(super) fn set(&self, at: Timestamp) {
        self.0.store(at.as_microsecond(), Relaxed);
    }
}

impl Default for Answered {
    fn default() -> Self {
        Self(NEVER.into())
    }
}

impl Clone for Answered {
    fn clone(&self) -> Self {
        Self(self.0.load(Relaxed).into())
    }
}

impl PartialEq for Answered {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Answered {}

impl From<Option<Timestamp>> for Answered {
    fn from(at: Option<Timestamp>) -> Self {
        Self(at.map_or(NEVER, Timestamp::as_microsecond).into())
    }
}

impl From<Timestamp> for Answered {
    fn from(at: Timestamp) -> Self {
        Some(at).into()
    }
}
