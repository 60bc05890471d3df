//! What a scrape costs, side by side with peers: the built binary at its work; exporters written with the official
//! libraries in Go and Python and with the `prometheus` crate; and nginx, which has the binary's own bytes as a file and so shows what sending costs.
//!
//! Every server is scraped once a second or less often, so each scrape finds other ages than the one before.
//!
//! `cargo bench --bench exposition` takes about ten minutes; `-- --quick`, four. It asserts nothing about speed, but fails
//! when the servers do not expose the same users, when promtool has something to say about the binary's bodies, or when a
//! poll was refused. What it prints is made for docs/performance.md, which says how it measures.
//!
//! It needs promtool in the PATH, and each peer, or `--without` it:
//!
//! - `go`: benches/peers/go, built; `--go FILE`, if not `target/peers/client_golang`:
//!   `cp -r benches/peers/go target/peers/go && cd target/peers/go && go mod tidy && go build -o ../client_golang`.
//!   Where there is no Go module proxy, Debian's golang-github-prometheus-client-golang-dev has the library:
//!   `GO111MODULE=off GOPATH=/usr/share/gocode go build -o target/peers/client_golang benches/peers/go/main.go`.
//! - `rust`: benches/peers/rust, built; `--rust FILE`, if not `target/peers/rust/release/peer`:
//!   `cargo build --release --manifest-path benches/peers/rust/Cargo.toml --target-dir target/peers/rust`.
//! - `python`: an interpreter with `prometheus_client`; `--python FILE`, if not `target/peers/venv/bin/python`:
//!   `python3 -m venv target/peers/venv && target/peers/venv/bin/pip install prometheus_client`.
//! - `nginx`: one with `gzip_static`, as in Debian's nginx-light; `--nginx FILE`, if not `/usr/sbin/nginx`.
//!
//! `--encoding identity` or `--encoding gzip` measures one of the two.

#![allow(clippy::unwrap_used, reason = "it may fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod check;
mod client;
mod options;
mod population;
#[path = "../support/process.rs"]
mod process;
mod report;
mod servers;

use std::{process::ExitCode, sync::Arc, thread::sleep, time::Duration};

use tencentcloud_api::SystemClock;
use tencentcloud_simulator::{Outcome, Simulator};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;

use check::Body;
use client::Client;
use options::Options;
use population::Users;
use report::Row;
use servers::Server;

/// Users, and the accounts that have them.
const SIZES: [(u64, u64); 4] = [(100, 1), (1_000, 1), (10_000, 1), (10_000, 100)];

/// Between two scrapes, which must not be in one second by whatever clock.
const APART: Duration = Duration::from_millis(1_100);

/// Until a server has done what it does after its start, or after the last byte of an answer. The kernel counts a thread's
/// time once it pauses.
const START: Duration = Duration::from_secs(3);
const SETTLE: Duration = Duration::from_millis(5);

/// How an answer may be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = Runtime::new().unwrap();
    let mut rows = vec![];
    for (users, accounts) in SIZES {
        measure(&runtime, &options, &Users::new(users, accounts), &mut rows);
    }
    report::print(&rows, "this exporter");
    ExitCode::SUCCESS
}

fn measure(runtime: &Runtime, options: &Options, users: &Users, rows: &mut Vec<Row>) {
    let simulator = Arc::new(Simulator::new(Arc::new(SystemClock), users.population()));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let (api, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    runtime.spawn(tencentcloud_simulator::serve(listener, Arc::clone(&simulator), stop.clone()));

    let mut servers = vec![Server::exporter(users, api)];
    servers.extend(options.go.as_ref().map(|program| Server::go(program, users)));
    servers.extend(options.rust.as_ref().map(|program| Server::rust(program, users)));
    servers.extend(options.python.as_ref().map(|program| Server::python(program, users)));
    sleep(START);
    // Before anything has been scraped.
    for server in &mut servers {
        server.rss_at_rest = server.process.rss();
    }
    let fetch = |encoding: &Encoding| (*encoding, runtime.block_on(check::fetch(servers[0].address, *encoding)));
    let bodies: Vec<(Encoding, Body)> = options.encodings.iter().map(fetch).collect();
    for (_, body) in &bodies {
        check::lint(body);
    }
    servers.extend(options.nginx.as_ref().map(|program| Server::nginx(program, &bodies)));
    for (server, encoding) in servers.iter().flat_map(|server| options.encodings.iter().map(move |of| (server, *of))) {
        check::exposes(server.name, &runtime.block_on(check::fetch(server.address, encoding)), users);
    }
    for encoding in options.encodings.iter().copied() {
        eprintln!("{} users in {} accounts, {encoding:?}", users.number(), users.accounts());
        rows.extend(scrape(&servers, users, encoding, options.rounds));
    }
    let refused = simulator.arrivals().iter().filter(|arrival| arrival.outcome != Outcome::Answered).count();
    assert_eq!(refused, 0, "polls that were not answered");
    stop.cancel();
}

/// Scrapes every server in turn, over and over.
fn scrape(servers: &[Server], users: &Users, encoding: Encoding, rounds: usize) -> Vec<Row> {
    let mut clients: Vec<Client> = servers.iter().map(|server| Client::new(server.address, encoding)).collect();
    let mut rows: Vec<Row> = servers.iter().map(|server| Row::new(users, encoding, server)).collect();
    for client in &mut clients {
        client.scrape();
    }
    for _ in 0..rounds {
        sleep(APART);
        for (server, (client, row)) in servers.iter().zip(clients.iter_mut().zip(&mut rows)) {
            let before = server.process.cpu();
            row.note(&client.scrape());
            sleep(SETTLE);
            row.cpu += server.process.cpu().since(&before);
        }
    }
    for (server, row) in servers.iter().zip(&mut rows) {
        row.rss = server.process.rss();
    }
    rows
}
