//! One attack at an exporter of its own.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::sleep,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    attack::{Attack, CONFIG_FIFO},
    cgroup::Cgroup,
    exporter::{Exporter, describe},
    field::{Field, Tally},
    options::Options,
    report::Row,
    watch::{Watch, still_answers},
    worker::{Worker, be_nice},
};

/// Requests a second of all clients of a flood.
const FLOOD: u32 = 500;

/// Between two requests that a client pipelines.
const PAUSE: Duration = Duration::from_millis(10);

/// The watchers come a little later than the attackers, who would otherwise find them served already.
const HEAD_START: Duration = Duration::from_secs(1);

/// One of so many scrapes may fail.
const SCRAPES_THAT_MAY_FAIL: usize = 5;

/// Between the last attacker and the last look at the memory.
const IDLE: Duration = Duration::from_secs(5);

/// # Errors
/// There can be no cgroup here.
pub(crate) fn run(attack: &Attack, options: &Options) -> Result<Row, String> {
    let cgroup = options.cgroup.map(Cgroup::new).transpose();
    let cgroup = cgroup.map_err(|error| format!("--cgroup: cannot make a memory cgroup here: {error}"))?;
    let seconds = options.seconds.unwrap_or(attack.seconds);
    let mut row = Row { attack: attack.name, goal: attack.goal, ..Row::default() };
    let mut exporter = match Exporter::start(&options.binary, &attack.setup, cgroup) {
        Ok(exporter) => exporter,
        Err(end) => {
            end.lines().next().unwrap_or_default().clone_into(&mut row.end);
            row.failed = true;
            return Ok(row);
        }
    };
    // With a password, the first scraper is to be as new as the attackers.
    if attack.is_network() && !attack.setup.auth {
        still_answers(&exporter);
    }
    row.before = exporter.rss();
    row.descriptors_before = exporter.descriptors();
    let cpu = exporter.cpu();

    let clients = options.connections.filter(|_| attack.is_network()).unwrap_or(attack.clients);
    let field = Arc::new(field(&exporter, clients, FLOOD, PAUSE));
    let (attacked, started, play) = (Arc::clone(&field), Instant::now(), attack.play);
    let attackers = Worker::start("attackers", move || {
        be_nice();
        play(attacked)
    });
    sleep(HEAD_START);
    let watch = Watch::start(&exporter);
    while started.elapsed() < Duration::from_secs(seconds) && exporter.ended().is_none() {
        sleep(Duration::from_millis(100));
    }
    row.lasted = started.elapsed();
    row.cpu = cpu.and_then(|before| Some(exporter.cpu()?.since(&before)));
    row.seen = watch.finish();
    drop(attackers);
    row.note(&field.tally);
    if exporter.started_in > Duration::from_secs(1) {
        row.notes.push(format!("started in {:.1} s", exporter.started_in.as_secs_f64()));
    }
    if attack.name == CONFIG_FIFO {
        row.failed = row.seen.reload_failed.is_none();
        row.notes.push(row.seen.reload_failed.map_or("no failed reload was told".to_owned(), |told| {
            format!("failed reload told after {:.1} s", told.duration_since(started).as_secs_f64())
        }));
    }
    if row.seen.is_foreign {
        row.notes.push("a body was damaged".to_owned());
    }
    if exporter.ended().is_none() {
        sleep(IDLE);
    }
    row.after = exporter.rss();
    row.descriptors_after = exporter.descriptors();
    row.seen.peak = row.seen.peak.max(exporter.peak().unwrap_or_default());
    row.finish(&mut exporter);
    Ok(row)
}

/// What attackers share.
pub(crate) fn field(exporter: &Exporter, clients: usize, requests: u32, pause: Duration) -> Field {
    Field {
        address: exporter.address,
        tls: exporter.tls(),
        authorization: exporter.authorization(),
        clients,
        connects: None,
        requests,
        pause,
        tally: Tally::default(),
        process: exporter.id(),
        folder: exporter.folder.path().to_owned(),
    }
}

// === impl Row ===

impl Row {
    fn note(&mut self, tally: &Tally) {
        let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        if of(&tally.connections) > 0 {
            self.notes.push(format!(
                "{} connections, {} MiB sent, {} MiB read",
                of(&tally.connections),
                of(&tally.sent) >> 20,
                of(&tally.read) >> 20
            ));
        }
    }

    /// The last questions: does it live, does it answer, does it stop.
    fn finish(&mut self, exporter: &mut Exporter) {
        self.log_lines = exporter.log_lines();
        if let Some(status) = exporter.ended() {
            let last = exporter.log().lines().last().unwrap_or_default().chars().take(160).collect::<String>();
            self.end = format!("{} after {:.1} s", describe(status), self.lasted.as_secs_f64());
            self.notes.push(last);
            self.failed = true;
            return;
        }
        let answers = still_answers(exporter);
        self.stop = exporter.stop();
        let is_kept_out = self.seen.scrapes.failed() * SCRAPES_THAT_MAY_FAIL > self.seen.scrapes.tried;
        if answers { "lives" } else { "hangs" }.clone_into(&mut self.end);
        self.failed |= !answers
            || is_kept_out
            || self.stop.is_none()
            || self.seen.peak > self.goal << 10
            || self.seen.probes.failed() > 0
            || self.seen.is_foreign;
    }
}
