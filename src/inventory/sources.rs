//! Where an account's users come from.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tencentcloud_api::Uin;

/// Users that the API listed.
pub type Found = BTreeMap<Uin, FoundUser>;

/// A user that the API listed, or a member of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUser {
    /// What the account calls it.
    pub name: Arc<str>,
    /// Whether the user may log in to the console, where that was answered.
    pub console_login: Option<bool>,
}

/// A user who is in several of them counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Listed in the configuration, or in the file that it names.
    pub configured: BTreeSet<Uin>,
    /// Sub-users that the API listed.
    pub found: Found,
    /// Users of the configured types that the API listed, by another request.
    pub typed: Found,
    /// The calling user.
    pub caller: Option<Uin>,
}

// === impl Sources ===

impl Sources {
    /// Whether the user is in one of them.
    #[must_use]
    pub fn contain(&self, uin: Uin) -> bool {
        self.configured.contains(&uin) || self.found(uin).is_some() || self.caller == Some(uin)
    }

    /// The users in them, some more than once.
    pub fn users(&self) -> impl Iterator<Item = Uin> {
        self.configured.iter().chain(self.found.keys()).chain(self.typed.keys()).chain(&self.caller).copied()
    }

    /// What the API said of the user, if it listed it.
    pub(super) fn found(&self, uin: Uin) -> Option<&FoundUser> {
        self.found.get(&uin).or_else(|| self.typed.get(&uin))
    }
}

// === impl FoundUser ===

impl<N: Into<Arc<str>>> From<N> for FoundUser {
    /// A user with only its name known.
    fn from(name: N) -> Self {
        Self { name: name.into(), console_login: None }
    }
}
