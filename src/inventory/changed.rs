//! When something last changed.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of the last change. Changes are numbered in the whole process, so no two have the same number.
#[derive(Debug)]
pub(super) struct Changed(AtomicU64);

// === impl Changed ===

impl Changed {
    pub(super) fn now() -> Self {
        Self(Self::next().into())
    }

    fn next() -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        LAST.fetch_add(1, Ordering::Relaxed)
    }

    /// Call it after the change, or while the lock is held.
    pub(super) fn again(&self) {
        self.0.store(Self::next(), Ordering::Release);
    }

    pub(super) fn last(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
