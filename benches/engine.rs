//! How much of the API's limit the built binary uses, and what a request costs it: over HTTP, against the simulator with
//! its strict 20 requests in any second.
//!
//! `cargo bench --bench engine` takes six minutes; `-- --quick`, one and a half. It asserts nothing about speed, but
//! fails when a request was refused though nobody else asked, or when a second held more than 20.
//! `-- --serve PORT MIN_MS MAX_MS` only serves the simulator, one way taking that long, for another client to be measured.
//! For each line at standard input, it prints what arrived since the line before: requests answered, throttled and
//! otherwise failed, and the densest second. `benches/peers/polling.py` measures other clients this way.

#![allow(clippy::unwrap_used, reason = "it may fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]
#![allow(clippy::cast_precision_loss, reason = "numbers of requests are far below 2^52")]

#[path = "support/process.rs"]
mod process;

use std::{
    fs, io,
    net::SocketAddr,
    ops::Range,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use jiff::tz::Offset;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tencentcloud_api::{Client, Clock, Connection, Error, ListAccessKeys, SystemClock, Transport, Uin};
use tencentcloud_simulator::{Arrival, Caller, Key, Outcome, Population, Reply, Simulator, User, densest_second};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    time::{Instant, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use process::Process;

/// Enough that with an interval of a second there is always a user due.
const USERS: u64 = 100;
const CALLER: u64 = 100_013_000_000;

/// The user that the other client polls.
const THEIRS: u64 = CALLER + USERS + 1;

const LIMIT: f64 = 20.0;

/// What the other client takes.
const THEFT: f64 = 10.0;

/// One way, for round trips of 0 to 20 ms and of 20 to 200 ms.
const LATENCIES: [Range<Duration>; 2] =
    [Duration::ZERO..Duration::from_millis(10), Duration::from_millis(10)..Duration::from_millis(100)];

/// The API on a socket.
struct Api {
    simulator: Arc<Simulator>,
    address: SocketAddr,
}

/// The binary, polling. Stopped when dropped.
struct Exporter {
    process: Process,
    _folder: TempDir,
}

/// A way to the simulator that takes no time.
struct Directly(Arc<Simulator>);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runtime = Runtime::new().unwrap();
    if let [mode, port, min, max] = &arguments[..]
        && mode == "--serve"
    {
        let millis = |text: &String| Duration::from_millis(text.parse().unwrap());
        runtime.block_on(serve(port.parse().unwrap(), millis(min)..millis(max)));
        return ExitCode::SUCCESS;
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let fine = runtime.block_on(async {
        let mut fine = true;
        println!("alone:");
        println!("round trip     answered/s  of possible  refused  densest second  CPU ms/request  RSS MiB");
        for latency in LATENCIES {
            fine &= alone(latency, if quick { 10 } else { 60 }).await;
        }
        println!("beside another that takes {THEFT} a second and then stops:");
        println!("round trip     used of what is left  refused after 10 s  refused from 0 s  densest second of ours  97 % again after");
        for latency in LATENCIES {
            fine &= beside_another(latency, if quick { 20 } else { 40 }).await;
        }
        fine
    });
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn serve(port: u16, latency: Range<Duration>) {
    let api = Api::start(port, latency).await;
    let credential = Population::demo_credential();
    let (id, key) = (credential.secret_id.expose_secret(), credential.secret_key.expose_secret());
    println!("{} {id} {key}, users from {} to {}", api.address, CALLER + 1, CALLER + USERS);
    let mut start = Instant::now();
    // Blocks only this thread: the simulator runs on the runtime's own.
    for _ in io::stdin().lines().map_while(Result::ok) {
        let end = Instant::now();
        let arrivals = api.ours(start..end);
        let failed = |arrival: &&Arrival| !matches!(arrival.outcome, Outcome::Answered | Outcome::TooFrequent);
        println!(
            "{} {} {} {}",
            answered(&arrivals),
            refused(&arrivals),
            arrivals.iter().filter(failed).count(),
            densest_second(&arrivals),
        );
        start = end;
    }
    std::future::pending::<()>().await;
}

async fn alone(latency: Range<Duration>, seconds: u64) -> bool {
    let api = Api::start(0, latency.clone()).await;
    let exporter = Exporter::start(&api).await;
    let (start, cpu) = (Instant::now(), exporter.process.cpu());
    sleep(Duration::from_secs(seconds)).await;
    let (cpu, rss) = (exporter.process.cpu().since(&cpu), exporter.process.rss());
    let arrivals = api.ours(start..start + Duration::from_secs(seconds));
    let (answered, refused, densest) = (answered(&arrivals), refused(&arrivals), densest_second(&arrivals));
    println!(
        "{:<13}  {:>10.2}  {:>9.1} %  {refused:>7}  {densest:>14}  {:>14.3}  {:>7.1}",
        round_trip(&latency),
        answered / seconds as f64,
        100.0 * answered / seconds as f64 / possible(LIMIT, &latency),
        cpu.as_secs_f64() * 1e3 / arrivals.len() as f64,
        rss as f64 / 1024.0,
    );
    refused == 0 && densest <= 20
}

async fn beside_another(latency: Range<Duration>, seconds: u64) -> bool {
    let api = Api::start(0, latency.clone()).await;
    let _exporter = Exporter::start(&api).await;
    let start = Instant::now();
    let at = |second| start + Duration::from_secs(second);
    steal(&api.simulator, at(seconds)).await;
    sleep(Duration::from_secs(40)).await;

    let (all, found) = (api.ours(at(0)..at(seconds)), api.ours(at(10)..at(seconds)));
    let percent_refused = |arrivals: &[Arrival]| 100.0 * refused(arrivals) as f64 / arrivals.len() as f64;
    let densest = densest_second(&api.ours(start..Instant::now()));
    let again = (seconds..seconds + 35)
        .find(|second| answered(&api.ours(at(*second)..at(second + 5))) / 5.0 >= 0.97 * possible(LIMIT, &latency));
    println!(
        "{:<13}  {:>18.1} %  {:>15.2} %  {:>17.2} %  {densest:>22}  {:>16}",
        round_trip(&latency),
        100.0 * answered(&found) / (seconds - 10) as f64 / possible(LIMIT - THEFT, &latency),
        percent_refused(&found),
        percent_refused(&all),
        again.map_or("never".to_owned(), |second| format!("{} s", second - seconds)),
    );
    densest <= 20
}

/// Asks evenly, as the same user, until `end`.
async fn steal(simulator: &Arc<Simulator>, end: Instant) {
    let endpoint = "https://cam.tencentcloudapi.com".parse().unwrap();
    let transport = Arc::new(Directly(Arc::clone(simulator)));
    let client = Client::new(endpoint, transport).with_zone(Offset::UTC).with_timeout(Duration::from_secs(1));
    let theirs: Uin = THEIRS.to_string().parse().unwrap();
    let mut ticks = interval(Duration::from_secs_f64(1.0 / THEFT));
    while ticks.tick().await < end {
        let action = ListAccessKeys::of(theirs);
        let _ = client.call(&Population::demo_credential(), &action, Connection::Pooled, SystemClock.now()).await;
    }
}

fn round_trip(latency: &Range<Duration>) -> String {
    format!("{} to {} ms", latency.start.as_millis() * 2, latency.end.as_millis() * 2)
}

/// Requests a second that can arrive at most, of a limit of `rate`: of two that share a second at one end of the wire,
/// the first may have taken the shortest way and the last the longest.
fn possible(rate: f64, latency: &Range<Duration>) -> f64 {
    rate / (1.0 + latency.end.saturating_sub(latency.start).as_secs_f64())
}

fn answered(arrivals: &[Arrival]) -> f64 {
    arrivals.iter().filter(|arrival| arrival.outcome == Outcome::Answered).count() as f64
}

fn refused(arrivals: &[Arrival]) -> usize {
    arrivals.iter().filter(|arrival| arrival.outcome == Outcome::TooFrequent).count()
}

// === impl Api ===

impl Api {
    async fn start(port: u16, latency: Range<Duration>) -> Self {
        let key = |id: &str| Key::new(format!("{id:x<36}"), "Active", "2025-01-01T00:00:00Z".parse().unwrap());
        let population = Population {
            callers: vec![Caller { uin: CALLER, credential: Population::demo_credential() }],
            users: (1..=USERS + 1)
                .map(|user| {
                    (CALLER + user, User::with_keys([key(&format!("AKIDa{user}")), key(&format!("AKIDb{user}"))]))
                })
                .collect(),
        };
        let simulator = Arc::new(Simulator::new(Arc::new(SystemClock), population));
        simulator.set_latency(latency);
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(tencentcloud_simulator::serve(listener, Arc::clone(&simulator), CancellationToken::new()));
        Self { simulator, address }
    }

    /// What arrived of the exporter in that time.
    fn ours(&self, time: Range<Instant>) -> Vec<Arrival> {
        let mut arrivals = self.simulator.arrivals();
        arrivals.retain(|arrival| arrival.target != Some(THEIRS) && time.contains(&arrival.at));
        arrivals
    }
}

// === impl Exporter ===

impl Exporter {
    /// Starts the binary, and waits until it has asked.
    async fn start(api: &Api) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yaml");
        let uins: Vec<u64> = (CALLER + 1..=CALLER + USERS).collect();
        let text = format!(
            "accounts: [{{name: bench, uins: {uins:?}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\n\
             poll: {{interval: 1s, timeout: 1s, rate_limit: 20, max_in_flight: 16}}\n",
            api.address
        );
        fs::write(&config, text).unwrap();
        let credential = Population::demo_credential();
        let process = Process::start(
            Command::new(env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"))
                .arg(format!("--config.file={}", config.display()))
                .arg("--web.listen-address=127.0.0.1:0")
                .env_clear()
                .env("TENCENTCLOUD_SECRET_ID", credential.secret_id.expose_secret())
                .env("TENCENTCLOUD_SECRET_KEY", credential.secret_key.expose_secret())
                .stderr(Stdio::null()),
        );
        let exporter = Self { process, _folder: folder };
        while api.simulator.arrivals().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
        exporter
    }
}

// === impl Directly ===

impl Transport for Directly {
    fn send(&self, request: Request<Bytes>, _: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        Box::pin(async move {
            let reply = self.0.handle(&request);
            let Reply::Response(response) = reply else { unreachable!("unexpected: {reply:?}") };
            Ok(response)
        })
    }
}
