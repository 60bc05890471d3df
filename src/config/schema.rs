//! The top level of the configuration.

use std::{collections::BTreeMap, path::Path};

use ::config::Value;
use jiff::Timestamp;

use exporter_toolkit::yaml::{Faults, Node, Notes};

use super::{
    Config,
    account::RawAccount,
    settings::{KEYS, NULLABLE, POLL, PartialSettings},
};

/// The fields of the top level.
const ROOT: &[&str] = &["accounts", "poll", "keys", "state_file"];

/// The configuration in `tree`, unless something is noted. `files_as_of` is when to read the files that list users.
/// Relative paths are relative to `folder`.
pub(super) fn read(
    tree: &Value,
    folder: &Path,
    mut notes: Notes,
    files_as_of: Option<Timestamp>,
) -> Result<Config, Faults> {
    let mut drafts = None;
    let mut state_file = None;
    let mut given = PartialSettings::default();
    let root = Node::root_in(tree, folder).each_field(&[ROOT], &mut notes, |name, field, notes| match name {
        "accounts" => drafts = Some(accounts(&field, notes)),
        // What is no table is noted there.
        "poll" => drop(field.each_field(&[POLL], notes, |name, field, notes| given.take(name, &field, notes))),
        "keys" => drop(
            field.each_field_or_null(&[KEYS], NULLABLE, notes, |name, field, notes| given.take(name, &field, notes)),
        ),
        _ => state_file = Some(field.file_path(notes)),
    });
    let mut drafts = drafts.unwrap_or_else(|| {
        notes.add("accounts", "no accounts: add one, with a name, uins and credentials");
        Vec::new()
    });
    given.check_times("poll", &mut notes);
    for draft in &drafts {
        draft.check_times(&given, &mut notes);
    }
    if let Some(now) = files_as_of {
        for draft in &mut drafts {
            draft.read_uins_file(now, &mut notes);
        }
    }
    let config = || {
        root?;
        let accounts = drafts.into_iter().map(|draft| draft.finish(&given)).collect::<Result<_, _>>()?;
        Ok(Config { accounts, state_file: state_file.transpose()? })
    };
    notes.conclude(config())
}

fn accounts(node: &Node<'_>, notes: &mut Notes) -> Vec<RawAccount> {
    let Ok(items) = node.items(notes) else {
        return Vec::new();
    };
    if items.is_empty() {
        node.refuse(notes, "no accounts: add one, with a name, uins and credentials");
    }
    let mut names = BTreeMap::new();
    items.iter().filter_map(|item| RawAccount::read(item, &mut names, notes).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{
            account::ACCOUNT,
            credentials::{ASSUME_ROLE, CVM_ROLE, FILE, PROFILE, SOURCES},
            discover::DISCOVER,
            organization::ORGANIZATION,
            overrides::OVERRIDE,
            settings::LAST_USED,
        },
        environment::Environment,
    };

    /// Each section's fields, and YAML in which `{}` stands for one of them.
    const SECTIONS: &[(&[&str], &str)] = &[
        (ROOT, "{}"),
        (ACCOUNT, "accounts: [{{}}]"),
        (POLL, "accounts: [{{}}]"),
        (KEYS, "accounts: [{{}}]"),
        (POLL, "poll: {{}}"),
        (KEYS, "keys: {{}}"),
        (OVERRIDE, "keys: {overrides: [{{}}]}"),
        (DISCOVER, "accounts: [{discover: {{}}}]"),
        (ORGANIZATION, "accounts: [{organization: {{}}}]"),
        (LAST_USED, "poll: {last_used: {{}}}"),
        (SOURCES, "accounts: [{credentials: {{}}}]"),
        (FILE, "accounts: [{credentials: {file: {{}}}}]"),
        (PROFILE, "accounts: [{credentials: {profile: {{}}}}]"),
        (CVM_ROLE, "accounts: [{credentials: {cvm_role: {{}}}}]"),
        (ASSUME_ROLE, "accounts: [{credentials: {assume_role: {{}}}}]"),
    ];

    #[test]
    fn no_field_is_known_and_ignored() {
        for (fields, section) in SECTIONS {
            for field in *fields {
                let text = section.replace("{}", &format!("{field}: [[]]"));
                let faults = Config::parse(&text, &Environment::default()).unwrap_err();
                let own = |path: &str| path.trim_end_matches("[0]").ends_with(field);
                assert!(faults.iter().any(|fault| own(&fault.path)), "{text}: {faults}");
            }
        }
    }

    #[test]
    fn the_example_shows_every_field() {
        let example = include_str!("../../config.example.yaml");
        let shown: Vec<&str> = example
            .lines()
            .filter_map(|line| line.trim_start_matches([' ', '#', '-']).split_once(':').map(|(field, _)| field))
            .collect();
        for field in SECTIONS.iter().flat_map(|(fields, _)| *fields) {
            assert!(shown.contains(field), "{field}");
        }
    }
}
