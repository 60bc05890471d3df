//! A month with all that may befall it, judged every minute: nothing wrong is ever exposed, and what is old says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tencentcloud_api::{Clock, Connection, Error, Transport};
use tencentcloud_simulator::{Caller, Fault, Key, Population, Rejection, Reply, Simulator, Times, User};
use tokio::time::{Instant, sleep_until};

use crate::harness::{Running, TestClock, exporter};

const FIRST: u64 = 100_013_000_000;
const USERS: u64 = 10;
const INTERVAL: Duration = Duration::from_mins(5);
const DAY: Duration = Duration::from_hours(24);

/// The machine's clock, which is stepped.
#[derive(Debug)]
struct Machine {
    truth: Arc<TestClock>,
    off: Mutex<SignedDuration>,
}

/// What was last delivered about a user.
#[derive(Clone, Debug)]
struct Delivered {
    at: Timestamp,
    keys: BTreeMap<String, i64>,
    /// Whether a later request failed, other than for frequency.
    failed_since: bool,
}

/// A wire that can be cut, and that notes what it delivers.
struct Wire {
    simulator: Arc<Simulator>,
    truth: Arc<TestClock>,
    cut: Mutex<bool>,
    delivered: Mutex<BTreeMap<u64, Delivered>>,
}

// === impl Machine ===

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        self.truth.now() + *self.off.lock()
    }
}

// === impl Wire ===

impl Wire {
    fn deliver(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let uin = serde_json::from_slice::<serde_json::Value>(request.body()).unwrap()["TargetUin"].as_u64().unwrap();
        let fails = || {
            if let Some(delivered) = self.delivered.lock().get_mut(&uin) {
                delivered.failed_since = true;
            }
        };
        if *self.cut.lock() {
            fails();
            return Err(Error::Connect("the wire is cut".to_owned()));
        }
        let Reply::Response(response) = self.simulator.handle(request) else { panic!("only answers here") };
        let answer: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        match answer["Response"]["Error"]["Code"].as_str() {
            None => {
                let keys = self.simulator.edit(|population| keys(&population.users[&uin]));
                let delivered = Delivered { at: self.truth.now(), keys, failed_since: false };
                self.delivered.lock().insert(uin, delivered);
            }
            // Both are tried again before anybody calls them a failure.
            Some("RequestLimitExceeded" | "AuthFailure.SignatureExpire") => {}
            Some(_) => fails(),
        }
        Ok(response)
    }
}

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>, _: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        Box::pin(async move { self.deliver(&request) })
    }
}

fn keys(user: &User) -> BTreeMap<String, i64> {
    let created = |key: &Key| {
        let local: jiff::civil::DateTime = key.create_time.replace(' ', "T").parse().unwrap();
        jiff::tz::offset(8).to_timestamp(local).unwrap().as_second()
    };
    user.keys.iter().map(|key| (key.access_key_id.clone(), created(key))).collect()
}

/// Compares a scrape with what was delivered, and with the time that it truly is.
#[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
fn judge(scrape: &BTreeMap<String, f64>, delivered: &BTreeMap<u64, Delivered>, now: Timestamp, when: &str) {
    for uin in FIRST..FIRST + USERS {
        let user = format!(r#"account="prod",uin="{uin}""#);
        let value =
            |family: &str, more: &str| scrape.get(&format!("tencentcloud_cam_{family}{{{user}{more}}}")).copied();
        let shown: BTreeSet<&str> = scrape
            .keys()
            .filter_map(|series| series.strip_prefix("tencentcloud_cam_access_key_created_timestamp_seconds{"))
            .filter_map(|labels| labels.strip_prefix(&user)?.strip_prefix(r#",access_key_id=""#)?.strip_suffix(r#""}"#))
            .collect();
        let Some(Delivered { at, keys, failed_since }) = delivered.get(&uin) else {
            assert!(shown.is_empty(), "{when}: {uin} was never answered, and has {shown:?}");
            continue;
        };
        assert_eq!(shown, keys.keys().map(String::as_str).collect(), "{when}: {uin}");
        for (id, created) in keys {
            let key = format!(r#",access_key_id="{id}""#);
            assert_eq!(value("access_key_created_timestamp_seconds", &key), Some(*created as f64), "{when}: {uin}");
            let age = value("access_key_age_seconds", &key).unwrap();
            let true_age = (now.as_second() - created) as f64;
            assert!((age - true_age).abs() <= 2.0, "{when}: a key of {uin} is {true_age} s old, not {age}");
        }
        let answered = value("user_last_success_timestamp_seconds", "").unwrap();
        assert!((answered - at.as_second() as f64).abs() <= 2.0, "{when}: {uin} was answered at {at}, not {answered}");
        if *failed_since {
            assert_eq!(value("user_up", ""), Some(0.0), "{when}: {uin} fails");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_wrong_is_ever_exposed() {
    let truth = TestClock::at("2026-01-01T00:00:00Z");
    let machine = Arc::new(Machine { truth: Arc::clone(&truth), off: Mutex::default() });
    let made = |number: u64, at: Timestamp| Key::new(format!("AKID{number:032}"), "Active", at);
    let population = Population {
        callers: vec![Caller { uin: FIRST - 1, credential: Population::demo_credential() }],
        users: (FIRST..FIRST + USERS)
            .map(|uin| (uin, User::with_keys([made(uin, truth.now() - SignedDuration::from_hours(24 * 80))])))
            .collect(),
    };
    let uins = population.uins();
    let simulator = Arc::new(Simulator::new(Arc::clone(&truth) as _, population));
    let wire = Arc::new(Wire {
        simulator: Arc::clone(&simulator),
        truth: Arc::clone(&truth),
        cut: Mutex::new(false),
        delivered: Mutex::default(),
    });
    // In memory where there is such a place: in a month the state is saved 43,000 times, each time to the disk's bottom.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let config = format!(
        "accounts: [{{name: prod, uins: {uins:?}, credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 5m, rate_limit: 20}}\nkeys: {{id_label: full}}\nstate_file: {}\n",
        folder.path().join("state").display()
    );
    let start = || Running::start(exporter(&config, Arc::clone(&machine) as _, Arc::clone(&wire) as _));
    let storm = || Fault::Error(Rejection::new("RequestLimitExceeded", "too many"));

    let began = Instant::now();
    let mut running = start();
    for minute in 1..=30 * 24 * 60 {
        let time = Duration::from_mins(minute);
        // Events come shortly before the minute is judged.
        sleep_until(began + time - Duration::from_secs(20)).await;
        match (minute / 1_440, minute % 1_440) {
            (5, 0) => *wire.cut.lock() = true,
            (5, 360) => *wire.cut.lock() = false,
            (8 | 12 | 20, 100) => simulator.inject(None, storm(), Times::UntilCleared),
            (8 | 12 | 20, 115) => simulator.clear(),
            (10, 0) => *machine.off.lock() = SignedDuration::from_hours(1),
            (13, 0) => *machine.off.lock() = SignedDuration::ZERO,
            (3 | 11 | 25, 700) => {
                running.stop().await;
                running = start();
            }
            (_, 600) => {
                // A tenth of the keys is rotated: a new one beside the old one first.
                let (uin, day) = (FIRST + minute / 1_440 % USERS, minute / 1_440);
                simulator.edit(|population| {
                    let keys = &mut population.users.get_mut(&uin).unwrap().keys;
                    keys.push(made(uin + 1_000 * (day + 1), truth.now()));
                });
            }
            (day, 630) => {
                simulator.edit(|population| population.users.get_mut(&(FIRST + day % USERS)).unwrap().keys.remove(0));
            }
            _ => {}
        }
        sleep_until(began + time).await;
        let scrape = running.scrape().await;
        let delivered = wire.delivered.lock().clone();
        judge(&scrape, &delivered, truth.now(), &format!("day {}, minute {}", minute / 1_440, minute % 1_440));
    }
    // At the end every user has an answer, and each outage is over.
    let delivered = wire.delivered.lock().clone();
    assert_eq!(delivered.len(), uins.len());
    for (uin, delivered) in delivered {
        let ago = truth.now().duration_since(delivered.at);
        assert!(ago <= SignedDuration::try_from(INTERVAL * 2).unwrap(), "{uin} was last answered {ago} ago");
    }
    assert_eq!(began.elapsed(), DAY * 30);
    running.stop().await;
}
