//! The list as a table, and under it what failed and what to do about it.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::{SignedDuration, Timestamp};
use tabled::{
    builder::Builder,
    settings::{Padding, Style as Border, object, width::Wrap},
};
use tencentcloud_cam_exporter::{
    inventory::assessment::Finding,
    report::{Failure, KeyReport, Report},
};

use super::{
    columns::{Columns, GAP, LastUsed, Word, finding_text, words},
    problems,
};
use crate::cli::text::{Count, one_line, shortened, shortened_in_the_middle, width};

/// What stands where there is nothing.
const NOTHING: &str = "-";

const GRAVE: Style = AnsiColor::Red.on_default();
const LIGHT: Style = AnsiColor::Yellow.on_default();
const GOOD: Style = AnsiColor::Green.on_default();
const HEAD: Style = Style::new().bold();

/// What the table may be made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) has_colours: bool,
    /// How wide it may be, where that matters.
    pub(super) columns: Option<usize>,
}

/// Draws `report`.
pub(super) fn draw(report: &Report, look: Look) -> String {
    let mut text = String::new();
    if !report.keys.is_empty() || !report.failures.is_empty() {
        text.push_str(&table(report, look));
        text.push('\n');
    }
    text.push_str(&problems::text(report, look));
    text.push_str(&problems::notes(report, look));
    for line in look.wrapped(&summary(report)).lines() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn table(report: &Report, look: Look) -> String {
    let columns = Columns::of(report, look.columns);
    let last_used = columns.last_used.map_or("", LastUsed::head);
    let account = if columns.account.is_some_and(|columns| columns < "ACCOUNT".len()) { "ACCT" } else { "ACCOUNT" };
    let head = [account, "USER", "NAME", "KEY", "STATUS", "AGE", last_used, "VERDICT"].map(str::to_owned);
    let mut builder = Builder::default();
    builder.push_record(columns.row(head).into_iter().map(|cell| look.in_style(HEAD, &cell)));
    for failure in &report.failures {
        builder.push_record(columns.row(failure_cells(failure, &columns, look)));
    }
    for key in &report.keys {
        builder.push_record(columns.row(key_cells(key, &columns, report.made, look)));
    }
    let mut table = builder.build();
    table.with(Border::empty()).with(Padding::new(0, GAP, 0, 0));
    table.modify(object::Columns::last(), Padding::zero());
    table.to_string().lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn key_cells(key: &KeyReport, columns: &Columns, now: Timestamp, look: Look) -> [String; 8] {
    [
        key.account.to_string(),
        key.uin.to_string(),
        name(key.user_name.as_deref()),
        one_line(&key.label),
        key.status.label().to_owned(),
        span(key.age),
        columns.last_used.map_or_else(String::new, |last_used| last_used.text(key, now)),
        verdict(key, columns.verdict, look),
    ]
}

fn failure_cells(failure: &Failure, columns: &Columns, look: Look) -> [String; 8] {
    let prefix = if columns.has_short_failures { "" } else { "failed: " };
    let verdict = look.in_style(GRAVE.bold(), &format!("{prefix}{}", failure.why.label()));
    let [key, status, age, last_used] = [NOTHING; 4].map(str::to_owned);
    let name = name(failure.user_name.as_deref());
    [failure.account.to_string(), failure.uin.to_string(), name, key, status, age, last_used, verdict]
}

fn name(name: Option<&str>) -> String {
    one_line(name.unwrap_or(NOTHING))
}

/// The findings of a key, in lines of that width: none is broken itself.
fn verdict(key: &KeyReport, columns: usize, look: Look) -> String {
    let (mut text, mut taken) = (String::new(), 0);
    let mut words = words(key).peekable();
    if words.peek().is_none() {
        return look.in_style(GOOD, "ok");
    }
    while let Some(word) = words.next() {
        let comma = usize::from(words.peek().is_some());
        let needed = width(word.text()) + comma;
        if taken > 0 && taken + 1 + needed > columns {
            text.push('\n');
            taken = 0;
        } else if taken > 0 {
            text.push(' ');
            taken += 1;
        }
        text.push_str(&look.in_style(style(word), word.text()));
        text.push_str(&","[..comma]);
        taken += needed;
    }
    text
}

fn style(word: Word) -> Style {
    match word {
        Word::Finding(Finding::AutoDisableSoon | Finding::VeryStale | Finding::Stale | Finding::OverLimit) => GRAVE,
        Word::Finding(
            Finding::Unused
            | Finding::RotationUnfinished
            | Finding::ConsoleLogin
            | Finding::AtLimit
            | Finding::Inactive,
        ) => LIGHT,
        Word::Exempt => GOOD,
    }
}

/// What there is, in numbers. Where a listing failed, there may be more.
fn summary(report: &Report) -> String {
    let accounts = Count(report.accounts.len(), "account", "accounts");
    let users = Count(report.users(), "user", "users");
    let keys = Count(report.key_count(), "key", "keys");
    let mut text = match (report.may_lack_users(), report.users()) {
        (false, _) => format!("{accounts}, {users}, {keys}"),
        (true, 0) => format!("{accounts}, users and keys unknown"),
        (true, _) => format!("{accounts}, at least {users}, at least {keys}"),
    };
    if report.keys.len() < report.key_count() {
        let _ = write!(text, " ({} shown)", report.keys.len());
    }
    let found = Finding::ALL.map(|finding| (report.count(finding), finding_text(finding)));
    let exempt = (report.exempt_keys(), Word::Exempt.text());
    let found: Vec<String> = found
        .into_iter()
        .chain([exempt])
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if !found.is_empty() {
        let _ = write!(text, ": {}", found.join(", "));
    }
    if !report.failed_listings.is_empty() {
        let _ = write!(text, "; {} failed", Count(report.failed_listings.len(), "listing", "listings"));
    }
    text
}

/// A length of time in the largest unit that fits: keys are looked at in days.
pub(super) fn span(time: SignedDuration) -> String {
    match time.as_secs().max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

// === impl Look ===

impl Look {
    /// `text` in lines that leave room for an indent.
    pub(super) fn wrapped(self, text: &str) -> String {
        self.columns.map_or_else(|| text.to_owned(), |columns| Wrap::wrap(text, columns.saturating_sub(2).max(1), true))
    }

    fn in_style(self, style: Style, text: &str) -> String {
        if self.has_colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

// === impl Columns ===

impl Columns {
    /// The cells of the columns that there are, as short as those are.
    fn row(&self, [account, user, name, key, status, age, last_used, verdict]: [String; 8]) -> Vec<String> {
        let account = self.account.map(|columns| shortened_in_the_middle(&account, columns));
        let name = self.name.map(|columns| shortened(&name, columns));
        let status = self.status.then_some(status);
        let last_used = self.last_used.map(|_| last_used);
        let cells = [account, Some(user), name, Some(key), status, Some(age), last_used, Some(verdict)];
        cells.into_iter().flatten().collect()
    }
}
