//! What came of the attacks, as a table in Markdown.

use std::time::Duration;

use crate::watch::{Attempts, Seen};

const HEAD: &str = "\
| attack | RSS before, MiB | peak | goal | RSS after | scrapes answered | slowest, s | probes failed | slowest, s | \
descriptors | CPU, s | log lines | SIGTERM, s | process | |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|";

#[derive(Default)]
pub(crate) struct Row {
    pub(crate) attack: &'static str,
    /// In MiB; all else is in KiB.
    pub(crate) goal: u64,
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) descriptors_before: usize,
    pub(crate) descriptors_after: usize,
    pub(crate) seen: Seen,
    pub(crate) lasted: Duration,
    /// Processor time that the exporter took meanwhile, unless it ended.
    pub(crate) cpu: Option<Duration>,
    pub(crate) log_lines: usize,
    /// How long it took to stop, if it did.
    pub(crate) stop: Option<Duration>,
    /// How it ended, or that it lives.
    pub(crate) end: String,
    pub(crate) notes: Vec<String>,
    /// Whether it died, hung, took more than its goal, or missed a probe.
    pub(crate) failed: bool,
}

pub(crate) fn print_head() {
    println!("{HEAD}");
}

// === impl Row ===

impl Row {
    pub(crate) fn print(&self) {
        let failed = if self.failed { " **failed**" } else { "" };
        println!(
            "| {}{failed} | {} | {} | {} | {} | {} | {} | {} | {} | {} to {} | {} | {} | {} | {} | {} |",
            self.attack,
            mib(self.before),
            mib(self.seen.peak),
            self.goal,
            mib(self.after),
            answered(&self.seen.scrapes),
            seconds(self.seen.scrapes.slowest),
            failures(&self.seen.probes),
            seconds(self.seen.probes.slowest),
            self.descriptors_before,
            self.descriptors_after,
            self.cpu.map_or("-".to_owned(), seconds),
            self.log_lines,
            self.stop.map_or("-".to_owned(), seconds),
            self.end,
            self.notes.join("; "),
        );
        for (what, attempts) in [("scrape", &self.seen.scrapes), ("probe", &self.seen.probes)] {
            if let Some(error) = &attempts.error {
                eprintln!("  {}: the last {what} that failed: {error}", self.attack);
            }
        }
    }
}

pub(crate) fn answered(attempts: &Attempts) -> String {
    format!("{} of {}", attempts.answered, attempts.tried)
}

pub(crate) fn failures(attempts: &Attempts) -> String {
    format!("{} of {}", attempts.failed(), attempts.tried)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of KiB are far below 2^52")]
pub(crate) fn mib(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}
