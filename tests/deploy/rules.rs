//! The Prometheus rules, their tests and their runbooks.

mod chinese;
mod file;
mod mutants;
mod mutation;
mod promql;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use file::Rule;
use yaml_rust2::Yaml;

/// The address of the runbooks in alerts.
const DOCUMENTS: &str = "https://github.com/tencentcloud-cam-exporter/tencentcloud-cam-exporter/blob/main/";

const PREFIX: &str = "TencentCloudCam";

/// What a runbook tells, in this order.
const HEADINGS: [&str; 4] = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];

/// The same in Chinese.
const CHINESE_HEADINGS: [&str; 4] = ["## 含义", "## 影响", "## 诊断", "## 处理"];

/// Metrics of others that the rules ask for.
const FOREIGN: [&str; 3] = ["up", "kube_pod_container_status_running", "kube_pod_init_container_status_running"];

/// The files of rules, and the components that hold them for the Prometheus Operator, with the object's name.
const PROMETHEUS_RULES: [(&str, &str, &str); 6] = [
    ("rules.yml", "prometheus-rule", "tencentcloud-cam-exporter"),
    ("rules-accounts.yml", "prometheus-rule-accounts", "tencentcloud-cam-exporter"),
    ("rules-optional.yml", "prometheus-rule-optional", "tencentcloud-cam-exporter-optional"),
    ("zh-CN/rules.yml", "prometheus-rule-zh-cn", "tencentcloud-cam-exporter"),
    ("zh-CN/rules-accounts.yml", "prometheus-rule-accounts-zh-cn", "tencentcloud-cam-exporter"),
    ("zh-CN/rules-optional.yml", "prometheus-rule-optional-zh-cn", "tencentcloud-cam-exporter-optional"),
];

/// Runs a tool in a folder. What it says is the error where it is not content.
fn run(tool: &str, arguments: &[&str], folder: &Path) -> Result<String, String> {
    let mut command = Command::new(tool);
    // Many are run at a time, each for a second or less: one thread each, and hardly any collection of garbage.
    command.args(arguments).current_dir(folder).envs([("GOMAXPROCS", "1"), ("GOGC", "400")]);
    let output = command.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if output.status.success() { Ok(said) } else { Err(said) }
}

fn promtool(arguments: &[&str], folder: &Path) -> Result<String, String> {
    run("promtool", arguments, folder)
}

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(in_project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn alerts() -> Vec<Rule> {
    file::KEYS.rules().into_iter().filter(Rule::is_alert).collect()
}

/// The runbook of an alert, as a path of the project.
fn runbook(alert: &str) -> String {
    format!("docs/alerts/{alert}.md")
}

/// The same in Chinese.
fn chinese_runbook(alert: &str) -> String {
    format!("docs/zh-CN/alerts/{alert}.md")
}

#[test]
#[ignore = "needs promtool"]
fn promtool_finds_nothing_wrong_with_the_rules() {
    for file in [file::KEYS, file::ACCOUNTS].iter().flat_map(|suite| suite.files) {
        promtool(&["check", "rules", "--lint=all", "--lint-fatal", file], &file::folder()).unwrap();
    }
}

#[test]
#[ignore = "needs promtool"]
fn the_rules_pass_their_tests() {
    let files = [file::KEYS, file::ACCOUNTS].map(file::Suite::test_files).concat();
    let files = files.iter().map(|path| path.to_str().unwrap());
    let arguments: Vec<&str> = ["test", "rules"].into_iter().chain(files).collect();
    promtool(&arguments, &file::folder()).unwrap();
}

#[test]
#[ignore = "needs amtool"]
fn amtool_finds_nothing_wrong_with_the_example() {
    run("amtool", &["check-config", "alertmanager.example.yml"], &file::folder()).unwrap();
}

#[test]
fn the_example_of_alertmanager_names_alerts_that_there_are() {
    let text = read("deploy/prometheus/alertmanager.example.yml");
    let named = text.split(['"', '\'']).filter_map(|piece| piece.strip_prefix(PREFIX)).flat_map(|names| {
        names.trim_matches(['(', ')']).split('|').map(|name| format!("{PREFIX}{name}")).collect::<Vec<_>>()
    });
    let named: BTreeSet<String> = named.collect();
    let known: BTreeSet<String> = alerts().into_iter().map(|rule| rule.name).collect();
    assert!(named.len() > 10, "{named:?}");
    assert_eq!(named.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn an_alert_tells_how_grave_it_is_and_what_to_do() {
    for alert in alerts() {
        let name = &alert.name;
        assert!(name.starts_with(PREFIX), "{name}");
        assert!(mutants::SEVERITIES.contains(&alert.field("labels.severity")), "{name}");
        let summary = alert.field("annotations.summary");
        assert!(summary.ends_with('.') && !summary.contains("{{"), "{name}: {summary}");
        let description = alert.field("annotations.description");
        assert!(description.ends_with('.') || description.ends_with("{{ end }}"), "{name}: {description}");
        assert_eq!(alert.field("annotations.runbook_url"), format!("{DOCUMENTS}{}", runbook(name)));
    }
}

#[test]
fn an_alert_has_a_runbook_and_a_runbook_an_alert() {
    for alert in alerts() {
        let severity = alert.field("labels.severity");
        let summary = format!("{} Severity: `{severity}`.", alert.field("annotations.summary"));
        assert_runbook(&runbook(&alert.name), &alert, HEADINGS, &summary);
        let summary = format!("{}严重级别：`{severity}`。", chinese::summary(&alert));
        assert_runbook(&chinese_runbook(&alert.name), &alert, CHINESE_HEADINGS, &summary);
    }
    for folder in ["docs/alerts", "docs/zh-CN/alerts"] {
        let pages = fs::read_dir(in_project(folder)).unwrap();
        let pages: BTreeSet<String> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
        let expected = alerts().into_iter().map(|alert| format!("{}.md", alert.name)).chain(["README.md".to_owned()]);
        assert_eq!(pages, expected.collect(), "{folder}");
    }
}

/// The runbook at `path` is of that alert, has these headings and this text, and says how to silence the alert.
fn assert_runbook(path: &str, alert: &Rule, headings: [&str; 4], text: &str) {
    let page = read(path);
    assert!(page.starts_with(&format!("# {}\n", alert.name)), "{path}");
    assert_eq!(page.lines().filter(|line| line.starts_with("## ")).collect::<Vec<_>>(), headings, "{path}");
    assert!(page.contains(text), "{path}: {text}");
    assert!(page.contains(&format!("alertname={}", alert.name)), "{path}: no silence");
}

#[test]
fn the_table_has_every_alert() {
    for path in ["docs/alerts/README.md", "docs/zh-CN/alerts/README.md"] {
        let page = read(path);
        let rows = page.lines().filter(|line| line.starts_with("| ["));
        let rows: Vec<Vec<&str>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
        let result: Vec<(&str, &str, &str)> = rows.iter().map(|row| (row[1], row[2], row[4])).collect();
        let alerts = alerts();
        let links: Vec<String> =
            alerts.iter().map(|alert| format!("[{}]({}.md)", &alert.name[PREFIX.len()..], alert.name)).collect();
        let real = alerts.iter().zip(&links);
        let real = real.map(|(alert, link)| (link.as_str(), alert.field("labels.severity"), alert.field("for")));
        assert_eq!(result, real.collect::<Vec<_>>(), "{path}");
    }
}

#[test]
fn an_alert_is_tested_firing_and_silent() {
    for suite in [file::KEYS, file::ACCOUNTS] {
        let rules = suite.rules();
        let cases = file::cases(suite, &rules);
        for case in &cases {
            assert!(!case.needs.is_empty(), "{} checks no rule", case.name);
        }
        // The rules that are the same in both files are tested once.
        let keys = rules.iter().filter(|rule| rule.is_alert() && !is_in_both(suite, rule));
        for Rule { name, .. } in keys {
            assert!(cases.iter().any(|case| case.fires.contains(name)), "{name} never fires");
            assert!(cases.iter().any(|case| case.silent.contains(name)), "{name} is never silent");
        }
    }
}

#[test]
fn the_rules_ask_for_metrics_that_there_are() {
    let page = read("docs/metrics.md");
    let documented = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rules = [file::KEYS, file::ACCOUNTS].map(file::Suite::rules).concat();
    let known: BTreeSet<&str> =
        documented.chain(FOREIGN).chain(["ALERTS"]).chain(rules.iter().map(|rule| rule.name.as_str())).collect();
    for rule in &rules {
        for metric in rule.metrics() {
            assert!(known.contains(metric.as_str()), "{}: {metric}", rule.name);
        }
    }
}

/// `UPDATE_PROMETHEUSRULE=1` writes them.
#[test]
fn the_prometheusrules_hold_the_rules() {
    for (file, component, name) in PROMETHEUS_RULES {
        let path = format!("deploy/kubernetes/components/{component}/prometheusrule.yaml");
        let rules = chinese::rules(file);
        let groups = rules.lines().skip_while(|line| line.starts_with('#'));
        let groups = groups.map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") });
        let head = format!(
            "# The rules of deploy/prometheus/{file}, from which this is made: docs/alerts/README.md says how.\n\
             apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {name}\nspec:\n"
        );
        let expected = head + &groups.collect::<String>();
        if env::var_os("UPDATE_PROMETHEUSRULE").is_some() {
            fs::create_dir_all(in_project(&path).parent().unwrap()).unwrap();
            fs::write(in_project(&path), &expected).unwrap();
        }
        assert!(read(&path) == expected, "{path} is not made from the rules as they are");
        let groups = |text: &str, path: &[&str]| -> Yaml {
            path.iter().fold(file::load(text), |yaml, name| yaml[*name].clone())
        };
        assert_eq!(groups(&expected, &["spec", "groups"]), groups(&rules, &["groups"]));
    }
}

/// Both files have the same health group, and alerts of the same names and severities.
#[test]
fn the_rules_for_accounts_differ_in_the_alerts_on_keys_alone() {
    let [keys, accounts] = ["rules.yml", "rules-accounts.yml"].map(|file| read(&format!("deploy/prometheus/{file}")));
    let health = |text: &str| text.split_once("  - name: tencentcloud-cam-health\n").unwrap().1.to_owned();
    assert!(health(&keys) == health(&accounts));
    let result = |file: &str| -> Vec<(String, String, String)> {
        let alerts = file::rules(file).into_iter().filter(Rule::is_alert);
        alerts
            .map(|alert| (alert.name.clone(), alert.field("labels.severity").to_owned(), alert.field("for").to_owned()))
            .collect()
    };
    assert_eq!(result("rules.yml"), result("rules-accounts.yml"));
}

/// Whether this rule of `rules-accounts.yml` is in `rules.yml` too, where it is tested.
fn is_in_both(suite: file::Suite, rule: &Rule) -> bool {
    suite.files == file::ACCOUNTS.files
        && file::rules("rules.yml").iter().any(|other| other.field("expr") == rule.field("expr"))
}
