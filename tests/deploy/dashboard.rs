//! deploy/grafana: a dashboard that its readers and Grafana's own linter would have nothing to say against.

mod promql;
mod rules;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use promql::selectors;
use rules::{Broken, broken, inside, is_row, panels, queries, variables};

const DASHBOARD: &str = include_str!("../../deploy/grafana/dashboard.json");
const METRICS: &str = include_str!("../../docs/metrics.md");
const PAGE: &str = include_str!("../../docs/grafana.md");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where the documents of the project are read.
const DOCUMENTS: &str = "https://github.com/tencentcloud-cam-exporter/tencentcloud-cam-exporter/blob/main/";

/// What `kubectl apply` can keep in an annotation, where it puts the whole of what it applies.
const MOST_THAT_CAN_BE_APPLIED: usize = 262_144;

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Findings of the linter that are excluded.
fn excluded() -> BTreeSet<(String, String)> {
    let list = YamlLoader::load_from_str(&read("deploy/grafana/.lint")).unwrap().remove(0);
    let of_rule = |(rule, exclusion): (&Yaml, &Yaml)| -> Vec<(String, String)> {
        let rule = rule.as_str().unwrap();
        assert!(exclusion["reason"].as_str().is_some_and(|reason| reason.len() > 20), "no reason for {rule}");
        let entries = exclusion["entries"].as_vec().unwrap().iter();
        entries.map(|entry| (rule.to_owned(), entry["panel"].as_str().unwrap().to_owned())).collect()
    };
    list["exclusions"].as_hash().unwrap().iter().flat_map(of_rule).collect()
}

fn owned(broken: Broken) -> BTreeSet<(String, String)> {
    broken.into_iter().map(|(rule, place)| (rule.to_owned(), place)).collect()
}

#[test]
fn keeps_the_rules_of_the_linter_but_for_those_that_are_excluded() {
    assert_eq!(owned(broken(&dashboard())), excluded());
}

#[test]
fn each_rule_finds_what_breaks_it() {
    let place = |title: &str| {
        let all = dashboard();
        let position = |panels: &Value| panels.as_array()?.iter().position(|it| it["title"] == title && !is_row(it));
        let in_row =
            |(row, panel): (usize, &Value)| Some(format!("/panels/{row}/panels/{}", position(&panel["panels"])?));
        let nested = all["panels"].as_array().unwrap().iter().enumerate().find_map(in_row);
        nested.unwrap_or_else(|| format!("/panels/{}", position(&all["panels"]).unwrap()))
    };
    let (users, memory, cpu) = (place("Users"), place("Memory"), place("CPU"));
    let variable = |name: &str, field: &str| {
        let all = dashboard();
        let list = all["templating"]["list"].as_array().unwrap();
        format!("/templating/list/{}/{field}", list.iter().position(|variable| variable["name"] == name).unwrap())
    };
    let matched = r#"job=~"$job", instance=~"$instance""#;
    let query = |query: &str| json!(query.replace("MATCHED", matched));
    for (rule, pointer, wrong) in [
        ("uneditable-dashboard-rule", "/editable".to_owned(), json!(true)),
        ("template-datasource-rule", variable("datasource", "label"), json!("Source")),
        ("template-job-rule", variable("job", "allValue"), json!(".*")),
        ("template-instance-rule", variable("instance", "multi"), json!(false)),
        ("template-label-promql-rule", variable("account", "query"), json!("account")),
        ("template-on-time-change-reload-rule", variable("account", "refresh"), json!(1)),
        ("panel-datasource-rule", format!("{memory}/targets/0/datasource/uid"), json!("prometheus")),
        ("panel-title-description-rule", format!("{memory}/description"), json!("")),
        ("panel-title-description-rule", format!("{users}/description"), json!("")),
        ("panel-units-rule", format!("{memory}/fieldConfig/defaults/unit"), json!("seconds")),
        ("panel-no-targets-rule", format!("{memory}/targets"), json!([])),
        ("target-job-rule", format!("{memory}/targets/0/expr"), query(r#"a{instance=~"$instance"}"#)),
        ("target-instance-rule", format!("{memory}/targets/0/expr"), query(r#"a{job=~"$job"}"#)),
        ("target-rate-interval-rule", format!("{cpu}/targets/0/expr"), query("rate(a_total{MATCHED}[5m])")),
        ("target-counter-agg-rule", format!("{cpu}/targets/0/expr"), query("sum(a_total{MATCHED})")),
    ] {
        let mut dashboard = dashboard();
        *dashboard.pointer_mut(&pointer).unwrap_or_else(|| panic!("no {pointer}")) = wrong;
        let (found, excluded) = (owned(broken(&dashboard)), excluded());
        let more: Vec<&str> = found.difference(&excluded).map(|(rule, _)| rule.as_str()).collect();
        assert_eq!(more, [rule], "{pointer}");
    }
}

#[test]
fn every_metric_is_documented() {
    let dashboard = dashboard();
    let inside = |query: &str| query.trim_start_matches("label_values(").rsplit_once(", ").unwrap().0.to_owned();
    let of_variables = variables(&dashboard, "query").map(|variable| inside(variable["query"].as_str().unwrap()));
    let annotations = dashboard["annotations"]["list"].as_array().unwrap();
    let of_annotations = annotations.iter().filter_map(|annotation| annotation["expr"].as_str()).map(str::to_owned);
    let of_panels = panels(&dashboard).flat_map(queries).map(str::to_owned);
    let all: BTreeSet<String> = of_panels
        .chain(of_variables)
        .chain(of_annotations)
        .flat_map(|query| selectors(&query))
        .map(|selector| selector.metric.trim_end_matches("_bucket").to_owned())
        .collect();
    let documented = |metric: &String| METRICS.contains(&format!("| `{metric}` |"));
    // The one that Prometheus makes itself.
    assert_eq!(all.iter().filter(|metric| !documented(metric)).collect::<Vec<_>>(), ["up"]);
    assert!(all.len() > 30, "{all:?}");
}

#[test]
fn ages_are_told_by_no_clock_of_the_exporter_s() {
    assert!(!DASHBOARD.contains("access_key_age_seconds"));
}

#[test]
fn panels_stand_side_by_side() {
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().unwrap();
    let collapsed = all.iter().filter(|panel| is_row(panel)).map(inside);
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    // Grafana moves what is below a collapsed row when it is opened, so its panels only need room beside each other.
    for panels in collapsed.chain([all.as_slice()]) {
        let mut taken = BTreeSet::new();
        for panel in panels {
            let [x, y, width, height] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + width <= 24, "{}", panel["title"]);
            for place in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
                assert!(taken.insert(place), "{} lies on another at {place:?}", panel["title"]);
            }
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "an id twice: {}", panel["id"]);
            let title = (is_row(panel), panel["title"].as_str().unwrap());
            assert!(titles.insert(title), "a title twice: {title:?}");
        }
    }
}

/// Grafana draws no panel that follows a collapsed row, and none inside an open one.
#[test]
fn rows_are_collapsed_except_the_first_two() {
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().unwrap();
    let mut open = vec![];
    for (place, row) in all.iter().enumerate().filter(|(_, panel)| is_row(panel)) {
        let title = row["title"].as_str().unwrap();
        let is_collapsed = row["collapsed"].as_bool().unwrap();
        let panel_follows = all.get(place + 1).is_some_and(|next| !is_row(next));
        assert_eq!((!inside(row).is_empty(), !panel_follows), (is_collapsed, is_collapsed), "{title}");
        let y = |panel: &Value| panel["gridPos"]["y"].as_u64().unwrap();
        assert!(inside(row).iter().all(|panel| y(panel) > y(row)), "{title}: a panel is above its row");
        if !is_collapsed {
            open.push(title);
        }
    }
    assert_eq!(open, ["Overview", "Keys"]);
}

#[test]
fn refreshes_every_five_minutes() {
    assert_eq!(dashboard()["refresh"], "5m");
}

/// Grafana fills in inputs only in an import, not where a file is provisioned, so there are none.
#[test]
fn needs_no_input_and_names_what_it_requires() {
    let dashboard = dashboard();
    assert_eq!((&dashboard["__inputs"], &dashboard["__elements"]), (&json!([]), &json!({})));
    for reference in DASHBOARD.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()) {
        assert!(variables(&dashboard, "datasource").any(|variable| variable["name"] == reference), "{reference}");
    }
    let kind = |it: &Value| ["type", "id"].map(|field| it[field].as_str().unwrap().to_owned());
    let requires = dashboard["__requires"].as_array().unwrap();
    let types = panels(&dashboard).map(|panel| ["panel", panel["type"].as_str().unwrap()]);
    let needed = types.chain([["grafana", "grafana"], ["datasource", "prometheus"]]);
    let needed: BTreeSet<[String; 2]> = needed.map(|it| it.map(str::to_owned)).collect();
    assert_eq!(requires.iter().map(kind).collect::<BTreeSet<_>>(), needed);
    assert_eq!(requires.len(), needed.len());
    let grafana = requires.iter().find(|it| it["type"] == "grafana").unwrap();
    assert_eq!(grafana["version"], "10.0.0");
    assert!(PAGE.contains("It needs Grafana 10\n"), "docs/grafana.md names another version");
}

#[test]
fn the_page_tells_of_each_row() {
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().unwrap().iter();
    let rows: Vec<&str> =
        all.filter(|panel| panel["type"] == "row").map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(PAGE.lines().filter_map(|line| line.strip_prefix("### ")).collect::<Vec<_>>(), rows);
}

#[test]
fn links_lead_to_documents_and_to_dashboards_with_its_tag() {
    let dashboard = dashboard();
    let (documents, others): (Vec<&Value>, Vec<&Value>) =
        dashboard["links"].as_array().unwrap().iter().partition(|link| link["type"] == "link");
    assert!(documents.len() >= 3, "{documents:?}");
    for link in documents {
        read(link["url"].as_str().unwrap().strip_prefix(DOCUMENTS).unwrap());
    }
    let [link] = others.as_slice() else { panic!("{others:?}") };
    let [tag] = link["tags"].as_array().unwrap().as_slice() else { panic!("{link}") };
    assert!(link["type"] == "dashboards" && dashboard["tags"].as_array().unwrap().contains(tag), "{link}");
    assert!(link["keepTime"] == true && link["includeVars"] == true, "{link}");
    assert!(PAGE.contains(&format!("tag `{}`", tag.as_str().unwrap())), "docs/grafana.md does not name the tag");
}

#[test]
#[ignore = "needs kubectl"]
fn kustomize_makes_a_config_map_that_grafana_s_sidecar_finds() {
    let folder = Path::new(ROOT).join("deploy/kubernetes/components/grafana-dashboard");
    let output = Command::new("kubectl").arg("kustomize").arg(folder).output();
    let output = output.unwrap_or_else(|error| panic!("kubectl: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.len() < MOST_THAT_CAN_BE_APPLIED, "{} bytes", output.stdout.len());
    let documents = YamlLoader::load_from_str(str::from_utf8(&output.stdout).unwrap()).unwrap();
    let [map] = documents.as_slice() else { panic!("{} documents", documents.len()) };
    assert_eq!(map["kind"].as_str(), Some("ConfigMap"));
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"].as_str(), Some("1"));
    let data = map["data"].as_hash().unwrap();
    assert_eq!(data.values().map(|file| file.as_str().unwrap()).collect::<Vec<_>>(), [DASHBOARD]);
}

#[test]
fn grafana_is_told_where_the_dashboard_is() {
    let provisioning = YamlLoader::load_from_str(&read("deploy/grafana/provisioning.yaml")).unwrap().remove(0);
    let provider = &provisioning["providers"][0];
    assert_eq!((provisioning["apiVersion"].as_i64(), provider["type"].as_str()), (Some(1), Some("file")));
    let folder = provider["options"]["path"].as_str().unwrap();
    assert!(PAGE.contains(folder), "docs/grafana.md does not say to put it into {folder}");
}
