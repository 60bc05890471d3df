//! More users than the budget reaches in an interval.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use tencentcloud_cam_exporter::app::Listeners;
use tencentcloud_simulator::{Behaviour, Caller, Key, Outcome, Population, Simulator, User, densest_second};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::harness::{TestClock, Wire, exporter};

const USERS: u64 = 10_000;
const FIRST: u64 = 100_013_000_000;

/// What 20 requests a second need for everybody once.
const FAIR: f64 = 500.0;

#[tokio::test(start_paused = true)]
async fn everybody_waits_alike_and_the_metric_says_how_long() {
    let clock = TestClock::at("2026-01-01T00:00:00Z");
    let key = Key::new("AKIDx", "Active", "2025-01-01T00:00:00Z".parse().unwrap());
    // Every tenth user fails for good, and every tenth now and then: they must not cost the others their turns.
    let behaviour = |uin: u64| match uin % 10 {
        3 => Behaviour::Denied,
        7 => Behaviour::Flaky { every: 2 },
        _ => Behaviour::Answers,
    };
    let users = (FIRST..FIRST + USERS)
        .map(|uin| (uin, User { behaviour: behaviour(uin), ..User::with_keys([key.clone()]) }))
        .collect();
    let callers = vec![Caller { uin: FIRST - 1, credential: Population::demo_credential() }];
    let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, Population { callers, users }));
    let uins = simulator.edit(|population| population.uins());
    let config = format!(
        "accounts: [{{name: prod, uins: {uins:?}, credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 5m, rate_limit: 20, max_in_flight: 16}}\n"
    );
    let app = exporter(&config, clock, Wire::to(&simulator, Duration::from_millis(10)));
    let (routes, start, shutdown) = (app.routes(), Instant::now(), CancellationToken::new());
    let running = tokio::spawn(app.run(Listeners::default(), shutdown.clone()));
    sleep(Duration::from_mins(34)).await;

    let request = Request::get("/metrics").body(Empty::<Bytes>::new()).unwrap();
    let exposition = routes.answer(&request).await.into_body().collect().await.unwrap().to_bytes();
    let exposition = std::str::from_utf8(&exposition).unwrap();
    for series in [
        r#"tencentcloud_cam_account_shortest_poll_interval_seconds{account="prod"} 500"#,
        r#"tencentcloud_cam_account_poll_interval_seconds{account="prod"} 300"#,
    ] {
        assert!(exposition.lines().any(|line| line == series), "{series}");
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();

    let arrivals = simulator.arrivals();
    assert!(arrivals.iter().all(|arrival| arrival.outcome != Outcome::TooFrequent));
    assert!(densest_second(&arrivals) <= 20);
    let mut asked: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for arrival in &arrivals {
        asked.entry(arrival.target.unwrap()).or_default().push(arrival.at.duration_since(start).as_secs_f64());
    }
    assert_eq!(asked.len(), uins.len());
    let waits = asked
        .iter()
        .filter(|(uin, _)| **uin % 10 != 3)
        .flat_map(|(uin, times)| times.windows(2).map(move |pair| (uin, pair[1] - pair[0])));
    let (uin, longest) = waits.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert!(longest <= 1.2 * FAIR, "{uin} waited {longest} s");
}
