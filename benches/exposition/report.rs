//! What was measured, as tables in Markdown.

use std::time::Duration;

use crate::{Encoding, client::Scrape, population::Users, servers::Server};

/// The scrapes of one server.
pub(crate) struct Row {
    users: usize,
    accounts: usize,
    encoding: Encoding,
    server: &'static str,
    bytes: usize,
    walls: Vec<Duration>,
    /// Of all of them.
    pub(crate) cpu: Duration,
    /// Before the first scrape of all and after the last of these, in KiB.
    rss_at_rest: u64,
    pub(crate) rss: u64,
}

pub(crate) fn print(rows: &[Row], ours: &str) {
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.encoding == encoding).collect();
        if rows.is_empty() {
            continue;
        }
        println!("\n#### {encoding:?}\n");
        println!(
            "| users | accounts | server | bytes | wall ms, median | p95 | CPU ms | RSS MiB at rest | after | \
             wall, times ours | CPU, times ours |"
        );
        println!("|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|");
        for row in &rows {
            let same = |other: &&&Row| (other.users, other.accounts, other.server) == (row.users, row.accounts, ours);
            println!("{}", row.cells(rows.iter().find(same).copied()));
        }
    }
}

// === impl Row ===

impl Row {
    pub(crate) fn new(users: &Users, encoding: Encoding, server: &Server) -> Self {
        Self {
            users: users.number(),
            accounts: users.accounts(),
            encoding,
            server: server.name,
            bytes: 0,
            walls: vec![],
            cpu: Duration::ZERO,
            rss_at_rest: server.rss_at_rest,
            rss: 0,
        }
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
    fn cells(&self, ours: Option<&Self>) -> String {
        let times = |of: fn(&Self) -> f64| ours.map_or("-".to_owned(), |ours| format!("{:.2}", of(self) / of(ours)));
        let mebibytes = |kibibytes: u64| kibibytes as f64 / 1024.0;
        format!(
            "| {} | {} | {} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {} | {} |",
            self.users,
            self.accounts,
            self.server,
            self.bytes,
            self.median(),
            self.quantile(19, 20),
            self.cpu(),
            mebibytes(self.rss_at_rest),
            mebibytes(self.rss),
            times(Self::median),
            times(Self::cpu),
        )
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
