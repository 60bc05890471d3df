//! Reads the rules and their tests.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use yaml_rust2::{Yaml, YamlEmitter, YamlLoader};

use super::promql;

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// What it records, or the alert's name.
    pub(super) name: String,
    /// As it stands in the file.
    yaml: Yaml,
}

/// One test of a file of tests, with all that it needs but the rules.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The file, and the test's name.
    pub(super) name: String,
    /// The rules that it asks about, and those that these need.
    pub(super) needs: BTreeSet<String>,
    /// The alerts that it asks about, and expects at some time to fire.
    pub(super) fires: BTreeSet<String>,
    /// The alerts that it expects at some time to be silent.
    pub(super) silent: BTreeSet<String>,
    yaml: Yaml,
}

/// Where the rules and their tests are.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus")
}

/// Files of rules that are loaded together, and the folders of their tests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suite {
    pub(super) files: &'static [&'static str],
    folders: &'static [&'static str],
}

/// An alert for each key, with those that are off by default.
pub(super) const KEYS: Suite =
    Suite { files: &["rules.yml", "rules-optional.yml"], folders: &["tests", "tests/optional"] };

/// An alert for each account.
pub(super) const ACCOUNTS: Suite = Suite { files: &["rules-accounts.yml"], folders: &["tests/accounts"] };

// === impl Suite ===

impl Suite {
    /// The rules, in their order.
    pub(super) fn rules(self) -> Vec<Rule> {
        self.files.iter().flat_map(|file| rules(file)).collect()
    }

    /// The files of tests, in the order of their names.
    pub(super) fn test_files(self) -> Vec<PathBuf> {
        let folders = self.folders.iter().map(|name| fs::read_dir(folder().join(name)).unwrap());
        let files = folders.flatten().map(|file| file.unwrap().path());
        let mut files: Vec<PathBuf> = files.filter(|path| path.is_file()).collect();
        files.sort();
        files
    }
}

/// The rules of a file, in their order.
pub(super) fn rules(file: &str) -> Vec<Rule> {
    let file = load(&fs::read_to_string(folder().join(file)).unwrap());
    let groups = items(&file["groups"]).iter();
    groups.flat_map(|group| items(&group["rules"]).iter().map(Rule::of)).collect()
}

/// Every test of every file.
pub(super) fn cases(suite: Suite, rules: &[Rule]) -> Vec<Case> {
    let mut cases = vec![];
    for path in suite.test_files() {
        let file = load(&fs::read_to_string(&path).unwrap());
        let name = path.file_name().unwrap().to_str().unwrap();
        cases.extend(items(&file["tests"]).iter().map(|test| Case::of(name, &file, test, rules)));
    }
    cases
}

/// A file of these rules, in one group.
pub(super) fn write(rules: &[&Rule], path: &Path) {
    let rules = rules.iter().map(|rule| rule.yaml.clone()).collect();
    let group = map([("name", string("rules")), ("rules", Yaml::Array(rules))]);
    fs::write(path, emit(&map([("groups", Yaml::Array(vec![group]))]))).unwrap();
}

// === impl Rule ===

impl Rule {
    fn of(yaml: &Yaml) -> Self {
        let name = yaml["alert"].as_str().or(yaml["record"].as_str()).unwrap().to_owned();
        Self { name, yaml: yaml.clone() }
    }

    pub(super) fn is_alert(&self) -> bool {
        !self.yaml["alert"].is_badvalue()
    }

    /// A field of the rule, empty where it has none. Fields of fields have a dot in between.
    pub(super) fn field(&self, path: &str) -> &str {
        path.split('.').fold(&self.yaml, |yaml, name| &yaml[name]).as_str().unwrap_or_default()
    }

    /// The rule with another text in this field.
    pub(super) fn with(&self, path: &str, text: &str) -> Self {
        let mut changed = self.clone();
        let mut yaml = &mut changed.yaml;
        for name in path.split('.') {
            yaml = yaml.as_mut_hash().unwrap().get_mut(&string(name)).unwrap();
        }
        *yaml = string(text);
        changed
    }

    /// The metrics that it asks for, those that other rules record included.
    pub(super) fn metrics(&self) -> BTreeSet<String> {
        promql::metrics(self.field("expr"))
    }
}

// === impl Case ===

impl Case {
    fn of(file: &str, whole: &Yaml, test: &Yaml, rules: &[Rule]) -> Self {
        let mut needs = BTreeSet::new();
        let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
        for check in items(&test["alert_rule_test"]) {
            let alert = check["alertname"].as_str().unwrap().to_owned();
            if items(&check["exp_alerts"]).is_empty() { &mut silent } else { &mut fires }.insert(alert);
            needs.extend(asked(check));
        }
        for check in items(&test["promql_expr_test"]) {
            let expression = check["expr"].as_str().unwrap();
            needs.extend(asked(check));
            if let Some(alert) = alert_of(expression) {
                let set = if items(&check["exp_samples"]).is_empty() { &mut silent } else { &mut fires };
                set.insert(alert.to_owned());
            }
        }
        let interval = whole["evaluation_interval"].clone();
        let yaml = map([
            ("rule_files", Yaml::Array(vec![string("rules.yml")])),
            ("evaluation_interval", interval),
            ("tests", Yaml::Array(vec![test.clone()])),
        ]);
        let name = format!("{file}: {}", test["name"].as_str().unwrap());
        Self { name, needs: closure(needs, rules), fires, silent, yaml }
    }

    /// The test with only those of its checks that need this rule, if there are any.
    pub(super) fn only(&self, rule: &str, rules: &[Rule]) -> Option<Self> {
        let mut test = items(&self.yaml["tests"])[0].clone();
        let mut needs = BTreeSet::new();
        for kind in ["alert_rule_test", "promql_expr_test"] {
            let Some(checks) = test.as_mut_hash()?.get_mut(&string(kind)) else { continue };
            let with_needs = items(checks).iter().map(|check| (check.clone(), closure(asked(check), rules)));
            let with_needs: Vec<_> = with_needs.filter(|(_, needed)| needed.contains(rule)).collect();
            needs.extend(with_needs.iter().flat_map(|(_, needed)| needed.clone()));
            *checks = Yaml::Array(with_needs.into_iter().map(|(check, _)| check).collect());
        }
        let mut case = self.clone();
        *case.yaml.as_mut_hash()?.get_mut(&string("tests"))? = Yaml::Array(vec![test]);
        case.needs = needs;
        case.needs.contains(rule).then_some(case)
    }

    /// How much it computes, about: rules, series and evaluations.
    pub(super) fn weight(&self) -> usize {
        let test = &items(&self.yaml["tests"])[0];
        let checks = ["alert_rule_test", "promql_expr_test"].into_iter().flat_map(|kind| items(&test[kind]));
        let end = checks.map(|check| minutes(check["eval_time"].as_str().unwrap())).max().unwrap_or_default();
        let evaluations = end / minutes(self.yaml["evaluation_interval"].as_str().unwrap());
        (self.needs.len() + items(&test["input_series"]).len()) * (evaluations + 1)
    }

    /// Written to a file, whose rules are in `rules.yml` beside it.
    pub(super) fn write(&self, path: &Path) {
        fs::write(path, emit(&self.yaml)).unwrap();
    }
}

/// What a check asks about: alerts, metrics and recording rules.
fn asked(check: &Yaml) -> BTreeSet<String> {
    let expression = check["expr"].as_str().unwrap_or_default();
    let alert = check["alertname"].as_str().or(alert_of(expression));
    promql::metrics(expression).into_iter().chain(alert.map(str::to_owned)).collect()
}

/// The rules of these names, and all that they are made from.
fn closure(mut asked: BTreeSet<String>, rules: &[Rule]) -> BTreeSet<String> {
    loop {
        let of_these = rules.iter().filter(|rule| asked.contains(&rule.name));
        let more: BTreeSet<String> = of_these.flat_map(Rule::metrics).filter(|name| !asked.contains(name)).collect();
        if more.is_empty() {
            asked.retain(|name| rules.iter().any(|rule| rule.name == *name));
            return asked;
        }
        asked.extend(more);
    }
}

/// A YAML file that holds one document.
pub(super) fn load(text: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// The items of a list; none where there is no list.
pub(super) fn items(yaml: &Yaml) -> &[Yaml] {
    yaml.as_vec().map_or(&[], Vec::as_slice)
}

fn string(text: &str) -> Yaml {
    Yaml::String(text.to_owned())
}

fn map<const N: usize>(fields: [(&str, Yaml); N]) -> Yaml {
    Yaml::Hash(fields.into_iter().map(|(name, value)| (string(name), value)).collect())
}

fn emit(yaml: &Yaml) -> String {
    let mut text = String::new();
    YamlEmitter::new(&mut text).dump(yaml).unwrap();
    text
}

/// A time such as `90m` or `7d2h`.
fn minutes(time: &str) -> usize {
    let parts = time.split_inclusive(char::is_alphabetic).map(|part| part.split_at(part.len() - 1));
    let minutes = parts.map(|(number, unit)| {
        number.parse::<usize>().unwrap()
            * match unit {
                "d" => 24 * 60,
                "h" => 60,
                _ => 1,
            }
    });
    minutes.sum()
}

/// The alert of whose series an expression asks.
fn alert_of(expression: &str) -> Option<&str> {
    expression.strip_prefix("ALERTS{alertname=\"")?.split('"').next()
}
