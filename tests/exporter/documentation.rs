//! The documents and the program say the same: here the metrics, the policies and the fields of `list`.

mod configuration;
mod console;
mod crates;
mod links;
mod page;
mod translations;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tencentcloud_api::{
    Action, Code, DescribeOrganizationMembers, GetCallerIdentity, ListAccessKeys, Reason, sts::AssumeRole,
};
use tencentcloud_cam_exporter::metrics::ACTIONS;
use tencentcloud_cam_exporter::{
    advice::{OF_CODES, advice},
    language::Language,
};
use tencentcloud_simulator::{Fault, Rejection, Times};

use page::Page;

use crate::{
    credentials::{ROLE, add_role},
    world::{UIN, World, binary},
};

/// The rows of a table of docs/metrics.md.
fn table(heading: &str) -> Vec<Vec<String>> {
    Page::read("docs/metrics.md").table(heading)
}

fn labels(cell: &str) -> BTreeSet<String> {
    cell.split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect()
}

/// A world and a configuration of it with which every family is exposed.
pub(crate) fn with_everything() -> (World, String) {
    let world = World::with_one_user();
    add_role(&world);
    let listing = "organization:DescribeOrganizationMembers".to_owned();
    world.simulator.edit_roles(|roles| roles[0].permissions.push(listing));
    let missing = UIN + 1;
    let list = world.write("uins.txt", &format!("{UIN}\n{missing}\n"));
    let role = format!("assume_role: {{role_arn: '{ROLE}'}}");
    let organization = format!("organization: {{role_name: exporter, endpoint: 'http://{}'}}", world.endpoint);
    let fields =
        format!("uins_file: {}, include_self: true, discover: true, last_used: true, {organization}", list.display());
    let fields = format!("{fields}, limit: 1, overrides: [{{users: ['*'], exempt: [unused]}}]");
    let config = world.config_with(&role).replace("name: prod,", &format!("name: prod, {fields},"));
    (world, config)
}

/// The families of the exposition with their types and labels; those that a histogram adds to its series are its own.
fn exposed() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let (world, config) = with_everything();
    // A series of an error code begins with its first error.
    world.simulator.inject_into("ListAccessKeys", Fault::Error(Rejection::new("InternalError", "")), Times::Next(1));
    let exporter = world.start_with(&config, &[]);
    for family in [
        "api_errors_total",
        "account_last_sweep_duration_seconds",
        "account_caller_up",
        "user_info",
        "access_key_never_used",
        "account_organization_members",
        "user_missing",
        "user_finding",
        "user_console_login",
        "access_key_auto_disable_timestamp_seconds",
    ] {
        exporter.until(family, |metrics| metrics.count(&format!("tencentcloud_cam_{family}")) >= 1);
    }
    // A role that asks is no user, so the account is never known whole; that nobody is answered about shows all the same.
    world.take_the_api_down();
    exporter.until("account_outage", |metrics| metrics.count("tencentcloud_cam_account_outage") >= 1);
    let text = exporter.scrape();
    assert!(!text.contains(r#"action="other""#), "an action is not in ACTIONS of src/metrics/counters.rs");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families = types.map(|line| line.split_once(' ').unwrap());
    families
        .map(|(family, kind)| {
            let ends: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            let is_of_family = |line: &&str| {
                let name = line.split(['{', ' ']).next().unwrap();
                ends.iter().any(|end| name.strip_suffix(end) == Some(family))
            };
            let names =
                text.lines().filter(is_of_family).filter_map(|line| line.split_once('{')).flat_map(|(_, rest)| {
                    let inside = rest.rsplit_once('}').unwrap().0;
                    inside.split("\",").map(|pair| pair.split_once('=').unwrap().0.to_owned()).collect::<Vec<_>>()
                });
            (family.to_owned(), (kind.to_owned(), names.filter(|name| name != "le").collect()))
        })
        .collect()
}

#[test]
fn every_family_is_documented_and_every_documented_family_is_exposed() {
    let gauges = table("Inventory").into_iter().map(|row| (row[0].clone(), ("gauge".to_owned(), labels(&row[1]))));
    let own = table("The exporter's own").into_iter().map(|row| (row[0].clone(), (row[1].clone(), labels(&row[2]))));
    let documented: BTreeMap<_, _> = gauges.chain(own).collect();
    assert_eq!(documented, exposed());
}

#[test]
fn every_family_has_a_stage() {
    let families = [table("Inventory"), table("The exporter's own")].concat();
    let families: Vec<&str> = families.iter().map(|row| row[0].as_str()).collect();
    let stages = Page::read("docs/operations.md").table("Stages of the metrics");
    assert_eq!(stages.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), families);
    for row in stages {
        assert!(["stable", "experimental", "deprecated"].contains(&row[1].as_str()), "{row:?}");
    }
}

#[test]
fn every_reason_is_documented() {
    let documented: Vec<(String, bool)> =
        table("Reasons").iter().map(|row| (row[0].clone(), row[1] == "yes")).collect();
    let real: Vec<(String, bool)> =
        Reason::ALL.iter().map(|reason| (reason.label().to_owned(), reason.is_transient())).collect();
    assert_eq!(documented, real);
}

#[test]
fn the_status_page_gives_the_same_advice() {
    let plain = |text: &str| text.replace('`', "");
    let chinese = Page::read("docs/zh-CN/metrics.md");
    for (language, reasons, codes) in [
        (Language::English, table("Reasons"), table("What to do about a code")),
        (Language::Chinese, chinese.table("原因"), chinese.table("各错误码的处理办法")),
    ] {
        for (row, reason) in reasons.iter().zip(Reason::ALL) {
            assert_eq!(row[3], plain(advice(language, reason, None)), "{}", row[0]);
        }
        let of_code = |(code, [english, chinese]): &(&str, [&str; 2])| {
            vec![(*code).to_owned(), plain(language.choose(english, chinese))]
        };
        assert_eq!(codes, OF_CODES.iter().map(of_code).collect::<Vec<_>>());
    }
}

#[test]
fn every_code_is_documented_with_its_reason() {
    let mut documented = table("Codes");
    assert_eq!(documented.pop().unwrap()[0], "other");
    let real: Vec<Vec<String>> =
        Code::DOCUMENTED.iter().map(|(code, reason)| vec![(*code).to_owned(), reason.label().to_owned()]).collect();
    assert_eq!(documented, real);
}

#[test]
fn the_policy_allows_what_is_asked_and_no_more() {
    let policy = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/cam-policy.json"));
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let statement = &policy["statement"][0];
    assert_eq!(policy["statement"].as_array().unwrap().len(), 1);
    assert_eq!((&policy["version"], &statement["effect"]), (&"2.0".into(), &"allow".into()));
    assert_eq!(statement["resource"], serde_json::json!(["*"]));
    let allowed: BTreeSet<&str> =
        statement["action"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    // A caller may always call GetCallerIdentity, and listing an organization has a policy of its own.
    let others = [GetCallerIdentity::NAME, DescribeOrganizationMembers::NAME];
    let asked = ACTIONS.into_iter().filter(|name| !others.contains(name));
    let asked: Vec<String> = asked.map(|name| format!("{}:{name}", ListAccessKeys::SERVICE)).collect();
    assert_eq!(allowed, asked.iter().map(String::as_str).collect());
}

#[test]
fn the_policy_of_an_organization_allows_to_list_its_members_and_to_take_on_the_role() {
    let policy = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/organization-policy.json"));
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let list = format!("{}:{}", DescribeOrganizationMembers::SERVICE, DescribeOrganizationMembers::NAME);
    let assume = format!("{}:{}", AssumeRole::SERVICE, AssumeRole::NAME);
    let expected = serde_json::json!({
        "version": "2.0",
        "statement": [
            {"effect": "allow", "action": [list], "resource": ["*"]},
            {"effect": "allow", "action": [assume], "resource": ["qcs::cam::uin/*:roleName/exporter"]},
        ],
    });
    assert_eq!(policy, expected);
}

#[test]
fn every_field_of_the_list_is_documented() {
    let mut fields = BTreeSet::new();
    let world = World::with_one_user();
    let refusal = Fault::Error(Rejection::new("UnauthorizedOperation", "You may not."));
    world.simulator.inject_into("ListUsers", refusal, Times::UntilCleared);
    let config = world.config().replace("uins:", "discover: true, uins:");
    let mut blind = binary();
    let blind = world.with_config(blind.arg("list"), &config);
    for list in [binary().args(["list", "--demo"]), blind] {
        let output = list.arg("--output=json").output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        paths("", &json, &mut fields);
    }
    let rows = Page::read("docs/list.md").table("JSON");
    assert_eq!(rows.into_iter().map(|row| row[0].clone()).collect::<BTreeSet<_>>(), fields);
}

fn paths(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if prefix.is_empty() { "" } else { "." };
                paths(&format!("{prefix}{dot}{name}"), value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| paths(&format!("{prefix}[]"), value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.insert(prefix.to_owned());
        }
    }
}
