//! The report as JSON, a stable interface: docs/list.md describes every field, and a test compares them.
//!
//! UINs are strings, as in labels: a number of their size is rounded by some readers.

use jiff::Timestamp;
use serde::Serialize;
use tencentcloud_api::LastUse;

use super::{EndedExemption, FailedListing, Failure, KeyReport, Report};
use crate::{
    inventory::{Exemption, assessment::Finding},
    language::Language,
};

/// The whole.
#[derive(Debug, Serialize)]
pub struct Json<'a> {
    generated: String,
    complete: bool,
    accounts: Vec<Account<'a>>,
    keys: Vec<Key<'a>>,
    failures: Vec<Failed<'a>>,
    ended_exemptions: Vec<Ended<'a>>,
    failed_listings: Vec<FailedList<'a>>,
}

#[derive(Debug, Serialize)]
struct Account<'a> {
    name: &'a str,
    up: Option<bool>,
    users: usize,
    key_limit: u32,
    key_max_age_seconds: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Key<'a> {
    pub(super) account: &'a str,
    pub(super) uin: String,
    pub(super) user_name: Option<&'a str>,
    pub(super) access_key_id: &'a str,
    pub(super) status: &'static str,
    pub(super) created: String,
    pub(super) age_seconds: i64,
    pub(super) last_used: Option<String>,
    pub(super) never_used: Option<bool>,
    pub(super) auto_disabled_at: Option<String>,
    pub(super) console_login: Option<bool>,
    pub(super) findings: Vec<&'static str>,
    pub(super) exempt: Vec<Exempt<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Exempt<'a> {
    pub(super) finding: &'static str,
    until: Option<String>,
    reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Ended<'a> {
    account: &'a str,
    uin: String,
    user_name: Option<&'a str>,
    #[serde(flatten)]
    exemption: Exempt<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Failed<'a> {
    pub(super) account: &'a str,
    pub(super) uin: String,
    pub(super) user_name: Option<&'a str>,
    pub(super) reason: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) error: Option<&'a str>,
    pub(super) advice: Option<&'static str>,
    pub(super) since: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct FailedList<'a> {
    pub(super) account: &'a str,
    pub(super) listing: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) code: Option<&'static str>,
    pub(super) error: &'a str,
    pub(super) advice: Option<String>,
    pub(super) since: String,
}

/// The report as indented JSON, with a line feed at its end.
///
/// # Errors
/// There are none that writing to memory could meet.
pub fn write(report: &Report) -> serde_json::Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(&Json::of(report))?;
    json.push(b'\n');
    Ok(json)
}

// === impl Json ===

impl<'a> Json<'a> {
    /// The content of `report`.
    #[must_use]
    pub fn of(report: &'a Report) -> Self {
        let accounts = report.accounts.iter().map(|account| Account {
            name: account.name.as_str(),
            up: account.assessment.state.up(),
            users: account.assessment.users.total,
            key_limit: account.settings.policy.limit,
            key_max_age_seconds: account.settings.policy.max_age.as_secs(),
        });
        Self {
            generated: time(report.made),
            complete: report.is_complete(),
            accounts: accounts.collect(),
            keys: report.keys.iter().map(Key::of).collect(),
            failures: report.failures.iter().map(Failed::of).collect(),
            ended_exemptions: report.ended_exemptions.iter().map(Ended::of).collect(),
            failed_listings: report.failed_listings.iter().map(FailedList::of).collect(),
        }
    }
}

// === impl Key ===

impl<'a> Key<'a> {
    pub(super) fn of(key: &'a KeyReport) -> Self {
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
            auto_disabled_at: key.auto_disabled_at.map(time),
            console_login: key.console_login,
            findings: key.findings.iter().map(Finding::label).collect(),
            exempt: key.exempt.iter().map(Exempt::of).collect(),
        }
    }
}

// === impl Exempt ===

impl<'a> Exempt<'a> {
    fn of(exemption: &'a Exemption) -> Self {
        Self {
            finding: exemption.finding.label(),
            until: exemption.until.map(time),
            reason: exemption.reason.as_deref(),
        }
    }
}

// === impl Ended ===

impl<'a> Ended<'a> {
    fn of(ended: &'a EndedExemption) -> Self {
        Self {
            account: ended.account.as_str(),
            uin: ended.uin.to_string(),
            user_name: ended.user_name.as_deref(),
            exemption: Exempt::of(&ended.exemption),
        }
    }
}

// === impl Failed ===

impl<'a> Failed<'a> {
    pub(super) fn of(failure: &'a Failure) -> Self {
        Self {
            account: failure.account.as_str(),
            uin: failure.uin.to_string(),
            user_name: failure.user_name.as_deref(),
            reason: failure.why.label(),
            code: failure.why.code(),
            error: failure.error.as_deref(),
            advice: failure.why.advice(Language::English),
            since: failure.since.map(time),
        }
    }
}

// === impl FailedList ===

impl<'a> FailedList<'a> {
    pub(super) fn of(failed: &'a FailedListing) -> Self {
        Self {
            account: failed.account.as_str(),
            listing: failed.listing.label(),
            reason: failed.reason(),
            code: failed.failure.code,
            error: &failed.failure.error,
            advice: failed.advice(Language::English),
            since: time(failed.failure.since),
        }
    }
}

/// RFC 3339, to the second.
fn time(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}
