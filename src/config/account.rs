//! The fields of an account.

use std::{collections::BTreeSet, path::PathBuf};

use jiff::Timestamp;
use tencentcloud_api::{Endpoint, Region, Uin};

use exporter_toolkit::yaml::{Fields, Node, Notes, Refused, fields, list, path_to, scalar};

use super::{
    Account, Credentials, Organization, Shard, UinsFile, credentials,
    discover::DiscoverFields,
    organization,
    read::switch,
    scalar::yes,
    settings::{KeysFields, PollFields},
};
use crate::{inventory::AccountName, poll::Discovery};

fields! {
    /// One of the `accounts`.
    pub(super) struct AccountFields {
        name: AccountName, read name, required "add one, such as name: prod";
        uins: BTreeSet<Uin> | commas, read uins, optional;
        uins_file: PathBuf, read Node::file_path, optional;
        include_self: bool, read scalar(yes), default false;
        discover: Option<Discovery>, read switch(DiscoverFields::discovery), default None;
        organization: Organization, read organization::read, optional;
        endpoint: Endpoint, read Node::parse, default Endpoint::default();
        sts_endpoint: Endpoint, read Node::parse, default Endpoint::sts();
        region: Region, read Node::parse, optional;
        credentials: Credentials, read credentials::read, default Credentials::default();
        ..poll: PollFields;
        ..keys: KeysFields;
    }
}

const NO_USERS: &str =
    "no users: list their UINs, such as uins: [100013065917], name a uins_file, or set discover: true";

/// The error for a UIN that is a floating-point number.
const ROUNDED: &str = "is a floating-point number, not a UIN, and may have lost digits: quote the UIN where it is \
                       written, such as \"100013065917\" (in a Helm template: {{ . | quote }}, in values.yaml: a string)";

/// An account as it is in the file. Its `poll` and `keys` fields have no defaults yet.
#[derive(Clone)]
pub(super) struct RawAccount {
    path: String,
    fields: AccountFields,
    /// The users in `uins_file`, once it has been read.
    uins_in_file: BTreeSet<Uin>,
}

// === impl RawAccount ===

impl RawAccount {
    pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Self, Refused> {
        let fields = AccountFields::read(node, notes)?;
        if !fields.uins_file.is_given() && !fields.finds_users() {
            match fields.uins() {
                Ok(None) => drop(node.refuse(notes, NO_USERS)),
                Ok(Some(uins)) if uins.is_empty() => drop(notes.add(path_to(node.path(), "uins"), NO_USERS)),
                Ok(Some(_)) | Err(Refused) => {}
            }
        }
        Ok(Self { path: node.path().to_owned(), fields, uins_in_file: BTreeSet::new() })
    }

    /// Notes a timeout that is longer than the interval. `poll` is that of the whole file.
    pub(super) fn check_times(&self, poll: &PollFields, notes: &mut Notes) {
        // If the account sets neither, those of the whole file apply, which are checked already.
        if self.fields.poll.has_times() {
            self.fields.poll.clone().or(poll).check_times(&self.path, notes);
        }
    }

    /// Reads `uins_file`, and notes its faults: for `check-config` only. A running exporter reads it in `app::uins_file_watcher`.
    pub(super) fn read_uins_file(&mut self, now: Timestamp, notes: &mut Notes) {
        let Ok(Some(path)) = self.fields.uins_file() else {
            return;
        };
        match UinsFile::new(path).read(now) {
            Ok(uins) => self.uins_in_file.extend(uins.iter()),
            Err(error) => {
                for problem in error.to_string().lines() {
                    notes.add(path_to(&self.path, "uins_file"), problem);
                }
            }
        }
    }

    /// The account. `poll` and `keys` are those of the whole file.
    pub(super) fn finish(self, poll: &PollFields, keys: &KeysFields) -> Result<Account, Refused> {
        let Self { fields, uins_in_file, .. } = self;
        let poll = fields.poll.clone().or(poll);
        let keys = fields.keys.clone().or(keys);
        let discover = fields.discover()?;
        let mut organization = fields.organization()?;
        if let (Some(organization), Some(discovery)) = (&mut organization, &discover) {
            organization.users = discovery.clone();
        }
        let mut uins = fields.uins()?.unwrap_or_default();
        uins.extend(uins_in_file);
        Ok(Account {
            name: fields.name()?,
            uins,
            uins_file: fields.uins_file()?,
            include_self: fields.include_self()?,
            discover,
            organization,
            endpoint: fields.endpoint()?,
            sts_endpoint: fields.sts_endpoint()?,
            region: fields.region()?,
            credentials: fields.credentials()?,
            poll: poll.settings()?,
            keys: keys.keys()?,
            shard_by: poll.shard_by()?,
            shard: Shard::WHOLE,
        })
    }
}

// === impl AccountFields ===

impl AccountFields {
    /// Whether the exporter finds users itself. Refused fields count, because their faults are noted already.
    fn finds_users(&self) -> bool {
        self.organization.is_given() || self.include_self() != Ok(false) || self.discover() != Ok(None)
    }
}

fn name(node: &Node<'_>, notes: &mut Notes) -> Result<AccountName, Refused> {
    node.unique("the names of accounts", notes)
}

fn uins(node: &Node<'_>, notes: &mut Notes) -> Result<BTreeSet<Uin>, Refused> {
    let uins = list(|item, notes| {
        not_rounded(item, notes)?;
        item.unique(node.path(), notes)
    })(node, notes)?;
    Ok(uins.into_iter().collect())
}

/// Refuses a UIN that a template or another YAML library has turned into a floating-point number.
pub(super) fn not_rounded(node: &Node<'_>, notes: &mut Notes) -> Result<(), Refused> {
    match node.text(&mut Notes::default()).ok().filter(|text| is_float(text)) {
        Some(rounded) => Err(node.refuse(notes, format_args!("\"{rounded}\" {ROUNDED}"))),
        None => Ok(()),
    }
}

/// Whether the text is a whole number, written as a floating-point number: `1.00013065917e+11` or `100013065917.0`.
fn is_float(text: &str) -> bool {
    let is_whole = text.len() <= 32 && text.parse::<f64>().is_ok_and(|number| number >= 1.0 && number.fract() == 0.0);
    is_whole && text.starts_with(|first: char| first.is_ascii_digit()) && text.contains(['.', 'e', 'E'])
}
