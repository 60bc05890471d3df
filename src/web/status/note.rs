//! What is wrong with an account, in words: since when, the error, and what to do.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    account::AccountReport,
    foreign::foreign,
    text::{count, duration, prose, since},
};
use crate::{
    advice::of_listing,
    inventory::{
        Listing,
        assessment::{AccountProblem, AccountState},
    },
};

/// What is wrong, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// Our own words.
    pub(super) what: String,
    /// Since when, and what time it is.
    pub(super) since: Option<(Timestamp, Timestamp)>,
    /// In the words of the API, or of the system.
    pub(super) error: Option<Arc<str>>,
    /// What to do, where the error does not say so.
    pub(super) advice: Option<Cow<'static, str>>,
}

// === impl Note ===

impl Note {
    /// What is to be said of a problem of an account.
    pub(super) fn of(problem: AccountProblem, account: &AccountReport) -> Self {
        match problem {
            AccountProblem::Silent => Self::plain(
                "its poller has shown no sign of life for three minutes",
                "Restart the exporter, and report it with its log.",
            ),
            AccountProblem::Down => Self::of_down(account),
            AccountProblem::Outage => Self::plain(
                "for two intervals no user was answered about, and not every user has been polled since",
                "See why polls fail, or why the schedule lags. It ends once each user has been polled.",
            ),
            AccountProblem::ListingFailed(listing) => {
                let what = match listing {
                    Listing::UinsFile => "its `uins_file` cannot be used",
                    Listing::Caller => "the user that makes the requests cannot be found (`include_self`)",
                    Listing::Users => "its users cannot be listed (`discover`)",
                    Listing::TypedUsers => "its users of other types cannot be listed (`user_types`)",
                    Listing::Members => "the members of its organization cannot be listed (`organization`)",
                    Listing::LastUses => "when keys were last used cannot be found (`last_used`)",
                };
                let failure = account.listings.get(listing).failure.as_ref();
                Self {
                    what: what.to_owned(),
                    since: failure.map(|failure| (failure.since, account.now)),
                    error: failure.map(|failure| Arc::clone(&failure.error)),
                    advice: failure.and_then(|failure| of_listing(listing, failure.reason, failure.code)),
                }
            }
            AccountProblem::CredentialNotRenewed => {
                let problem = account.credential_problem.as_ref();
                Self {
                    what: "its credential cannot be renewed".to_owned(),
                    since: problem.map(|problem| (problem.since, account.now)),
                    error: problem.map(|problem| Arc::clone(&problem.error)),
                    advice: Some("The last valid one stays in use until it expires or the exporter restarts.".into()),
                }
            }
            AccountProblem::ClockSkew(ahead) => {
                let side = if ahead.is_positive() { "behind" } else { "ahead of" };
                Self::plain(
                    &format!("this machine's clock is {} {side} the API's", duration(ahead.unsigned_abs())),
                    "Set the clock. Until then, signatures and ages follow the API's.",
                )
            }
            AccountProblem::Throttled => Self::plain(
                "the API throttles it, so it sends fewer requests",
                "Find what else calls the API in this account, or lower `poll.rate_limit`.",
            ),
            AccountProblem::IntervalTooShort(needed) => Self::plain(
                &format!("the rate limit reaches every user in {} at best", duration(needed)),
                "Raise `poll.interval` to more than that.",
            ),
        }
    }

    fn of_down(account: &AccountReport) -> Self {
        let users = account.assessment.users;
        let what = match users.total {
            0 => "no user is known, as a list of them failed".to_owned(),
            total if users.missing == total => {
                format!("{}, and none exists", count(total, "user is configured", "users are configured"))
            }
            total => format!("no last poll of its {} brought keys", count(total, "user", "users")),
        };
        Self { what, since: None, error: None, advice: None }
    }

    pub(super) fn plain(what: &str, advice: &'static str) -> Self {
        Self { what: what.to_owned(), since: None, error: None, advice: Some(advice.into()) }
    }

    /// As HTML, with so many bytes of the error at most.
    pub(super) fn html(&self, room: usize) -> Markup {
        html! {
            (prose(&self.what))
            @if let Some((time, now)) = self.since { ", " (since(time, now)) }
            @if let Some(error) = &self.error { ": " (foreign(error, room)) }
            "."
            @if let Some(advice) = &self.advice { " " strong { (prose(advice)) } }
        }
    }
}

// === impl AccountReport ===

impl AccountReport {
    /// Its state, as the class that gives the colour, and in words.
    pub(super) fn state(&self) -> (&'static str, &'static str) {
        if self.assessment.problems.contains(&AccountProblem::Silent) {
            return ("blind", "no longer polled");
        }
        match self.assessment.state {
            AccountState::Down => ("blind", "down"),
            AccountState::Up => ("good", "up"),
            AccountState::Empty => ("quiet", "no users here"),
            AccountState::Unknown => ("wait", "not polled yet"),
        }
    }
}

/// What a listing lists that has not been answered yet.
pub(super) fn awaited(listing: Listing) -> &'static str {
    match listing {
        Listing::UinsFile => "the file of users (`uins_file`)",
        Listing::Caller => "the user that makes the requests (`include_self`)",
        Listing::Users => "the list of users (`discover`)",
        Listing::TypedUsers => "the list of users of other types (`user_types`)",
        Listing::Members => "the list of the organization's members (`organization`)",
        Listing::LastUses => "when keys were last used (`last_used`)",
    }
}
