//! The report as CSV, for spreadsheets: RFC 4180, a row for each key and each failure, with the fields of the JSON as
//! columns.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and names may be anybody's. Such a cell
//! gets an apostrophe in front. Control characters are escaped: they would break lines, or command a terminal.

use std::borrow::Cow;

use csv::{Error, QuoteStyle, Terminator, Writer, WriterBuilder};

use super::{
    Report,
    json::{Failed, FailedList, Key},
};

/// A column: its name, and the cell that a row has in it.
type Column = (&'static str, for<'a> fn(&'a Row<'a>) -> &'a str);

/// The fields of `keys[]`, then those that only `failures[]` and `failed_listings[]` have.
const COLUMNS: [Column; 19] = [
    ("account", |row| row.account),
    ("uin", |row| &row.uin),
    ("user_name", |row| row.user_name.unwrap_or_default()),
    ("access_key_id", |row| row.access_key_id),
    ("status", |row| row.status),
    ("created", |row| &row.created),
    ("age_seconds", |row| &row.age_seconds),
    ("last_used", |row| row.last_used.as_deref().unwrap_or_default()),
    ("never_used", |row| truth(row.never_used)),
    ("auto_disabled_at", |row| row.auto_disabled_at.as_deref().unwrap_or_default()),
    ("console_login", |row| truth(row.console_login)),
    ("findings", |row| &row.findings),
    ("exempt", |row| &row.exempt),
    ("listing", |row| row.listing),
    ("reason", |row| row.reason.unwrap_or_default()),
    ("code", |row| row.code.unwrap_or_default()),
    ("error", |row| row.error.unwrap_or_default()),
    ("advice", |row| row.advice.as_deref().unwrap_or_default()),
    ("since", |row| row.since.as_deref().unwrap_or_default()),
];

/// A row, by column.
#[derive(Debug, Default)]
struct Row<'a> {
    account: &'a str,
    uin: String,
    user_name: Option<&'a str>,
    access_key_id: &'a str,
    status: &'static str,
    created: String,
    age_seconds: String,
    last_used: Option<String>,
    never_used: Option<bool>,
    auto_disabled_at: Option<String>,
    console_login: Option<bool>,
    findings: String,
    exempt: String,
    listing: &'static str,
    reason: Option<&'static str>,
    code: Option<&'static str>,
    error: Option<&'a str>,
    advice: Option<Cow<'static, str>>,
    since: Option<String>,
}

/// The names of the columns.
#[must_use]
pub fn columns() -> [&'static str; 19] {
    COLUMNS.map(|(name, _)| name)
}

/// `report` as CSV.
///
/// # Errors
/// There are none that writing to memory could meet.
pub fn write(report: &Report) -> Result<Vec<u8>, Error> {
    let mut writer =
        WriterBuilder::new().terminator(Terminator::CRLF).quote_style(QuoteStyle::Necessary).from_writer(vec![]);
    writer.write_record(columns())?;
    for failed in &report.failed_listings {
        Row::from(FailedList::of(failed)).write(&mut writer)?;
    }
    for failure in &report.failures {
        Row::from(Failed::of(failure)).write(&mut writer)?;
    }
    for key in &report.keys {
        Row::from(Key::of(key)).write(&mut writer)?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

// === impl Row ===

impl Row<'_> {
    fn write(&self, writer: &mut Writer<Vec<u8>>) -> Result<(), Error> {
        writer.write_record(COLUMNS.map(|(_, cell)| inert(cell(self)).into_owned()))
    }
}

impl<'a> From<Key<'a>> for Row<'a> {
    fn from(key: Key<'a>) -> Self {
        Self {
            account: key.account,
            uin: key.uin,
            user_name: key.user_name,
            access_key_id: key.access_key_id,
            status: key.status,
            created: key.created,
            age_seconds: key.age_seconds.to_string(),
            last_used: key.last_used,
            never_used: key.never_used,
            auto_disabled_at: key.auto_disabled_at,
            console_login: key.console_login,
            findings: key.findings.join(";"),
            exempt: key.exempt.iter().map(|exempt| exempt.finding).collect::<Vec<_>>().join(";"),
            ..Self::default()
        }
    }
}

impl<'a> From<Failed<'a>> for Row<'a> {
    fn from(failed: Failed<'a>) -> Self {
        Self {
            account: failed.account,
            uin: failed.uin,
            user_name: failed.user_name,
            reason: Some(failed.reason),
            code: failed.code,
            error: failed.error,
            advice: failed.advice.map(Cow::Borrowed),
            since: failed.since,
            ..Self::default()
        }
    }
}

impl<'a> From<FailedList<'a>> for Row<'a> {
    fn from(failed: FailedList<'a>) -> Self {
        Self {
            account: failed.account,
            listing: failed.listing,
            reason: failed.reason,
            code: failed.code,
            error: Some(failed.error),
            advice: failed.advice.map(Cow::Owned),
            since: Some(failed.since),
            ..Self::default()
        }
    }
}

fn truth(is_so: Option<bool>) -> &'static str {
    is_so.map_or("", |is_so| if is_so { "true" } else { "false" })
}

/// `cell` as no spreadsheet and no terminal acts on it. The wide forms of the signs count as the signs in some.
fn inert(cell: &str) -> Cow<'_, str> {
    let cell = if cell.contains(char::is_control) {
        let escape = |character: char| {
            if character.is_control() { character.escape_unicode().to_string() } else { character.to_string() }
        };
        Cow::Owned(cell.chars().map(escape).collect())
    } else {
        Cow::Borrowed(cell)
    };
    if cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) { format!("'{cell}").into() } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_a_command() {
        for (cell, written) in [
            ("alice", "alice"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
            ("\t=1", "\\u{9}=1"),
            ("\r=1", "\\u{d}=1"),
            ("a\nb\u{1b}[2J\u{9b}", "a\\u{a}b\\u{1b}[2J\\u{9b}"),
            ("王\u{202e}", "王\u{202e}"),
            ("", ""),
        ] {
            assert_eq!(inert(cell), written, "{cell:?}");
        }
    }
}
