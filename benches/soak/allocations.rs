//! What a poll and a scrape allocate: number and size of the allocations, freed or not.

use std::{
    ops::{Add, Sub},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Empty};
use parking_lot::Mutex;
use tencentcloud_api::{Connection, Error, Transport};
use tencentcloud_cam_exporter::{
    app::{ConfigSource, Dependencies},
    config::Config,
};
use tencentcloud_simulator::{Key, Reply, Simulator, User};
use tokio::time::sleep;

use crate::{
    ALLOCATOR,
    exporter::Exporter,
    world::{CALLER, VirtualClock, environment, population},
};

const USERS: u64 = 1_000;

/// The first poll of each user takes a minute.
const FIRST_POLLS: Duration = Duration::from_mins(10);
const MEASURED: Duration = Duration::from_hours(1);

const SCRAPES: u32 = 20;

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0";
const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/// What was allocated.
#[derive(Clone, Copy, Default)]
pub(crate) struct Allocated {
    times: f64,
    bytes: f64,
}

/// A way to the simulator without HTTP. What the simulator allocates is counted apart.
pub(crate) struct Directly {
    simulator: Arc<Simulator>,
    spent: Mutex<Spent>,
}

/// The requests, and what the simulator has allocated for them.
#[derive(Clone, Copy, Default)]
struct Spent {
    requests: f64,
    allocated: Allocated,
}

/// An exporter of [`USERS`] users.
struct Polled {
    exporter: Exporter,
    wire: Arc<Directly>,
}

// === impl Allocated ===

impl Allocated {
    fn so_far() -> Self {
        let stats = ALLOCATOR.stats();
        Self { times: (stats.allocations + stats.reallocations) as f64, bytes: stats.bytes_allocated as f64 }
    }

    fn each(self, count: f64) -> Self {
        Self { times: self.times / count, bytes: self.bytes / count }
    }

    fn print(self, what: &str, body: &str) {
        println!("{what:<29}  {:>11.1}  {:>9.1}  {body:>9}", self.times, self.bytes / 1024.0);
    }
}

impl Add for Allocated {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { times: self.times + other.times, bytes: self.bytes + other.bytes }
    }
}

impl Sub for Allocated {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { times: self.times - other.times, bytes: self.bytes - other.bytes }
    }
}

// === impl Directly ===

impl Directly {
    pub(crate) fn to(simulator: &Arc<Simulator>) -> Self {
        Self { simulator: Arc::clone(simulator), spent: Mutex::default() }
    }
}

impl Transport for Directly {
    fn send(&self, request: Request<Bytes>, _: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        Box::pin(async move {
            let before = Allocated::so_far();
            let reply = self.simulator.handle(&request);
            let Reply::Response(response) = reply else { unreachable!("unexpected: {reply:?}") };
            let mut spent = self.spent.lock();
            spent.requests += 1.0;
            spent.allocated = spent.allocated + (Allocated::so_far() - before);
            Ok(response)
        })
    }
}

// === impl Polled ===

impl Polled {
    /// One that has polled each user, and polls them at that interval.
    async fn start(interval: &str) -> Self {
        let clock = VirtualClock::new();
        let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population()));
        let uins: Vec<u64> = (CALLER + 1..=CALLER + USERS).collect();
        simulator.edit(|population| {
            let key = |id: String| Key::new(format!("{id:x<36}"), "Active", "2025-01-01T00:00:00Z".parse().unwrap());
            let user = |uin| User::with_keys([key(format!("AKIDa{uin}")), key(format!("AKIDb{uin}"))]);
            population.users.extend(uins.iter().map(|uin| (*uin, user(uin))));
        });
        let wire = Arc::new(Directly::to(&simulator));
        let config = format!(
            "accounts: [{{name: prod, uins: {uins:?}, credentials: {{env: {{}}}}}}]\n\
             poll: {{interval: {interval}}}\nkeys: {{id_label: full}}\n"
        );
        let environment = environment(&[]);
        let dependencies = Dependencies {
            clock,
            environment: environment.clone(),
            transport: Arc::clone(&wire) as _,
            random: Mutex::new(fastrand::Rng::with_seed(1)),
        };
        let source = ConfigSource::new(move || Config::parse(&config, &environment));
        let exporter = Exporter::start(source, dependencies).await;
        sleep(FIRST_POLLS).await;
        Self { exporter, wire }
    }

    /// The requests in an hour, and all that the exporter allocates meanwhile.
    async fn measure(&self) -> Spent {
        let (before, allocated) = (*self.wire.spent.lock(), Allocated::so_far());
        sleep(MEASURED).await;
        let (after, all) = (*self.wire.spent.lock(), Allocated::so_far() - allocated);
        let simulator = after.allocated - before.allocated;
        Spent { requests: after.requests - before.requests, allocated: all - simulator }
    }

    /// What a scrape allocates, and the size of its body.
    async fn scrape(&self, accept: &str, encoding: &str) -> (Allocated, f64) {
        let request = Request::get("/metrics")
            .header(header::ACCEPT, accept)
            .header(header::ACCEPT_ENCODING, encoding)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let (before, mut bytes) = (Allocated::so_far(), 0);
        for _ in 0..SCRAPES {
            let mut body = self.exporter.routes().answer(&request).await.into_body();
            while let Some(frame) = body.frame().await {
                bytes += frame.unwrap().into_data().map_or(0, |data| data.len());
            }
        }
        let count = f64::from(SCRAPES);
        ((Allocated::so_far() - before).each(count), bytes as f64 / count)
    }
}

/// Prints what a poll and what each kind of scrape allocates, with 1,000 users of two keys.
pub(crate) async fn print() {
    let quiet = Polled::start("1d").await;
    let idle = quiet.measure().await;
    println!("{:<29}  {:>11}  {:>9}  {:>9}", "", "allocations", "KiB", "body, KiB");
    let formats = [("text", "text/plain"), ("OpenMetrics", OPENMETRICS), ("protobuf", PROTOBUF)];
    for (name, accept) in formats {
        for encoding in ["identity", "gzip"] {
            let (allocated, body) = quiet.scrape(accept, encoding).await;
            allocated.print(&format!("scrape, {name}, {encoding}"), &format!("{:.1}", body / 1024.0));
        }
    }
    quiet.exporter.stop().await;

    let busy = Polled::start("1m").await;
    let polls = busy.measure().await;
    busy.exporter.stop().await;
    // All else that happens in an hour happens in both.
    let of_polls = (polls.allocated - idle.allocated).each(polls.requests - idle.requests);
    of_polls.print("poll, without HTTP", "");
}
