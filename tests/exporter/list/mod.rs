//! `list`: one look at all accounts, for people, for programs and for Prometheus.

mod files;
mod formats;
mod incomplete;
mod language;
mod terminal;

use std::{
    io::Read,
    process::{Command, Stdio},
};

use jiff::SignedDuration;
use serde_json::Value;
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Behaviour, Fault, Key, Rejection, Times, User, densest_second};

use crate::world::{Metrics, Run, SECRET_ID, UIN, World, binary};

fn command(world: &World, config: &str, flags: &[&str]) -> Command {
    let config = world.write("config.yaml", config);
    let mut command = binary();
    command.arg("list").arg(format!("--config.file={}", config.display())).args(flags);
    command
}

fn list(world: &World, flags: &[&str]) -> Run {
    command(world, &world.config(), flags).output().unwrap().into()
}

/// A key of that id, which is filled up, and of that age.
fn key(id: &str, status: &str, days: i32) -> Key {
    let created = SystemClock.now() - SignedDuration::from_hours(24) * days;
    Key::new(format!("{id:x<36}"), status, created)
}

fn user(keys: impl IntoIterator<Item = (&'static str, &'static str, i32)>) -> User {
    User::with_keys(keys.into_iter().map(|(id, status, days)| key(id, status, days)))
}

fn behaving(behaviour: Behaviour) -> User {
    User { behaviour, ..user([("AKIDhidden", "Active", 1)]) }
}

/// Users with all that may be said of keys, and none who cannot be polled.
fn mixed() -> World {
    World::new([
        (UIN, user([("AKIDfine", "Active", 3), ("AKIDoff", "Inactive", 5)])),
        (UIN + 1, user([("AKIDold", "Active", 100)])),
        (UIN + 2, user([("AKIDone", "Active", 1), ("AKIDtwo", "Active", 200), ("AKIDthree", "Inactive", 300)])),
        (UIN + 3, user([])),
    ])
}

fn fine() -> World {
    World::new([(UIN, user([("AKIDfine", "Active", 3)]))])
}

#[test]
fn a_pipe_gets_a_plain_table_with_the_worst_first() {
    let run = list(&mixed(), &[]);
    let table = "\
ACCOUNT  USER          KEY               STATUS    AGE    VERDICT
prod     100013065919  AKIDtwox****xxxx  Active    200 d  very stale, over limit
prod     100013065918  AKIDoldx****xxxx  Active    100 d  stale
prod     100013065919  AKIDonex****xxxx  Active    1 d    over limit
prod     100013065919  AKIDthre****xxxx  Inactive  300 d  over limit, inactive
prod     100013065917  AKIDoffx****xxxx  Inactive  5 d    inactive
prod     100013065917  AKIDfine****xxxx  Active    3 d    ok

1 account, 4 users, 6 keys: 1 very stale, 2 stale, 3 over limit, 2 inactive
";
    assert_eq!(run.stdout, table);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn users_who_cannot_be_polled_are_rows_with_their_reason_and_what_to_do() {
    let world = World::new([
        (UIN, user([("AKIDfine", "Active", 3)])),
        (UIN + 1, behaving(Behaviour::Denied)),
        (UIN + 2, behaving(Behaviour::Denied)),
        (UIN + 3, behaving(Behaviour::DoesNotExist)),
    ]);
    let run = list(&world, &[]);
    assert_eq!(run.code, Some(2), "{run:?}");
    let rows: Vec<&str> = run.stdout.lines().take(5).collect();
    assert_eq!(
        rows,
        [
            "ACCOUNT  USER          KEY               STATUS  AGE  VERDICT",
            "prod     100013065918  -                 -       -    failed: denied",
            "prod     100013065919  -                 -       -    failed: denied",
            "prod     100013065920  -                 -       -    failed: user_not_found",
            "prod     100013065917  AKIDfine****xxxx  Active  3 d  ok",
        ]
    );
    for text in [
        "denied: prod: 2 users, such as 100013065918\n  AuthFailure.UnauthorizedOperation: You are not authorized",
        "allows `cam:ListAccessKeys`",
        "user_not_found: prod: user 100013065920\n  InvalidParameter.UserNotExist:",
        "Remove it from `uins`",
    ] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
    assert!(run.stderr.contains("3 of 4 user(s) could not be polled"), "{}", run.stderr);
}

#[test]
fn the_exit_code_says_whether_anything_was_found_that_was_asked_for() {
    let [clean, stale, over_limit] = [
        fine(),
        World::new([(UIN, user([("AKIDold", "Active", 100)]))]),
        World::new([(UIN, user([("AKIDa", "Active", 1), ("AKIDb", "Active", 1), ("AKIDc", "Active", 1)]))]),
    ];
    for (world, fail_on, code) in [
        (&clean, "--fail-on=stale,over-limit", 0),
        (&stale, "--output=table", 0),
        (&stale, "--fail-on=stale", 1),
        (&stale, "--fail-on=over-limit", 0),
        (&stale, "--fail-on=over-limit,stale", 1),
        (&over_limit, "--fail-on=over-limit", 1),
        (&over_limit, "--fail-on=stale", 0),
    ] {
        let run = list(world, &[fail_on]);
        assert_eq!(run.code, Some(code), "{fail_on}: {run:?}");
    }
    let run = list(&stale, &["--fail-on=stale", "--fail-on=over-limit", "--output=json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
}

#[test]
fn a_user_who_cannot_be_polled_counts_for_more_than_what_was_found() {
    let world = World::new([(UIN, user([("AKIDold", "Active", 100)])), (UIN + 1, behaving(Behaviour::Denied))]);
    assert_eq!(list(&world, &["--fail-on=stale"]).code, Some(2));
}

#[test]
fn unused_keys_are_not_looked_for_where_nothing_is_known_of_their_use() {
    let run = list(&fine(), &["--fail-on=unused"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("--fail-on=unused: it is not known when keys were last used"), "{}", run.stderr);
}

#[test]
fn what_is_typed_wrong_is_named_and_mended() {
    let world = fine();
    for (flags, run) in [
        (
            ["--fail-on=old"].as_slice(),
            "[possible values: stale, very-stale, over-limit, unused, auto-disable-soon, rotation-unfinished, console-login]",
        ),
        (&["--output=yaml"], "[possible values: table, json, csv, metrics]"),
        (&["--sort=size"], "[possible values: worst, age, last-used, account, user, name, key]"),
        (&["--only=failures"], "[possible values: findings]"),
        (&["--allow-incomplete"], "--output-file <FILE>"),
        (&["--demo"], "the argument '--config.file <FILE>' cannot be used with '--demo'"),
        (&["--web.listen-address=:1"], "unexpected argument '--web.listen-address'"),
        (&["--output-file=/nowhere/keys.prom"], "cannot write /nowhere/keys.prom: check that its folder is there"),
        (&["--output-file=/dev/null"], "/dev/null is not a file"),
        (&["--output-file=/tmp"], "/tmp is not a file"),
    ] {
        let said = list(&world, flags);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.stderr.contains(run) && said.stdout.is_empty(), "{run}: {said:?}");
    }
    assert!(world.simulator.arrivals().is_empty(), "none of that is found out after the work");
}

#[test]
fn a_configuration_that_is_wrong_ends_it_with_every_fault() {
    let world = fine();
    let config = world.config().replace("uins:", "uins_file: /nowhere/uins, uin:").replace("20", "21");
    let run = Run::from(command(&world, &config, &[]).output().unwrap());
    assert_eq!(run.code, Some(2), "{run:?}");
    for fault in ["accounts[0].uin: unknown", "/nowhere/uins", "poll.rate_limit"] {
        assert!(run.stderr.contains(fault), "{fault}: {}", run.stderr);
    }
}

#[test]
fn users_of_files_are_listed_within_the_budget() {
    let users = (0..45).map(|number| (UIN + number, user([("AKIDfine", "Active", 3)])));
    let world = World::new(users);
    let uins: Vec<String> = (1..45).map(|number| (UIN + number).to_string()).collect();
    let file = world.write("uins.txt", &uins.join("\n"));
    let config = format!(
        "accounts: [{{name: prod, uins: [{UIN}], uins_file: {}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\n\
         poll: {{rate_limit: 20}}\nstate_file: {}\n",
        file.display(),
        world.endpoint,
        world.folder.path().join("state").display()
    );
    let run = Run::from(command(&world, &config, &["--output=json"]).output().unwrap());
    assert_eq!(run.code, Some(0), "{run:?}");
    let arrivals = world.simulator.arrivals();
    assert_eq!(arrivals.len(), 45, "each user is asked about once");
    assert!(densest_second(&arrivals) <= 20);
    assert!(!world.folder.path().join("state").exists(), "the state file is the exporter's");
}

#[test]
fn a_failure_that_passes_is_retried() {
    let world = fine();
    let fault = Fault::Error(Rejection::new("InternalError", "An internal error has occurred."));
    world.simulator.inject(None, fault, Times::Next(2));
    let run = list(&world, &[]);
    assert_eq!((run.code, world.simulator.arrivals().len()), (Some(0), 3), "{run:?}");
}

#[test]
fn an_account_that_is_down_is_told_of_beside_one_that_is_not() {
    let (world, down) = (fine(), fine());
    down.take_the_api_down();
    let config = world.config().replace(
        "accounts: [",
        &format!(
            "accounts: [{{name: down, uins: [1, 2], endpoint: 'http://{}', credentials: {{env: {{}}}}}}, ",
            down.endpoint
        ),
    );
    let run = Run::from(command(&world, &config, &[]).output().unwrap());
    assert_eq!(run.code, Some(2), "{run:?}");
    for row in [
        "down     1             -                 -       -    failed: connect\n",
        "down     2             -                 -       -    failed: connect\n",
        "prod     100013065917  AKIDfine****xxxx  Active  3 d  ok\n",
        "connect: down: 2 users, such as 1\n  cannot connect: ",
    ] {
        assert!(run.stdout.contains(row), "{row}: {}", run.stdout);
    }
}

#[test]
fn a_credential_that_is_missing_is_named() {
    let world = fine();
    let mut command = command(&world, &world.config(), &["--output=json"]);
    let run = Run::from(command.env_remove("TENCENTCLOUD_SECRET_ID").output().unwrap());
    assert_eq!(run.code, Some(2), "{run:?}");
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    let failure = &json["failures"][0];
    assert_eq!((&failure["reason"], &failure["advice"]), (&"credentials".into(), &Value::Null));
    assert!(failure["error"].as_str().unwrap().contains("TENCENTCLOUD_SECRET_ID is not set"), "{failure}");
    assert!(world.simulator.arrivals().is_empty(), "nothing is sent unsigned");
}

#[test]
fn what_the_api_says_commands_no_terminal() {
    let world = fine();
    let message = format!("\u{1b}[2J\u{9b}31mgone\r\nid {SECRET_ID}\u{7}");
    world.simulator.inject(None, Fault::Error(Rejection::new("InvalidParameter", message)), Times::UntilCleared);
    let run = list(&world, &[]);
    assert!(run.stdout.contains(r"InvalidParameter: \u{1b}[2J\u{9b}31mgone id [redacted]\u{7}"), "{run:?}");
    assert!(!run.stdout.contains(['\u{1b}', '\u{9b}', '\u{7}', '\r']), "{run:?}");
}

#[test]
fn json_tells_all_that_the_table_tells() {
    let world = World::new([
        (UIN, user([("AKIDold", "Active", 100), ("AKIDoff", "Inactive", 5)])),
        (UIN + 1, behaving(Behaviour::Denied)),
    ]);
    let run = list(&world, &["--output=json"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    let now = SystemClock.now().as_second();
    let generated: jiff::Timestamp = json["generated"].as_str().unwrap().parse().unwrap();
    assert!((now - 60..=now).contains(&generated.as_second()), "{generated}");
    assert_eq!(json["complete"], false);
    let account =
        serde_json::json!({"name": "prod", "up": true, "users": 2, "key_limit": 2, "key_max_age_seconds": 7_776_000});
    assert_eq!(json["accounts"], serde_json::json!([account]));
    assert_eq!(json["keys"].as_array().unwrap().len(), 2);
    let old = &json["keys"][0];
    assert_eq!((&old["uin"], &old["access_key_id"]), (&UIN.to_string().into(), &"AKIDoldx****xxxx".into()));
    assert_eq!(old["findings"], serde_json::json!(["stale"]));
    let (created, age) = (old["created"].as_str().unwrap(), old["age_seconds"].as_i64().unwrap());
    assert_eq!(created.parse::<jiff::Timestamp>().unwrap().as_second() + age, generated.as_second());
    let failure = &json["failures"][0];
    assert_eq!((&failure["reason"], &failure["uin"]), (&"denied".into(), &(UIN + 1).to_string().into()));
    assert_eq!(failure["code"], "AuthFailure.UnauthorizedOperation");
}

#[test]
fn metrics_are_those_of_the_exporter() {
    let world = mixed();
    let run = list(&world, &["--output=metrics"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let (listed, exported) = (Metrics::parse(&run.stdout), world.start().until_answered(4));
    assert!(listed.keys().len() > 12);
    assert_eq!(listed.keys(), exported.keys());
    assert!(!run.stdout.contains("process_") && !run.stdout.contains("_total"), "the inventory alone: {}", run.stdout);
}

/// Starts to list a user about which the API does not answer, and stops it.
fn stopped(world: &World, signal: &str, flags: &[&str]) -> Run {
    world.simulator.inject(Some(UIN + 1), Fault::Hang, Times::UntilCleared);
    let mut command = command(
        world,
        &world.config().replace("timeout: 1s", "timeout: 1m").replace("interval: 1s", "interval: 1m"),
        flags,
    );
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    while world.simulator.arrivals().len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let kill = format!("kill -s {signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    child.wait_with_output().unwrap().into()
}

#[test]
fn ctrl_c_ends_it_with_what_is_known() {
    for signal in ["INT", "TERM"] {
        let world = World::new([(UIN, user([("AKIDfine", "Active", 3)])), (UIN + 1, user([]))]);
        let run = stopped(&world, signal, &[]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("stopped when 1 of 2 user(s) had been polled"), "{}", run.stderr);
        assert!(run.stdout.contains("100013065918  -                 -       -    failed: not_polled\n"), "{run:?}");
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_fault() {
    let world = mixed();
    let mut command = command(&world, &world.config(), &[]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}
