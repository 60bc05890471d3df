//! An organization of fifty members, eight of which fail: the others are polled in every interval, by the simulator's log.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tencentcloud_api::Clock;
use tencentcloud_simulator::{
    Caller, Fault, Key, Member, Outcome, Population, Rejection, Role, Simulator, Times, User,
};
use tokio::time::{Instant, sleep};

use crate::harness::{Running, TestClock, Wire, exporter};

const MANAGER: u64 = 100_000_000_001;
const FIRST: u64 = 200_000_000_001;
const MEMBERS: u64 = 50;
const USERS_EACH: u64 = 20;

const INTERVAL: Duration = Duration::from_mins(1);

/// What an answer may take on this wire, and a place in the budget.
const WITHIN: Duration = Duration::from_secs(1);

/// The number of the member's role.
fn role(member: u64) -> u64 {
    4_611_686_018_427_000_000 + member % 1_000
}

fn users(member: u64) -> impl Iterator<Item = u64> {
    (0..USERS_EACH).map(move |user| 300_000_000_000 + member % 1_000 * 100 + user)
}

fn simulator(clock: &Arc<TestClock>) -> Arc<Simulator> {
    let caller = Caller { uin: MANAGER, credential: Population::demo_credential() };
    let population = Population { callers: vec![caller], users: BTreeMap::new() };
    let simulator = Arc::new(Simulator::new(Arc::clone(clock) as _, population));
    for member in FIRST..FIRST + MEMBERS {
        simulator.edit_organization(|all| all.push(Member { uin: member, name: None }));
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
                let key = Key::new(format!("AKID{uin:032}"), "Active", clock.now());
                (uin, User::with_keys([key]).named(format!("user-{uin}")).of_member(member))
            }));
        });
    }
    simulator
}

#[tokio::test(start_paused = true)]
async fn members_that_fail_make_no_other_late() {
    let clock = TestClock::at("2026-01-01T00:00:00Z");
    let simulator = simulator(&clock);
    let [refusing, throttled, hanging] = [FIRST..FIRST + 5, FIRST + 5..FIRST + 7, FIRST + 7..FIRST + 8];
    simulator.edit_roles(|roles| {
        roles.iter_mut().filter(|role| refusing.contains(&role.account)).for_each(|role| role.trusted_callers.clear());
    });
    for member in throttled {
        let too_many = Fault::Error(Rejection::new("RequestLimitExceeded", "too many"));
        simulator.inject_for(role(member), too_many, Times::UntilCleared);
    }
    simulator.inject_for(role(hanging.start), Fault::Hang, Times::UntilCleared);
    let config = "accounts: [{name: org, discover: true, credentials: {env: {}}, organization: {role_name: exporter}}]\n\
                  poll: {interval: 1m, timeout: 10s}\n";
    let wire = Wire::to(&simulator, Duration::from_millis(200));
    let running = Running::start(exporter(config, Arc::clone(&clock) as _, wire));

    // The first sweeps are not what is judged. The judge's log holds the time after them, in which credentials are renewed.
    sleep(Duration::from_mins(50)).await;
    let (from, window) = (Instant::now(), Duration::from_mins(45));
    sleep(window).await;
    let mut answered: BTreeMap<u64, Vec<Instant>> = BTreeMap::new();
    for arrival in simulator.arrivals() {
        if let (Some(user), Outcome::Answered) = (arrival.target, arrival.outcome) {
            answered.entry(user).or_default().push(arrival.at);
        }
    }
    let end = from + window;
    for user in (FIRST + 8..FIRST + MEMBERS).flat_map(users) {
        let within = answered[&user].iter().copied().filter(|at| (from..end).contains(at));
        let times: Vec<Instant> = [from].into_iter().chain(within).chain([end]).collect();
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest <= INTERVAL + WITHIN, "user {user} waited {longest:?}");
    }
    let shown = running.scrape().await;
    let up = |member: u64| shown[&format!(r#"tencentcloud_cam_account_up{{account="{member}"}}"#)];
    for member in FIRST..FIRST + MEMBERS {
        assert_eq!(up(member) > 0.5, member >= FIRST + 8, "{member}");
    }
    running.stop().await;
}
