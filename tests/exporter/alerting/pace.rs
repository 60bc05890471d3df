//! How fast time goes by: the files of deploy/prometheus, with every wait in them divided by one factor.

use std::time::Duration;

use serde_json::{Map, Value, json};
use yaml_rust2::{Yaml, YamlLoader};

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

    /// The same in text, which Prometheus, Alertmanager and the exporter all read.
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
                        Some(wait) => *value = self.text(duration(wait).unwrap()).into(),
                        None => self.scale_fields(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// A `PromQL` expression, with its durations scaled and those of its numbers that are `waits`.
    fn scaled_expression(self, expression: &str, waits: &[&str]) -> String {
        let mut scaled = String::new();
        let mut rest = expression;
        while !rest.is_empty() {
            let (token, after) = rest.split_at(token_length(rest));
            rest = after;
            match duration(token) {
                Some(wait) => scaled.push_str(&self.text(wait)),
                None if waits.contains(&token) => {
                    scaled.push_str(&(token.parse::<f64>().unwrap() / f64::from(self.0)).to_string());
                }
                None => scaled.push_str(token),
            }
        }
        scaled
    }
}

/// The length of the string, comment, name, number or duration that `text` begins with; otherwise of its first character.
fn token_length(text: &str) -> usize {
    let first = text.chars().next().unwrap();
    let while_in_word = |more: &str| {
        let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(c);
        text.find(|c| !in_word(c)).unwrap_or(text.len())
    };
    match first {
        '"' | '\'' | '`' => {
            let mut escaped = true;
            let end = text.find(|c| {
                let ends = c == first && !escaped;
                escaped = c == '\\' && !escaped && first != '`';
                ends
            });
            end.unwrap() + 1
        }
        '#' => text.find('\n').unwrap_or(text.len()),
        // A name may hold a colon; behind a duration it is the middle of a subquery.
        'a'..='z' | 'A'..='Z' | '_' => while_in_word(":"),
        '0'..='9' | '.' => while_in_word("."),
        _ => first.len_utf8(),
    }
}

/// The duration that a token is: digits and a unit, and maybe more of them.
fn duration(token: &str) -> Option<Duration> {
    let is_one = token.starts_with(|c: char| c.is_ascii_digit()) && token.ends_with(|c: char| c.is_ascii_alphabetic());
    humantime::parse_duration(token).ok().filter(|_| is_one)
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
    let expression = "rate(a:b_5m{c=\"[5m] \\\" 10m\", d='1h'}[1h30m]) > 2 * 86400 # 5m\n\
                      and max_over_time(e[1d:30s] offset 90s) < 1e3 or clamp_min(f, 600) > 600.5";
    let scaled = "rate(a:b_5m{c=\"[5m] \\\" 10m\", d='1h'}[90000ms]) > 2 * 86400 # 5m\n\
                  and max_over_time(e[1440000ms:500ms] offset 1500ms) < 1e3 or clamp_min(f, 10) > 600.5";
    assert_eq!(Pace(60).scaled_expression(expression, &["600"]), scaled);
}
