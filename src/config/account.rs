//! An account of the list `accounts`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    str::FromStr,
};

use super::{
    Account, Credentials, credentials,
    fault::{Notes, Refused},
    node::Node,
    settings::{Given, KEYS, POLL},
};
use crate::{
    inventory::AccountName,
    tencent::{Endpoint, Region, Uin},
};

/// The fields of an account, beside those of `poll` and `keys`.
pub(super) const ACCOUNT: &[&str] =
    &["name", "uins", "uins_file", "include_self", "discover", "endpoint", "sts_endpoint", "region", "credentials"];

const NO_USERS: &str = "no users: list their UINs, such as uins: [100013065917]";

/// An account as it stands in the file, before the defaults.
#[derive(Default)]
pub(super) struct Draft {
    path: String,
    name: Option<Result<AccountName, Refused>>,
    uins: Option<Result<BTreeSet<Uin>, Refused>>,
    endpoint: Option<Result<Endpoint, Refused>>,
    region: Option<Result<Region, Refused>>,
    credentials: Option<Result<Credentials, Refused>>,
    given: Given,
}

// === impl Draft ===

impl Draft {
    /// Reads an account. `names` are those of the accounts before it, and the ways to them.
    pub(super) fn read(
        node: &Node<'_>,
        names: &mut BTreeMap<AccountName, String>,
        notes: &mut Notes,
    ) -> Result<Self, Refused> {
        let mut draft = Self { path: node.path().to_owned(), ..Self::default() };
        node.each_field(&[ACCOUNT, POLL, KEYS], notes, |name, field, notes| {
            draft.take(name, &field, names, notes);
        })?;
        if draft.name.is_none() {
            node.refuse(notes, "no name: add one, such as name: prod");
        }
        if draft.uins.is_none() {
            node.refuse(notes, NO_USERS);
        }
        if draft.credentials.is_none() {
            node.refuse(
                notes,
                "credentials left out, which is not supported yet: add credentials with env: {} or file",
            );
        }
        Ok(draft)
    }

    fn take(&mut self, name: &str, field: &Node<'_>, names: &mut BTreeMap<AccountName, String>, notes: &mut Notes) {
        match name {
            "name" => self.name = Some(unique(field, names, notes)),
            "uins" => self.uins = Some(uins(field, notes)),
            "endpoint" => self.endpoint = Some(field.parse(notes)),
            "region" => self.region = Some(field.parse(notes)),
            "credentials" => self.credentials = Some(credentials::read(field, notes)),
            "uins_file" => {
                field.refuse(notes, "not supported yet: leave it out, and list the users under uins");
            }
            "sts_endpoint" => {
                field.refuse(notes, "not supported yet: leave it out");
            }
            "include_self" | "discover" => field.refuse_true(notes, "leave it out, and list the users under uins"),
            _ => self.given.take(name, field, notes),
        }
    }

    /// Notes what does not fit together, given the top level's fields.
    pub(super) fn check_times(&self, defaults: Given, notes: &mut Notes) {
        // Where the account has neither of its own, the top level's are checked already.
        if self.given.has_times() {
            self.given.over(defaults).check_times(&self.path, notes);
        }
    }

    /// The account, given the top level's fields.
    pub(super) fn finish(self, defaults: Given) -> Result<Account, Refused> {
        let given = self.given.over(defaults);
        Ok(Account {
            name: self.name.unwrap_or(Err(Refused))?,
            uins: self.uins.unwrap_or(Err(Refused))?,
            endpoint: self.endpoint.unwrap_or_else(|| Ok(Endpoint::default()))?,
            region: self.region.transpose()?,
            credentials: self.credentials.unwrap_or(Err(Refused))?,
            poll: given.poll()?,
            keys: given.keys()?,
        })
    }
}

fn uins(node: &Node<'_>, notes: &mut Notes) -> Result<BTreeSet<Uin>, Refused> {
    let items = node.items(notes)?;
    if items.is_empty() {
        return Err(node.refuse(notes, NO_USERS));
    }
    let mut found = BTreeMap::new();
    let mut all = Ok(());
    for item in items {
        all = all.and(unique::<Uin>(&item, &mut found, notes).map(drop));
    }
    all.map(|()| found.into_keys().collect())
}

/// A value that none of `others` has. They are those before it, and the ways to them.
fn unique<T: FromStr<Err: Display> + Clone + Ord + Display>(
    node: &Node<'_>,
    others: &mut BTreeMap<T, String>,
    notes: &mut Notes,
) -> Result<T, Refused> {
    let value: T = node.parse(notes)?;
    if let Some(first) = others.get(&value) {
        return Err(node.refuse(notes, format_args!("\"{value}\" is at {first} already: remove or change one")));
    }
    others.insert(value.clone(), node.path().to_owned());
    Ok(value)
}
