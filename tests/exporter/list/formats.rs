//! The list for spreadsheets, in another order, and only what was found.

use serde_json::Value;
use tencentcloud_simulator::{Behaviour, User};

use super::{Run, behaving, command, list, mixed, user};
use crate::world::{UIN, World};

/// A world with users whose names are formulas, or else need quotes.
fn named() -> World {
    let named = |name: &str| User { name: Some(name.to_owned()), ..user([("AKIDold", "Active", 100)]) };
    World::new([
        (UIN, named("=HYPERLINK(\"http://example.com\",\"a\")")),
        (UIN + 1, named("Wang, \"王小明\"")),
        (UIN + 2, User { name: Some("-2+3".to_owned()), ..behaving(Behaviour::Denied) }),
    ])
}

fn discovering(world: &World, flags: &[&str]) -> Run {
    let config = world.config().replace("uins:", "discover: true, uins:");
    command(world, &config, flags).output().unwrap().into()
}

/// The rows as a reader of RFC 4180 takes them.
fn rows(csv: &str) -> Vec<csv::StringRecord> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    reader.records().collect::<Result<_, _>>().unwrap()
}

#[test]
fn csv_has_the_fields_of_the_json() {
    let world = named();
    let run = discovering(&world, &["--output=csv"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stdout.ends_with("\r\n") && run.stdout.matches('\n').count() == 4, "{run:?}");
    let json: Value = serde_json::from_str(&discovering(&world, &["--output=json"]).stdout).unwrap();
    let rows = rows(&run.stdout);
    let columns: Vec<&str> = rows[0].iter().collect();
    for list in ["keys", "failures"] {
        let fields = json[list][0].as_object().unwrap().keys();
        assert!(fields.clone().all(|field| columns.contains(&field.as_str())), "{columns:?}");
    }
    let cell = |row: usize, column: &str| {
        rows[row].get(columns.iter().position(|name| *name == column).unwrap()).unwrap().to_owned()
    };
    let failure = &json["failures"][0];
    for column in ["account", "uin", "reason", "code", "advice"] {
        assert_eq!(cell(1, column), failure[column].as_str().unwrap());
    }
    assert_eq!((cell(1, "user_name"), cell(1, "access_key_id")), ("'-2+3".to_owned(), String::new()));
    assert!(cell(1, "error").contains("(request id "));
    for (row, key) in json["keys"].as_array().unwrap().iter().enumerate() {
        for column in ["account", "uin", "access_key_id", "status", "created"] {
            assert_eq!(cell(row + 2, column), key[column].as_str().unwrap());
        }
        assert_eq!((cell(row + 2, "findings"), cell(row + 2, "never_used")), ("stale".to_owned(), String::new()));
    }
    let names: Vec<String> = (2..4).map(|row| cell(row, "user_name")).collect();
    assert_eq!(names, ["'=HYPERLINK(\"http://example.com\",\"a\")", "Wang, \"王小明\""]);
    assert!(run.stdout.contains(r#","Wang, ""王小明""","#), "{}", run.stdout);
}

#[test]
fn csv_without_a_key_has_its_header() {
    let run = list(&World::new([(UIN, user([]))]), &["--output=csv"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.starts_with("account,uin,user_name,access_key_id,") && run.stdout.lines().count() == 1);
}

/// The ids in the rows of a table.
fn ids(run: &Run) -> Vec<&str> {
    run.stdout.lines().skip(1).take_while(|line| !line.is_empty()).map(|line| &line[23..31]).collect()
}

#[test]
fn keys_come_in_the_order_that_is_asked_for() {
    let world = mixed();
    for (sort, expected) in [
        ("worst", ["AKIDtwox", "AKIDoldx", "AKIDonex", "AKIDthre", "AKIDoffx", "AKIDfine"]),
        ("age", ["AKIDthre", "AKIDtwox", "AKIDoldx", "AKIDoffx", "AKIDfine", "AKIDonex"]),
        ("user", ["AKIDoffx", "AKIDfine", "AKIDoldx", "AKIDtwox", "AKIDonex", "AKIDthre"]),
        ("key", ["AKIDfine", "AKIDoffx", "AKIDoldx", "AKIDonex", "AKIDthre", "AKIDtwox"]),
    ] {
        let run = list(&world, &[&format!("--sort={sort}")]);
        assert_eq!(ids(&run), expected, "{sort}");
        let run = list(&world, &[&format!("--sort={sort}"), "--output=json"]);
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        let keys = json["keys"].as_array().unwrap();
        let listed: Vec<&str> = keys.iter().map(|key| &key["access_key_id"].as_str().unwrap()[..8]).collect();
        assert_eq!(listed, expected, "{sort}");
    }
}

#[test]
fn only_findings_are_keys_with_findings_and_what_failed() {
    let world = World::new([
        (UIN, user([("AKIDfine", "Active", 3), ("AKIDold", "Active", 100)])),
        (UIN + 1, behaving(Behaviour::Denied)),
    ]);
    let run = list(&world, &["--only=findings"]);
    assert_eq!(ids(&run), ["-       ", "AKIDoldx"], "{}", run.stdout);
    assert!(run.stdout.ends_with("1 account, 2 users, 2 keys (1 shown): 1 stale\n"), "{}", run.stdout);
    for (output, lines) in [("json", "AKIDold"), ("csv", "AKIDold")] {
        let run = list(&world, &["--only=findings", &format!("--output={output}")]);
        assert!(run.stdout.contains(lines) && !run.stdout.contains("AKIDfine"), "{}", run.stdout);
        assert!(run.stdout.contains("denied"), "{}", run.stdout);
    }
}

#[test]
fn metrics_are_never_a_part() {
    for flag in ["--only=findings", "--sort=age"] {
        let run = list(&mixed(), &["--output=metrics", flag]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        assert!(run.stderr.contains("leave out --sort and --only"), "{}", run.stderr);
    }
}

#[test]
fn the_table_shows_what_a_terminal_would_not_and_json_has_it_as_it_is() {
    let name = "nimda\u{202e}toor\u{200b}王小明";
    let world = World::new([(UIN, User { name: Some(name.to_owned()), ..user([("AKIDfine", "Active", 3)]) })]);
    let run = discovering(&world, &[]);
    let row = r"prod     100013065917  nimda\u{202e}toor\u{200b}王小明  AKIDfine****xxxx  Active  3 d  ok";
    assert!(run.stdout.contains(row), "{}", run.stdout);
    let json: Value = serde_json::from_str(&discovering(&world, &["--output=json"]).stdout).unwrap();
    assert_eq!(json["keys"][0]["user_name"], name);
}
