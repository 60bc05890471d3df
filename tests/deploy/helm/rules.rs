//! The `PrometheusRule` of the chart.

use serde_json::{Value, json};

use super::{
    CHART,
    rendering::{render, with_example},
};
use crate::kubernetes::{
    list,
    rendering::{find, parse},
};

/// The groups of a file in deploy/prometheus.
fn groups(file: &str) -> Vec<Value> {
    let path = format!("{}/deploy/prometheus/{file}", env!("CARGO_MANIFEST_DIR"));
    list(&parse(&std::fs::read_to_string(path).unwrap())[0], "/groups").to_vec()
}

fn rendered(arguments: &[&str]) -> Vec<Value> {
    let documents = render(&[["--set=prometheusRule.enabled=true"].as_slice(), arguments].concat());
    list(find(&documents, "PrometheusRule", CHART), "/spec/groups").to_vec()
}

fn rules(groups: &[Value]) -> impl Iterator<Item = &Value> {
    groups.iter().flat_map(|group| list(group, "/rules"))
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn the_rules_are_those_of_the_files() {
    assert_eq!(rendered(&[]), groups("rules.yml"));
    assert_eq!(rendered(&["--set=prometheusRule.perAccount=true"]), groups("rules-accounts.yml"));
    let both = [groups("rules.yml"), groups("rules-optional.yml")].concat();
    assert_eq!(rendered(&["--set=prometheusRule.optional=true"]), both);
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn the_alerts_are_chinese_if_the_values_say_so() {
    const CHINESE: &str = "--set=prometheusRule.language=zh-CN";
    let one = groups("zh-CN/rules.yml");
    assert_eq!(rendered(&[CHINESE]), one);
    let of_accounts = groups("zh-CN/rules-accounts.yml");
    assert_eq!(rendered(&[CHINESE, "--set=prometheusRule.perAccount=true"]), of_accounts);
    let both = [one, groups("zh-CN/rules-optional.yml")].concat();
    assert_eq!(rendered(&[CHINESE, "--set=prometheusRule.optional=true"]), both);
    assert_eq!(rendered(&["--set=prometheusRule.language=en"]), groups("rules.yml"));
    let elsewhere = rendered(&[CHINESE, "--set=prometheusRule.runbookUrl=https://runbooks.example.com/cam/"]);
    for rule in rules(&elsewhere).filter(|rule| rule.get("alert").is_some()) {
        let runbook = format!("https://runbooks.example.com/cam/{}.md", rule["alert"].as_str().unwrap());
        assert_eq!(rule["annotations"]["runbook_url"], runbook);
    }
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn values_change_alerts_and_nothing_else() {
    let documents = with_example("prometheus-operator-values.yaml", &[]);
    let changed = list(find(&documents, "PrometheusRule", CHART), "/spec/groups").to_vec();
    let expected = [groups("rules.yml"), groups("rules-optional.yml")].concat();
    let disabled = ["TencentCloudCamUserAtKeyLimit", "TencentCloudCamSidecarNotScraped"].map(Value::from);
    let severities = [("TencentCloudCamAccessKeyStale", "info"), ("TencentCloudCamAccessKeyVeryStale", "critical")];
    let expected = rules(&expected).filter(|rule| !disabled.contains(&rule["alert"])).map(|rule| {
        let mut rule = rule.clone();
        let Some(alert) = rule["alert"].as_str().map(str::to_owned) else { return rule };
        rule["labels"]["team"] = json!("security");
        if let Some((_, severity)) = severities.iter().find(|(name, _)| *name == alert) {
            rule["labels"]["severity"] = json!(severity);
        }
        for annotation in rule["annotations"].as_object_mut().unwrap().values_mut() {
            let text = annotation.as_str().unwrap().replace(
                "https://github.com/tencentcloud-cam-exporter/tencentcloud-cam-exporter/blob/main/docs/alerts",
                "https://runbooks.example.com/cam",
            );
            *annotation = json!(text.replace("https://grafana.example.com", "https://grafana.example.org"));
        }
        rule
    });
    let expected: Vec<Value> = expected.collect();
    assert_eq!(rules(&changed).cloned().collect::<Vec<_>>(), expected);
    assert!(expected.len() >= 35, "{}", expected.len());
}
