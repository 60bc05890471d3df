//! Users of other types than sub-users, which `ListAccounts` lists.

use std::collections::BTreeSet;

use http::Response;
use tencentcloud_simulator::{Arrival, Fault, Outcome, Rejection, Times, User, UserType};

use crate::world::{Exporter, Metrics, UIN, World, key};

const OF_TWO_TYPES: &str = "discover: {interval: 1s, user_types: [WechatCorpUser, Collaborator]}";

const UP: &str = r#"account_user_discovery_up{account="prod"}"#;
const LAST_SUCCESS: &str = r#"account_user_discovery_last_success_timestamp_seconds{account="prod"}"#;

fn user(uin: u64, name: &str, user_type: UserType) -> (u64, User) {
    let key = key(&format!("AKID{uin}"), "Active", "2024-01-02T03:04:05Z");
    (uin, User::with_keys([key]).named(name).of_type(user_type))
}

/// A user of each type, but for the root account.
fn world() -> World {
    let types = [
        ("ci", UserType::SubUser),
        ("carol", UserType::Collaborator),
        ("wang", UserType::WechatCorpUser),
        ("mails", UserType::MessageReceiver),
        ("agent", UserType::AgentIdentity),
        ("cic", UserType::CicUser),
        ("other", UserType::Unknown),
    ];
    World::new((UIN..).zip(types).map(|(uin, (name, user_type))| user(uin, name, user_type)))
}

fn config(world: &World, fields: &str) -> String {
    format!(
        "accounts: [{{name: prod, {fields}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 1s, timeout: 1s, rate_limit: 20}}\n",
        world.endpoint
    )
}

fn names(metrics: &Metrics) -> BTreeSet<String> {
    let users = metrics.family("tencentcloud_cam_user_info");
    users.keys().map(|series| series.split("user_name=\"").nth(1).unwrap().trim_end_matches("\"}").to_owned()).collect()
}

/// Waits until the users of these names, and nobody else, are polled.
fn until(exporter: &Exporter, expected: &[&str]) -> Metrics {
    let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
    exporter.until("as the account is", |metrics| {
        names(metrics) == expected && metrics.count("tencentcloud_cam_access_key_age_seconds") == expected.len()
    })
}

fn answer(fields: &str) -> Fault {
    let answer = format!(r#"{{"Response":{{{fields},"RequestId":"1"}}}}"#);
    Fault::Answer(Response::builder().header("content-type", "application/json").body(answer.into()).unwrap())
}

fn requests(world: &World, action: &str) -> Vec<Arrival> {
    world.simulator.arrivals().into_iter().filter(|arrival| arrival.action == action).collect()
}

#[test]
fn users_of_the_configured_types_are_polled_beside_sub_users() {
    let world = world();
    let exporter = world.start_with(&config(&world, OF_TWO_TYPES), &[]);
    let metrics = until(&exporter, &["ci", "carol", "wang"]);
    let metrics = if metrics.get(UP).is_some() { metrics } else { exporter.until("up", |all| all.get(UP).is_some()) };
    assert_eq!(metrics.get(UP), Some(1.0));
    assert!(metrics.get(LAST_SUCCESS).is_some());
    assert!(metrics.get(r#"api_requests_total{account="prod",action="ListAccounts"}"#).unwrap() >= 2.0);
    let states = metrics.family("tencentcloud_cam_account_users").values().sum::<f64>();
    assert!((states - 3.0).abs() < f64::EPSILON, "{states} users");
    world.simulator.edit(|population| {
        population.users.remove(&(UIN + 1));
        population.users.extend([user(UIN + 10, "dora", UserType::Collaborator)]);
    });
    until(&exporter, &["ci", "dora", "wang"]);
    assert!(requests(&world, "ListAccounts").iter().all(|arrival| arrival.outcome == Outcome::Answered));
}

#[test]
fn without_types_nothing_but_sub_users_is_asked_for() {
    let world = world();
    let exporter = world.start_with(&config(&world, "discover: {interval: 1s}"), &[]);
    until(&exporter, &["ci"]);
    exporter.until("listed again", |_| requests(&world, "ListUsers").len() > 1);
    assert_eq!(requests(&world, "ListAccounts").len(), 0);
    assert!(exporter.metrics().get(r#"api_requests_total{account="prod",action="ListAccounts"}"#).is_none());
}

#[test]
fn all_pages_are_read() {
    let world = World::new((UIN..UIN + 250).map(|uin| user(uin, &format!("user-{uin}"), UserType::Collaborator)));
    let fields = "discover: {user_types: [Collaborator]}";
    let exporter = world.start_with(&config(&world, fields).replace("interval: 1s", "interval: 1m"), &[]);
    exporter.until("all found", |metrics| names(metrics).len() == 250 && metrics.get(UP) == Some(1.0));
    let requests = requests(&world, "ListAccounts");
    assert_eq!(requests.iter().map(|arrival| &arrival.outcome).collect::<Vec<_>>(), [&Outcome::Answered; 3]);
}

#[test]
fn a_user_in_both_lists_is_one_user_and_polled_once() {
    let world = world();
    let fields = "discover: {interval: 1s, user_types: [SubUser, Collaborator]}";
    let exporter =
        world.start_with(&config(&world, fields).replace("{interval: 1s, timeout", "{interval: 1h, timeout"), &[]);
    until(&exporter, &["ci", "carol"]);
    exporter.until("listed twice", |_| {
        requests(&world, "ListUsers").len() > 2 && requests(&world, "ListAccounts").len() > 4
    });
    let mut polled: Vec<Option<u64>> =
        requests(&world, "ListAccessKeys").iter().map(|arrival| arrival.target).collect();
    polled.sort_unstable();
    assert_eq!(polled, [Some(UIN), Some(UIN + 1)]);
    assert_eq!(exporter.metrics().count("tencentcloud_cam_user_info"), 2);
}

#[test]
fn patterns_and_findings_are_for_all_types() {
    let world = world();
    world.simulator.edit(|population| {
        for user in population.users.values_mut() {
            user.console_login = true;
        }
    });
    let fields = "discover: {interval: 1s, exclude: ['w*', 'ci'], user_types: [WechatCorpUser, Collaborator]}";
    let exporter = world.start_with(&config(&world, fields), &[]);
    let metrics = until(&exporter, &["carol"]);
    let of_carol = format!(r#"account="prod",uin="{}""#, UIN + 1);
    assert_eq!(metrics.get(&format!("user_console_login{{{of_carol}}}")), Some(1.0));
    assert_eq!(metrics.get(&format!(r#"user_finding{{{of_carol},finding="console_login"}}"#)), Some(1.0));
}

#[test]
fn the_root_account_is_found_and_its_keys_are_denied() {
    let world = World::new([user(UIN, "ci", UserType::SubUser), user(UIN + 1, "root", UserType::Owner)]);
    let exporter = world.start_with(&config(&world, "discover: {user_types: [Owner]}"), &["--log.level=info"]);
    let up = |uin: u64| format!(r#"user_up{{account="prod",uin="{uin}"}}"#);
    let metrics =
        exporter.until("polled", |metrics| metrics.get(&up(UIN + 1)).is_some() && metrics.get(&up(UIN)).is_some());
    assert_eq!((metrics.get(&up(UIN)), metrics.get(&up(UIN + 1))), (Some(1.0), Some(0.0)));
    assert_eq!(names(&metrics), ["ci", "root"].map(str::to_owned).into());
    let code = r#"api_errors_total{account="prod",action="ListAccessKeys",code="OperationDenied.SubUin"}"#;
    assert!(metrics.get(code) >= Some(1.0));
}

#[test]
fn a_list_that_fails_leaves_everybody_and_names_its_permission() {
    let world = world();
    let exporter = world.start_with(&config(&world, OF_TWO_TYPES), &["--log.level=info"]);
    until(&exporter, &["ci", "carol", "wang"]);
    let denied = Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "no cam:ListAccounts"));
    world.simulator.inject_into("ListAccounts", denied, Times::UntilCleared);
    let errors = r#"api_errors_total{account="prod",action="ListAccounts",code="AuthFailure.UnauthorizedOperation"}"#;
    let metrics = exporter.until("denied thrice", |metrics| metrics.get(errors) >= Some(3.0));
    assert_eq!((metrics.get(UP), names(&metrics).len()), (Some(0.0), 3));
    let page = exporter.get("/").body;
    for text in ["1 account cannot list its users of other types", "cam:ListAccounts", "UserDiscoveryFailing.md"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    world.simulator.edit(|population| population.users.extend([user(UIN + 10, "new", UserType::SubUser)]));
    until(&exporter, &["ci", "carol", "wang", "new"]);
    assert_eq!(exporter.metrics().get(UP), Some(0.0), "sub-users are listed, others are not");
    world.simulator.clear();
    exporter.until("listed again", |metrics| metrics.get(UP) == Some(1.0));
    let (_, log) = exporter.stop();
    assert_eq!(log.matches("listing users of other types failed").count(), 1, "{log}");
    assert_eq!(log.matches("listing users of other types succeeds again").count(), 1, "{log}");
}

#[test]
fn a_list_of_nobody_is_believed_the_second_time() {
    let world = world();
    let exporter = world.start_with(&config(&world, OF_TWO_TYPES), &[]);
    until(&exporter, &["ci", "carol", "wang"]);
    world.simulator.inject_into("ListAccounts", answer(r#""Users":[],"IsTruncated":false"#), Times::UntilCleared);
    exporter.until_logged("the list of users is empty");
    until(&exporter, &["ci"]);
}

/// The example of the documentation, and what its tables say.
#[test]
fn both_documented_shapes_of_an_answer_are_understood() {
    let row = |uin: u64, user_type: &str| {
        format!(
            r#"{{"ConsoleLogin":1,"CountryCode":"86","CreateTime":"2022-11-23 17:07:28","Email":"a@example.com",
                "Name":"user-{uin}","PhoneNum":"132****0000","Remark":"","Uid":1,"Uin":{uin}{user_type}}}"#
        )
    };
    let typed = r#","UserType":"Collaborator""#;
    for last in [r#""IsTruncated":false,"Marker":"","#, r#""IsTruncated":false,"#, ""] {
        let world = World::new([]);
        let users = [row(UIN, typed), row(UIN + 1, ""), row(UIN + 2, r#","UserType":"SubUser""#)].join(",");
        world.simulator.inject_into(
            "ListAccounts",
            answer(&format!(r#"{last}"Users":[{users}]"#)),
            Times::UntilCleared,
        );
        let exporter = world.start_with(&config(&world, "discover: {user_types: [Collaborator]}"), &[]);
        let metrics = exporter.until("listed", |metrics| metrics.get(UP) == Some(1.0));
        let found = [format!("user-{UIN}"), format!("user-{}", UIN + 1)];
        assert_eq!(names(&metrics), found.into(), "{last}");
        let login = format!(r#"user_console_login{{account="prod",uin="{UIN}"}}"#);
        assert_eq!(metrics.get(&login), Some(1.0), "{last}");
    }
}

#[test]
fn pages_that_never_end_are_an_error_and_no_flood() {
    let world = world();
    let endless = answer(r#""IsTruncated":true,"Marker":"K_same","Users":[]"#);
    world.simulator.inject_into("ListAccounts", endless, Times::UntilCleared);
    let exporter = world.start_with(&config(&world, OF_TWO_TYPES), &["--log.level=info"]);
    exporter.until_logged("a page has the marker of an earlier one");
    let after = requests(&world, "ListAccounts").len();
    exporter.until("asked again", |_| requests(&world, "ListAccounts").len() >= after + 4);
    let metrics = until(&exporter, &["ci"]);
    assert_eq!(metrics.get(UP), Some(0.0));
    let (_, log) = exporter.stop();
    assert_eq!(log.matches("listing users of other types failed").count(), 1, "{log}");
    assert_eq!(log.matches("listing users of other types succeeds again").count(), 0, "{log}");
    // Two pages an attempt, and at least a second between two attempts.
    let times: Vec<_> = requests(&world, "ListAccounts").iter().map(|arrival| arrival.at).collect();
    for two in times.windows(3) {
        assert!(two[2] - two[0] >= std::time::Duration::from_millis(900), "{times:?}");
    }
}

#[test]
fn a_restart_forgets_nobody_and_keeps_nobody_whom_the_other_list_dropped() {
    let world = World::new([
        user(UIN, "ci", UserType::SubUser),
        user(UIN + 1, "alice", UserType::SubUser),
        user(UIN + 2, "carol", UserType::Collaborator),
    ]);
    let state = format!("state_file: {}\n", world.folder.path().join("state").display());
    let with_types = config(&world, "discover: {interval: 1s, user_types: [Collaborator]}") + &state;
    let exporter = world.start_with(&with_types, &[]);
    until(&exporter, &["ci", "alice", "carol"]);
    exporter.stop();

    let denied = Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "no cam:ListAccounts"));
    world.simulator.inject_into("ListAccounts", denied, Times::UntilCleared);
    world.simulator.edit(|population| population.users.remove(&(UIN + 1)));
    let exporter = world.start_with(&with_types, &[]);
    assert!(names(&exporter.metrics()).contains("carol"), "from the first scrape on");
    exporter.until("as the account is", |metrics| names(metrics) == ["ci", "carol"].map(str::to_owned).into());
    exporter.until("a list that failed", |metrics| metrics.get(UP) == Some(0.0));
    assert!(names(&exporter.metrics()).contains("carol"));
    exporter.stop();

    let exporter = world.start_with(&(config(&world, "discover: {interval: 1s}") + &state), &[]);
    until(&exporter, &["ci"]);
}

#[test]
fn a_reload_changes_the_types() {
    let world = world();
    let exporter = world.start_with(&config(&world, "discover: true"), &[]);
    until(&exporter, &["ci"]);
    for (fields, names) in [
        ("discover: {user_types: [Collaborator]}", &["ci", "carol"][..]),
        ("discover: {user_types: [WechatCorpUser, AgentIdentity, CICUser]}", &["ci", "wang", "agent", "cic"]),
        ("discover: {user_types: [MessageReceiver], exclude: ['ci']}", &["mails"]),
        ("discover: true", &["ci"]),
    ] {
        world.write("config.yaml", &config(&world, fields));
        exporter.signal("HUP");
        until(&exporter, names);
    }
    assert!(requests(&world, "ListAccounts").iter().all(|arrival| arrival.outcome == Outcome::Answered));
}
