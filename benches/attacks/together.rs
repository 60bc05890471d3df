//! All client attacks at once, at one exporter that polls.

use std::{collections::BTreeMap, sync::Arc, thread::sleep, time::Duration};

use futures_util::future::join_all;
use tencentcloud_simulator::{Arrival, Outcome};
use tokio::time::Instant;

use crate::{
    attack::ATTACKS,
    cgroup::Cgroup,
    exporter::{Exporter, Setup, describe},
    field::Gate,
    options::{Options, Transport},
    report::{answered, failures, mib, seconds},
    single::field,
    watch::Watch,
    worker::{Worker, be_nice},
};

const SECONDS: u64 = 600;

/// The attackers share a processor with what they attack: what they do at most, all together and a second.
const CONNECTS: u32 = 100;
const REQUESTS_OF_A_FLOOD: u32 = 25;
const PAUSE: Duration = Duration::from_millis(200);

/// Each attack has this part of the clients that it has alone, and a few at least.
const PART: usize = 8;
const FEW: usize = 5;

/// Before the attack, the exporter polls everybody once, which takes a minute, and is scraped and probed as ever.
const WARM_UP: Duration = Duration::from_secs(30);
const LONGEST_WARM_UP: Duration = Duration::from_mins(3);
const NO_LAG: f64 = 0.5;

/// After the attack.
const REST: Duration = Duration::from_secs(30);

const LATEST: Duration = Duration::from_secs(1);

/// Connections to the API come and go: as many as there may be requests under way.
const API_CONNECTIONS: usize = 8;

/// The variants of one attack count once, and one needs an exporter of its own.
const LEFT_OUT: [&str; 5] =
    ["pipeline-auth", "slow-readers-one-account", "slow-readers-one-account-gzip", "stalled-many-users", "descriptors"];

/// Whether all verdicts are good.
///
/// # Errors
/// There can be no cgroup here, or the exporter does not start.
pub(crate) fn run(transport: Transport, options: &Options) -> Result<bool, String> {
    let cgroup = options.cgroup.map(Cgroup::new).transpose();
    let cgroup = cgroup.map_err(|error| format!("--cgroup: cannot make a memory cgroup here: {error}"))?;
    let encrypted = transport == Transport::Tls;
    let setup = Setup { tls: encrypted, auth: encrypted, ..Setup::PLAIN };
    let mut exporter = Exporter::start(&options.binary, &setup, cgroup)?;
    warm_up(&exporter);
    let watch = Watch::start(&exporter);
    let before = (exporter.rss(), exporter.descriptors());

    let fits = |setup: &Setup| encrypted || !(setup.tls || setup.auth);
    let chosen: Vec<_> = ATTACKS
        .iter()
        .filter(|attack| attack.is_network() && fits(&attack.setup) && !LEFT_OUT.contains(&attack.name))
        .map(|attack| {
            let clients = options.connections.unwrap_or((attack.clients / PART).max(FEW));
            (attack, field(&exporter, clients, REQUESTS_OF_A_FLOOD, PAUSE))
        })
        .collect();
    let names: Vec<&str> = chosen.iter().map(|(attack, _)| attack.name).collect();
    eprintln!("{} attacks at once: {}", names.len(), names.join(", "));
    let (started, time) = (Instant::now(), Duration::from_secs(options.seconds.unwrap_or(SECONDS)));
    let attackers = Worker::start("attackers", move || async move {
        be_nice();
        let gate = Arc::new(Gate::new(CONNECTS));
        join_all(chosen.into_iter().map(|(attack, mut field)| {
            field.connects = Some(Arc::clone(&gate));
            (attack.play)(Arc::new(field))
        }))
        .await;
    });
    let mut told = Duration::ZERO;
    while started.elapsed() < time && exporter.ended().is_none() {
        sleep(Duration::from_millis(100));
        if started.elapsed() >= told + Duration::from_secs(30) {
            told = started.elapsed();
            let seen = watch.seen();
            eprintln!(
                "{:.0} s: RSS {} MiB, {} descriptors, scrapes answered {}, probes failed {}, lag {:.2} s",
                told.as_secs_f64(),
                mib(exporter.rss()),
                exporter.descriptors(),
                answered(&seen.scrapes),
                failures(&seen.probes),
                seen.lag
            );
        }
    }
    drop(attackers);
    if let Some(status) = exporter.ended() {
        println!("the exporter ended: {} after {:.0} s", describe(status), started.elapsed().as_secs_f64());
        return Ok(false);
    }
    sleep(REST);
    let after = (exporter.rss(), exporter.descriptors());
    let seen = watch.finish();
    let arrivals = exporter.api.as_ref().map(|api| api.simulator.arrivals()).unwrap_or_default();
    let polls = Polls::of(&arrivals, Duration::from_secs(setup.interval));

    println!("scrapes answered: {}, the slowest {} s", answered(&seen.scrapes), seconds(seen.scrapes.slowest));
    println!("peak memory: {} MiB; log lines: {}", mib(seen.peak), exporter.log_lines());
    let verdicts = [
        (
            seen.probes.failed() == 0,
            format!("probes failed: {}, the slowest {} s", failures(&seen.probes), seconds(seen.probes.slowest)),
        ),
        (
            seen.lag <= LATEST.as_secs_f64() && polls.latest <= LATEST && polls.refused == 0 && polls.number > 0,
            format!(
                "polls: {} arrived, {} refused; the longest schedule lag {:.2} s; by the API's log at most {} s late, of {} \
                 that came an interval after another",
                polls.number,
                polls.refused,
                seen.lag,
                seconds(polls.latest),
                polls.compared
            ),
        ),
        (after.0 * 5 <= before.0 * 6, format!("memory: {} MiB before, {} after", mib(before.0), mib(after.0))),
        (
            after.1 <= (before.1 + API_CONNECTIONS).max(before.1 * 6 / 5),
            format!("descriptors: {} before, {} after", before.1, after.1),
        ),
    ];
    for (good, verdict) in &verdicts {
        println!("{}: {verdict}", if *good { "good" } else { "FAILED" });
    }
    if let Some(error) = &seen.probes.error {
        eprintln!("the last probe that failed: {error}");
    }
    Ok(verdicts.iter().all(|(good, _)| *good))
}

fn warm_up(exporter: &Exporter) {
    let (watch, started) = (Watch::start(exporter), Instant::now());
    sleep(WARM_UP);
    while watch.seen().last_lag > NO_LAG && started.elapsed() < LONGEST_WARM_UP {
        sleep(Duration::from_secs(1));
    }
}

/// What the API's log says.
struct Polls {
    number: usize,
    /// Those that can be compared with the one before.
    compared: usize,
    refused: usize,
    /// How much later than an interval after the one before a poll came. A user's first one is before its place in the interval,
    /// and does not count.
    latest: Duration,
}

// === impl Polls ===

impl Polls {
    fn of(arrivals: &[Arrival], interval: Duration) -> Self {
        let mut polls = Self { number: 0, compared: 0, refused: 0, latest: Duration::ZERO };
        let mut last: BTreeMap<u64, Option<Instant>> = BTreeMap::new();
        for arrival in arrivals {
            let Some(user) = arrival.target else { continue };
            polls.number += 1;
            polls.refused += usize::from(arrival.outcome != Outcome::Answered);
            match last.get(&user).copied() {
                None => last.insert(user, None),
                Some(before) => {
                    let late = before.map(|before| (arrival.at - before).saturating_sub(interval));
                    polls.compared += usize::from(late.is_some());
                    polls.latest = polls.latest.max(late.unwrap_or_default());
                    last.insert(user, Some(arrival.at))
                }
            };
        }
        polls
    }
}
