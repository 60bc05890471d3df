//! What failed, and what to do about it: once for all users of an account with whom it is the same.

use std::fmt::Write as _;

use tencentcloud_cam_exporter::{
    inventory::Listing,
    report::{FailedListing, Failure, Report},
};

use super::table::Look;
use crate::cli::text::{Count, one_line};

/// The reason of a listing that failed before an API was asked.
const FAILED: &str = "failed";

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

fn paragraph(head: &str, lines: [Option<&str>; 2], look: Look, text: &mut String) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{head}");
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
        Listing::Members => "the list of the organization's members",
        Listing::LastUses => "when keys were last used",
    };
    format!("{what} ({})", listing.label())
}
