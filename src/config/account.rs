//! An account of the list `accounts`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::PathBuf,
    str::FromStr,
};

use jiff::Timestamp;
use tencentcloud_api::{Endpoint, Region, Uin};

use exporter_toolkit::yaml::{Node, Notes, Refused, path_to, quoted};

use super::{
    Account, Credentials, Organization, Shard, UinsFile, credentials, discover, organization,
    scalar::yes,
    settings::{KEYS, NULLABLE, POLL, PartialSettings},
};
use crate::{inventory::AccountName, poll::Discovery};

/// The fields of an account, beside those of `poll` and `keys`.
pub(super) const ACCOUNT: &[&str] = &[
    "name",
    "uins",
    "uins_file",
    "include_self",
    "discover",
    "organization",
    "endpoint",
    "sts_endpoint",
    "region",
    "credentials",
];

const NO_USERS: &str =
    "no users: list their UINs, such as uins: [100013065917], name a uins_file, or set discover: true";

/// What is wrong with a UIN for which [`is_float`] holds.
const ROUNDED: &str = "is a floating-point number, not a UIN, and may have lost digits: quote the UIN where it is \
                       written, such as \"100013065917\" (in a Helm template: {{ . | quote }}, in values.yaml: a string)";

/// An account as it stands in the file, before the defaults.
#[derive(Default)]
pub(super) struct RawAccount {
    path: String,
    name: Option<Result<AccountName, Refused>>,
    uins: Option<Result<BTreeSet<Uin>, Refused>>,
    uins_file: Option<Result<PathBuf, Refused>>,
    include_self: Option<Result<bool, Refused>>,
    discover: Option<Result<Option<Discovery>, Refused>>,
    organization: Option<Result<Organization, Refused>>,
    sts_endpoint: Option<Result<Endpoint, Refused>>,
    endpoint: Option<Result<Endpoint, Refused>>,
    region: Option<Result<Region, Refused>>,
    credentials: Option<Result<Credentials, Refused>>,
    given: PartialSettings,
}

// === impl RawAccount ===

impl RawAccount {
    /// Reads an account. `names` are those of the accounts before it, and the ways to them.
    pub(super) fn read(
        node: &Node<'_>,
        names: &mut BTreeMap<AccountName, String>,
        notes: &mut Notes,
    ) -> Result<Self, Refused> {
        let mut draft = Self { path: node.path().to_owned(), ..Self::default() };
        node.each_field_or_null(&[ACCOUNT, POLL, KEYS], NULLABLE, notes, |name, field, notes| {
            draft.take(name, &field, names, notes);
        })?;
        if draft.name.is_none() {
            node.refuse(notes, "no name: add one, such as name: prod");
        }
        match &draft.uins {
            _ if draft.uins_file.is_some() || draft.finds_users() => {}
            None => drop(node.refuse(notes, NO_USERS)),
            Some(Ok(uins)) if uins.is_empty() => drop(notes.add(path_to(&draft.path, "uins"), NO_USERS)),
            Some(_) => {}
        }
        Ok(draft)
    }

    fn take(&mut self, name: &str, field: &Node<'_>, names: &mut BTreeMap<AccountName, String>, notes: &mut Notes) {
        match name {
            "name" => self.name = Some(unique(field, names, notes)),
            "uins" => self.uins = Some(uins(field, notes)),
            "uins_file" => self.uins_file = Some(field.file_path(notes)),
            "endpoint" => self.endpoint = Some(field.parse(notes)),
            "region" => self.region = Some(field.parse(notes)),
            "credentials" => self.credentials = Some(credentials::read(field, notes)),
            "sts_endpoint" => self.sts_endpoint = Some(field.parse(notes)),
            "include_self" => self.include_self = Some(field.scalar(notes, yes)),
            "discover" => self.discover = Some(discover::read(field, notes)),
            "organization" => self.organization = Some(organization::read(field, notes)),
            _ => self.given.take(name, field, notes),
        }
    }

    /// Whether there are users that nobody lists. What is wrong with that is noted already.
    fn finds_users(&self) -> bool {
        self.organization.is_some()
            || !matches!(self.include_self, None | Some(Ok(false)))
            || !matches!(self.discover, None | Some(Ok(None)))
    }

    /// Notes what does not fit together, given the top level's fields.
    pub(super) fn check_times(&self, defaults: &PartialSettings, notes: &mut Notes) {
        // Where the account has neither of its own, the top level's are checked already.
        if self.given.has_times() {
            self.given.clone().over(defaults).check_times(&self.path, notes);
        }
    }

    /// Takes the users of the account's file into its list, and notes what is wrong with that file.
    pub(super) fn read_uins_file(&mut self, now: Timestamp, notes: &mut Notes) {
        let Some(Ok(path)) = &self.uins_file else {
            return;
        };
        match UinsFile::new(path.clone()).read(now) {
            Ok(more) => {
                if let Ok(uins) = self.uins.get_or_insert_with(|| Ok(BTreeSet::new())) {
                    uins.extend(more.iter());
                }
            }
            Err(error) => {
                for problem in error.to_string().lines() {
                    notes.add(path_to(&self.path, "uins_file"), problem);
                }
            }
        }
    }

    /// The account, given the top level's fields.
    pub(super) fn finish(self, defaults: &PartialSettings) -> Result<Account, Refused> {
        let given = self.given.over(defaults);
        let discover = self.discover.unwrap_or(Ok(None))?;
        let mut organization = self.organization.transpose()?;
        if let (Some(organization), Some(discovery)) = (&mut organization, &discover) {
            organization.users = discovery.clone();
        }
        Ok(Account {
            name: self.name.unwrap_or(Err(Refused))?,
            uins: self.uins.transpose()?.unwrap_or_default(),
            uins_file: self.uins_file.transpose()?,
            include_self: self.include_self.unwrap_or(Ok(false))?,
            discover,
            organization,
            endpoint: self.endpoint.unwrap_or_else(|| Ok(Endpoint::default()))?,
            sts_endpoint: self.sts_endpoint.unwrap_or_else(|| Ok(Endpoint::sts()))?,
            region: self.region.transpose()?,
            credentials: self.credentials.transpose()?.unwrap_or_default(),
            poll: given.poll()?,
            keys: given.keys()?,
            shard_by: given.shard_by()?,
            shard: Shard::WHOLE,
        })
    }
}

fn uins(node: &Node<'_>, notes: &mut Notes) -> Result<BTreeSet<Uin>, Refused> {
    let items = node.items(notes)?;
    let mut found = BTreeMap::new();
    let mut all = Ok(());
    for item in items {
        if let Err(refused) = not_rounded(&item, notes) {
            all = Err(refused);
        } else {
            all = all.and(unique::<Uin>(&item, &mut found, notes).map(drop));
        }
    }
    all.map(|()| found.into_keys().collect())
}

/// Refuses what was a UIN before something took it for a floating-point number.
pub(super) fn not_rounded(node: &Node<'_>, notes: &mut Notes) -> Result<(), Refused> {
    match node.text(&mut Notes::default()).ok().filter(|text| is_float(text)) {
        Some(rounded) => Err(node.refuse(notes, format_args!("\"{rounded}\" {ROUNDED}"))),
        None => Ok(()),
    }
}

/// Whether it is a whole number as a template or another YAML library writes one that it took for a floating-point number,
/// such as `1.00013065917e+11` and `100013065917.0`.
fn is_float(text: &str) -> bool {
    let is_whole = text.len() <= 32 && text.parse::<f64>().is_ok_and(|number| number >= 1.0 && number.fract() == 0.0);
    is_whole && text.starts_with(|first: char| first.is_ascii_digit()) && text.contains(['.', 'e', 'E'])
}

/// A value that none of `others` has. They are those before it, and the ways to them.
fn unique<T: FromStr<Err: Display> + Clone + Ord + Display>(
    node: &Node<'_>,
    others: &mut BTreeMap<T, String>,
    notes: &mut Notes,
) -> Result<T, Refused> {
    let value: T = node.parse(notes)?;
    if let Some(first) = others.get(&value) {
        return Err(node.refuse(
            notes,
            format_args!("{} is at {first} already: remove or change one", quoted(&value.to_string())),
        ));
    }
    others.insert(value.clone(), node.path().to_owned());
    Ok(value)
}
