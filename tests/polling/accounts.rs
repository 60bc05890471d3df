//! What an account is over time: whether its inventory is complete, and whether it is in an outage.

mod world;

use tencentcloud_simulator::{Behaviour, Member, Role, Times};

use self::world::{CALLER, INTERVAL, Shown, World, assert_near, assert_seconds, error, uins, user};

#[tokio::test(start_paused = true)]
async fn an_outage_begins_after_two_intervals_and_ends_when_each_user_was_polled() {
    let world = World::of(5);
    world.set(&uins(5), "");
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(0.0), None));
    assert_eq!(first.of_account("account_users_unanswered"), Some(5.0));
    // Neither is known before the last of them.
    let shown = exporter
        .until_while(
            "complete",
            |shown| shown.complete() == Some(1.0),
            |shown| shown.outage().is_none() && shown.series("user_up", "prod").count() < 5,
        )
        .await;
    assert_eq!((shown.outage(), shown.of_account("account_users_unanswered")), (Some(0.0), Some(0.0)));

    exporter.for_seconds(3 * INTERVAL, |shown| shown.outage() == Some(0.0)).await;
    world.fail_all("InternalError");
    let shown = exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    assert_seconds(exporter.since(shown.newest_success()), 2 * INTERVAL);
    let shown = exporter.for_seconds(INTERVAL, |shown| shown.outage() == Some(1.0)).await;
    assert_eq!(shown.users("user_failing_since_timestamp_seconds", "prod").len(), 5);

    world.simulator.clear();
    let before = shown.newest_success() + 1.0;
    let shown = exporter
        .until_while("no outage", |shown| shown.outage() == Some(0.0), |shown| shown.successes_since(before) < 5)
        .await;
    assert_eq!(shown.successes_since(before), 5);
    assert_eq!(shown.users("user_failing_since_timestamp_seconds", "prod").len(), 0);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_again_is_one_and_nobody_waits_for_an_hour() {
    let world = World::of(6);
    world.set(&uins(6), "");
    let (exporter, _) = world.start().await;
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    // Refused like that, a user is asked ever less often.
    (0..6).for_each(|number| world.behave(number, Behaviour::Denied));
    let shown = exporter.for_seconds(3 * 3_600, |_| true).await;
    assert_eq!(shown.outage(), Some(1.0));
    (1..6).for_each(|number| world.behave(number, Behaviour::Answers));
    let before = shown.newest_success() + 1.0;
    let shown = exporter.until("no outage", |shown| shown.outage() == Some(0.0)).await;
    let successes = shown.series("user_last_success_timestamp_seconds", "prod").map(|(_, success)| success);
    let first = successes.filter(|success| *success >= before).fold(f64::INFINITY, f64::min);
    assert!(exporter.since(first) < 10.0, "{} s", exporter.since(first));
    assert_eq!((shown.successes_since(before), shown.of_user("user_up", 0)), (5, Some(0.0)));
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_an_outage_knows_nothing_until_two_intervals_are_over() {
    let world = World::of(3);
    world.set(&uins(3), "");
    world.fail_all("InternalError");
    let (exporter, _) = world.start().await;
    let began = exporter.now();
    let shown = exporter.until("complete", |shown| shown.complete() == Some(1.0)).await;
    assert_eq!((shown.outage(), shown.of_account("account_users_unanswered")), (None, Some(3.0)));
    let first_failure = shown.of_user("user_failing_since_timestamp_seconds", 0).unwrap();
    let shown =
        exporter.until_while("an outage", |shown| shown.outage() == Some(1.0), |shown| shown.outage().is_none()).await;
    assert_eq!(exporter.now() - began, 2 * INTERVAL);
    assert_eq!(shown.of_user("user_failing_since_timestamp_seconds", 0), Some(first_failure));
    assert!(exporter.since(first_failure) > 1.9 * 300.0);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn users_that_could_never_be_listed_leave_the_account_incomplete() {
    let world = World::of(2);
    world.set(&format!("{}, discover: {{interval: 1m}}", uins(1)), "");
    world.simulator.inject_into("ListUsers", error("AuthFailure.UnauthorizedOperation"), Times::UntilCleared);
    let (exporter, _) = world.start().await;
    let up = |shown: &Shown| shown.of_user("user_up", 0) == Some(1.0);
    exporter.until("polled", up).await;
    let unknown = |shown: &Shown| shown.complete() == Some(0.0) && shown.outage().is_none();
    exporter.for_seconds(5 * INTERVAL, unknown).await;
    world.simulator.clear();
    let shown = exporter.until_while("complete", |shown| shown.complete() == Some(1.0), unknown).await;
    assert_eq!((shown.outage(), shown.users("user_up", "prod").len()), (Some(0.0), 2));
    // A list that fails later changes nothing.
    world.simulator.inject_into("ListUsers", error("AuthFailure.UnauthorizedOperation"), Times::UntilCleared);
    exporter.until("a list that failed", |shown| shown.of_account("account_user_discovery_up") == Some(0.0)).await;
    exporter.for_seconds(3 * INTERVAL, |shown| shown.complete() == Some(1.0) && shown.outage() == Some(0.0)).await;
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_list_and_users_it_is_an_outage_at_once() {
    let world = World::of(3);
    world.set("discover: {interval: 1m}", "");
    world.simulator.inject_into("ListUsers", error("AuthFailure.UnauthorizedOperation"), Times::UntilCleared);
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(0.0), None));
    let shown =
        exporter.until("a list that failed", |shown| shown.of_account("account_user_discovery_up") == Some(0.0)).await;
    assert_eq!((shown.outage(), shown.of_account("account_up")), (Some(1.0), Some(0.0)));
    exporter.for_seconds(3 * INTERVAL, |shown| shown.outage() == Some(1.0) && shown.complete() == Some(0.0)).await;
    world.simulator.clear();
    let shown = exporter
        .until_while(
            "no outage",
            |shown| shown.outage() == Some(0.0),
            |shown| shown.outage() == Some(1.0) && shown.users("user_up", "prod").len() < 3,
        )
        .await;
    assert_eq!((shown.complete(), shown.users("user_up", "prod").len()), (Some(1.0), 3));
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_refused_for_good_keeps_nothing_waiting() {
    let world = World::of(2);
    world.behave(1, Behaviour::Denied);
    world.set(&uins(2), "");
    let (exporter, _) = world.start().await;
    let shown = exporter.until("complete", |shown| shown.complete() == Some(1.0)).await;
    assert_eq!((shown.outage(), shown.of_account("account_users_unanswered")), (Some(0.0), Some(1.0)));
    let since = shown.of_user("user_failing_since_timestamp_seconds", 1);
    assert!(since.is_some() && exporter.since(since.unwrap()) < 10.0);
    exporter
        .for_seconds(2 * 3_600, |shown| {
            shown.of_user("user_failing_since_timestamp_seconds", 1) == since && shown.outage() == Some(0.0)
        })
        .await;
    world.behave(1, Behaviour::Answers);
    let shown = exporter.until("answered", |shown| shown.of_user("user_up", 1) == Some(1.0)).await;
    assert_eq!(shown.of_account("account_users_unanswered"), Some(0.0));
    let success = shown.of_user("user_last_success_timestamp_seconds", 1);
    world.behave(1, Behaviour::Denied);
    let shown = exporter
        .until("refused again", |shown| shown.of_user("user_failing_since_timestamp_seconds", 1).is_some())
        .await;
    assert!(shown.of_user("user_failing_since_timestamp_seconds", 1) >= success);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_state_file_restores_counts() {
    let world = World::of(3);
    let state = world.state_file();
    world.set("discover: true", &state);
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(0.0), None));
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    let before = exporter.for_seconds(2 * INTERVAL, |_| true).await;
    exporter.running.stop().await;

    world.fail_all("InternalError");
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(1.0), Some(0.0)), "from the first scrape on");
    let sum = |shown: &Shown| shown.get("account_access_keys", r#"account="prod",status="Active""#);
    assert_eq!((sum(&first), sum(&before)), (Some(3.0), Some(3.0)));
    assert_near(first.newest_success(), before.newest_success());
    exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    assert_seconds(exporter.since(first.newest_success()), 2 * INTERVAL);
    exporter.for_seconds(INTERVAL, |_| true).await;
    exporter.running.stop().await;

    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage()), (Some(1.0), Some(1.0)), "it goes on");
    world.simulator.clear();
    let last = first.newest_success() + 1.0;
    let shown = exporter
        .until_while("no outage", |shown| shown.outage() == Some(0.0), |shown| shown.successes_since(last) < 3)
        .await;
    assert_eq!(shown.successes_since(last), 3);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_user_that_failed_before_the_restart_is_asked_before_all_is_well() {
    let world = World::of(2);
    world.set(&uins(2), &world.state_file());
    let (exporter, _) = world.start().await;
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    world.fail(1, "InternalError");
    exporter.until("a failure", |shown| shown.of_user("user_up", 1) == Some(0.0)).await;
    exporter.running.stop().await;
    let (exporter, first) = world.start().await;
    assert_eq!((first.complete(), first.outage(), first.of_user("user_up", 1)), (Some(1.0), None, Some(0.0)));
    let asked = |shown: &Shown| shown.outage() == Some(0.0);
    exporter.until_while("well", asked, |shown| shown.outage().is_none()).await;
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_there_is_no_such_user_counts_only_where_there_are_no_others() {
    let world = World::of(2);
    world.behave(1, Behaviour::DoesNotExist);
    world.set(&uins(2), "");
    let (exporter, _) = world.start().await;
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    world.fail(0, "InternalError");
    let shown = exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    assert_eq!((shown.of_user("user_missing", 0), shown.of_user("user_missing", 1)), (None, Some(1.0)));
    assert_seconds(exporter.since(shown.of_user("user_last_success_timestamp_seconds", 0).unwrap()), 2 * INTERVAL);
    world.simulator.clear();
    world.behave(0, Behaviour::DoesNotExist);
    let shown = exporter.until("nobody is there", |shown| shown.of_user("user_missing", 0) == Some(1.0)).await;
    assert_eq!(shown.of_account("account_up"), Some(0.0));
    // The other one has to be polled since: it is not there either.
    let shown = exporter.until("no outage", |shown| shown.outage() == Some(0.0)).await;
    assert_eq!(shown.users("user_missing", "prod").len(), 2);
    // What further polls fail with is no answer.
    world.fail_all("InternalError");
    exporter.for_seconds(2 * 3_600, |shown| shown.users("user_missing", "prod").len() == 2).await;
    exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_adds_users_takes_nothing_back() {
    let world = World::of(3);
    world.set(&uins(1), "");
    let (exporter, _) = world.start().await;
    exporter.until("complete", |shown| shown.complete() == Some(1.0)).await;
    world.behave(2, Behaviour::Denied);
    world.set(&uins(3), "");
    exporter.reloader.reload().await.unwrap();
    let shown = exporter.shown().await;
    assert_eq!(shown.of_account("account_users_unanswered"), Some(2.0));
    let well = |shown: &Shown| shown.complete() == Some(1.0) && shown.outage() == Some(0.0);
    let answered = |shown: &Shown| shown.of_account("account_users_unanswered") == Some(1.0);
    exporter.until_while("answered", answered, well).await;
    world.set(&uins(1), "");
    exporter.reloader.reload().await.unwrap();
    let shown = exporter.shown().await;
    assert_eq!(shown.of_account("account_users_unanswered"), Some(0.0));
    assert!(well(&shown));
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_intervals_are_those_that_the_rate_limit_allows() {
    let world = World::of(100);
    world.set(&uins(100), "poll: {interval: 1m, rate_limit: 1}");
    let (exporter, _) = world.start().await;
    exporter.until("well", |shown| shown.outage() == Some(0.0)).await;
    world.fail_all("InternalError");
    let shown = exporter.until("an outage", |shown| shown.outage() == Some(1.0)).await;
    assert_seconds(exporter.since(shown.newest_success()), 200);
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn last_uses_are_complete_once_each_key_has_one() {
    let world = World::of(4);
    world.set("discover: true", "poll: {last_used: true}");
    world.simulator.inject_into("GetSecurityLastUsed", error("InternalError"), Times::UntilCleared);
    let (exporter, first) = world.start().await;
    assert_eq!(first.of_account("account_last_used_complete"), Some(1.0), "no key is shown yet");
    let known = |shown: &Shown| shown.of_account("account_last_used_complete") == Some(1.0);
    exporter.until("a key of which it is not known", |shown| !known(shown)).await;
    exporter.for_seconds(INTERVAL, |shown| !known(shown)).await;
    world.simulator.clear();
    let shown = exporter.until("known of each", |shown| known(shown)).await;
    assert_eq!(shown.series("access_key_never_used", "prod").count(), 4);
    world.set("discover: true", "");
    exporter.reloader.reload().await.unwrap();
    exporter.until("not asked any more", |shown| shown.of_account("account_last_used_complete").is_none()).await;
    exporter.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_member_of_an_organization_is_an_account() {
    const MEMBER: u64 = 200_000_000_001;
    let world = World::of(0);
    for (member, does_trust) in [(MEMBER, true), (MEMBER + 1, false)] {
        world.simulator.edit_organization(|all| all.push(Member { uin: member, name: None }));
        world.simulator.edit_roles(|roles| {
            roles.push(Role {
                account: member,
                name: "exporter".to_owned(),
                id: 4_611_686_018_427_000_000 + member,
                trusted_callers: if does_trust { vec![CALLER] } else { vec![] },
                permissions: vec!["cam:ListAccessKeys".to_owned(), "cam:ListUsers".to_owned()],
                ..Role::default()
            });
        });
        world.simulator.edit(|population| population.users.insert(member + 100, user(member).of_member(member)));
    }
    world.simulator.inject_into("DescribeOrganizationMembers", error("InternalError"), Times::UntilCleared);
    world.set("discover: true, organization: {role_name: exporter}", "");
    let (exporter, first) = world.start().await;
    assert_eq!((first.accounts().collect::<Vec<_>>(), first.complete()), (vec!["prod"], Some(0.0)));
    // Its own users are listed: there are none.
    exporter.until("listed", |shown| shown.of_account("account_user_discovery_up") == Some(1.0)).await;
    exporter.for_seconds(INTERVAL, |shown| shown.complete() == Some(0.0) && shown.outage() == Some(1.0)).await;
    world.simulator.clear();
    let shown = exporter
        .until("the first member is complete", |shown| {
            shown.of_member("account_inventory_complete", MEMBER).is_some_and(|(_, value)| value > 0.5)
        })
        .await;
    assert_eq!((shown.complete(), shown.outage()), (Some(1.0), Some(0.0)));
    assert_eq!(shown.of_member("account_outage", MEMBER), Some(("}", 0.0)));
    let out = |shown: &Shown| shown.of_member("account_outage", MEMBER + 1) == Some(("}", 1.0));
    let shown = exporter.until("the second cannot be listed", out).await;
    assert_eq!(shown.of_member("account_inventory_complete", MEMBER + 1), Some((r#",shard="0"}"#, 0.0)));
    exporter.running.stop().await;
}
