//! What was measured, as tables in Markdown.

use std::time::Duration;

use crate::{Encoding, client::Scrape};

/// How the scrapes of a row follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// One after the other, a quarter of a second long: most find nothing new within the second.
    Turns,
    /// More than a second apart: each finds another second, and so everything new.
    Fresh,
}

/// The scrapes of one server.
pub(crate) struct Row {
    pub(crate) users: usize,
    pub(crate) encoding: Encoding,
    pub(crate) pace: Pace,
    pub(crate) server: &'static str,
    pub(crate) bytes: usize,
    pub(crate) walls: Vec<Duration>,
    /// Of all of them.
    pub(crate) cpu: Duration,
    /// Afterwards, in KiB.
    pub(crate) rss: u64,
}

/// The processor time that the exporter takes in a second.
pub(crate) struct Background {
    pub(crate) users: usize,
    /// While nobody scrapes it.
    pub(crate) at_rest: Duration,
    /// While it is scraped a little less than once a second.
    pub(crate) scraped: Vec<(Encoding, Duration)>,
}

pub(crate) fn print(rows: &[Row], ours: &str, nginx: &str) {
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.encoding == encoding).collect();
        if rows.is_empty() {
            continue;
        }
        println!("\n### {encoding:?}\n");
        println!(
            "| users | server | bytes | wall ms, median | p99 | CPU ms | RSS MiB | wall, times ours | nginx's | \
             CPU, times ours | nginx's | scrapes |"
        );
        println!("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        for row in &rows {
            let find = |server: &str, pace: Pace| {
                let wanted = |other: &&&Row| (other.users, other.server, other.pace) == (row.users, server, pace);
                rows.iter().find(wanted).copied()
            };
            // Who has no row of that pace makes everything new at each scrape.
            let pace = find(row.server, Pace::Fresh).map_or(Pace::Fresh, |_| row.pace);
            println!("{}", row.cells(find(ours, pace), find(nginx, pace)));
        }
    }
}

pub(crate) fn print_background(background: &[Background]) {
    println!("\n### This exporter's CPU ms a second\n");
    println!("| users | at rest | scraped every 1.1 s |\n|--:|--:|---|");
    for Background { users, at_rest, scraped } in background {
        let scraped: Vec<String> =
            scraped.iter().map(|(encoding, cpu)| format!("{encoding:?}: {:.2}", millis(*cpu))).collect();
        println!("| {users} | {:.2} | {} |", millis(*at_rest), scraped.join(", "));
    }
}

// === impl Row ===

impl Row {
    pub(crate) fn new(users: usize, encoding: Encoding, pace: Pace, server: &'static str) -> Self {
        Self { users, encoding, pace, server, bytes: 0, walls: vec![], cpu: Duration::ZERO, rss: 0 }
    }

    pub(crate) fn note(&mut self, scrape: &Scrape) {
        self.bytes = scrape.bytes;
        self.walls.push(scrape.took);
    }

    fn median(&self) -> f64 {
        self.quantile(1, 2)
    }

    /// The wall time that `numerator` of `denominator` scrapes took at most, in ms.
    fn quantile(&self, numerator: usize, denominator: usize) -> f64 {
        let mut walls = self.walls.clone();
        walls.sort_unstable();
        millis(walls[(walls.len() * numerator).div_ceil(denominator) - 1])
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of scrapes are far below 2^52")]
    fn cpu(&self) -> f64 {
        millis(self.cpu) / self.walls.len() as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of KiB are far below 2^52")]
    fn cells(&self, ours: Option<&Self>, nginx: Option<&Self>) -> String {
        let ratio = |of: fn(&Self) -> f64, other: Option<&Self>| {
            other.map_or("-".to_owned(), |other| format!("{:.2}", of(self) / of(other)))
        };
        let pace = match self.pace {
            Pace::Turns => "",
            Pace::Fresh => ", every 1.1 s",
        };
        format!(
            "| {} | {}{pace} | {} | {:.3} | {:.3} | {:.3} | {:.1} | {} | {} | {} | {} | {} |",
            self.users,
            self.server,
            self.bytes,
            self.median(),
            self.quantile(99, 100),
            self.cpu(),
            self.rss as f64 / 1024.0,
            ratio(Self::median, ours),
            ratio(Self::median, nginx),
            ratio(Self::cpu, ours),
            ratio(Self::cpu, nginx),
            self.walls.len(),
        )
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
