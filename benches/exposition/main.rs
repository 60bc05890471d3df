//! What a scrape costs, side by side with peers: the built binary at its work; exporters written with the official
//! libraries in Go and Python; and nginx, which has the binary's own bytes as a file and so shows what sending costs.
//!
//! `cargo bench --bench exposition` takes eight minutes; `-- --quick`, two. It asserts nothing about speed, but fails
//! when the servers do not expose the same users, when promtool has something to say about the binary's bodies, or when a
//! poll was refused. What it prints is made for docs/performance.md, which says how it measures.
//!
//! It needs promtool in the PATH, and each peer, or `--without` it:
//!
//! - `go`: benches/peers/go, built; `--go FILE`, if not `target/peers/client_golang`:
//!   `cp -r benches/peers/go target/peers/go && cd target/peers/go && go mod tidy && go build -o ../client_golang`.
//!   Where there is no Go module proxy, Debian's golang-github-prometheus-client-golang-dev has the library:
//!   `GO111MODULE=off GOPATH=/usr/share/gocode go build -o target/peers/client_golang benches/peers/go/main.go`.
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

use tencentcloud_cam_exporter::{
    clock::SystemClock,
    simulator::{self, Outcome, Simulator},
};
use tokio::{net::TcpListener, runtime::Runtime, time::Instant};
use tokio_util::sync::CancellationToken;

use check::Body;
use client::Client;
use options::Options;
use population::Users;
use report::{Background, Pace, Row};
use servers::Server;

const SIZES: [u64; 3] = [100, 1_000, 10_000];

/// A server's turn lasts at least that long, and at least so many scrapes.
const TURN: Duration = Duration::from_millis(250);
const TURN_SCRAPES: usize = 3;

/// Between two scrapes that must not share a second, by whatever clock.
const APART: Duration = Duration::from_millis(1_100);

/// Until a server has finished what it does after the last byte. The kernel counts a thread's time once it pauses.
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
    let (mut rows, mut background) = (vec![], vec![]);
    for size in SIZES {
        measure(&runtime, &options, &Users::new(size), &mut rows, &mut background);
    }
    report::print(&rows, "this exporter", "nginx, a file");
    report::print_background(&background);
    ExitCode::SUCCESS
}

fn measure(runtime: &Runtime, options: &Options, users: &Users, rows: &mut Vec<Row>, background: &mut Vec<Background>) {
    let simulator = Arc::new(Simulator::new(Arc::new(SystemClock), users.population()));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let (api, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    runtime.spawn(simulator::serve(listener, Arc::clone(&simulator), stop.clone()));

    let exporter = Server::exporter(users, api);
    let bodies: Vec<(Encoding, Body)> = options
        .encodings
        .iter()
        .map(|encoding| (*encoding, runtime.block_on(check::fetch(exporter.address, *encoding))))
        .collect();
    for (_, body) in &bodies {
        check::lint(body);
    }
    let mut others = vec![];
    if let Some(program) = &options.nginx {
        others.push(Server::nginx(program, &bodies));
    }
    others.extend(options.go.as_ref().map(|program| Server::go(program, users)));
    others.extend(options.python.as_ref().map(|program| Server::python(program, users)));
    let servers: Vec<&Server> = [&exporter].into_iter().chain(&others).collect();
    for (server, encoding) in servers.iter().flat_map(|server| options.encodings.iter().map(move |of| (server, *of))) {
        check::exposes(server.name, &runtime.block_on(check::fetch(server.address, encoding)), users);
    }

    let (before, start) = (exporter.process.cpu(), Instant::now());
    sleep(options.rest);
    let a_second = |cpu: Duration, start: Instant| cpu.div_f64(start.elapsed().as_secs_f64());
    let at_rest = a_second(exporter.process.cpu().since(&before), start);
    let mut scraped = vec![];
    for encoding in options.encodings.iter().copied() {
        eprintln!("{} users, {encoding:?}", users.number());
        rows.extend(scrape(&servers, users, encoding, Pace::Turns, options.rounds));
        let (before, start) = (exporter.process.cpu(), Instant::now());
        // The peers do the same at every scrape, so the exporter and nginx will do.
        let paced = &servers[..=usize::from(options.nginx.is_some())];
        rows.extend(scrape(paced, users, encoding, Pace::Fresh, options.fresh));
        scraped.push((encoding, a_second(exporter.process.cpu().since(&before), start)));
    }
    background.push(Background { users: users.number(), at_rest, scraped });
    let refused = simulator.arrivals().iter().filter(|arrival| arrival.outcome != Outcome::Answered).count();
    assert_eq!(refused, 0, "polls that were not answered");
    stop.cancel();
}

/// Scrapes every server in turn, over and over.
fn scrape(servers: &[&Server], users: &Users, encoding: Encoding, pace: Pace, rounds: usize) -> Vec<Row> {
    let mut clients: Vec<Client> = servers.iter().map(|server| Client::new(server.address, encoding)).collect();
    let mut rows: Vec<Row> =
        servers.iter().map(|server| Row::new(users.number(), encoding, pace, server.name)).collect();
    for client in &mut clients {
        client.scrape();
    }
    for _ in 0..rounds {
        if pace == Pace::Fresh {
            sleep(APART);
        }
        for (server, (client, row)) in servers.iter().zip(clients.iter_mut().zip(&mut rows)) {
            let (before, start) = (server.process.cpu(), Instant::now());
            for scrapes in 1.. {
                row.note(&client.scrape());
                if pace == Pace::Fresh || (scrapes >= TURN_SCRAPES && start.elapsed() >= TURN) {
                    break;
                }
            }
            sleep(SETTLE);
            row.cpu += server.process.cpu().since(&before);
        }
    }
    for (server, row) in servers.iter().zip(&mut rows) {
        row.rss = server.process.rss();
    }
    rows
}
