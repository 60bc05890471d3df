//! What a fleet costs the built binary: users with two keys each in many accounts, polled every five minutes over HTTP,
//! against the simulator.
//!
//! `cargo bench --bench fleet` has 100 accounts of 1,000 users; `-- 20 500` has 20 of 500, and `-- 20 500 last_used` asks
//! when their keys were last used. It takes five minutes, asserts nothing about speed, but fails when a request was refused.

#![allow(clippy::unwrap_used, reason = "it may fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]
#![allow(clippy::cast_precision_loss, reason = "numbers of users are far below 2^52")]

#[path = "support/process.rs"]
mod process;

use std::{
    fmt::Write,
    fs,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::Duration,
};

use tencentcloud_api::{Credential, SystemClock};
use tencentcloud_simulator::{Caller, Key, Outcome, Population, Simulator, User};
use tokio::{net::TcpListener, runtime::Runtime, time::sleep};
use tokio_util::sync::CancellationToken;

use process::Process;

const FIRST: u64 = 100_013_000_000;

/// The first sweep takes a minute; then everybody waits for a place in the interval, half of one at least.
const FIRST_SWEEP: Duration = Duration::from_mins(4);
const STEADY: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |at: usize, default| arguments.get(at).map_or(default, |number| number.parse().unwrap());
    let last_used = arguments.get(2).is_some_and(|argument| argument == "last_used");
    Runtime::new().unwrap().block_on(measure(number(0, 100), number(1, 1_000), last_used))
}

/// Of so many accounts that have so many users each.
async fn measure(accounts: u64, users: u64, last_used: bool) -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: String, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let key = |id: String| Key::new(format!("{id:x<36}"), "Active", "2025-01-01T00:00:00Z".parse().unwrap());
    let mut population = Population::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = format!("poll: {{interval: 5m, last_used: {last_used}}}\naccounts:\n");
    for account in 0..accounts {
        let (id, secret) = (format!("AKIDcaller{account}"), format!("secret{account}"));
        let mut list = String::new();
        for uin in FIRST + account * users..FIRST + (account + 1) * users {
            population.users.insert(uin, User::with_keys([key(format!("AKIDa{uin}")), key(format!("AKIDb{uin}"))]));
            writeln!(list, "{uin}").unwrap();
        }
        writeln!(
            config,
            "- {{name: account-{account}, uins_file: {}, endpoint: 'http://{}', credentials: {{file: {{secret_id_path: {}, \
             secret_key_path: {}}}}}}}",
            write(format!("uins-{account}"), &list),
            listener.local_addr().unwrap(),
            write(format!("id-{account}"), &id),
            write(format!("key-{account}"), &secret),
        )
        .unwrap();
        let credential = Credential { secret_id: id.into(), secret_key: secret.into(), token: None };
        population.callers.push(Caller { uin: account + 1, credential });
    }
    let simulator = Arc::new(Simulator::new(Arc::new(SystemClock), population));
    tokio::spawn(tencentcloud_simulator::serve(listener, Arc::clone(&simulator), CancellationToken::new()));

    let config = write("config.yaml".to_owned(), &config);
    let exporter = Process::start(
        Command::new(env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"))
            .arg(format!("--config.file={config}"))
            .arg("--web.listen-address=127.0.0.1:0")
            .env_clear()
            .stderr(Stdio::null()),
    );
    let start = exporter.cpu();
    sleep(FIRST_SWEEP).await;
    let cpu = exporter.cpu();
    println!("the first {} s: {:.1} s of CPU", FIRST_SWEEP.as_secs(), cpu.since(&start).as_secs_f64());
    sleep(STEADY).await;
    let arrivals = simulator.arrivals();
    let since = arrivals.iter().rev().take_while(|arrival| arrival.at.elapsed() < STEADY).count();
    let (cpu, rss) = (exporter.cpu().since(&cpu).as_secs_f64(), exporter.rss() as f64);
    println!(
        "then: {:.0} polls a second, {:.3} ms of CPU each",
        since as f64 / STEADY.as_secs_f64(),
        cpu * 1e3 / since as f64
    );
    println!("memory: {:.1} MiB, {:.0} bytes a user", rss / 1024.0, rss * 1024.0 / (accounts * users) as f64);
    let refused = arrivals.iter().filter(|arrival| arrival.outcome != Outcome::Answered).count();
    println!("not answered: {refused}");
    if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
