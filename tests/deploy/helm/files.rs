//! What the charts have from elsewhere. `UPDATE_CHART=1` writes it.

use std::{env, fs, path::Path};

use super::{CHART, SIDECAR_CHART, rendering::folder, values::table};

/// The files that the chart carries, because Helm reads no file outside of it, and what they are copies of.
const COPIES: [(&str, &str); 7] = [
    ("rules.yml", "deploy/prometheus/rules.yml"),
    ("rules-accounts.yml", "deploy/prometheus/rules-accounts.yml"),
    ("rules-optional.yml", "deploy/prometheus/rules-optional.yml"),
    ("zh-CN/rules.yml", "deploy/prometheus/zh-CN/rules.yml"),
    ("zh-CN/rules-accounts.yml", "deploy/prometheus/zh-CN/rules-accounts.yml"),
    ("zh-CN/rules-optional.yml", "deploy/prometheus/zh-CN/rules-optional.yml"),
    ("dashboard.json", "deploy/grafana/dashboard.json"),
];

/// Fails if the file has other content, unless it is to be written.
fn holds(path: &Path, expected: &str) {
    if env::var_os("UPDATE_CHART").is_some() {
        fs::write(path, expected).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap() == expected, "{}: run it with UPDATE_CHART=1", path.display());
}

#[test]
fn the_chart_has_the_rules_and_the_dashboard() {
    let files = folder(CHART).join("files");
    for (copy, original) in COPIES {
        let original = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(original)).unwrap();
        holds(&files.join(copy), &original);
    }
    let names = |folder: &Path| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    let (files, folders): (Vec<_>, Vec<_>) = names(&files).into_iter().partition(|path| path.is_file());
    assert_eq!(files.len() + folders.iter().map(|folder| names(folder).len()).sum::<usize>(), COPIES.len());
}

#[test]
fn each_readme_has_the_table_of_its_values() {
    for chart in [CHART, SIDECAR_CHART] {
        let path = folder(chart).join("README.md");
        let page = fs::read_to_string(&path).unwrap();
        let (text, _) = page.split_once("## Values\n\n").unwrap();
        holds(&path, &format!("{text}## Values\n\n{}", table(chart)));
    }
}

#[test]
fn the_charts_install_this_version_of_the_exporter() {
    let version = concat!("\nappVersion: ", env!("CARGO_PKG_VERSION"), "\n");
    for chart in [CHART, SIDECAR_CHART] {
        assert!(fs::read_to_string(folder(chart).join("Chart.yaml")).unwrap().contains(version), "{chart}");
    }
    let values = fs::read_to_string(folder(SIDECAR_CHART).join("values.yaml")).unwrap();
    assert!(values.contains(concat!("\n  tag: ", env!("CARGO_PKG_VERSION"), "\n")));
}
