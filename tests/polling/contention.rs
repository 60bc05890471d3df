//! An account whose limit others share: how much of what they leave it uses, and how often it is refused.

use std::{ops::Range, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use jiff::{Timestamp, tz::Offset};
use tencentcloud_api::{Client, Clock, Connection, ListAccessKeys, Reason, Uin};
use tencentcloud_cam_exporter::poll::{
    RateLimit,
    budget::{Budget, Refusal},
};
use tencentcloud_simulator::{Caller, Outcome, Population, Simulator, User, densest_second};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep, sleep_until},
};

use crate::harness::{TestClock, Wire};

const CALLER: u64 = 100_013_000_000;
const OURS: u64 = CALLER + 1;
const THEIRS: u64 = CALLER + 2;

const SEEDS: Range<u64> = 0..3;

/// Round trips of 0 to 20 ms, and of 20 to 200 ms.
const NEAR: Range<Duration> = Duration::ZERO..Duration::from_millis(10);
const FAR: Range<Duration> = Duration::from_millis(10)..Duration::from_millis(100);

/// An API, and who asks it for as long as this lives.
struct World {
    simulator: Arc<Simulator>,
    clock: Arc<TestClock>,
    start: Instant,
    running: JoinSet<()>,
}

#[derive(Debug)]
struct Ours {
    /// How many were answered a second.
    answered: f64,
    /// What part of them was refused.
    refused: f64,
    /// The most that one second held.
    densest: usize,
}

// === impl World ===

impl World {
    fn new(seed: u64) -> Self {
        fastrand::seed(seed);
        let clock = TestClock::at("2026-01-01T00:00:00Z");
        let population = Population {
            callers: vec![Caller { uin: CALLER, credential: Population::demo_credential() }],
            users: [OURS, THEIRS].map(|uin| (uin, User::with_keys([]))).into(),
        };
        let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
        Self { simulator, clock, start: Instant::now(), running: JoinSet::new() }
    }

    fn client(&self, latency: Range<Duration>) -> Arc<Client> {
        let endpoint = "https://cam.tencentcloudapi.com".parse().unwrap();
        Arc::new(Client::new(endpoint, Wire::taking(&self.simulator, latency)).with_zone(Offset::UTC))
    }

    /// Asks as fast as the budget allows.
    fn asks(&mut self, latency: Range<Duration>) {
        let (client, clock) = (self.client(latency), Arc::clone(&self.clock));
        self.running.spawn(async move {
            let mut budget = Budget::new(RateLimit::new(20).unwrap().into());
            let mut under_way = FuturesUnordered::new();
            loop {
                let wake = match budget.take() {
                    Ok(permit) => {
                        let (client, now) = (Arc::clone(&client), clock.now());
                        under_way.push(async move { (permit, ask(&client, OURS, now).await) });
                        continue;
                    }
                    Err(Refusal::Until(at)) => Some(at),
                    Err(Refusal::UntilOneEnds) => None,
                };
                tokio::select! {
                    Some((permit, throttled)) = under_way.next() => {
                        budget.give_back(permit);
                        if throttled {
                            budget.throttled();
                        }
                    }
                    () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                }
            }
        });
    }

    /// Takes so many at once, each `every`, for a time.
    async fn steals(&self, at_once: u32, every: Duration, time: Duration) {
        let client = self.client(Duration::ZERO..Duration::ZERO);
        let mut ticks = interval(every);
        let end = Instant::now() + time;
        while ticks.tick().await < end {
            for _ in 0..at_once {
                let (client, now) = (Arc::clone(&client), self.clock.now());
                tokio::spawn(async move { ask(&client, THEIRS, now).await });
            }
        }
    }

    /// What became of our own requests that arrived in these seconds.
    fn ours(&self, seconds: Range<u64>) -> Ours {
        let mut arrivals = self.simulator.arrivals();
        arrivals.retain(|arrival| {
            arrival.target == Some(OURS) && seconds.contains(&arrival.at.duration_since(self.start).as_secs())
        });
        let (refused, answered): (Vec<_>, Vec<_>) =
            arrivals.iter().map(|arrival| &arrival.outcome).partition(|outcome| **outcome == Outcome::TooFrequent);
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        Ours {
            answered: answered.len() as f64 / (seconds.end - seconds.start) as f64,
            refused: refused.len() as f64 / arrivals.len() as f64,
            densest: densest_second(&arrivals),
        }
    }
}

/// Asks once. Tells whether it was throttled.
async fn ask(client: &Client, target: u64, now: Timestamp) -> bool {
    let target: Uin = target.to_string().parse().unwrap();
    let action = ListAccessKeys::of(target);
    let answer = client.call(&Population::demo_credential(), &action, Connection::Pooled, now).await;
    answer.is_err_and(|error| error.reason() == Reason::Throttled)
}

/// Requests a second that can arrive at most, of a limit of `rate`: of two that share a second at one end of the wire,
/// the first may have taken the shortest way and the last the longest.
fn possible(rate: f64, latency: &Range<Duration>) -> f64 {
    rate / (1.0 + latency.end.saturating_sub(latency.start).as_secs_f64())
}

#[tokio::test(start_paused = true)]
async fn alone_it_uses_nearly_all_and_is_never_refused() {
    for (latency, seed) in [NEAR, FAR].into_iter().flat_map(|latency| SEEDS.map(move |seed| (latency.clone(), seed))) {
        let mut world = World::new(seed);
        world.asks(latency.clone());
        sleep(Duration::from_mins(1)).await;
        let ours = world.ours(0..60);
        assert!(ours.answered >= 0.97 * possible(20.0, &latency), "{latency:?}, seed {seed}: {ours:?}");
        assert!(ours.refused == 0.0 && ours.densest <= 20, "{latency:?}, seed {seed}: {ours:?}");
    }
}

/// Another takes half: `at_once` each `every`, for 90 s. Every other time it comes when we are at full speed.
async fn beside_another(latency: Range<Duration>, at_once: u32, every: Duration) {
    for seed in SEEDS {
        let mut world = World::new(seed);
        world.asks(latency.clone());
        let comes = seed % 2 * 5;
        sleep(Duration::from_secs(comes)).await;
        world.steals(at_once, every, Duration::from_secs(90)).await;
        sleep(Duration::from_mins(1)).await;

        let case = format!("{latency:?}, {at_once} each {every:?}, seed {seed}");
        let (all, found) = (world.ours(comes..comes + 90), world.ours(comes + 10..comes + 90));
        let after = world.ours(comes + 120..comes + 150);
        assert!(found.answered >= 0.8 * possible(10.0, &latency), "{case}: {found:?}");
        assert!(found.refused < 0.02 && all.refused < 0.02, "{case}: {found:?}; with the first seconds {all:?}");
        assert!(after.answered >= 0.97 * possible(20.0, &latency), "{case}: {after:?}");
        assert!(after.refused == 0.0, "{case}: {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nearby_it_finds_what_another_leaves_and_comes_back_when_that_has_gone() {
    beside_another(NEAR, 1, Duration::from_millis(100)).await;
    beside_another(NEAR, 10, Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn from_afar_it_finds_what_another_leaves_and_comes_back_when_that_has_gone() {
    beside_another(FAR, 1, Duration::from_millis(100)).await;
    beside_another(FAR, 10, Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn beside_one_that_takes_nearly_all_it_keeps_to_the_little_that_is_left() {
    for (latency, seed) in [NEAR, FAR].into_iter().flat_map(|latency| SEEDS.map(move |seed| (latency.clone(), seed))) {
        let mut world = World::new(seed);
        world.asks(latency.clone());
        world.steals(19, Duration::from_secs(1), Duration::from_secs(70)).await;
        let ours = world.ours(10..70);
        assert!(ours.answered >= 0.8 * possible(1.0, &latency), "{latency:?}, seed {seed}: {ours:?}");
        // It takes two to tell that one is the most: each attempt at more costs about one of ten.
        assert!(ours.refused < 0.15, "{latency:?}, seed {seed}: {ours:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_sits_out_a_minute_in_which_all_is_refused_and_comes_back() {
    for (latency, seed) in [NEAR, FAR].into_iter().flat_map(|latency| SEEDS.map(move |seed| (latency.clone(), seed))) {
        let mut world = World::new(seed);
        world.asks(latency.clone());
        world.steals(25, Duration::from_secs(1), Duration::from_mins(1)).await;
        sleep(Duration::from_mins(1)).await;
        let (storm, after) = (world.ours(10..60), world.ours(95..120));
        assert!(storm.answered == 0.0 && storm.densest <= 2, "{latency:?}, seed {seed}: {storm:?}");
        assert!(after.answered >= 0.97 * possible(20.0, &latency), "{latency:?}, seed {seed}: {after:?}");
    }
}
