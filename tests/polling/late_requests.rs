//! A network that is cut off for a while and then delivers what the system has held: requests that timed out long ago arrive
//! together with newer ones, and still no second holds more than the rate limit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tencentcloud_api::{Connection, Error, MAX_TRANSIT, Transport};
use tencentcloud_simulator::{Caller, Outcome, Population, Reply, Simulator, User, densest_second};
use tokio::time::{Instant, sleep, sleep_until};

use crate::harness::{Running, TestClock, exporter};

const FIRST: u64 = 100_013_000_000;

/// A network that is cut off from `cut` until `back`.
struct Wire {
    simulator: Arc<Simulator>,
    cut: Instant,
    back: Instant,
    delivered_late: Arc<AtomicUsize>,
}

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>, _: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        let (simulator, now) = (Arc::clone(&self.simulator), Instant::now());
        if (self.cut..self.back).contains(&now) {
            let (back, delivered_late) = (self.back, Arc::clone(&self.delivered_late));
            // Goes on when the exporter has given up.
            tokio::spawn(async move {
                sleep_until(back).await;
                if now.elapsed() < MAX_TRANSIT {
                    delivered_late.fetch_add(1, Relaxed);
                    simulator.handle(&request);
                }
            });
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            sleep(Duration::from_millis(5)).await;
            let Reply::Response(response) = simulator.handle(&request) else { panic!("only answers here") };
            Ok(response)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn no_second_holds_more_than_the_rate_limit_when_requests_arrive_after_their_timeout() {
    let clock = TestClock::at("2026-01-01T00:00:00Z");
    let population = Population {
        callers: vec![Caller { uin: FIRST - 1, credential: Population::demo_credential() }],
        users: (FIRST..FIRST + 40).map(|uin| (uin, User::with_keys([]))).collect(),
    };
    let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
    let cut = Instant::now() + Duration::from_secs(20);
    let (back, delivered_late) = (cut + Duration::from_secs(17), Arc::default());
    let wire = Wire { simulator: Arc::clone(&simulator), cut, back, delivered_late: Arc::clone(&delivered_late) };
    let uins: Vec<u64> = (FIRST..FIRST + 40).collect();
    let config = format!(
        "accounts: [{{name: prod, uins: {uins:?}, credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 2s, timeout: 1s, rate_limit: 20, max_in_flight: 64}}\n"
    );
    let running = Running::start(exporter(&config, clock, Arc::new(wire)));
    sleep(Duration::from_mins(2)).await;
    running.stop().await;

    let arrivals = simulator.arrivals();
    assert!(delivered_late.load(Relaxed) > 1, "the network had nothing to deliver");
    assert!(densest_second(&arrivals) <= 20, "{} in a second", densest_second(&arrivals));
    assert!(arrivals.iter().all(|arrival| arrival.outcome == Outcome::Answered));
    let since_then = arrivals.iter().filter(|arrival| arrival.at > back + MAX_TRANSIT * 2).count();
    assert!(since_then > 1_000, "{since_then} since the network has recovered");
}
