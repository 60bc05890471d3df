//! How fast time goes by: the files of deploy/prometheus, with every wait in them divided by one factor.

#[path = "../../deploy/rules/promql.rs"]
mod promql;

use std::time::Duration;

use serde_json::{Map, Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use self::promql::{Kind, tokens};

/// Waits that a rule has in plain seconds. All other numbers stay: they are about ages of keys, shares and clocks.
const WAITS_IN_SECONDS: [(&str, &str); 1] = [("TencentCloudCamInventoryStale", "600")];

/// Fields that hold a wait, of rules, of their groups and of Alertmanager's routes.
const WAITS: [&str; 6] = ["interval", "for", "keep_firing_for", "group_wait", "group_interval", "repeat_interval"];

/// What Alertmanager takes where its configuration says nothing.
const DEFAULT_WAITS: [(&str, &str); 3] = [("group_wait", "30s"), ("group_interval", "5m"), ("repeat_interval", "4h")];

/// A minute of the files is a minute divided by so much.
#[derive(Clone, Copy)]
pub(super) struct Pace(u32);

// === impl Pace ===

impl Pace {
    /// `CAM_E2E_FACTOR`: with 1 the files are used as they stand.
    #[expect(clippy::disallowed_methods, reason = "nobody sets variables here")]
    pub(super) fn from_environment() -> Self {
        Self(std::env::var("CAM_E2E_FACTOR").map_or(60, |factor| factor.parse().unwrap()))
    }

    /// How long a wait of `real` takes.
    pub(super) fn of(self, real: Duration) -> Duration {
        real / self.0
    }

    /// The same in text, which Prometheus and Alertmanager read.
    pub(super) fn text(self, real: Duration) -> String {
        format!("{}ms", self.of(real).as_millis())
    }

    /// The rule file.
    pub(super) fn rules(self, file: &str) -> String {
        if self.0 == 1 { file.to_owned() } else { self.scaled_rules(file) }
    }

    fn scaled_rules(self, file: &str) -> String {
        let mut rules = read(file);
        self.scale_fields(&mut rules);
        let mut waits = WAITS_IN_SECONDS.to_vec();
        for group in rules["groups"].as_array_mut().unwrap() {
            for rule in group["rules"].as_array_mut().unwrap() {
                let name = rule["alert"].as_str().unwrap_or_default();
                let in_seconds: Vec<&str> =
                    WAITS_IN_SECONDS.iter().filter(|wait| wait.0 == name).map(|wait| wait.1).collect();
                waits.retain(|wait| wait.0 != name || !rule["expr"].as_str().unwrap().contains(wait.1));
                rule["expr"] = self.scaled_expression(rule["expr"].as_str().unwrap(), &in_seconds).into();
            }
        }
        assert!(waits.is_empty(), "not in the rules any more: {waits:?}");
        rules.to_string()
    }

    /// Alertmanager's configuration, in which every receiver tells `url`.
    pub(super) fn alertmanager(self, file: &str, url: &str) -> String {
        let mut config = read(file);
        if self.0 != 1 {
            let route = config["route"].as_object_mut().unwrap();
            for (name, default) in DEFAULT_WAITS {
                route.entry(name).or_insert(default.into());
            }
            self.scale_fields(&mut config);
        }
        let webhook = json!([{"url": url, "send_resolved": true}]);
        for receiver in config["receivers"].as_array_mut().unwrap() {
            receiver["webhook_configs"] = webhook.clone();
        }
        config.to_string()
    }

    fn scale_fields(self, tree: &mut Value) {
        match tree {
            Value::Array(items) => items.iter_mut().for_each(|item| self.scale_fields(item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str().filter(|_| WAITS.contains(&name.as_str())) {
                        Some(wait) => *value = self.text(duration(wait)).into(),
                        None => self.scale_fields(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// A `PromQL` expression, with its durations scaled, and those of its numbers that are `waits`.
    fn scaled_expression(self, expression: &str, waits: &[&str]) -> String {
        let mut scaled = expression.to_owned();
        for token in tokens(expression).into_iter().rev() {
            let shorter = match token.kind {
                Kind::Duration => self.text(duration(token.text)),
                Kind::Number if waits.contains(&token.text) => {
                    (token.text.parse::<f64>().unwrap() / f64::from(self.0)).to_string()
                }
                Kind::Name | Kind::Number | Kind::String | Kind::Sign => continue,
            };
            scaled.replace_range(token.at, &shorter);
        }
        scaled
    }
}

fn duration(text: &str) -> Duration {
    humantime::parse_duration(text).unwrap()
}

/// YAML as a tree that can be written down as JSON, which is YAML too.
fn read(yaml: &str) -> Value {
    let documents = YamlLoader::load_from_str(yaml).unwrap();
    assert_eq!(documents.len(), 1);
    tree(&documents[0])
}

fn tree(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Real(number) => number.parse::<f64>().unwrap().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::String(text) => text.as_str().into(),
        Yaml::Boolean(value) => (*value).into(),
        Yaml::Array(items) => items.iter().map(tree).collect(),
        Yaml::Hash(fields) => {
            let field = |(name, value): (&Yaml, &Yaml)| (name.as_str().unwrap().to_owned(), tree(value));
            Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
        }
        Yaml::Null => Value::Null,
        Yaml::Alias(_) | Yaml::BadValue => panic!("{yaml:?}"),
    }
}

#[test]
fn only_waits_are_scaled() {
    let expression = "max_over_time(a:b_5m{c=\"[5m] 600\"}[1h]) > 2 * 86400 and clamp_min(d[90s], 600) < 600.5";
    let scaled = "max_over_time(a:b_5m{c=\"[5m] 600\"}[60000ms]) > 2 * 86400 and clamp_min(d[1500ms], 10) < 600.5";
    assert_eq!(Pace(60).scaled_expression(expression, &["600"]), scaled);
}
