//! The list as a table, the worst first, and under it what to do about users who could not be polled.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::{SignedDuration, Timestamp};
use tabled::{
    builder::Builder,
    settings::{Padding, Style as Border, Width, object, peaker::Peaker, width::Wrap},
};
use tencentcloud_cam_exporter::{
    inventory::assessment::Finding,
    report::{Failure, KeyReport, Report},
    tencent::LastUse,
};

use crate::cli::text::{Count, one_line};

/// What stands where there is nothing.
const NOTHING: &str = "-";

/// What is between two columns.
const GAP: usize = 2;

/// How narrow the column of the verdicts gets: none of their words is longer.
const NARROWEST: usize = "user_not_found".len();

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

/// The columns that not every list has.
#[derive(Clone, Copy, Debug)]
struct Columns {
    name: bool,
    last_used: bool,
}

/// What is broken into lines where a table is too wide: ids are there to be copied.
struct Verdicts;

/// Draws `report`.
pub(super) fn draw(report: &Report, look: Look) -> String {
    let mut text = String::new();
    if !report.keys.is_empty() || !report.failures.is_empty() {
        text.push_str(&table(report, look));
        text.push('\n');
    }
    failures(report, look, &mut text);
    summary(report, &mut text);
    text
}

fn table(report: &Report, look: Look) -> String {
    let named = report.keys.iter().any(|key| key.user_name.is_some());
    let columns = Columns {
        name: named || report.failures.iter().any(|failure| failure.user_name.is_some()),
        last_used: report.knows_last_use(),
    };
    let head =
        columns.row(["ACCOUNT", "USER", "NAME", "KEY", "STATUS", "AGE", "LAST USED", "VERDICT"].map(str::to_owned));
    let mut builder = Builder::default();
    builder.push_record(head.into_iter().map(|cell| look.in_style(HEAD, &cell)));
    for failure in &report.failures {
        builder.push_record(columns.row(failure_cells(failure, look)));
    }
    for key in &report.keys {
        builder.push_record(columns.row(key_cells(key, report.made, look)));
    }
    let mut table = builder.build();
    table.with(Border::empty()).with(Padding::new(0, GAP, 0, 0));
    table.modify(object::Columns::last(), Padding::zero());
    if let Some(columns) = look.columns {
        table.with(Width::wrap(columns).keep_words(true).priority(Verdicts));
    }
    table.to_string().lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn key_cells(key: &KeyReport, now: Timestamp, look: Look) -> [String; 8] {
    let last_used = match key.last_used {
        None => NOTHING.to_owned(),
        Some(LastUse::Never) => "never".to_owned(),
        // The API tells days.
        Some(LastUse::At(at)) => match now.duration_since(at).as_hours() / 24 {
            ..=0 => "today".to_owned(),
            days => format!("{days} d ago"),
        },
    };
    let verdict: Vec<String> = key.findings.iter().map(|finding| finding_cell(finding, look)).collect();
    [
        key.account.to_string(),
        key.uin.to_string(),
        one_line(key.user_name.as_deref().unwrap_or(NOTHING)),
        one_line(&key.label),
        key.status.label().to_owned(),
        span(key.age),
        last_used,
        if verdict.is_empty() { look.in_style(GOOD, "ok") } else { verdict.join(", ") },
    ]
}

fn failure_cells(failure: &Failure, look: Look) -> [String; 8] {
    let verdict = look.in_style(GRAVE.bold(), &format!("failed: {}", failure.why.label()));
    let name = one_line(failure.user_name.as_deref().unwrap_or(NOTHING));
    let [key, status, age, last_used] = [NOTHING; 4].map(str::to_owned);
    [failure.account.to_string(), failure.uin.to_string(), name, key, status, age, last_used, verdict]
}

fn finding_cell(finding: Finding, look: Look) -> String {
    match finding {
        Finding::Stale => look.in_style(GRAVE, "stale"),
        Finding::OverLimit => look.in_style(GRAVE, "over limit"),
        Finding::Unused => look.in_style(LIGHT, "unused"),
        Finding::Inactive => look.in_style(LIGHT, "inactive"),
    }
}

/// Why users could not be polled, and what to do about it: once for all those of an account with whom it is the same.
fn failures(report: &Report, look: Look, text: &mut String) {
    let mut causes: Vec<Vec<&Failure>> = vec![];
    for failure in &report.failures {
        let alike = |other: &&Failure| (&other.account, other.why) == (&failure.account, failure.why);
        match causes.iter_mut().find(|cause| cause.first().is_some_and(alike)) {
            Some(cause) => cause.push(failure),
            None => causes.push(vec![failure]),
        }
    }
    for failures in causes {
        let Some(first @ Failure { account, why, error, .. }) = failures.first() else { continue };
        let users = match failures.len() {
            1 => format!("user {}", first.uin),
            number => format!("{number} users, such as {}", first.uin),
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}: {account}: {users}", why.label());
        for said in error.as_deref().into_iter().chain(why.advice()) {
            for line in look.wrapped(&one_line(said)).lines() {
                let _ = writeln!(text, "  {}", line.trim());
            }
        }
        text.push('\n');
    }
}

fn summary(report: &Report, text: &mut String) {
    let users: usize = report.accounts.iter().map(|account| account.users).sum();
    let _ = write!(
        text,
        "{}, {}, {}",
        Count(report.accounts.len(), "account", "accounts"),
        Count(users, "user", "users"),
        Count(report.keys.len(), "key", "keys")
    );
    let found = Finding::ALL.map(|finding| (report.count(finding), finding.label().replace('_', " ")));
    let found: Vec<String> =
        found.into_iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
    if !found.is_empty() {
        let _ = write!(text, ": {}", found.join(", "));
    }
    text.push('\n');
}

/// A length of time in the largest unit that fits: keys are looked at in days.
fn span(time: SignedDuration) -> String {
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
    fn wrapped(self, text: &str) -> String {
        self.columns.map_or_else(|| text.to_owned(), |columns| Wrap::wrap(text, columns.saturating_sub(2).max(1), true))
    }

    fn in_style(self, style: Style, text: &str) -> String {
        if self.has_colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

// === impl Verdicts ===

impl Peaker for Verdicts {
    fn peak(&mut self, _: &[usize], widths: &[usize]) -> Option<usize> {
        let (last, width) = widths.iter().enumerate().next_back()?;
        (*width > NARROWEST).then_some(last)
    }
}

// === impl Columns ===

impl Columns {
    /// The cells of the columns that there are.
    fn row(self, [account, user, name, key, status, age, last_used, verdict]: [String; 8]) -> Vec<String> {
        let name = self.name.then_some(name);
        let last_used = self.last_used.then_some(last_used);
        let cells = [Some(account), Some(user), name, Some(key), Some(status), Some(age), last_used, Some(verdict)];
        cells.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tencentcloud_cam_exporter::{
        inventory::{ConfiguredListings, Facts, IdLabel, assessment::Findings},
        report::{AccountReport, Why},
        tencent::{KeyStatus, Reason},
    };

    use super::*;

    fn report() -> Report {
        let made: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let facts = Facts {
            key_limit: 2,
            key_max_age: Duration::from_hours(24 * 90),
            id_label: IdLabel::Masked,
            poll_interval: Duration::from_mins(5),
            listings: ConfiguredListings::default(),
        };
        let key = KeyReport {
            account: "prod".parse().unwrap(),
            uin: "7".parse().unwrap(),
            user_name: Some("a\u{1b}[2Jüser".to_owned()),
            label: "AKIDx".to_owned(),
            status: KeyStatus::Active,
            created: made - SignedDuration::from_hours(240),
            age: SignedDuration::from_hours(240),
            last_used: Some(LastUse::At(made - SignedDuration::from_mins(90))),
            findings: Findings::default(),
        };
        let other = KeyReport {
            user_name: None,
            last_used: Some(LastUse::Never),
            age: SignedDuration::from_secs(59),
            findings: [Finding::Unused].into_iter().collect(),
            ..key.clone()
        };
        let unknown = KeyReport { last_used: None, age: SignedDuration::from_secs(60), ..other.clone() };
        let failure = Failure {
            account: key.account.clone(),
            uin: "8".parse().unwrap(),
            user_name: None,
            why: Why::Failed(Reason::Timeout, None),
            error: None,
        };
        Report {
            unfound: vec![],
            made,
            is_whole: true,
            accounts: vec![AccountReport { name: key.account.clone(), facts, users: 3 }],
            keys: vec![key, other, unknown],
            failures: vec![failure],
        }
    }

    #[test]
    fn names_and_last_uses_are_columns_where_any_is_known() {
        let mut report = report();
        let drawn = draw(&report, Look::default());
        let table = "\
ACCOUNT  USER  NAME       KEY    STATUS  AGE    LAST USED  VERDICT
prod     8     -          -      -       -      -          failed: timeout
prod     7     a [2Jüser  AKIDx  Active  10 d   today      ok
prod     7     -          AKIDx  Active  59 s   never      unused
prod     7     -          AKIDx  Active  1 min  -          unused

timeout: prod: user 8
  Wait, or raise `poll.timeout`.

1 account, 3 users, 3 keys: 2 unused
";
        assert_eq!(drawn, table);
        report.keys.iter_mut().for_each(|key| (key.user_name, key.last_used) = (None, None));
        assert!(draw(&report, Look::default()).starts_with("ACCOUNT  USER  KEY    STATUS  AGE    VERDICT\n"));
    }

    #[test]
    fn a_list_of_nothing_is_a_summary() {
        let nothing = Report { keys: vec![], failures: vec![], ..report() };
        assert_eq!(draw(&nothing, Look::default()), "1 account, 3 users, 0 keys\n");
    }
}
