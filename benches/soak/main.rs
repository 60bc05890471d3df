//! Whether the exporter grows with time: the whole exporter, in this process and on tokio's paused clock, polls 1,000 users for
//! hundreds of days, over HTTP, against the simulator.
//!
//! Every two hours five users leave and five others come, ten users rotate a key, and the configuration is reloaded: with an
//! account more or less, with or without a state file, or one that is refused. Temporary credentials are renewed all the time.
//! Now and then they are revoked, the metadata service is down, or requests fail. A scrape, or a request for the status page,
//! comes over TCP every twenty minutes.
//!
//! `cargo bench --bench soak` plays 200 days; `-- --days=N`, N days. First it prints what a poll and a scrape allocate.
//!
//! It takes a sample each day, and fits a line through those after the first 20 days, in which every user and every key is
//! replaced. It fails if a line rises by more than 1 % of the mean, and by more than three times its standard error. RSS is that
//! of the process, with the simulator and the client; heap is what has been allocated since the exporter started, and is in use.

#![allow(clippy::unwrap_used, reason = "it may fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]
#![allow(clippy::cast_precision_loss, reason = "bytes and numbers of series are far below 2^52")]

mod allocations;
mod exporter;
mod trend;
mod world;

use std::{alloc::System, fs, io, process::ExitCode, time::Duration};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tencentcloud_cam_exporter::{allocator, app::ConfigSource, config::Shard};
use tokio::{
    runtime::{Builder, Handle},
    time::sleep,
};

use exporter::Exporter;
use trend::Trend;
use world::{REPLACED_A_ROUND, World};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const DAYS: u64 = 200;

/// How many samples precede the first that counts.
const WARM_UP: usize = 20;

/// The others must be enough for a line.
const MIN_DAYS: u64 = 25;

const ROUNDS_A_DAY: u64 = 12;
const SCRAPES_A_ROUND: u64 = 6;
const BETWEEN_SCRAPES: Duration = Duration::from_mins(20);

/// How long a sample waits for what the reload has started, and for freed memory to be returned.
const SETTLING: Duration = Duration::from_mins(1);

/// Threads of the pool live as long as they do in the binary.
const KEEP_ALIVE: Duration = Duration::from_hours(24 * 365);

/// What a sample has.
const MEASURES: [&str; 5] = ["RSS, KiB", "heap, KiB", "descriptors", "tasks", "series"];

type Sample = [f64; MEASURES.len()];

fn main() -> ExitCode {
    let mut days = DAYS;
    for argument in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        match argument.strip_prefix("--days=").and_then(|days| days.parse().ok()) {
            Some(number) if number >= MIN_DAYS => days = number,
            _ => {
                eprintln!("{argument} is unknown: expected --days=N, N from {MIN_DAYS}");
                return ExitCode::FAILURE;
            }
        }
    }
    // As the binary does.
    allocator::limit_arenas();
    // Log lines are written, to nowhere.
    tracing_subscriber::fmt().with_writer(io::sink).init();
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).thread_keep_alive(KEEP_ALIVE).build().unwrap();
    let is_steady = runtime.block_on(async {
        allocations::print().await;
        soak(days).await
    });
    if is_steady { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays so many days. Returns whether nothing has grown.
async fn soak(days: u64) -> bool {
    let mut world = World::new(days * ROUNDS_A_DAY * REPLACED_A_ROUND).await;
    let heap_before = heap();
    println!("\nbefore the exporter starts: RSS {:.1} MiB", status("VmRSS:") as f64 / 1024.0);
    let dependencies = world.dependencies();
    let source = ConfigSource::file(world.config_file(), dependencies.environment.clone(), Shard::WHOLE);
    let exporter = Exporter::start(source, dependencies).await;

    println!(
        "{:>4}  {:>9}  {:>11}  {:>7}  {:>7}  {}",
        "day",
        "polls",
        "credentials",
        "reloads",
        "scrapes",
        MEASURES.join("  ")
    );
    let (mut samples, mut reloads, mut scrapes) = (vec![], 0_u64, 0_u64);
    for round in 1..=days * ROUNDS_A_DAY {
        for _ in 0..SCRAPES_A_ROUND {
            sleep(BETWEEN_SCRAPES).await;
            exporter.request(scrapes).await;
            scrapes += 1;
        }
        let is_valid = world.play(round);
        let reloaded = exporter.reload().await;
        assert_eq!(reloaded.is_ok(), is_valid, "round {round}: {reloaded:?}");
        reloads += 1;
        if round.is_multiple_of(ROUNDS_A_DAY) {
            sleep(SETTLING).await;
            let (day, sample) = (round / ROUNDS_A_DAY, sample(&exporter, heap_before).await);
            samples.push((day as f64, sample));
            if day == 1 || day.is_multiple_of((days / 10).max(1)) {
                let (polls, credentials) = world.requests();
                println!("{day:>4}  {polls:>9}  {credentials:>11}  {reloads:>7}  {scrapes:>7}  {}", row(&sample));
            }
        }
    }
    exporter.stop().await;
    println!("after it has stopped: {:.0} KiB of its heap are in use", (heap() - heap_before) / 1024.0);
    judge(&samples[WARM_UP..])
}

/// Fits the lines and prints them. Returns whether none rises.
fn judge(samples: &[(f64, Sample)]) -> bool {
    let mut is_steady = true;
    println!("\nfrom day {:.0} to day {:.0}:", samples[0].0, samples[samples.len() - 1].0);
    println!("{:<12}  {:>10}  {:>10}  {:>7}  {:>14}", "", "mean", "line rises", "", "standard error");
    for (measure, name) in MEASURES.iter().enumerate() {
        let points: Vec<(f64, f64)> = samples.iter().map(|(day, sample)| (*day, sample[measure])).collect();
        let trend = Trend::of(&points);
        let Trend { mean, rise, error } = trend;
        let verdict = if trend.is_growth() { "  grows: failed" } else { "" };
        println!("{name:<12}  {mean:>10.1}  {rise:>10.1}  {:>5.2} %  {error:>14.1}{verdict}", 100.0 * rise / mean);
        is_steady &= !trend.is_growth();
    }
    is_steady
}

async fn sample(exporter: &Exporter, heap_before: f64) -> Sample {
    let (rss, heap) = (status("VmRSS:") as f64, (heap() - heap_before) / 1024.0);
    // The directory is open while it is read.
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().count() - 1;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let series = exporter.series().await;
    [rss, heap, descriptors as f64, tasks as f64, series as f64]
}

fn row(sample: &Sample) -> String {
    let cells = MEASURES.iter().zip(sample);
    cells.map(|(name, value)| format!("{value:>width$.0}", width = name.len())).collect::<Vec<_>>().join("  ")
}

/// Bytes in use.
fn heap() -> f64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}

/// A field of the process' status.
fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}
