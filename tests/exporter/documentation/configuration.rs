//! docs/configuration.md says what the parser knows: each field, what it takes and its default.

use std::collections::BTreeSet;

use tencentcloud_cam_exporter::{config::Config, environment::Environment};

use super::page::Page;

/// A row of the page.
#[derive(Debug)]
struct Field {
    /// The path of its table, empty for the whole file.
    section: String,
    name: String,
    takes: String,
    default: String,
}

/// What cannot be left out, and something for it.
const REQUIRED: &[(&str, &str, &str)] = &[
    ("", "accounts", "[{name: prod, uins: [1]}]"),
    ("accounts[]", "name", "prod"),
    ("accounts[]", "uins", "[1]"),
    ("keys.overrides[]", "users", "[a]"),
    ("keys.overrides[]", "max_age", "1d"),
    ("accounts[].organization", "role_name", "exporter"),
    ("accounts[].credentials.file", "secret_id_path", "/etc/cam/id"),
    ("accounts[].credentials.file", "secret_key_path", "/etc/cam/key"),
    ("accounts[].credentials.assume_role", "role_arn", "qcs::cam::uin/1:roleName/exporter"),
];

/// Values of which each field refuses one at least.
const WRONG: &[&str] = &["'!'", "''", "'[]'", "99999d", "99999999", "[[]]"];

fn fields() -> Vec<Field> {
    let page = Page::read("docs/configuration.md");
    let headings =
        page.text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let mut fields = vec![];
    for heading in headings.filter(|heading| heading.starts_with('`') || *heading == "The whole file") {
        let section = if heading.starts_with('`') { heading.trim_matches('`') } else { "" };
        for row in page.table(heading) {
            let [name, takes, default] = [0, 1, 2].map(|cell| row[cell].clone());
            fields.push(Field { section: section.to_owned(), name, takes, default });
        }
    }
    fields
}

/// A configuration in which `section` has these fields, and whatever it must have besides.
fn with(section: &str, given: &[(&str, &str)]) -> String {
    let required =
        REQUIRED.iter().filter(|(of, name, _)| *of == section && given.iter().all(|(other, _)| other != name));
    let all = required.map(|(_, name, value)| (*name, *value)).chain(given.iter().copied());
    let all: Vec<String> =
        all.filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}: {value}")).collect();
    let table = format!("{{{}}}", all.join(", "));
    match section.rsplit_once('.') {
        _ if section.is_empty() => table,
        Some((parent, name)) if name.ends_with("[]") => {
            with(parent, &[(name.trim_end_matches("[]"), &format!("[{table}]"))])
        }
        None if section == "accounts[]" => with("", &[("accounts", &format!("[{table}]"))]),
        None => with("", &[(section, &table)]),
        Some((parent, name)) => with(parent, &[(name, &table)]),
    }
}

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    Config::parse(text, &variables.iter().copied().collect::<Environment>()).map_err(|faults| faults.to_string())
}

#[test]
fn every_field_is_documented_where_it_may_stand() {
    let fields = fields();
    let of = |section: &str| {
        fields.iter().filter(|it| it.section == section).map(|it| it.name.clone()).collect::<BTreeSet<_>>()
    };
    let sections: BTreeSet<&str> = fields.iter().map(|field| field.section.as_str()).collect();
    for section in &sections {
        let faults = parse(&with(section, &[("nothing_is_called_that", "1")]), &[]).unwrap_err();
        let (_, known) = faults.split_once("unknown field: expected ").unwrap_or_else(|| panic!("{section}: {faults}"));
        let known: BTreeSet<String> = known.lines().next().unwrap().split(", ").map(str::to_owned).collect();
        let mut documented = of(section);
        if *section == "accounts[]" {
            documented.extend(["poll", "keys"].into_iter().flat_map(of));
        }
        assert_eq!(documented, known, "{section}");
    }
    // Every table that a field takes is one of the page, unless it has no fields.
    for field in fields
        .iter()
        .filter(|field| field.takes == "fields" && !matches!(field.name.as_str(), "env" | "tke_oidc" | "source"))
    {
        let below = [&*field.section, ".", &field.name].concat();
        assert!(sections.contains(below.trim_start_matches('.')), "{below}");
    }
}

#[test]
fn fields_take_what_is_documented() {
    for Field { section, name, takes, .. } in fields() {
        let refusals: Vec<String> =
            WRONG.iter().filter_map(|value| parse(&with(&section, &[(&name, value)]), &[]).err()).collect();
        let expected = match takes.as_str() {
            "true or false" | "true, false or fields" => "neither true nor false".to_owned(),
            takes => format!("expected {takes}"),
        };
        let is_said =
            refusals.iter().any(|faults| faults.lines().any(|line| line.contains(&name) && line.contains(&expected)));
        assert!(is_said, "{section} {name}: {expected:?} is in none of {refusals:#?}");
    }
}

#[test]
fn defaults_are_those_documented_whether_from_the_file_or_the_environment() {
    for Field { section, name, default, .. } in fields() {
        let without = parse(&with(&section, &[(&name, "")]), &[]);
        if default == "inherited" {
            continue;
        }
        if default == "required" {
            let faults = without.unwrap_err();
            assert!(faults.contains(&format!("no {name}")), "{section} {name}: {faults}");
            continue;
        }
        assert_eq!(parse(&with(&section, &[(&name, &default)]), &[]), without, "{section} {name}");
        if default != "null" && default != "[]" {
            let path = format!("{section}.{name}").replace("[]", "__0").replace('.', "__").to_uppercase();
            let variable = format!("CAM_EXPORTER__{}", path.trim_start_matches('_'));
            let from_variable = parse(&with(&section, &[(&name, "")]), &[(&variable, default.trim_matches('"'))]);
            assert!(from_variable.is_ok(), "{variable}: {from_variable:?}");
            assert_eq!(from_variable, without, "{variable}");
        }
    }
}

#[test]
fn the_variables_of_each_section_are_told() {
    let page = Page::read("docs/configuration.md");
    let fields = fields();
    let sections: BTreeSet<&str> =
        fields.iter().map(|field| field.section.as_str()).filter(|it| !it.is_empty()).collect();
    for section in sections {
        let prefix = format!("CAM_EXPORTER__{}__", section.replace("[]", "__0").replace('.', "__").to_uppercase());
        assert!(page.section(&format!("`{section}`")).contains(&prefix), "{section}: {prefix}");
    }
}
