//! Users that are not in the configuration: those that the API lists, and the caller.

use std::collections::{BTreeMap, BTreeSet};

use http::Response;
use tencentcloud_simulator::{Fault, Outcome, Population, Rejection, Times, User};

use crate::world::{Exporter, Metrics, UIN, World, caller, key};

const CALLER: u64 = 100_000_000_001;

/// Users called that, each with a key, and what polls them.
fn world(names: &[&str]) -> World {
    World::new((UIN..).zip(names).map(|(uin, name)| (uin, user(uin).named(*name))))
}

fn user(uin: u64) -> User {
    User::with_keys([key(&format!("AKID{uin}"), "Active", "2024-01-02T03:04:05Z")])
}

fn config(world: &World, fields: &str) -> String {
    let endpoint = format!("http://{}", world.endpoint);
    format!(
        "accounts: [{{name: prod, {fields}, endpoint: '{endpoint}', sts_endpoint: '{endpoint}', \
         credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 1s, timeout: 1s, rate_limit: 20}}\n"
    )
}

fn named(uin: u64, name: &str) -> String {
    format!(r#"tencentcloud_cam_user_info{{account="prod",uin="{uin}",user_name="{name}"}}"#)
}

fn names(metrics: &Metrics) -> BTreeSet<String> {
    metrics.family("tencentcloud_cam_user_info").keys().map(ToString::to_string).collect()
}

/// The users who have any series at all.
fn users(scrape: &str) -> BTreeSet<u64> {
    let uins = scrape.lines().filter_map(|line| line.split_once("uin=\"")?.1.split('"').next()?.parse().ok());
    uins.collect()
}

fn listing(metrics: &Metrics) -> Option<f64> {
    metrics.get(r#"account_user_discovery_up{account="prod"}"#)
}

/// Waits until these users, by these names, are polled and nobody else.
fn until(exporter: &Exporter, expected: &[(u64, &str)]) {
    let expected: BTreeSet<String> = expected.iter().map(|(uin, name)| named(*uin, name)).collect();
    exporter.until("as the account is", |metrics| {
        names(metrics) == expected && metrics.count("tencentcloud_cam_access_key_age_seconds") == expected.len()
    });
}

#[test]
fn users_come_and_go_and_change_their_names_with_the_list() {
    let world = world(&["ci", "alice", "bob"]);
    let exporter = world.start_with(&config(&world, "discover: {interval: 1s}"), &[]);
    until(&exporter, &[(UIN, "ci"), (UIN + 1, "alice"), (UIN + 2, "bob")]);
    world.simulator.edit(|population| {
        population.users.remove(&(UIN + 1));
        population.users.insert(UIN + 3, user(UIN + 3).named("carol"));
        population.users.insert(UIN + 2, user(UIN + 2).named("robert"));
    });
    until(&exporter, &[(UIN, "ci"), (UIN + 2, "robert"), (UIN + 3, "carol")]);
    assert!(!users(&exporter.scrape()).contains(&(UIN + 1)));
    let metrics = exporter.metrics();
    assert!(metrics.get(r#"account_user_discovery_last_success_timestamp_seconds{account="prod"}"#).is_some());
    assert!(metrics.get(r#"api_requests_total{account="prod",action="ListUsers"}"#).unwrap() >= 2.0);
}

#[test]
fn a_list_that_fails_leaves_everybody_and_is_told_of_once() {
    let world = world(&["ci", "alice"]);
    let exporter = world.start_with(&config(&world, "discover: {interval: 1s}"), &["--log.level=info"]);
    until(&exporter, &[(UIN, "ci"), (UIN + 1, "alice")]);
    let denied = Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "no cam:ListUsers"));
    world.simulator.inject_into("ListUsers", denied, Times::UntilCleared);
    let errors = r#"api_errors_total{account="prod",action="ListUsers",code="AuthFailure.UnauthorizedOperation"}"#;
    let metrics = exporter.until("denied thrice", |metrics| metrics.get(errors) >= Some(3.0));
    assert_eq!((listing(&metrics), names(&metrics).len()), (Some(0.0), 2));
    assert_eq!(metrics.family("tencentcloud_cam_user_up").values().copied().collect::<Vec<_>>(), [1.0, 1.0]);
    world.simulator.clear();
    exporter.until("listed again", |metrics| listing(metrics) == Some(1.0));
    let (_, log) = exporter.stop();
    assert_eq!(log.matches("listing users failed").count(), 1, "{log}");
    assert_eq!(log.matches("listing users succeeds again").count(), 1, "{log}");
}

#[test]
fn a_list_of_nobody_is_believed_the_second_time() {
    let world = world(&["ci", "alice"]);
    let exporter = world.start_with(&config(&world, "discover: {interval: 1s}"), &[]);
    until(&exporter, &[(UIN, "ci"), (UIN + 1, "alice")]);
    let nobody = |data: &str| {
        let answer = format!(r#"{{"Response":{{{data}"RequestId":"1"}}}}"#);
        Fault::Answer(Response::builder().header("content-type", "application/json").body(answer.into()).unwrap())
    };
    for data in [r#""Data":[],"#, r#""Data":null,"#, ""] {
        world.simulator.inject_into("ListUsers", nobody(data), Times::Next(1));
        let metrics = exporter.until("refused", |metrics| listing(metrics) == Some(0.0));
        assert_eq!(names(&metrics).len(), 2);
        exporter.until("everybody again", |metrics| listing(metrics) == Some(1.0) && names(metrics).len() == 2);
    }
    world.simulator.inject_into("ListUsers", nobody(""), Times::UntilCleared);
    exporter.until("nobody", |metrics| listing(metrics) == Some(1.0) && names(metrics).is_empty());
    assert_eq!(users(&exporter.scrape()), BTreeSet::new());
    exporter.until_logged("the list of users is empty");
}

#[test]
fn patterns_choose_and_whoever_is_listed_is_polled_anyhow() {
    let world = world(&["ci-a", "ci-old", "alice", "bob"]);
    let fields = format!(
        "discover: {{interval: 1s, include: ['ci-*', '{}'], exclude: ['*-old']}}, uins: [{}]",
        UIN + 2,
        UIN + 3
    );
    let exporter = world.start_with(&config(&world, &fields), &[]);
    exporter.until_answered(3);
    let metrics = exporter.until("found", |metrics| !names(metrics).is_empty());
    assert_eq!(names(&metrics), [named(UIN, "ci-a"), named(UIN + 2, "alice")].into());
    assert_eq!(users(&exporter.scrape()), [UIN, UIN + 2, UIN + 3].into());
}

#[test]
fn any_name_is_a_label() {
    let long = "é".repeat(200);
    let world = world(&["say \"hi\"\n\\o/", &long, ""]);
    let exporter = world.start_with(&config(&world, "discover: true"), &[]);
    let metrics = exporter.until("found", |metrics| names(metrics).len() == 3);
    let cut = "é".repeat(128);
    assert_eq!(names(&metrics), [named(UIN, r#"say \"hi\"\n\\o/"#), named(UIN + 1, &cut), named(UIN + 2, "")].into());
}

/// JSON can write half of a surrogate pair, and nothing says that no name has one.
#[test]
fn a_name_that_is_not_unicode_keeps_nobody_from_being_found() {
    let world = world(&["ci", "alice"]);
    let list = format!(
        r#"{{"Response":{{"Data":[{{"Uin":{UIN},"Name":"wang\ud800"}},{{"Uin":{},"Name":"\u738b"}}],"RequestId":"1"}}}}"#,
        UIN + 1
    );
    world.simulator.inject_into("ListUsers", Fault::Answer(Response::new(list.into())), Times::UntilCleared);
    let exporter = world.start_with(&config(&world, "discover: {interval: 1s}"), &[]);
    until(&exporter, &[(UIN, "wang\u{fffd}"), (UIN + 1, "王")]);
    assert_eq!(listing(&exporter.metrics()), Some(1.0));
}

#[test]
fn a_list_of_twenty_thousand_users_is_read_and_one_beyond_its_bound_is_not() {
    let users = 20_000;
    let name = "n".repeat(100);
    let world = World::new((UIN..UIN + users).map(|uin| (uin, user(uin).named(format!("{name}{uin}")))));
    let config =
        config(&world, "discover: {interval: 1s}").replace("interval: 1s, timeout: 1s", "interval: 1m, timeout: 30s");
    let exporter = world.start_with(&config, &[]);
    let metrics = exporter.until("listed", |metrics| listing(metrics) == Some(1.0));
    assert_eq!(names(&metrics).len() as u64, users);
    let endless = Fault::Flood { bytes: (32 << 20) + 1, chunked: false };
    world.simulator.inject_into("ListUsers", endless, Times::UntilCleared);
    exporter.until_logged("the answer is larger than 32 MiB");
}

#[test]
fn shards_divide_whom_they_find() {
    let people: Vec<String> = (0..20).map(|number| format!("user-{number}")).collect();
    let world = world(&people.iter().map(String::as_str).collect::<Vec<_>>());
    let config = config(&world, "discover: true, shard_by: user");
    let shards = [0, 1].map(|shard| world.start_with(&config, &[&format!("--shard={shard}"), "--total-shards=2"]));
    shards[0].until("all found", |_| shards.iter().map(|shard| names(&shard.metrics()).len()).sum::<usize>() == 20);
    let [one, other] = shards.each_ref().map(|shard| names(&shard.metrics()));
    assert!(one.is_disjoint(&other) && !one.is_empty() && !other.is_empty(), "{one:?} {other:?}");
}

#[test]
fn a_restart_forgets_nobody_though_the_list_fails() {
    let world = world(&["ci", "alice", "bob"]);
    let state = format!("state_file: {}\n", world.folder.path().join("state").display());
    let with = |fields: &str| config(&world, fields) + &state;
    let exporter = world.start_with(&with("discover: true, include_self: true"), &[]);
    until(&exporter, &[(UIN, "ci"), (UIN + 1, "alice"), (UIN + 2, "bob")]);
    exporter
        .until("the caller", |metrics| metrics.get(&format!(r#"user_up{{account="prod",uin="{CALLER}"}}"#)).is_some());
    let before = exporter.metrics();
    exporter.stop();

    world.take_the_api_down();
    let exporter = world.start_with(&with("discover: true, include_self: true"), &[]);
    let after = exporter.metrics();
    assert_eq!((after.keys(), names(&after)), (before.keys(), names(&before)), "from the first scrape on");
    assert!(users(&exporter.scrape()).contains(&CALLER));
    exporter.until("a list that failed", |metrics| listing(metrics) == Some(0.0));
    assert_eq!(names(&exporter.metrics()).len(), 3);
    exporter.stop();

    let exporter = world.start_with(&with("discover: {exclude: ['alice']}"), &[]);
    assert_eq!(names(&exporter.metrics()), [named(UIN, "ci"), named(UIN + 2, "bob")].into());
    exporter.stop();
    let exporter = world.start_with(&with(&format!("uins: [{UIN}]")), &[]);
    assert_eq!(users(&exporter.scrape()), [UIN].into(), "without discovery there are no others");
}

#[test]
fn a_reload_takes_discovery_up_and_lets_it_go() {
    let world = world(&["ci", "alice"]);
    let exporter = world.start_with(&config(&world, &format!("uins: [{UIN}]")), &[]);
    exporter.until_answered(1);
    world.write("config.yaml", &config(&world, "discover: true"));
    exporter.signal("HUP");
    until(&exporter, &[(UIN, "ci"), (UIN + 1, "alice")]);
    world.write("config.yaml", &config(&world, "discover: {include: [alice]}"));
    exporter.signal("HUP");
    until(&exporter, &[(UIN + 1, "alice")]);
    world.write("config.yaml", &config(&world, &format!("uins: [{UIN}]")));
    exporter.signal("HUP");
    let metrics = exporter.until("no discovery", |metrics| listing(metrics).is_none());
    assert!(names(&metrics).is_empty());
    exporter.until("only the one", |_| users(&exporter.scrape()) == [UIN].into());
}

/// The world's caller has a key of its own.
fn world_with_a_caller() -> World {
    let users = BTreeMap::from([(CALLER, user(CALLER).named("exporter")), (UIN, user(UIN).named("ci"))]);
    World::of(Population { callers: vec![caller(None)], users })
}

#[test]
fn whoever_asks_is_asked_about_without_a_name_and_once() {
    let world = world_with_a_caller();
    let fields = format!("include_self: true, discover: {{interval: 1s}}, uins: [{UIN}, {CALLER}]");
    let exporter = world.start_with(&config(&world, &fields), &[]);
    until(&exporter, &[(UIN, "ci"), (CALLER, "exporter")]);
    let up = r#"account_caller_up{account="prod"}"#;
    exporter.until("the caller known", |metrics| metrics.get(up) == Some(1.0));
    let since = world.simulator.arrivals().len();
    let polled = |target: Option<u64>| {
        let arrivals = world.simulator.arrivals();
        arrivals[since..].iter().filter(|one| one.action == "ListAccessKeys" && one.target == target).count()
    };
    exporter.until("polled by turns", |_| polled(Some(UIN)) >= 3);
    assert!(polled(None) >= 2);
    // One may have been under way.
    assert!(polled(Some(CALLER)) <= 1);
    let arrivals = world.simulator.arrivals();
    assert_eq!(arrivals.iter().filter(|one| one.action == "GetCallerIdentity").count(), 1);
    assert!(arrivals.iter().all(|one| one.outcome == Outcome::Answered), "{arrivals:?}");
}

#[test]
fn who_cannot_be_told_apart_is_nobody_until_it_can() {
    let world = world_with_a_caller();
    world.simulator.inject_into("GetCallerIdentity", Fault::Close, Times::UntilCleared);
    let exporter = world.start_with(&config(&world, &format!("include_self: true, uins: [{UIN}]")), &[]);
    let up = r#"account_caller_up{account="prod"}"#;
    exporter.until("failed", |metrics| metrics.get(up) == Some(0.0));
    exporter.until_answered(1);
    assert_eq!(users(&exporter.scrape()), [UIN].into());
    world.simulator.clear();
    exporter.until("known", |metrics| metrics.get(up) == Some(1.0));
    exporter.until_answered(2);
}

#[test]
fn a_role_has_no_keys_of_its_own() {
    let world = world_with_a_caller();
    let role = r#"{"Response":{"UserId":"4611686018427397919:session","Type":"CAMRole","RequestId":"1"}}"#;
    let role = Response::builder().header("content-type", "application/json").body(role.into()).unwrap();
    world.simulator.inject_into("GetCallerIdentity", Fault::Answer(role), Times::UntilCleared);
    let exporter = world.start_with(&config(&world, &format!("include_self: true, uins: [{UIN}]")), &[]);
    let up = r#"account_caller_up{account="prod"}"#;
    exporter.until("known to be a role", |metrics| metrics.get(up) == Some(0.0));
    exporter.until_answered(1);
    assert_eq!(users(&exporter.scrape()), [UIN].into());
    exporter.until_logged("leave include_self out");
}
