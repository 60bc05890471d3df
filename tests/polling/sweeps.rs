//! The API's limit and the schedule, judged by the simulator's own log of arrivals.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tencentcloud_cam_exporter::app::Listeners;
use tencentcloud_simulator::{Arrival, Caller, Key, Outcome, Population, Simulator, User, densest_second};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::harness::{TestClock, Wire, exporter};

const USERS: u64 = 400;
const FIRST: u64 = 100_013_000_000;

/// What arrives within `time`, when that many users are polled with an interval of 30 s and 20 requests a second, from
/// the time of day `start` on.
async fn arrivals(start: &str, latency: Duration, time: Duration) -> (Instant, Vec<Arrival>) {
    let clock = TestClock::at(start);
    let key = Key::new("AKIDx", "Active", "2025-01-01T00:00:00Z".parse().unwrap());
    let population = Population {
        callers: vec![Caller { uin: FIRST - 1, credential: Population::demo_credential() }],
        users: (FIRST..FIRST + USERS).map(|uin| (uin, User::with_keys([key.clone()]))).collect(),
    };
    let uins = population.uins();
    let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
    let config = format!(
        "accounts: [{{name: prod, uins: {uins:?}, credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 30s, rate_limit: 20, max_in_flight: 64}}\n"
    );
    let start = Instant::now();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(
        exporter(&config, clock, Wire::to(&simulator, latency)).run(Listeners::default(), shutdown.clone()),
    );
    sleep(time).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
    (start, simulator.arrivals())
}

/// When requests about each user arrive, in seconds since `start`.
fn by_user(start: Instant, arrivals: &[Arrival]) -> BTreeMap<u64, Vec<f64>> {
    arrivals.iter().fold(BTreeMap::new(), |mut times, arrival| {
        let time = arrival.at.duration_since(start).as_secs_f64();
        times.entry(arrival.target.unwrap()).or_default().push(time);
        times
    })
}

#[tokio::test(start_paused = true)]
async fn every_user_once_a_sweep_and_never_more_than_twenty_a_second() {
    for latency in [0, 20, 200].map(Duration::from_millis) {
        let (start, arrivals) = arrivals("2026-01-01T00:00:00Z", latency, Duration::from_mins(3)).await;
        let users = by_user(start, &arrivals);
        assert_eq!(users.len(), 400);
        for (uin, times) in users {
            // The first sweep takes what the budget needs; then everybody waits for a phase, and has one.
            // At 200 ms each way the budget gives 20 requests in 1.2 s; it begins after a second.
            assert!(times[0] < 1.0 + 400.0 / 15.0, "{uin}: {times:?}");
            let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(gaps[..2].iter().all(|gap| (14.0..=46.0).contains(gap)), "{uin}: {times:?}");
            assert!(gaps.len() >= 4 && gaps[2..].iter().all(|gap| (gap - 30.0).abs() < 6.0), "{uin}: {times:?}");
        }
        assert!(densest_second(&arrivals) <= 20, "{} with {latency:?}", densest_second(&arrivals));
        assert!(arrivals.iter().all(|arrival| arrival.outcome == Outcome::Answered));
    }
}

#[tokio::test(start_paused = true)]
async fn later_sweeps_are_spread_over_the_interval() {
    let (start, arrivals) = arrivals("2026-01-01T00:00:00Z", Duration::ZERO, Duration::from_mins(3)).await;
    for slice in 20..60 {
        let from = start + Duration::from_secs(3) * slice;
        let to = from + Duration::from_secs(3);
        let within = arrivals.iter().filter(|arrival| (from..to).contains(&arrival.at)).count();
        assert!((20..=60).contains(&within), "{within} of 400 in the 3 s from {}", 3 * slice);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_moves_nobody() {
    // The same user at two runs, which start at different places of an interval: the time of its last poll.
    let last = |start, arrivals: &[Arrival]| {
        by_user(start, arrivals)
            .into_iter()
            .map(|(uin, times)| (uin, *times.last().unwrap()))
            .collect::<BTreeMap<_, _>>()
    };
    let (start, before) = arrivals("2026-01-01T00:00:00Z", Duration::ZERO, Duration::from_mins(3)).await;
    let before = last(start, &before);
    let (start, after) = arrivals("2026-01-01T07:13:11Z", Duration::ZERO, Duration::from_mins(3)).await;
    for (uin, time) in last(start, &after) {
        let moved = (time + 11.0 - before[&uin]).rem_euclid(30.0);
        assert!(moved.min(30.0 - moved) < 3.0, "{uin} by {moved} s");
    }
}
