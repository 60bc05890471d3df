//! A user whose requests are throttled each time, beside others that are answered.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tencentcloud_simulator::{Caller, Fault, Outcome, Population, Rejection, Simulator, Times, User};
use tokio::time::{Instant, sleep};

use crate::harness::{Running, TestClock, Wire, exporter};

const FIRST: u64 = 100_013_000_000;
const USERS: u64 = 20;

#[tokio::test(start_paused = true)]
async fn it_keeps_none_of_the_others_from_being_polled() {
    let clock = TestClock::at("2026-01-01T00:00:00Z");
    let population = Population {
        callers: vec![Caller { uin: FIRST - 1, credential: Population::demo_credential() }],
        users: (FIRST..FIRST + USERS).map(|uin| (uin, User::with_keys([]))).collect(),
    };
    let uins = population.uins();
    let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
    let throttle = Fault::Error(Rejection::new("RequestLimitExceeded", "Too many."));
    simulator.inject(Some(FIRST), throttle, Times::UntilCleared);
    let config = format!("accounts: [{{name: prod, uins: {uins:?}, credentials: {{env: {{}}}}}}]\n");
    let start = Instant::now();
    let running = Running::start(exporter(&config, clock, Wire::to(&simulator, Duration::from_millis(20))));
    sleep(Duration::from_mins(30)).await;
    running.stop().await;

    let mut asked: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for arrival in simulator.arrivals() {
        assert_eq!(arrival.outcome == Outcome::Answered, arrival.target != Some(FIRST));
        asked.entry(arrival.target.unwrap()).or_default().push(arrival.at.duration_since(start).as_secs_f64());
    }
    let throttled = asked.remove(&FIRST).unwrap();
    assert!(throttled.len() <= 6 * 14, "in each of six intervals after ever longer waits: {}", throttled.len());
    assert_eq!(asked.len(), 19);
    for (user, times) in asked {
        assert!(times[0] < 25.0, "user {user} was first asked after {} s", times[0]);
        // A phase is up to half an interval from the first poll.
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] < 455.0), "{user}: {times:?}");
        assert!((6..=8).contains(&times.len()), "{user}: {times:?}");
    }
}
