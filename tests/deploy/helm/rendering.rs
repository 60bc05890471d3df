//! Runs Helm.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use super::CHART;
use crate::kubernetes::rendering::parse;

/// The two versions of Helm: the variable that names the program, the program's usual name, and the beginning of its version.
pub(super) const HELMS: [Helm; 2] = [
    Helm { variable: "HELM3", name: "helm3", version: "v3." },
    Helm { variable: "HELM4", name: "helm4", version: "v4." },
];

#[derive(Clone, Copy, Debug)]
pub(super) struct Helm {
    variable: &'static str,
    name: &'static str,
    version: &'static str,
}

// === impl Helm ===

impl Helm {
    pub(super) fn run(self, arguments: &[&str]) -> Output {
        let program = env::var_os(self.variable).unwrap_or_else(|| self.name.into());
        let output = Command::new(&program).args(arguments).output();
        output.unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()))
    }

    /// The documents of a release of this name in the namespace `monitoring`, or the error.
    pub(super) fn template(self, release: &str, chart: &Path, arguments: &[&str]) -> Result<Vec<Value>, String> {
        let chart = chart.to_str().unwrap();
        let output = self.run(&[["template", release, chart, "--namespace=monitoring"].as_slice(), arguments].concat());
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        let documents = parse(str::from_utf8(&output.stdout).unwrap());
        Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
    }
}

/// A folder below `deploy/helm`.
pub(super) fn folder(chart: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/helm").join(chart)
}

/// The example values of the chart, in the order of their names.
pub(super) fn examples() -> Vec<String> {
    let entries = fs::read_dir(folder(CHART).join("ci")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// The chart with the default values and with each of the examples, as both versions of Helm render it.
pub(super) fn everything() -> Vec<(String, Vec<Value>)> {
    let mut all = vec![("default values".to_owned(), render(&[]))];
    for example in examples() {
        let documents = with_example(&example, &[]);
        all.push((example, documents));
    }
    all
}

/// The chart with an example and other arguments.
pub(super) fn with_example(example: &str, arguments: &[&str]) -> Vec<Value> {
    let values = format!("--values={}", folder(CHART).join("ci").join(example).display());
    render(&[[values.as_str()].as_slice(), arguments].concat())
}

/// The chart as both versions of Helm render it, which is the same.
pub(super) fn render(arguments: &[&str]) -> Vec<Value> {
    both(CHART, &folder(CHART), arguments)
}

pub(super) fn both(release: &str, chart: &Path, arguments: &[&str]) -> Vec<Value> {
    let [three, four] = HELMS.map(|helm| helm.template(release, chart, arguments).unwrap());
    for document in &three {
        assert!(four.contains(document), "Helm 4 does not render {document}");
    }
    assert_eq!(three.len(), four.len(), "{}", chart.display());
    three
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn there_are_two_versions_of_helm() {
    for helm in HELMS {
        let version = helm.run(&["version", "--short"]).stdout;
        let version = String::from_utf8(version).unwrap();
        assert!(version.starts_with(helm.version), "{}: {version}", helm.name);
    }
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn lint_finds_nothing() {
    for helm in HELMS {
        for chart in [super::CHART, super::SIDECAR_CHART] {
            let folder = folder(chart);
            let lint = ["lint", "--strict", "--quiet", folder.to_str().unwrap()];
            let examples = if chart == CHART { examples() } else { vec![] };
            let values = examples.iter().map(|name| format!("--values={}", folder.join("ci").join(name).display()));
            for values in values.map(Some).chain([None]) {
                let arguments: Vec<&str> = lint.into_iter().chain(values.as_deref()).collect();
                let output = helm.run(&arguments);
                let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
                assert!(output.status.success(), "{arguments:?}: {text}");
                let mut lines = text.lines().filter(|line| line.starts_with('['));
                assert_eq!(lines.find(|line| !line.ends_with("icon is recommended")), None, "{arguments:?}");
            }
        }
    }
}
