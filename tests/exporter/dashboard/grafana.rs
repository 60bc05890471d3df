//! The dashboard's queries, asked as Grafana asks them.

use std::{collections::BTreeMap, slice};

use serde_json::Value;
use tencentcloud_api::{Clock, SystemClock};

use crate::prometheus::server::Prometheus;

const DASHBOARD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana/dashboard.json"));

/// The time that is shown.
const RANGE: i64 = 300;

/// What stands for intervals at that range, where Prometheus scrapes every 5 s.
const INTERVALS: [(&str, &str); 3] = [("$__rate_interval", "20s"), ("$__interval", "5s"), ("$__range", "300s")];

/// A series, or a row of a table: its labels, and its last value that is a number.
pub(super) type Row = (BTreeMap<String, String>, f64);

/// A query, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// The row of panels.
    pub(super) row: String,
    pub(super) panel: String,
    /// The letter of the query within its panel.
    pub(super) letter: String,
    expression: String,
    is_instant: bool,
}

/// What is chosen above the dashboard: values of variables. Of the others, all are.
#[derive(Default)]
pub(super) struct Chosen<'a>(pub(super) BTreeMap<&'a str, Vec<String>>);

/// The dashboard, on a Prometheus.
pub(super) struct Grafana<'a> {
    dashboard: Value,
    prometheus: &'a Prometheus,
}

// === impl Chosen ===

impl Chosen<'_> {
    /// The text that takes the variable's place.
    fn text(&self, variable: &Value) -> String {
        match self.0.get(text(&variable["name"])).map(Vec::as_slice) {
            Some([one]) => escaped(one),
            Some(several) => format!("({})", several.iter().map(|one| escaped(one)).collect::<Vec<_>>().join("|")),
            None if variable["includeAll"] == true => text(&variable["allValue"]).to_owned(),
            None => text(&variable["current"]["value"]).to_owned(),
        }
    }
}

/// Escaped for a regular expression, and that for a string of `PromQL`.
fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for character in value.chars() {
        if r"\^$*+?.()|[]{}".contains(character) {
            escaped.push_str(r"\\");
        }
        escaped.push(character);
    }
    escaped
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

// === impl Grafana ===

impl<'a> Grafana<'a> {
    pub(super) fn on(prometheus: &'a Prometheus) -> Self {
        Self { dashboard: serde_json::from_str(DASHBOARD).unwrap(), prometheus }
    }

    /// Every query of every panel.
    pub(super) fn queries(&self) -> Vec<Query> {
        let mut row = "";
        let mut queries = vec![];
        for panel in self.dashboard["panels"].as_array().unwrap() {
            // A collapsed row has its panels inside; those of an open one follow it.
            let panels: &[Value] = if panel["type"] == "row" {
                row = text(&panel["title"]);
                panel["panels"].as_array().unwrap()
            } else {
                slice::from_ref(panel)
            };
            for panel in panels {
                for target in panel["targets"].as_array().unwrap() {
                    queries.push(Query {
                        row: row.to_owned(),
                        panel: text(&panel["title"]).to_owned(),
                        letter: text(&target["refId"]).to_owned(),
                        expression: text(&target["expr"]).to_owned(),
                        is_instant: target["instant"].as_bool().unwrap(),
                    });
                }
            }
        }
        queries
    }

    /// What the query brings, in the order in which it comes.
    pub(super) fn ask(&self, query: &Query, chosen: &Chosen) -> Vec<Row> {
        let expression = self.interpolated(&query.expression, chosen);
        let answer = if query.is_instant {
            self.prometheus.ask("query", &[("query", &expression)])
        } else {
            let now = SystemClock.now().as_second();
            let (start, end) = ((now - RANGE).to_string(), now.to_string());
            let parameters = [("query", expression.as_str()), ("start", &start), ("end", &end), ("step", "1")];
            self.prometheus.ask("query_range", &parameters)
        };
        answer["result"].as_array().unwrap().iter().filter_map(row).collect()
    }

    /// What the queries of the panel bring, one after the other.
    pub(super) fn show(&self, panel: &str, chosen: &Chosen) -> Vec<Vec<Row>> {
        let queries: Vec<Query> = self.queries().into_iter().filter(|query| query.panel == panel).collect();
        assert!(!queries.is_empty(), "no panel {panel}");
        queries.iter().map(|query| self.ask(query, chosen)).collect()
    }

    /// The values that each variable with a query offers.
    pub(super) fn variables(&self) -> BTreeMap<&str, Vec<String>> {
        let variables = self.dashboard["templating"]["list"].as_array().unwrap().iter();
        variables
            .filter(|variable| variable["type"] == "query")
            .map(|variable| (text(&variable["name"]), self.offered(variable)))
            .collect()
    }

    fn offered(&self, variable: &Value) -> Vec<String> {
        let query = self.interpolated(text(&variable["query"]), &Chosen::default());
        let inside = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        let (selector, label) = inside.rsplit_once(", ").unwrap();
        let values = self.prometheus.ask(&format!("label/{label}/values"), &[("match[]", selector)]);
        values.as_array().unwrap().iter().map(|value| text(value).to_owned()).collect()
    }

    /// The times in milliseconds at which the annotations of that name stand.
    pub(super) fn annotations(&self, name: &str) -> Vec<f64> {
        let all = self.dashboard["annotations"]["list"].as_array().unwrap();
        let annotation = all.iter().find(|annotation| annotation["name"] == name).unwrap();
        assert_eq!(annotation["useValueForTime"], "on");
        let expression = self.interpolated(text(&annotation["expr"]), &Chosen::default());
        let answer = self.prometheus.ask("query", &[("query", &expression)]);
        answer["result"].as_array().unwrap().iter().filter_map(row).map(|(_, time)| time).collect()
    }

    fn interpolated(&self, expression: &str, chosen: &Chosen) -> String {
        let mut expression = expression.to_owned();
        for (name, interval) in INTERVALS {
            expression = expression.replace(name, interval);
        }
        for variable in self.dashboard["templating"]["list"].as_array().unwrap() {
            if variable["type"] != "datasource" {
                expression = expression.replace(&format!("${}", text(&variable["name"])), &chosen.text(variable));
            }
        }
        assert!(!expression.contains('$'), "a variable that nobody has: {expression}");
        expression
    }
}

/// A series of an answer, if any of its values is a number.
fn row(series: &Value) -> Option<Row> {
    let number = |sample: &Value| text(&sample[1]).parse::<f64>().ok().filter(|value| value.is_finite());
    let value = match series["values"].as_array() {
        Some(samples) => samples.iter().rev().find_map(number)?,
        None => number(&series["value"])?,
    };
    let labels = series["metric"].as_object().unwrap().iter();
    Some((labels.map(|(label, value)| (label.clone(), text(value).to_owned())).collect(), value))
}
