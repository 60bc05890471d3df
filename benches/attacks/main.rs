//! Attacks on the built binary, over loopback, bounded in time, number and rate: how much memory they cost, and whether
//! a legitimate client is still answered.
//!
//! `cargo bench --bench attacks` plays all of them, each at an exporter of its own, in twenty minutes, and prints a table.
//! It fails when an exporter died or hung, took more memory than its goal, left a probe without an answer, or more than a
//! fifth of the scrapes.
//!
//! - `NAME…`: only these attacks; `clients` stands for all over the network, and `--list` lists them.
//! - `--seconds=N`: how long each lasts.
//! - `--connections=N`: clients of each, in place of its own number.
//! - `--cgroup=64Mi`: runs the exporter in a memory cgroup of that size, which takes root.
//! - `--binary=FILE`: attacks another binary, such as one from before a change.
//! - `--all-at-once`, or `--all-at-once=plain`: all client attacks together, for ten minutes, at an exporter that polls 1,000
//!   users; over TLS with a password, or in the clear. It fails unless no probe failed, no poll was late by more than a
//!   second, and memory and descriptors are back where they began.
//!
//! The attackers run in one thread, of low priority; the simulator, the scraper and the prober in one each. Attackers
//! of several attacks share one rate of new connections. On two processors the exporter so has one to itself, as if the
//! attackers sat elsewhere.

#![allow(clippy::unwrap_used, reason = "it may fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod api;
mod attack;
mod cgroup;
mod exporter;
mod field;
mod http1;
mod http2;
mod options;
#[path = "../support/process.rs"]
mod process;
mod report;
mod single;
mod state;
mod tls;
mod together;
mod watch;
mod worker;

use std::process::ExitCode;

use attack::ATTACKS;
use options::Options;

fn main() -> ExitCode {
    let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| run(&options));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, String> {
    if options.list {
        for attack in ATTACKS {
            println!("{}", attack.name);
        }
        return Ok(true);
    }
    let mut good = true;
    if !options.attacks.is_empty() {
        report::print_head();
    }
    for attack in &options.attacks {
        let row = single::run(attack, options)?;
        row.print();
        good &= !row.failed;
    }
    if let Some(transport) = options.all_at_once {
        good &= together::run(transport, options)?;
    }
    Ok(good)
}
