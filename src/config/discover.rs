//! The field `discover` of an account.

use std::collections::BTreeSet;

use exporter_toolkit::yaml::{Node, Notes, Refused, fields, list, unknown_value};
use tencentcloud_api::UserType;

use super::read::{duration, patterns};
use crate::{
    pattern::Pattern,
    poll::{Discovery, Interval},
};

fields! {
    /// `discover`.
    pub(super) struct DiscoverFields {
        interval: Interval, read duration(Interval::new), default Interval::OF_DISCOVERY;
        include: Vec<Pattern>, read patterns, default vec![];
        exclude: Vec<Pattern>, read patterns, default vec![];
        user_types: Vec<UserType>, read user_types, default vec![];
    }
}

// === impl DiscoverFields ===

impl DiscoverFields {
    /// How to find users.
    pub(super) fn discovery(&self) -> Result<Discovery, Refused> {
        Ok(Discovery {
            interval: self.interval()?,
            include: self.include()?,
            exclude: self.exclude()?,
            user_types: self.user_types()?,
        })
    }
}

fn user_types(node: &Node<'_>, notes: &mut Notes) -> Result<Vec<UserType>, Refused> {
    let types: BTreeSet<UserType> = list(user_type)(node, notes)?.into_iter().collect();
    Ok(types.into_iter().collect())
}

fn user_type(node: &Node<'_>, notes: &mut Notes) -> Result<UserType, Refused> {
    let text = node.text(notes)?;
    let known = UserType::ALL.into_iter().find(|user_type| user_type.name() == text);
    known.ok_or_else(|| node.refuse(notes, unknown_value(text, "user type", &UserType::ALL.map(UserType::name))))
}
