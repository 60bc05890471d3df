//! The rules of Grafana's dashboard-linter, by their names there.

use std::{collections::BTreeSet, slice};

use serde_json::Value;

use super::promql::selectors;

/// A rule that is broken, and the panel where, or the variable, or the dashboard.
pub(super) type Broken = BTreeSet<(&'static str, String)>;

/// Those of Grafana's units that are used here.
const UNITS: [&str; 8] = ["none", "s", "bytes", "percentunit", "reqps", "cps", "dateTimeFromNow", "short"];

/// What every panel and every variable names as its data source.
const DATA_SOURCE: &str = "${datasource}";

/// Every rule that is broken. Whether a query is `PromQL` (`target-promql-rule`) Prometheus itself is asked elsewhere.
pub(super) fn broken(dashboard: &Value) -> Broken {
    let mut broken = Broken::new();
    of_dashboard(dashboard, &mut broken);
    for panel in panels(dashboard) {
        of_panel(panel, &mut broken);
        for query in queries(panel) {
            of_query(text(&panel["title"]), query, &mut broken);
        }
    }
    broken
}

/// The panels that show something. A collapsed row has them inside; those of an open one follow it.
pub(super) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let shown = |panel| if is_row(panel) { inside(panel) } else { slice::from_ref(panel) };
    dashboard["panels"].as_array().unwrap().iter().flat_map(shown)
}

pub(super) fn is_row(panel: &Value) -> bool {
    panel["type"] == "row"
}

/// The panels inside a row.
pub(super) fn inside(row: &Value) -> &[Value] {
    row["panels"].as_array().unwrap()
}

/// The queries of a panel.
pub(super) fn queries(panel: &Value) -> impl Iterator<Item = &str> {
    panel["targets"].as_array().into_iter().flatten().map(|target| text(&target["expr"]))
}

/// The variables of the type.
pub(super) fn variables<'a>(dashboard: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    dashboard["templating"]["list"].as_array().unwrap().iter().filter(move |variable| variable["type"] == kind)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn of_dashboard(dashboard: &Value, broken: &mut Broken) {
    let mut check = |rule, place: &str, holds: bool| {
        if !holds {
            broken.insert((rule, place.to_owned()));
        }
    };
    check("uneditable-dashboard-rule", "dashboard", dashboard["editable"] == false);
    let sources: Vec<[&str; 3]> = variables(dashboard, "datasource")
        .map(|variable| ["name", "label", "query"].map(|field| text(&variable[field])))
        .collect();
    check("template-datasource-rule", "dashboard", sources == [["datasource", "Data source", "prometheus"]]);
    for (rule, name, label) in [("template-job-rule", "job", "Job"), ("template-instance-rule", "instance", "Instance")]
    {
        let is_right = |variable: &Value| {
            let chosen = variable["multi"] == true && variable["allValue"] == ".+" && variable["includeAll"] == true;
            chosen && variable["label"] == label && variable["datasource"]["uid"] == DATA_SOURCE
        };
        let variable = variables(dashboard, "query").find(|variable| variable["name"] == name);
        check(rule, "dashboard", variable.is_some_and(is_right));
    }
    for variable in variables(dashboard, "query") {
        let name = text(&variable["name"]);
        let query = text(&variable["query"]);
        check("template-label-promql-rule", name, query.starts_with("label_values(") && query.ends_with(')'));
        // 2 is "when the time range changes".
        check("template-on-time-change-reload-rule", name, variable["refresh"] == 2);
    }
}

fn of_panel(panel: &Value, broken: &mut Broken) {
    let title = text(&panel["title"]);
    let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sources = targets.iter().chain([panel]).all(|it| it["datasource"]["uid"] == DATA_SOURCE);
    let defaults = &panel["fieldConfig"]["defaults"];
    let overrides = panel["fieldConfig"]["overrides"].as_array().into_iter().flatten();
    let properties = overrides.flat_map(|of| of["properties"].as_array().into_iter().flatten());
    let units = properties.filter(|property| property["id"] == "unit").map(|property| &property["value"]);
    let units = units.chain([&defaults["unit"]]).all(|unit| UNITS.contains(&text(unit)));
    for (rule, holds) in [
        ("panel-datasource-rule", sources),
        ("panel-title-description-rule", !title.is_empty() && !text(&panel["description"]).is_empty()),
        ("panel-units-rule", units),
        ("panel-no-targets-rule", !targets.is_empty()),
    ] {
        if !holds {
            broken.insert((rule, title.to_owned()));
        }
    }
}

fn of_query(title: &str, query: &str, broken: &mut Broken) {
    for selector in selectors(query) {
        let matches = |matcher: &str| selector.matchers.iter().any(|it| it == matcher);
        let is_rate = ["rate", "irate", "increase"].contains(&selector.function.as_str());
        let ranges_over_rate_interval = selector.range.as_deref() == Some("$__rate_interval");
        for (rule, holds) in [
            ("target-job-rule", matches(r#"job=~"$job""#)),
            ("target-instance-rule", matches(r#"instance=~"$instance""#)),
            ("target-rate-interval-rule", !is_rate || ranges_over_rate_interval),
            ("target-counter-agg-rule", !selector.metric.ends_with("_total") || is_rate),
        ] {
            if !holds {
                broken.insert((rule, title.to_owned()));
            }
        }
    }
}
