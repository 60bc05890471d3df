//! What failed, and what to do about it: once for all users of an account with the same failure. Then what is to be said
//! of keys beside their verdicts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jiff::{Timestamp, civil::Date, tz::Offset};
use tencentcloud_cam_exporter::{
    inventory::{
        AccountName, Listing,
        assessment::{AUTO_DISABLE_ANNOUNCEMENT, Finding},
    },
    report::{EndedExemption, FailedListing, Failure, KeyReport, Report},
};

use super::{columns::finding_text, table::Look};
use crate::cli::text::{Count, one_line};

/// The reason of a listing that failed before an API was asked.
const FAILED: &str = "failed";

/// What to do about an exemption that has ended.
const ENDED: &str =
    "The finding is reported again: remove the exemption from keys.overrides, or give it a later until.";

/// The most keys and exemptions that are named one by one.
const NAMED: usize = 20;

/// An exemption of users of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Exempted<'a> {
    account: &'a AccountName,
    until: Option<Timestamp>,
    reason: Option<&'a str>,
}

/// Everything that failed, the listings first.
pub(super) fn text(report: &Report, look: Look) -> String {
    let mut text = String::new();
    for failed in &report.failed_listings {
        let FailedListing { account, listing, failure } = failed;
        let head = format!("{}: {account}: {}", failed.reason().unwrap_or(FAILED), name(*listing));
        let advice = failed.advice();
        paragraph(&head, [Some(&*failure.error), advice.as_deref()], look, &mut text);
    }
    let mut causes: Vec<Vec<&Failure>> = vec![];
    for failure in &report.failures {
        let is_alike = |other: &&Failure| (&other.account, other.why) == (&failure.account, failure.why);
        match causes.iter_mut().find(|cause| cause.first().is_some_and(is_alike)) {
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
        let head = format!("{}: {account}: {users}", why.label());
        paragraph(&head, [error.as_deref(), why.advice()], look, &mut text);
    }
    text
}

/// Which keys will be disabled, what is exempt, and which exemptions have ended.
pub(super) fn notes(report: &Report, look: Look) -> String {
    let mut text = String::new();
    let soon: Vec<&KeyReport> =
        report.keys.iter().filter(|key| key.findings.contains(Finding::AutoDisableSoon)).collect();
    if !soon.is_empty() {
        let mut lines: Vec<String> = soon.iter().take(NAMED).map(|key| disabled(key, report.made)).collect();
        if soon.len() > NAMED {
            lines.push(format!("and {} more", soon.len() - NAMED));
        }
        let head = format!("{}: {AUTO_DISABLE_ANNOUNCEMENT}", finding_text(Finding::AutoDisableSoon));
        paragraph(&head, lines.iter().map(|line| Some(&**line)), look, &mut text);
    }
    for (Exempted { account, until, reason }, (findings, keys)) in exempt(report) {
        let findings: Vec<&str> = findings.into_iter().map(finding_text).collect();
        let until = until.map(|until| format!(" until {}", day(until))).unwrap_or_default();
        let head = format!("exempt: {account}: {} from {}{until}", Count(keys, "key", "keys"), findings.join(", "));
        paragraph(&head, [reason], look, &mut text);
    }
    let is_alike = |one: &EndedExemption, other: &EndedExemption| {
        let of = |ended: &EndedExemption| (ended.account.clone(), ended.uin, ended.exemption.until);
        of(one) == of(other) && one.exemption.reason == other.exemption.reason
    };
    let ended: Vec<&[EndedExemption]> = report.ended_exemptions.chunk_by(is_alike).collect();
    for of_user in ended.iter().take(NAMED) {
        let Some(EndedExemption { account, uin, user_name, exemption }) = of_user.first() else { continue };
        let findings: Vec<&str> = of_user.iter().map(|ended| finding_text(ended.exemption.finding)).collect();
        let name = user_name.as_deref().map(|name| format!(" ({})", one_line(name))).unwrap_or_default();
        let until = exemption.until.map(|until| format!(" ended on {}", day(until))).unwrap_or_default();
        let head = format!("exemption: {account}: user {uin}{name}: from {}{until}", findings.join(", "));
        paragraph(&head, [exemption.reason.as_deref(), Some(ENDED)], look, &mut text);
    }
    if ended.len() > NAMED {
        let head = format!("and {} more exemptions that have ended", ended.len() - NAMED);
        paragraph(&head, [Some(ENDED)], look, &mut text);
    }
    text
}

/// When the key will be disabled, where the time is `now`.
fn disabled(key: &KeyReport, now: Timestamp) -> String {
    let KeyReport { account, uin, label, auto_disabled_at, .. } = key;
    let when = match auto_disabled_at {
        Some(time) if *time > now => format!("will be disabled on {}", day(*time)),
        Some(time) => format!("may be disabled any day since {}", day(*time)),
        None => "will be disabled".to_owned(),
    };
    format!("{account}: {label} of user {uin} {when}")
}

/// The exemptions that hide findings of keys that are listed: what they hide, and of how many keys.
fn exempt(report: &Report) -> BTreeMap<Exempted<'_>, (BTreeSet<Finding>, usize)> {
    let mut all: BTreeMap<Exempted<'_>, (BTreeSet<Finding>, usize)> = BTreeMap::new();
    for key in &report.keys {
        let mut of_key: BTreeMap<Exempted<'_>, BTreeSet<Finding>> = BTreeMap::new();
        for exemption in &key.exempt {
            let (account, reason) = (&key.account, exemption.reason.as_deref());
            of_key.entry(Exempted { account, until: exemption.until, reason }).or_default().insert(exemption.finding);
        }
        for (exempted, findings) in of_key {
            let (all, keys) = all.entry(exempted).or_default();
            all.extend(findings);
            *keys += 1;
        }
    }
    all
}

/// The day of `time`, UTC.
fn day(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}

fn paragraph<'a>(head: &str, lines: impl IntoIterator<Item = Option<&'a str>>, look: Look, text: &mut String) {
    // Writing to a string does not fail.
    for line in look.wrapped(head).lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for said in lines.into_iter().flatten() {
        for line in look.wrapped(&one_line(said)).lines() {
            let _ = writeln!(text, "  {}", line.trim());
        }
    }
    text.push('\n');
}

/// Everything that failed, in one line; nothing where nothing did.
pub(super) fn summary(report: &Report) -> Option<String> {
    let mut parts = vec![];
    if !report.failures.is_empty() {
        parts.push(format!("{} of {} user(s) could not be polled", report.failures.len(), report.users()));
    }
    parts.extend(failed_listings(report));
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The listings that failed, in one line; nothing where none did.
pub(super) fn failed_listings(report: &Report) -> Option<String> {
    let failed = report.failed_listings.iter().map(|failed| {
        let reason = failed.reason().unwrap_or(FAILED);
        format!("{} of {} ({reason})", failed.listing.label(), failed.account)
    });
    let failed: Vec<String> = failed.collect();
    let number = Count(failed.len(), "listing", "listings");
    (!failed.is_empty()).then(|| format!("{number} failed: {}", failed.join(", ")))
}

fn name(listing: Listing) -> String {
    let what = match listing {
        Listing::UinsFile => "the file of users",
        Listing::Caller => "the calling user",
        Listing::Users => "the list of users",
        Listing::TypedUsers => "the list of users of other types",
        Listing::Members => "the list of the organization's members",
        Listing::LastUses => "when keys were last used",
    };
    format!("{what} ({})", listing.label())
}
