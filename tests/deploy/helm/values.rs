//! The values of the charts: their descriptions and their schemas.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;

use super::{
    CHART, SIDECAR_CHART,
    rendering::{HELMS, folder},
};
use crate::kubernetes::rendering::parse;

/// Values that are wrong, and what the schema says about them.
const REFUSED: [(&str, &str); 19] = [
    ("imagee.tag=1", "at '': additional properties 'imagee' not allowed"),
    ("image.tga=1", "at '/image': additional properties 'tga' not allowed"),
    ("image.digest=latest", "at '/image/digest': 'latest' does not match pattern"),
    ("shards=0", "at '/shards': minimum: got 0, want 1"),
    ("shards=two", "at '/shards': got string, want integer"),
    ("shards=2,persistence.existingClaim=mine", "at '/persistence/existingClaim': value must be ''"),
    ("shards=2,service.enabled=false", "at '/service/enabled': value must be true"),
    ("serviceMonitor.enabled=true,service.enabled=false", "at '/service/enabled': value must be true"),
    ("web.tlsSecret=cam-tls", "at '/web/config': minProperties: got 0, want 1"),
    ("credentials.source=vault", "at '/credentials/source': value must be one of 'secret', 'tke-oidc'"),
    ("credentials.source=tke-oidc", "at '/credentials/tke/roleArn': minLength: got 0, want 1"),
    ("credentials.secretId=AKID", "at '/credentials/secretKey': minLength: got 0, want 1"),
    (
        "config.accounts[0].credentials.secret_key=x",
        "at '/config/accounts/0/credentials': additional properties 'secret_key' not allowed",
    ),
    (
        "prometheusRule.disabledAlerts[0]=AccessKeyStale",
        "at '/prometheusRule/disabledAlerts/0': value must be one of 'TencentCloudCamAccessKeyStale'",
    ),
    (
        "prometheusRule.severities.TencentCloudCamAccessKeyStale=page",
        "at '/prometheusRule/severities/TencentCloudCamAccessKeyStale': value must be one of 'info', 'warning', 'critical'",
    ),
    ("prometheusRule.language=zh", "at '/prometheusRule/language': value must be one of 'en', 'zh-CN'"),
    ("tmp.instanceId=cls-example", "at '/tmp/instanceId': 'cls-example' does not match pattern"),
    ("podMonitor.interval=30", "at '/podMonitor/interval': got number, want string"),
    ("extraArgs[0]=-v", "at '/extraArgs/0': '-v' does not match pattern '^--'"),
];

/// A value with a description.
struct Described {
    path: String,
    default: String,
    text: String,
}

/// The descriptions in a chart's values.yaml: comments that begin with `# -- `, with the default in another that begins with
/// `# @default -- ` if it is long.
fn described(chart: &str) -> Vec<Described> {
    let text = fs::read_to_string(folder(chart).join("values.yaml")).unwrap();
    let mut all = vec![];
    // The keys above the current line with their indentations.
    let mut parents: Vec<(usize, &str)> = vec![];
    let mut pending: Option<(String, Option<&str>)> = None;
    // The indentation of a value whose fields need no description.
    let mut inside = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indentation = line.len() - trimmed.len();
        if let Some(first) = trimmed.strip_prefix("# -- ") {
            pending = Some((first.to_owned(), None));
        } else if let Some(comment) = trimmed.strip_prefix("# ") {
            match (comment.strip_prefix("@default -- "), &mut pending) {
                (Some(shown), Some((_, default))) => *default = Some(shown),
                (None, Some((text, _))) => *text = format!("{text} {comment}"),
                (_, None) => {}
            }
        } else if !trimmed.is_empty() && inside.is_none_or(|outer| indentation <= outer) {
            inside = None;
            let (key, value) = trimmed.split_once(':').unwrap();
            let value = value.trim();
            parents.retain(|(outer, _)| *outer < indentation);
            let path: Vec<&str> = parents.iter().map(|(_, name)| *name).chain([key]).collect();
            let path = path.join(".");
            if let Some((text, default)) = pending.take() {
                let default = default.map_or_else(|| format!("`{value}`"), str::to_owned);
                assert_ne!(default, "``", "{path} has no default");
                all.push(Described { path, default, text });
                inside = value.is_empty().then_some(indentation);
            } else {
                assert_eq!(value, "", "{path} has no description");
                parents.push((indentation, key));
            }
        }
    }
    all
}

/// The table of a chart's values.
pub(super) fn table(chart: &str) -> String {
    let rows = described(chart);
    let rows = rows.iter().map(|row| format!("| `{}` | {} | {} |\n", row.path, row.default, row.text));
    format!("| value | default | description |\n|---|---|---|\n{}", rows.collect::<String>())
}

fn schema(chart: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder(chart).join("values.schema.json")).unwrap()).unwrap()
}

/// The names that the schema knows in each table, of those that it closes.
fn closed(schema: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, property) in properties {
        closed(property, format!("{path}.{name}").trim_start_matches('.'), found);
    }
    if schema["additionalProperties"] == false {
        found.insert(path.to_owned(), properties.keys().cloned().collect());
    }
}

#[test]
fn the_schemas_know_each_value_and_no_other() {
    for chart in [CHART, SIDECAR_CHART] {
        let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in described(chart) {
            let mut path = row.path.as_str();
            while let Some((table, name)) = path.rsplit_once('.') {
                tables.entry(table.to_owned()).or_default().insert(name.to_owned());
                path = table;
            }
            tables.entry(String::new()).or_default().insert(path.to_owned());
        }
        // Helm adds this for all charts, and the chart that depends on ours may have a condition.
        tables.remove("global");
        tables.get_mut("").unwrap().extend(["global", "enabled"].map(str::to_owned));
        let mut found = BTreeMap::new();
        closed(&schema(chart), "", &mut found);
        // Kubernetes' own fields, of which the values are not described one by one.
        found.remove("resources");
        assert_eq!(found, tables, "{chart}");
    }
}

#[test]
fn the_schema_knows_the_alerts() {
    let known = &schema(CHART)["definitions"]["alert"]["enum"];
    let files = ["rules.yml", "rules-optional.yml"].map(|file| {
        let path = folder(CHART).join("files").join(file);
        parse(&fs::read_to_string(path).unwrap()).remove(0)
    });
    let groups = files.iter().flat_map(|file| file["groups"].as_array().unwrap());
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let alerts: Vec<&Value> = rules.filter_map(|rule| rule.get("alert")).collect();
    assert_eq!(known.as_array().unwrap().iter().collect::<Vec<_>>(), alerts);
}

#[test]
#[ignore = "needs helm 3 and 4"]
fn the_schema_refuses_wrong_values() {
    for helm in HELMS {
        for (values, message) in REFUSED {
            let error = helm.template("any", &folder(CHART), &["--set", values]).unwrap_err();
            assert!(error.contains(message), "{helm:?} {values}: {error}");
        }
    }
}
