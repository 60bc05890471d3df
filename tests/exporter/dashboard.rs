//! The dashboard in deploy/grafana shows what is so, on a real Prometheus.

mod grafana;

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    demo,
    documentation::with_everything,
    prometheus::server::{Prometheus, Proxy},
    world::{World, binary},
};
use grafana::{Chosen, Grafana, Row};

/// How long it may take until the last panel has something to show. Only a test that fails waits so long.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What the demo has not: such a file, a role, an organization, a credential with an end.
const NOT_IN_THE_DEMO: [(&str, &str); 4] = [
    ("What is looked up beside polls", "C"),
    ("What is looked up beside polls", "D"),
    ("What is looked up beside polls", "E"),
    ("Credentials", "A"),
];

/// What tells of times of polls, and so differs from one look to the next.
const TIMES: [(&str, &str); 3] = [("Oldest answer", "A"), ("Accounts", "G"), ("Accounts", "H")];

/// The queries that bring nothing.
fn empty(grafana: &Grafana, chosen: &Chosen) -> BTreeSet<(String, String)> {
    let queries = grafana.queries().into_iter().filter(|query| grafana.ask(query, chosen).is_empty());
    queries.map(|query| (query.panel, query.letter)).collect()
}

fn until(what: &str, holds: impl Fn() -> Result<(), String>) {
    let started = Instant::now();
    while let Err(why) = holds() {
        assert!(started.elapsed() < TIMEOUT, "never {what}: {why}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// The value of a panel that shows one.
fn value(rows: &[Vec<Row>]) -> f64 {
    let [rows] = rows else { panic!("several queries: {rows:?}") };
    let [(_, value)] = rows.as_slice() else { panic!("not one value: {rows:?}") };
    *value
}

/// A row of a table: its labels, and the value of each query.
type Line = (BTreeMap<String, String>, Vec<Option<f64>>);

/// The rows of a table, as Grafana's `merge` and `organize` put its queries together: by key, else by user.
fn table(queries: &[Vec<Row>]) -> BTreeMap<String, Line> {
    let place = |labels: &BTreeMap<String, String>| labels.get("access_key_id").unwrap_or(&labels["uin"]).clone();
    let mut rows: BTreeMap<String, Line> = BTreeMap::new();
    for (number, query) in queries.iter().enumerate() {
        for (labels, value) in query {
            let (all, values) =
                rows.entry(place(labels)).or_insert_with(|| (BTreeMap::new(), vec![None; queries.len()]));
            all.extend(labels.clone());
            assert_eq!(values[number].replace(*value), None, "twice: {labels:?}");
        }
    }
    rows
}

/// What `list` says of the demo.
fn list() -> Value {
    let output = binary().args(["list", "--demo", "--output=json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs prometheus"]
fn shows_the_demo_as_list_does() {
    let folder = tempfile::tempdir().unwrap();
    let exporter = demo::demo();
    let proxy = Proxy::start(exporter.address(), None);
    let prometheus = Prometheus::start(folder.path(), &[], &[("cam", &proxy)]);
    demo::swept(&exporter);
    prometheus.until_up("cam");
    // A user that failed before the first scrape fails again after it.
    exporter.signal("HUP");
    let grafana = Grafana::on(&prometheus);
    let (all, not_here) =
        (Chosen::default(), NOT_IN_THE_DEMO.map(|(panel, letter)| (panel.to_owned(), letter.to_owned())));
    until("something to show everywhere", || {
        let empty = empty(&grafana, &all);
        if empty == BTreeSet::from(not_here.clone()) { Ok(()) } else { Err(format!("nothing in {empty:?}")) }
    });

    let list = list();
    the_numbers_are_those_of(&list, &grafana);
    the_tables_are_those_of(&list, &grafana);

    let variables = grafana.variables();
    let instance = &variables["instance"];
    assert_eq!((&variables["job"], &variables["account"]), (&vec!["cam".to_owned()], &vec!["demo".to_owned()]));
    let one = Chosen([("job", vec!["cam".to_owned()]), ("instance", instance.clone())].into());
    assert_eq!(empty(&grafana, &one), not_here.into());
    assert_eq!((grafana.annotations("Starts").len(), grafana.annotations("Configuration loads").len()), (1, 1));
}

fn keys(list: &Value) -> &[Value] {
    list["keys"].as_array().unwrap()
}

/// The ids of the keys of which `list` says so.
fn found<'a>(list: &'a Value, finding: &str) -> BTreeSet<&'a str> {
    let is_so = |key: &&Value| key["findings"].as_array().unwrap().contains(&finding.into());
    keys(list).iter().filter(is_so).map(|key| key["access_key_id"].as_str().unwrap()).collect()
}

fn the_numbers_are_those_of(list: &Value, grafana: &Grafana) {
    let over_limit = found(list, "over_limit");
    let is_over = |key: &&Value| over_limit.contains(key["access_key_id"].as_str().unwrap());
    let users_over: BTreeSet<_> = keys(list).iter().filter(is_over).map(|key| key["uin"].as_str()).collect();
    let stale = count(found(list, "stale").len());
    let failing = list["failures"].as_array().unwrap().iter().filter(|failure| failure["reason"] != "user_not_found");
    for (panel, expected) in [
        ("Users", list["accounts"][0]["users"].as_f64().unwrap()),
        ("Keys", count(keys(list).len())),
        ("Stale keys", stale),
        ("Users over the limit", count(users_over.len())),
        ("Unused keys", count(found(list, "unused").len())),
        ("Failing users", count(failing.count())),
    ] {
        // One of the demo's users fails now and then, and is asked again within the second.
        until(panel, || {
            let shown = value(&grafana.show(panel, &Chosen::default()));
            if equal(shown, expected) { Ok(()) } else { Err(format!("{shown}, not {expected}")) }
        });
    }
    let bands = grafana.show("Keys by age", &Chosen::default());
    let in_bands = |bands: &[Vec<Row>]| bands.iter().map(|band| band[0].1).sum::<f64>();
    assert!(equal(in_bands(&bands), count(keys(list).len())), "{bands:?}");
    let is_old = |key: &&Value| key["age_seconds"].as_f64() > list["accounts"][0]["key_max_age_seconds"].as_f64();
    assert!(equal(in_bands(&bands[4..]), count(keys(list).iter().filter(is_old).count())), "{bands:?}");
}

fn the_tables_are_those_of(list: &Value, grafana: &Grafana) {
    let show = |panel: &str| table(&grafana.show(panel, &Chosen::default()));
    let oldest = show("Oldest keys");
    assert_eq!(oldest.len(), keys(list).len());
    for key in keys(list) {
        let (labels, values) = &oldest[key["access_key_id"].as_str().unwrap()];
        for label in ["account", "uin", "user_name", "status"] {
            assert_eq!(labels[label], key[label], "{labels:?}");
        }
        let days = key["age_seconds"].as_f64().unwrap() / 86_400.0;
        let [age, part, last_used] = values.as_slice() else { panic!("{values:?}") };
        assert!((age.unwrap() - days).abs() <= 1.0, "{age:?} days, not {days}");
        assert!((part.unwrap() - days / 90.0).abs() < 0.001, "{part:?} of the maximum, with {days} days");
        assert_eq!(equal(last_used.unwrap(), 0.0), key["never_used"] == true, "{key}");
    }
    let first = oldest.values().max_by(|one, other| one.1[0].partial_cmp(&other.1[0]).unwrap()).unwrap();
    assert_eq!(first.0["user_name"], "first-admin");

    let unused = show("Keys unused for longest");
    assert_eq!(unused.keys().map(String::as_str).collect::<BTreeSet<_>>(), found(list, "unused"));

    let at_limit = show("Users at or over the key limit");
    let over = at_limit.values().filter(|(_, values)| values[1].unwrap() > 0.0);
    assert_eq!(over.map(|(labels, _)| labels["user_name"].as_str()).collect::<Vec<_>>(), ["data-platform"]);
    assert_eq!(at_limit.len(), 5);

    let failing = show("Users whose polls fail");
    for failure in list["failures"].as_array().unwrap() {
        // A deleted user is no longer found, and has no name; a denied user never had an answer.
        let (labels, values) = &failing[failure["uin"].as_str().unwrap()];
        assert_eq!(labels.get("user_name").map(String::as_str), failure["user_name"].as_str());
        assert_eq!(values[1].is_some(), failure["reason"] == "user_not_found", "{values:?}");
    }
}

fn count(these: usize) -> f64 {
    f64::from(u32::try_from(these).unwrap())
}

fn equal(one: f64, other: f64) -> bool {
    (one - other).abs() < f64::EPSILON
}

#[test]
#[ignore = "needs prometheus"]
fn several_exporters_of_an_account_are_shown_as_one() {
    let (world, config) = with_everything();
    let exporters = [world.start_with(&config, &[]), world.start_with(&config, &[])];
    let plain_world = World::with_one_user();
    let plain = plain_world.start();
    let [one, two] = [&exporters[0], &exporters[1]].map(|exporter| Proxy::start(exporter.address(), None));
    let three = Proxy::start(plain.address(), None);
    let prometheus =
        Prometheus::start(world.folder.path(), &[], &[("one", &one), ("team/two", &two), ("plain", &three)]);
    for job in ["one", "team/two", "plain"] {
        prometheus.until_up(job);
    }
    let grafana = Grafana::on(&prometheus);
    let of_jobs = |jobs: &[&str]| Chosen([("job", jobs.iter().map(|job| (*job).to_owned()).collect())].into());
    let (alone, both) = (of_jobs(&["one"]), of_jobs(&["one", "team/two"]));
    until("what the demo has not", || {
        let empty = empty(&grafana, &both);
        let missing: Vec<_> = NOT_IN_THE_DEMO
            .iter()
            .filter(|(panel, letter)| empty.contains(&((*panel).to_owned(), (*letter).to_owned())))
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?}")) }
    });

    for query in grafana.queries() {
        let place = (query.panel.as_str(), query.letter.as_str());
        until(&format!("the same in {place:?}"), || {
            let [alone, both] = [&alone, &both].map(|jobs| grafana.ask(&query, jobs));
            let is_so = match query.row.as_str() {
                "Overview" | "Keys" if !TIMES.contains(&place) => same(&alone, &both),
                "Overview" | "Keys" | "Freshness" => alone.len() == both.len(),
                _ => true,
            };
            if is_so { Ok(()) } else { Err(format!("alone {alone:?}, both {both:?}")) }
        });
    }
    until("the memory of each", || {
        let of_each = grafana.show("Memory", &both);
        if of_each[0].len() == 2 { Ok(()) } else { Err(format!("{of_each:?}")) }
    });

    // Without discovery nobody has a name, and all are there.
    let plain = of_jobs(&["plain"]);
    let keys = table(&grafana.show("Oldest keys", &plain));
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.values().all(|(labels, _)| !labels.contains_key("user_name") && labels.contains_key("status")));
}

/// Whether they show the same, but for the few seconds by which keys have aged.
fn same(one: &[Row], other: &[Row]) -> bool {
    let sorted = |rows: &[Row]| rows.iter().cloned().collect::<BTreeMap<_, _>>();
    let (one, other) = (sorted(one), sorted(other));
    let pairs = || one.values().zip(other.values());
    one.keys().eq(other.keys()) && pairs().all(|(one, other)| (one - other).abs() < 0.001)
}
