//! What it costs to bring the exposition of 10,000 users with two keys each up to date, in this process and without HTTP.
//!
//! `cargo bench --bench update` takes some seconds. Each figure is a median, and the ratios are of one run.

#![allow(clippy::unwrap_used, reason = "it may fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

use std::{collections::BTreeSet, hint::black_box, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use tencentcloud_cam_exporter::{
    clock::Clock,
    inventory::{Account, Facts, IdLabel, Inventory},
    metrics::{Format, Metrics, Own},
    tencent::{AccessKey, KeyStatus, Uin},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

const USERS: u64 = 10_000;
const ROUNDS: u64 = 31;

#[derive(Debug)]
struct Hands(Mutex<Timestamp>);

struct World {
    account: Arc<Account>,
    clock: Arc<Hands>,
    metrics: Metrics,
    runtime: Runtime,
}

fn main() {
    let world = World::new();
    let everybody = |status| (0..USERS).for_each(|user| world.listed(user, status));
    everybody(KeyStatus::Active);
    let statuses = [KeyStatus::Inactive, KeyStatus::Active];
    let status = |round: u64| statuses[usize::from(round % 2 == 1)];
    let mut unit = None;
    println!("| before the scrape | plain, ms | gzip, ms | plain, ratio |");
    println!("|---|---:|---:|---:|");
    let mut row = |what: &str, change: &dyn Fn(u64)| {
        let [plain, gzip] = [false, true].map(|gzip| world.median(gzip, change));
        let unit = *unit.get_or_insert(plain);
        println!("| {what} | {:.3} | {:.3} | {:.2} |", plain * 1e3, gzip * 1e3, plain / unit);
    };
    row("a second passed", &|_| world.passes());
    row("a poll of one user brought the same keys", &|_| world.listed(7, KeyStatus::Active));
    row("a poll of one user brought another status", &|round| world.listed(7, status(round)));
    row("300 polls in 15 s brought the same keys", &|round| {
        (0..300).for_each(|poll| world.listed((round * 300 + poll) * 33 % USERS, KeyStatus::Active));
        (0..15).for_each(|_| world.passes());
    });
    row("all users' keys changed", &|round| everybody(status(round)));
}

// === impl World ===

impl World {
    fn new() -> Self {
        let facts = Facts {
            key_limit: 2,
            key_max_age: Duration::from_hours(24),
            id_label: IdLabel::Full,
            poll_interval: Duration::from_mins(10),
        };
        let users: BTreeSet<Uin> = (0..USERS).map(uin).collect();
        let account = Arc::new(Account::new("prod".parse().unwrap(), facts, users));
        let inventory = Arc::new(Inventory::new(vec![Arc::clone(&account)]));
        let clock = Arc::new(Hands(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())));
        let own = Own::new().unwrap();
        let _ = own.account(account.name());
        let metrics = Metrics::new(inventory, &own, Arc::<Hands>::clone(&clock)).unwrap();
        Self { account, clock, metrics, runtime: Builder::new_current_thread().build().unwrap() }
    }

    fn passes(&self) {
        let mut now = self.clock.0.lock();
        *now += Duration::from_secs(1);
    }

    fn listed(&self, user: u64, status: KeyStatus) {
        let key = |number: u64| AccessKey {
            id: format!("AKID{user:016}{number:016}").as_str().into(),
            status,
            created: Timestamp::from_second(1_600_000_000 + i64::try_from(user * 7919).unwrap()).unwrap(),
        };
        self.account.listed(uin(user), &[key(0), key(1)], self.clock.now());
    }

    /// The seconds that a scrape takes after the `change`.
    fn median(&self, gzip: bool, change: &dyn Fn(u64)) -> f64 {
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|round| {
                change(round);
                let began = Instant::now();
                black_box(self.runtime.block_on(self.metrics.scrape(Format::Text, gzip)).unwrap());
                began.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

fn uin(number: u64) -> Uin {
    (100_013_000_000 + number).try_into().unwrap()
}
