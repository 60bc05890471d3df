//! The report as JSON, a promise to whoever reads it: docs/list.md describes every field, and a test holds the two together.
//!
//! UINs are strings, as in labels: a number of their size is rounded by some readers.

use jiff::Timestamp;
use serde::Serialize;

use super::{Failure, KeyReport, Report};
use crate::{inventory::assessment::Finding, tencent::LastUse};

/// The whole.
#[derive(Debug, Serialize)]
pub struct Json<'a> {
    generated: String,
    complete: bool,
    accounts: Vec<Account<'a>>,
    keys: Vec<Key<'a>>,
    failures: Vec<Failed<'a>>,
}

#[derive(Debug, Serialize)]
struct Account<'a> {
    name: &'a str,
    users: usize,
    key_limit: u32,
    key_max_age_seconds: u64,
}

#[derive(Debug, Serialize)]
struct Key<'a> {
    account: &'a str,
    uin: String,
    user_name: Option<&'a str>,
    access_key_id: &'a str,
    status: &'static str,
    created: String,
    age_seconds: i64,
    last_used: Option<String>,
    never_used: Option<bool>,
    findings: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Failed<'a> {
    account: &'a str,
    uin: String,
    user_name: Option<&'a str>,
    reason: &'static str,
    code: Option<&'static str>,
    error: Option<&'a str>,
    advice: Option<&'static str>,
}

// === impl Json ===

impl<'a> Json<'a> {
    /// What `report` tells.
    #[must_use]
    pub fn of(report: &'a Report) -> Self {
        let accounts = report.accounts.iter().map(|account| Account {
            name: account.name.as_str(),
            users: account.users,
            key_limit: account.facts.key_limit,
            key_max_age_seconds: account.facts.key_max_age.as_secs(),
        });
        Self {
            generated: time(report.made),
            complete: report.is_whole,
            accounts: accounts.collect(),
            keys: report.keys.iter().map(Key::of).collect(),
            failures: report.failures.iter().map(Failed::of).collect(),
        }
    }
}

// === impl Key ===

impl<'a> Key<'a> {
    fn of(key: &'a KeyReport) -> Self {
        Self {
            account: key.account.as_str(),
            uin: key.uin.to_string(),
            user_name: key.user_name.as_deref(),
            access_key_id: &key.label,
            status: key.status.label(),
            created: time(key.created),
            age_seconds: key.age.as_secs(),
            last_used: match key.last_used {
                Some(LastUse::At(at)) => Some(time(at)),
                Some(LastUse::Never) | None => None,
            },
            never_used: key.last_used.map(|last_used| last_used == LastUse::Never),
            findings: key.findings.iter().map(Finding::label).collect(),
        }
    }
}

// === impl Failed ===

impl<'a> Failed<'a> {
    fn of(failure: &'a Failure) -> Self {
        Self {
            account: failure.account.as_str(),
            uin: failure.uin.to_string(),
            user_name: failure.user_name.as_deref(),
            reason: failure.why.label(),
            code: failure.why.code(),
            error: failure.error.as_deref(),
            advice: failure.why.advice(),
        }
    }
}

/// RFC 3339, to the second.
fn time(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}
