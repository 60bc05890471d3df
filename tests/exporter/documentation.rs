//! docs/metrics.md and the exposition say the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tencentcloud_cam_exporter::{
    advice::{OF_CODES, advice},
    tencent::{
        Action, DescribeOrganizationMembers, GetCallerIdentity, ListAccessKeys, Reason, action::NAMES,
        code::DOCUMENTED, sts::AssumeRole,
    },
};

use crate::{
    credentials::{ROLE, add_role},
    pki::Pair,
    terminal,
    world::{UIN, World, binary},
};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md"));

/// The rows of the table that stands under the heading `section`: their cells, without backticks.
fn table(section: &str) -> Vec<Vec<String>> {
    let (_, after) = PAGE.split_once(&format!("# {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let section = after.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()).collect()
}

fn labels(cell: &str) -> BTreeSet<String> {
    cell.split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect()
}

/// The families of the exposition with their types and labels; those that a histogram adds to its series are its own.
fn exposed() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let world = World::with_one_user();
    add_role(&world);
    let listing = "organization:DescribeOrganizationMembers".to_owned();
    world.simulator.edit_roles(|roles| roles[0].permissions.push(listing));
    let list = world.write("uins.txt", &UIN.to_string());
    let role = format!("assume_role: {{role_arn: '{ROLE}'}}");
    let organization = format!("organization: {{role_name: exporter, endpoint: 'http://{}'}}", world.endpoint);
    let fields =
        format!("uins_file: {}, include_self: true, discover: true, last_used: true, {organization}", list.display());
    let with_all = world.config_with(&role).replace("name: prod,", &format!("name: prod, {fields},"));
    let exporter = world.start_with(&with_all, &[]);
    for family in [
        "account_last_sweep_duration_seconds",
        "account_caller_up",
        "user_info",
        "access_key_never_used",
        "account_organization_members",
    ] {
        exporter.until(family, |metrics| metrics.count(&format!("tencentcloud_cam_{family}")) >= 1);
    }
    let text = exporter.scrape();
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
    for (row, reason) in table("Reasons").iter().zip(Reason::ALL) {
        assert_eq!(row[3], plain(advice(reason, None)), "{}", row[0]);
    }
    let of_codes: Vec<Vec<String>> =
        OF_CODES.iter().map(|(code, advice)| vec![(*code).to_owned(), plain(advice)]).collect();
    assert_eq!(table("What to do about a code"), of_codes);
}

#[test]
fn every_code_is_documented_with_its_reason() {
    let mut documented = table("Codes");
    assert_eq!(documented.pop().unwrap()[0], "other");
    let real: Vec<Vec<String>> =
        DOCUMENTED.iter().map(|(code, reason)| vec![(*code).to_owned(), reason.label().to_owned()]).collect();
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
    // Whoever asks may be told who that is, and who lists an organization has a policy of its own.
    let others = [GetCallerIdentity::NAME, DescribeOrganizationMembers::NAME];
    let asked = NAMES.into_iter().filter(|name| !others.contains(name));
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

const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));

/// The block of the README that begins with `first`, without it.
fn block(first: &str) -> &'static str {
    let (_, after) = README.split_once(&format!("{first}\n")).unwrap_or_else(|| panic!("the README has no {first}"));
    after.split("```").next().unwrap()
}

fn said_by(arguments: &[&str], folder: &std::path::Path) -> String {
    let output = binary().args(arguments).current_dir(folder).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn the_readme_shows_what_the_binary_says() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.yaml", "wrong.yaml", "web.yml"] {
        std::fs::write(folder.path().join(file), block(&format!("# {file}"))).unwrap();
    }
    Pair::self_signed("localhost").write(folder.path(), "server");
    for arguments in ["--help", "check-config --config.file=wrong.yaml", "check-config --web.config.file=web.yml"] {
        let shown = block(&format!("$ target/release/tencentcloud-cam-exporter {arguments}"));
        assert_eq!(shown, said_by(&arguments.split(' ').collect::<Vec<_>>(), folder.path()));
    }
    let good = said_by(&["check-config"], folder.path());
    assert!(README.contains(&good), "{good}");
}

/// `text` with every request id the same: the demo makes up others each time.
fn without_request_ids(text: &str) -> String {
    let is_of_an_id = |character: char| character.is_ascii_hexdigit() || character == '-';
    let mut pieces: Vec<String> = vec![];
    for (number, piece) in text.split_inclusive(|character: char| !is_of_an_id(character)).enumerate() {
        let id = piece.trim_end_matches(|character: char| !is_of_an_id(character));
        let is_id = number > 0 && id.len() == 36 && id.matches('-').count() == 4;
        pieces.push(if is_id { piece.replace(id, "an id") } else { piece.to_owned() });
    }
    pieces.concat()
}

#[test]
fn the_readme_shows_what_list_shows_on_a_terminal() {
    let shown = block("$ target/release/tencentcloud-cam-exporter list --demo");
    let list = format!("{} list --demo", env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"));
    let (now, _) = terminal::shown(120, &list, &[]);
    assert_eq!(without_request_ids(shown), without_request_ids(&terminal::read(&now)));
}

#[test]
fn every_field_of_the_list_is_documented() {
    let output = binary().args(["list", "--demo", "--output=json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut fields = BTreeSet::new();
    paths("", &json, &mut fields);
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/list.md"));
    let (_, section) = page.split_once("\n## JSON\n").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), fields);
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
        _ => {
            found.insert(prefix.to_owned());
        }
    }
}
