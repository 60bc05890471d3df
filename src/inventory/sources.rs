//! Where an account's users come from.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::tencent::Uin;

/// Users that the API listed, and their names.
pub type Found = BTreeMap<Uin, Arc<str>>;

/// Whoever is in one of them is a user, once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Listed in the configuration, or in the file that it names.
    pub listed: BTreeSet<Uin>,
    /// Listed by the API.
    pub found: Found,
    /// Who asks.
    pub caller: Option<Uin>,
}

// === impl Sources ===

impl Sources {
    /// Whether the user is in one of them.
    #[must_use]
    pub fn contain(&self, uin: Uin) -> bool {
        self.listed.contains(&uin) || self.found.contains_key(&uin) || self.caller == Some(uin)
    }

    /// Whoever is in them; some more than once.
    pub fn users(&self) -> impl Iterator<Item = Uin> {
        self.listed.iter().chain(self.found.keys()).chain(&self.caller).copied()
    }
}
