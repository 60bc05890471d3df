//! The fields of the whole file.

use std::path::{Path, PathBuf};

use ::config::Value;
use jiff::Timestamp;

use exporter_toolkit::yaml::{Also, Faults, Fields, Node, Notes, Refused, fields};

use super::{
    Config,
    account::{AccountFields, RawAccount},
    overrides::OverrideFields,
    settings::{KeysFields, PollFields},
};

const NO_ACCOUNTS: &str = "no accounts: add one, with a name, uins and credentials";

fields! {
    /// The whole file.
    struct RootFields {
        accounts: Vec<RawAccount>, read accounts, optional;
        poll: PollFields, read PollFields::read, default PollFields::default();
        keys: KeysFields, read KeysFields::read, default KeysFields::default();
        state_file: PathBuf, read Node::file_path, optional;
    }
}

/// The configuration in `tree`, unless there are faults. If `files_as_of` is given, each `uins_file` is read, at that time.
/// Relative paths are relative to `folder`.
pub(super) fn read(
    tree: &Value,
    folder: &Path,
    mut notes: Notes,
    files_as_of: Option<Timestamp>,
) -> Result<Config, Faults> {
    let root = RootFields::read(&Node::root_in(tree, folder), &mut notes).unwrap_or_default();
    let mut accounts = match root.accounts() {
        Ok(Some(accounts)) => accounts,
        Ok(None) => {
            notes.add("accounts", NO_ACCOUNTS);
            vec![]
        }
        Err(Refused) => vec![],
    };
    let poll = root.poll().unwrap_or_default();
    let keys = root.keys().unwrap_or_default();
    poll.check_times("poll", &mut notes);
    for account in &accounts {
        account.check_times(&poll, &mut notes);
    }
    if let Some(now) = files_as_of {
        for account in &mut accounts {
            account.read_uins_file(now, &mut notes);
        }
    }
    let config = || {
        let accounts = accounts.into_iter().map(|account| account.finish(&poll, &keys)).collect::<Result<_, _>>()?;
        Ok(Config { accounts, state_file: root.state_file()? })
    };
    notes.conclude(config())
}

/// Whether a field `name` accepts commas: whether one variable can set the whole list.
pub(super) fn accepts_commas(name: &str) -> bool {
    let fields = [AccountFields::fields(), OverrideFields::fields()];
    fields.iter().flatten().any(|field| field.name == name && field.also == Some(Also::Commas))
}

fn accounts(node: &Node<'_>, notes: &mut Notes) -> Result<Vec<RawAccount>, Refused> {
    let items = node.items(notes)?;
    if items.is_empty() {
        node.refuse(notes, NO_ACCOUNTS);
    }
    // The other accounts are checked even if one is refused.
    Ok(items.iter().filter_map(|item| RawAccount::read(item, notes).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    /// Each section, as YAML in which `{}` stands for one of its fields.
    const SECTIONS: &[&str] = &[
        "{}",
        "accounts: [{{}}]",
        "poll: {{}}",
        "keys: {{}}",
        "keys: {overrides: [{{}}]}",
        "accounts: [{discover: {{}}}]",
        "accounts: [{organization: {{}}}]",
        "poll: {last_used: {{}}}",
        "accounts: [{credentials: {{}}}]",
        "accounts: [{credentials: {file: {{}}}}]",
        "accounts: [{credentials: {profile: {{}}}}]",
        "accounts: [{credentials: {cvm_role: {{}}}}]",
        "accounts: [{credentials: {assume_role: {{}}}}]",
    ];

    fn faults(text: &str) -> Faults {
        Config::parse(text, &Environment::default()).unwrap_err()
    }

    /// The fields of a section, as the error about an unknown one lists them.
    fn fields_of(section: &str) -> Vec<String> {
        let faults = faults(&section.replace("{}", "nothing_is_called_that: 1")).to_string();
        let (_, known) = faults.split_once("unknown field: expected ").unwrap();
        known.lines().next().unwrap().split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn no_field_is_known_and_ignored() {
        for section in SECTIONS {
            for field in fields_of(section) {
                let text = section.replace("{}", &format!("{field}: [[]]"));
                let faults = faults(&text);
                let own = |path: &str| path.trim_end_matches("[0]").ends_with(&field);
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
        for field in SECTIONS.iter().flat_map(|section| fields_of(section)) {
            assert!(shown.contains(&field.as_str()), "{field}");
        }
    }
}
