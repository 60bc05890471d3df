//! Organisations: every member is an account of its own, found by the API and polled through a role.

use std::collections::BTreeSet;

use http::Response;
use tencentcloud_simulator::{Fault, Member, Population, Rejection, Role, Simulator, Times, User};

use crate::world::{Exporter, Metrics, SECRET_KEY, World, caller, key};

const MANAGER: u64 = 100_000_000_001;
pub(crate) const FIRST: u64 = 200_000_000_001;
const USERS_EACH: u64 = 2;

/// The number of the member's role.
fn role(member: u64) -> u64 {
    4_611_686_018_427_000_000 + member % 1_000
}

/// The users of a member.
fn users(member: u64) -> impl Iterator<Item = u64> {
    (0..USERS_EACH).map(move |user| 300_000_000_000 + member % 1_000 * 100 + user)
}

fn join(simulator: &Simulator, members: impl IntoIterator<Item = u64>) {
    for member in members {
        simulator
            .edit_organization(|all| all.push(Member { uin: member, name: Some(format!("team {}", member % 1_000)) }));
        simulator.edit_roles(|roles| {
            roles.push(Role {
                account: member,
                name: "exporter".to_owned(),
                id: role(member),
                trusted_callers: vec![MANAGER],
                permissions: vec!["cam:ListAccessKeys".to_owned(), "cam:ListUsers".to_owned()],
                ..Role::default()
            });
        });
        simulator.edit(|population| {
            population.users.extend(users(member).map(|uin| {
                let keys = [key(&format!("AKID{uin}"), "Active", "2024-01-02T03:04:05Z")];
                (uin, User::with_keys(keys).named(format!("user-{uin}")).of_member(member))
            }));
        });
    }
}

pub(crate) fn world(members: u64) -> World {
    let world = World::of(Population { callers: vec![caller(None)], ..Population::default() });
    join(&world.simulator, FIRST..FIRST + members);
    world
}

pub(crate) fn config(world: &World, organization: &str) -> String {
    let endpoint = format!("http://{}", world.endpoint);
    format!(
        "accounts: [{{name: org, discover: {{interval: 1s}}, endpoint: '{endpoint}', sts_endpoint: '{endpoint}', \
         credentials: {{env: {{}}}}, organization: {{role_name: exporter, interval: 1s, endpoint: '{endpoint}', \
         {organization}}}}}]\n\
         poll: {{interval: 2s, timeout: 1s, rate_limit: 20}}\n"
    )
}

/// Every member and user whose key is shown.
fn shown(metrics: &Metrics) -> BTreeSet<(u64, u64)> {
    let label = |series: &str, name: &str| {
        series.split_once(&format!("{name}=\"")).unwrap().1.split('"').next().unwrap().parse().unwrap()
    };
    let keys = metrics.family("tencentcloud_cam_access_key_created_timestamp_seconds");
    keys.keys().map(|series| (label(series, "account"), label(series, "uin"))).collect()
}

fn of(members: impl IntoIterator<Item = u64>) -> BTreeSet<(u64, u64)> {
    members.into_iter().flat_map(|member| users(member).map(move |user| (member, user))).collect()
}

fn up(metrics: &Metrics) -> Option<f64> {
    metrics.get(r#"account_organization_up{account="org"}"#)
}

fn until(exporter: &Exporter, what: &str, members: impl IntoIterator<Item = u64>) -> Metrics {
    let expected = of(members);
    exporter.until(what, |metrics| shown(metrics) == expected)
}

/// Whether any series tells of the account.
fn is_told_of(exporter: &Exporter, member: u64) -> bool {
    exporter.scrape().contains(&member.to_string())
}

#[test]
fn members_are_found_on_every_page_and_come_and_go_with_the_list() {
    let world = world(120);
    let exporter = world.start_with(&config(&world, ""), &[]);
    let metrics = until(&exporter, "all members", FIRST..FIRST + 120);
    assert_eq!(metrics.get(r#"account_organization_members{account="org"}"#), Some(120.0));
    assert_eq!(up(&metrics), Some(1.0));
    assert!(metrics.get(r#"account_organization_last_success_timestamp_seconds{account="org"}"#).is_some());

    world.simulator.edit_organization(|all| drop(all.remove(0)));
    join(&world.simulator, [FIRST + 120]);
    until(&exporter, "one gone, one new", FIRST + 1..FIRST + 121);
    assert!(!is_told_of(&exporter, FIRST), "a member that has left is forgotten");
    assert!(!exporter.log().contains(SECRET_KEY));
    assert!(world.simulator.issued().len() >= 121);
    assert!(
        !exporter.scrape().contains("AKIDtmp") && !exporter.log().contains("AKIDtmp"),
        "what STS gave is no secret"
    );
}

#[test]
fn a_list_that_fails_or_is_empty_leaves_everybody() {
    let world = world(3);
    let exporter = world.start_with(&config(&world, ""), &["--log.level=info"]);
    until(&exporter, "all members", FIRST..FIRST + 3);
    let denied = Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "no"));
    world.simulator.inject_into("DescribeOrganizationMembers", denied, Times::UntilCleared);
    let errors = r#"api_errors_total{account="org",action="DescribeOrganizationMembers",code="AuthFailure.UnauthorizedOperation"}"#;
    let metrics = exporter.until("denied thrice", |metrics| metrics.get(errors) >= Some(3.0));
    assert_eq!((up(&metrics), shown(&metrics)), (Some(0.0), of(FIRST..FIRST + 3)));
    world.simulator.clear();
    exporter.until("listed again", |metrics| up(metrics) == Some(1.0));

    let nobody = || {
        let answer = r#"{"Response":{"Items":null,"Total":0,"RequestId":"1"}}"#;
        Fault::Answer(Response::builder().header("content-type", "application/json").body(answer.into()).unwrap())
    };
    world.simulator.inject_into("DescribeOrganizationMembers", nobody(), Times::Next(1));
    let metrics = exporter.until("refused", |metrics| up(metrics) == Some(0.0));
    assert_eq!(shown(&metrics), of(FIRST..FIRST + 3));
    exporter.until("listed again", |metrics| up(metrics) == Some(1.0));
    world.simulator.inject_into("DescribeOrganizationMembers", nobody(), Times::UntilCleared);
    until(&exporter, "nobody", []);
    let (_, log) = exporter.stop();
    assert_eq!(log.matches("reason=denied").count(), 1, "{log}");
}

#[test]
fn a_start_shows_the_members_of_before_though_the_api_is_down() {
    let world = world(3);
    let config = format!(
        "{}state_file: {}\n",
        config(&world, "exclude: ['200000000003']"),
        world.folder.path().join("state").display()
    );
    let exporter = world.start_with(&config, &[]);
    until(&exporter, "all members but one", FIRST..FIRST + 2);
    exporter.stop();
    world.take_the_api_down();

    let restarted = |config: &str| {
        let exporter = world.start_with(config, &[]);
        let metrics = exporter.metrics();
        exporter.stop();
        metrics
    };
    let metrics = restarted(&config);
    assert_eq!(shown(&metrics), of(FIRST..FIRST + 2), "from the first scrape on");
    assert_eq!(metrics.get(r#"account_organization_members{account="org"}"#), Some(2.0));
    let metrics = restarted(&config.replace("exclude: ['200000000003']", "exclude: ['200000000001']"));
    assert_eq!(shown(&metrics), of([FIRST + 1]), "who is wanted no more is forgotten");
}

/// How early the others are asked is judged where time stands still, in tests/polling.
#[test]
fn members_that_fail_are_told_of_and_keep_none_of_the_others_away() {
    let world = world(50);
    let [refusing, throttled, hanging] = [FIRST..FIRST + 5, FIRST + 5..FIRST + 7, FIRST + 7..FIRST + 8];
    world.simulator.edit_roles(|roles| {
        roles.iter_mut().filter(|role| refusing.contains(&role.account)).for_each(|role| role.trusted_callers.clear());
    });
    for member in throttled.clone() {
        let too_many = Fault::Error(Rejection::new("RequestLimitExceeded", "too many"));
        world.simulator.inject_for(role(member), too_many, Times::UntilCleared);
    }
    world.simulator.inject_for(role(hanging.start), Fault::Hang, Times::UntilCleared);
    let well = FIRST + 8..FIRST + 50;
    let exporter = world.start_with(&config(&world, ""), &["--log.level=info"]);
    until(&exporter, "those that are well", well);

    let metrics = exporter.metrics();
    for member in FIRST..FIRST + 8 {
        assert_eq!(metrics.get(&format!(r#"account_up{{account="{member}"}}"#)), Some(0.0), "{member}");
    }
    let (_, log) = exporter.stop();
    for member in refusing {
        let output =
            log.lines().filter(|line| line.contains(&format!("account={member} ")) && line.contains("level=warn"));
        assert_eq!(output.count(), 1, "{log}");
    }
}

#[test]
fn members_are_chosen_by_patterns_and_divided_between_shards() {
    let world = world(12);
    let config = config(&world, &format!("include: ['team *'], exclude: ['{FIRST}']"));
    let config = config.replace("interval: 1s}, endpoint", "interval: 1s}, uins: [300000000999], endpoint");
    let shards: Vec<Exporter> =
        (0..3).map(|shard| world.start_with(&config, &[&format!("--shard={shard}"), "--total-shards=3"])).collect();
    let expected = of(FIRST + 1..FIRST + 12);
    shards[0].until("everybody", |_| {
        let parts: Vec<_> = shards.iter().map(|shard| shown(&shard.metrics())).collect();
        let together: BTreeSet<_> = parts.iter().flatten().copied().collect();
        together == expected && parts.iter().map(BTreeSet::len).sum::<usize>() == expected.len()
    });
    let own = r#"user_up{account="org",uin="300000000999"}"#;
    assert_eq!(shards.iter().filter(|shard| shard.metrics().get(own).is_some()).count(), 1, "its own users are one's");
}
