//! One sweep, and how long it takes where users cannot be polled.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tencentcloud_api::Reason;
use tencentcloud_cam_exporter::{
    app::{Sweep, sweep::Step},
    config::Config,
    environment::Environment,
    inventory::Listing,
    report::{Report, Why},
};
use tencentcloud_simulator::{
    Behaviour, Caller, Fault, Key, Population, Rejection, Simulator, Times, User, densest_second,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::harness::{TestClock, Wire, dependencies};

const FIRST: u64 = 100_013_000_000;

/// The API of an account of so many users, as `change` leaves it, and what one sweep over it finds; how long it takes, and
/// how far it was from time to time.
async fn sweep(users: u64, change: impl FnOnce(&Simulator)) -> (Arc<Simulator>, Report, Duration, Vec<Step>) {
    sweep_as(users, "", change).await
}

/// As [`sweep`], with further configuration of the account.
async fn sweep_as(
    users: u64,
    configured: &str,
    change: impl FnOnce(&Simulator),
) -> (Arc<Simulator>, Report, Duration, Vec<Step>) {
    let clock = TestClock::at("2026-01-01T00:00:00Z");
    let key = Key::new("AKIDx", "Active", "2025-12-01T00:00:00Z".parse().unwrap());
    let population = Population {
        callers: vec![Caller { uin: FIRST - 1, credential: Population::demo_credential() }],
        users: (FIRST..FIRST + users).map(|uin| (uin, User::with_keys([key.clone()]))).collect(),
    };
    let uins = population.uins();
    let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
    change(&simulator);
    let config = format!("accounts: [{{name: prod, uins: {uins:?}, credentials: {{env: {{}}}}{configured}}}]\n");
    let config = Config::parse(&config, &Environment::default()).unwrap();
    let wire = Wire::to(&simulator, Duration::from_millis(20));
    let (started, mut steps) = (Instant::now(), vec![]);
    let sweep = Sweep::build(config, dependencies(clock, wire)).unwrap();
    let swept = sweep.run(|step| steps.push(step), CancellationToken::new()).await.unwrap();
    assert!(swept.is_whole);
    (simulator, Report::of(&swept), started.elapsed(), steps)
}

#[tokio::test(start_paused = true)]
async fn takes_what_the_budget_needs_and_asks_about_everybody_once() {
    let (simulator, report, took, steps) = sweep(900, |_| ()).await;
    assert_eq!((report.keys.len(), report.failures.len()), (900, 0));
    assert!((50.0..54.0).contains(&took.as_secs_f64()), "900 at 18 a second, after one: {took:?}");
    let arrivals = simulator.arrivals();
    assert_eq!(arrivals.len(), 900);
    assert!(densest_second(&arrivals) <= 18);
    assert!(steps.is_sorted_by_key(|step| step.done));
    assert_eq!(steps.first(), Some(&Step { done: 0, failed: 0, users: 900, ..Step::default() }));
    assert_eq!(steps.last(), Some(&Step { done: 900, failed: 0, users: 900, ..Step::default() }));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_does_not_pass_is_waited_for_ten_seconds() {
    let fault = Fault::Error(Rejection::new("InternalError", "Again."));
    let (_, report, took, steps) =
        sweep(2, |simulator| simulator.inject(Some(FIRST), fault, Times::UntilCleared)).await;
    let failures: Vec<Why> = report.failures.iter().map(|failure| failure.why).collect();
    assert_eq!(failures, [Why::Failed(Reason::ServerError, Some("InternalError"))]);
    assert!((10.9..12.0).contains(&took.as_secs_f64()), "{took:?}");
    assert_eq!(steps.last(), Some(&Step { done: 2, failed: 1, users: 2, ..Step::default() }));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_answers_nothing_is_given_up() {
    let foreign = |simulator: &Simulator| simulator.edit(|population| population.callers.clear());
    let (simulator, report, took, _) = sweep(5_000, foreign).await;
    assert!((10.9..12.0).contains(&took.as_secs_f64()), "not the five minutes that 5,000 users take: {took:?}");
    let refused = report.failures.iter().filter(|failure| failure.why.label() == "credentials").count();
    assert!(simulator.arrivals().len() - refused <= 8, "some were under way");
    let not_polled = report.failures.iter().filter(|failure| failure.why == Why::NotPolled).count();
    assert!(refused > 100 && refused + not_polled == 5_000, "{refused} {not_polled}");
    assert!(report.failures[0].error.as_deref().is_some_and(|error| error.contains("AuthFailure.SecretIdNotFound")));
}

#[tokio::test(start_paused = true)]
async fn users_who_fail_each_for_their_own_do_not_end_it() {
    let denied = |simulator: &Simulator| {
        simulator.edit(|population| {
            population.users.values_mut().take(350).for_each(|user| user.behaviour = Behaviour::Denied);
        });
    };
    let (_, report, took, _) = sweep(360, denied).await;
    assert_eq!((report.failures.len(), report.keys.len()), (350, 10));
    assert!(took > Duration::from_secs(19), "{took:?}");
}

fn throttle() -> Fault {
    Fault::Error(Rejection::new("RequestLimitExceeded", "Too many."))
}

/// How many requests there were about each user.
fn asked(simulator: &Simulator) -> BTreeMap<u64, usize> {
    simulator.arrivals().iter().filter_map(|arrival| arrival.target).fold(BTreeMap::new(), |mut asked, user| {
        *asked.entry(user).or_default() += 1;
        asked
    })
}

#[tokio::test(start_paused = true)]
async fn where_everybody_is_throttled_it_gives_up_after_ten_seconds() {
    let (simulator, report, took, _) =
        sweep(3, |simulator| simulator.inject(None, throttle(), Times::UntilCleared)).await;
    let failures: Vec<Why> = report.failures.iter().map(|failure| failure.why).collect();
    assert_eq!(failures, [Why::Failed(Reason::Throttled, Some("RequestLimitExceeded")); 3]);
    assert!((10.9..12.5).contains(&took.as_secs_f64()), "{took:?}");
    assert!(simulator.arrivals().len() <= 15, "{:?}", asked(&simulator));
}

#[tokio::test(start_paused = true)]
async fn one_who_is_throttled_waits_behind_those_never_asked() {
    for place in [0, 7, 19] {
        let one = FIRST + place;
        let (simulator, report, took, _) =
            sweep(20, |simulator| simulator.inject(Some(one), throttle(), Times::UntilCleared)).await;
        let failures: Vec<&str> = report.failures.iter().map(|failure| failure.why.label()).collect();
        assert_eq!((failures, report.keys.len()), (vec!["throttled"], 19));
        let (asked, arrivals) = (asked(&simulator), simulator.arrivals());
        assert!((2..=5).contains(&asked[&one]), "{asked:?}");
        assert!(asked.iter().all(|(user, requests)| *user == one || *requests == 1), "{asked:?}");
        let times = |user: u64| arrivals.iter().filter(move |arrival| arrival.target == Some(user));
        let retried = times(one).nth(1).unwrap().at;
        assert!(
            (FIRST..FIRST + 20).filter(|user| *user != one).all(|user| times(user).all(|other| other.at < retried))
        );
        assert!(took < Duration::from_secs(30), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_that_passes_fails_nobody() {
    let (_, report, _, _) = sweep(20, |simulator| simulator.inject(None, throttle(), Times::Next(3))).await;
    assert_eq!((report.keys.len(), report.failures.len()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn an_api_that_stops_to_answer_midway_is_given_up() {
    let (simulator, report, took, _) = sweep(5_000, |simulator| {
        (FIRST + 100..FIRST + 5_000).for_each(|user| simulator.inject(Some(user), throttle(), Times::UntilCleared));
    })
    .await;
    assert_eq!(report.keys.len(), 100);
    let count = |label: &str| report.failures.iter().filter(|failure| failure.why.label() == label).count();
    assert!(count("throttled") > 1 && count("throttled") + count("not_polled") == 4_900, "{}", count("throttled"));
    assert!((15.0..19.0).contains(&took.as_secs_f64()), "100 at 18 a second, and ten seconds: {took:?}");
    assert!(simulator.arrivals().len() < 125, "{}", simulator.arrivals().len());
}

#[tokio::test(start_paused = true)]
async fn who_was_answered_about_is_not_asked_again() {
    let hangs = |simulator: &Simulator| simulator.inject(Some(FIRST), Fault::Hang, Times::UntilCleared);
    let (simulator, report, _, _) = sweep_as(5, ", interval: 1s", hangs).await;
    let labels: Vec<&str> = report.failures.iter().map(|failure| failure.why.label()).collect();
    assert_eq!((labels, report.keys.len()), (vec!["timeout"], 4));
    let asked = asked(&simulator);
    assert!(asked.iter().all(|(user, requests)| *requests == 1 || *user == FIRST), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_is_retried_for_ten_seconds_as_a_poll_is() {
    let fails = |times: Times| move |simulator: &Simulator| simulator.inject_into("ListUsers", throttle(), times);
    let (_, report, _, _) = sweep_as(2, ", discover: true", fails(Times::Next(2))).await;
    assert!(report.is_complete() && report.failed_listings.is_empty(), "{report:?}");
    let (_, report, took, _) = sweep_as(2, ", discover: true", fails(Times::UntilCleared)).await;
    let [failed] = &report.failed_listings[..] else { panic!("{report:?}") };
    assert_eq!((failed.listing, failed.reason()), (Listing::Users, Some("throttled")));
    assert!(!report.is_complete() && report.keys.len() == 2, "{report:?}");
    assert!((10.9..12.5).contains(&took.as_secs_f64()), "{took:?}");
}
