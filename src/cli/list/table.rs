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
    language::{Language, key_status},
    report::{Failure, KeyReport, Report},
};

use super::{
    columns::{Columns, GAP, Word, failed, finding_text, heads, short_account, words},
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
    pub(super) language: Language,
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
    for line in look.wrapped(&summary(report, look.language)).lines() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn table(report: &Report, look: Look) -> String {
    let language = look.language;
    let columns = Columns::of(language, report, look.columns);
    let last_used = columns.last_used.map_or("", |last_used| last_used.head(language));
    let [account, user, name, key, status, age, verdict] = heads(language);
    let is_narrow = columns.account.is_some_and(|columns| columns < width(account));
    let account = if is_narrow { short_account(language) } else { account };
    let head = [account, user, name, key, status, age, last_used, verdict].map(str::to_owned);
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
        key_status(look.language, key.status).to_owned(),
        span(look.language, key.age),
        columns.last_used.map_or_else(String::new, |last_used| last_used.text(look.language, key, now)),
        verdict(key, columns.verdict, look),
    ]
}

fn failure_cells(failure: &Failure, columns: &Columns, look: Look) -> [String; 8] {
    let prefix = if columns.has_short_failures { "" } else { failed(look.language) };
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
        return look.in_style(GOOD, look.language.choose("ok", "正常"));
    }
    while let Some(word) = words.next() {
        let comma = usize::from(words.peek().is_some());
        let text_of_word = word.text(look.language);
        let needed = width(text_of_word) + comma;
        if taken > 0 && taken + 1 + needed > columns {
            text.push('\n');
            taken = 0;
        } else if taken > 0 {
            text.push(' ');
            taken += 1;
        }
        text.push_str(&look.in_style(style(word), text_of_word));
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
fn summary(report: &Report, language: Language) -> String {
    let count = |number, one, many, chinese| language.choose(Count(number, one, many), Count(number, chinese, chinese));
    let accounts = count(report.accounts.len(), "account", "accounts", "个账号");
    let users = count(report.users(), "user", "users", "个用户");
    let keys = count(report.key_count(), "key", "keys", "个密钥");
    let mut text = match (report.may_lack_users(), report.users()) {
        (false, _) => language.choose(format!("{accounts}, {users}, {keys}"), format!("{accounts}，{users}，{keys}")),
        (true, 0) => {
            language.choose(format!("{accounts}, users and keys unknown"), format!("{accounts}，用户和密钥未知"))
        }
        (true, _) => language.choose(
            format!("{accounts}, at least {users}, at least {keys}"),
            format!("{accounts}，至少 {users}，至少 {keys}"),
        ),
    };
    let (shown, failed) = (report.keys.len(), report.failed_listings.len());
    if shown < report.key_count() {
        text.push_str(&language.choose(format!(" ({shown} shown)"), format!("（显示 {shown} 个）")));
    }
    let found = Finding::ALL.map(|finding| (report.count(finding), finding_text(language, finding)));
    let exempt = (report.exempt_keys(), Word::Exempt.text(language));
    let found: Vec<String> = found
        .into_iter()
        .chain([exempt])
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if !found.is_empty() {
        let (colon, comma) = language.choose((": ", ", "), ("：", "，"));
        text.push_str(colon);
        text.push_str(&found.join(comma));
    }
    if failed > 0 {
        let listings = count(failed, "listing", "listings", "个列表");
        text.push_str(&language.choose(format!("; {listings} failed"), format!("；{listings}获取失败")));
    }
    text
}

/// A length of time in the largest unit that fits: keys are looked at in days.
pub(super) fn span(language: Language, time: SignedDuration) -> String {
    let [second, minute, hour, day] = language.choose(["s", "min", "h", "d"], ["秒", "分钟", "小时", "天"]);
    match time.as_secs().max(0) {
        seconds @ 0..60 => format!("{seconds} {second}"),
        seconds @ 60..3_600 => format!("{} {minute}", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} {hour}", seconds / 3_600),
        seconds => format!("{} {day}", seconds / 86_400),
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
