//! The users of an account at one moment.

use std::sync::Arc;

use tencentcloud_api::Uin;

use super::{Covered, User, Users};

/// The users of an account at one moment, in the order of their UINs: a pointer each, as a reader may take long.
#[derive(Debug)]
pub struct Snapshot {
    uins: Arc<[Uin]>,
    users: Box<[Arc<User>]>,
    covered: Covered,
}

// === impl Snapshot ===

impl Snapshot {
    /// Of `users`, which have these `uins`.
    pub(super) fn of(uins: Arc<[Uin]>, users: &Users, covered: Covered) -> Self {
        Self { uins, users: users.values().cloned().collect(), covered }
    }

    /// What of them has been asked about since the start.
    #[must_use]
    pub fn covered(&self) -> Covered {
        self.covered
    }

    /// How many users there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.users.len()
    }

    /// The user at that place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<(Uin, &User)> {
        Some((*self.uins.get(place)?, self.users.get(place)?))
    }

    /// Every user.
    pub fn iter(&self) -> impl Iterator<Item = (Uin, &User)> {
        self.uins.iter().copied().zip(self.users.iter().map(|user| &**user))
    }
}
