//! An API that closes every kept connection: each request is sent once more, over a fresh connection, and does not fail.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use parking_lot::Mutex;
use tencentcloud_api::{Connection, Error, Transport};
use tencentcloud_simulator::{Caller, Population, Reply, Simulator, User};
use tokio::time::{Instant, sleep};

use crate::harness::{Running, TestClock, exporter};

const FIRST: u64 = 100_013_000_000;

/// Requests for this user are never answered.
const LOST: u64 = FIRST + 2;

/// A request, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    at: Instant,
    action: String,
    user: Option<u64>,
    connection: Connection,
}

struct Wire {
    simulator: Arc<Simulator>,
    sent: Mutex<Vec<Sent>>,
}

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>, connection: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        let action = request.headers()["x-tc-action"].to_str().unwrap().to_owned();
        let user = serde_json::from_slice::<serde_json::Value>(request.body()).unwrap()["TargetUin"].as_u64();
        self.sent.lock().push(Sent { at: Instant::now(), action, user, connection });
        Box::pin(async move {
            if connection == Connection::Pooled || user == Some(LOST) {
                return Err(Error::StaleConnection("closed".to_owned()));
            }
            let Reply::Response(response) = self.simulator.handle(&request) else { panic!("only answers here") };
            Ok(response)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn request_is_sent_again_at_once_over_a_fresh_connection() {
    let clock = TestClock::at("2026-01-01T00:00:00Z");
    let population = Population {
        callers: vec![Caller { uin: FIRST - 1, credential: Population::demo_credential() }],
        users: (FIRST..=LOST).map(|uin| (uin, User::with_keys([]).named("x"))).collect(),
    };
    let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
    let wire = Arc::new(Wire { simulator, sent: Mutex::default() });
    let config = "accounts: [{name: prod, discover: {interval: 1m}, credentials: {env: {}}}]\npoll: {interval: 30s}\n";
    let running = Running::start(exporter(config, clock, Arc::clone(&wire) as _));
    sleep(Duration::from_mins(10)).await;

    let up = running.scrape().await;
    for (uin, expected) in [(FIRST, 1.0), (FIRST + 1, 1.0), (LOST, 0.0)] {
        let up = up[&format!(r#"tencentcloud_cam_user_up{{account="prod",uin="{uin}"}}"#)];
        assert!((up - expected).abs() < f64::EPSILON, "{uin}: {up}");
    }
    running.stop().await;
    let sent = wire.sent.lock().clone();
    let of = |action: &str, user| {
        let matching = sent.iter().filter(|sent| sent.action == action && sent.user == user);
        matching.cloned().collect::<Vec<_>>()
    };
    for (action, user, expected) in [
        ("ListUsers", None, 9..=11),
        ("ListAccessKeys", Some(FIRST), 19..=22),
        ("ListAccessKeys", Some(FIRST + 1), 19..=22),
        ("ListAccessKeys", Some(LOST), 19..=120),
    ] {
        let pairs = of(action, user);
        let pairs = pairs.chunks(2).collect::<Vec<_>>();
        assert!(expected.contains(&pairs.len()), "{action} {user:?}: {}", pairs.len());
        for pair in pairs {
            let connections: Vec<Connection> = pair.iter().map(|sent| sent.connection).collect();
            assert_eq!(connections, [Connection::Pooled, Connection::Fresh], "{action} {user:?}");
            assert!(pair[1].at - pair[0].at < Duration::from_secs(1), "{action} {user:?}: {pair:?}");
        }
    }
}
