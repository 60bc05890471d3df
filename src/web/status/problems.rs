//! What needs attention, in a sentence each.

use std::cmp::Reverse;

use super::{
    note::Note,
    report::{CauseReport, Named, Report},
    runbook::Runbook,
    text::{count, grouped},
};
use crate::inventory::{
    AccountName, Listing,
    assessment::{AUTO_DISABLE_ANNOUNCEMENT, Finding, ProblemKind},
};

/// Something that needs attention.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) gravity: Severity,
    /// What, in plain text.
    pub(super) text: String,
    /// The link to the details.
    pub(super) href: &'static str,
    /// What is to be said of one that has it: the name of the account, where it is one, and why.
    pub(super) note: Option<(Option<String>, Note)>,
    pub(super) runbook: Runbook,
}

/// Where the keys are that will soon be disabled.
const DISABLED_SOON: &str = "?show=keys&finding=auto_disable_soon";

/// What to do about them.
const OF_AUTO_DISABLE: &str = "Delete keys that nobody needs, and use or replace the others before their day. If your accounts are \
                               not affected, set `keys.auto_disable_after` to `null`.";

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// What is shown is true, and action is needed.
    Act,
    /// What is shown may no longer be true.
    Blind,
}

impl Severity {
    /// Of a problem of an account.
    pub(super) fn of(kind: ProblemKind) -> Self {
        match kind {
            ProblemKind::Silent | ProblemKind::Down | ProblemKind::Outage | ProblemKind::ListingFailed(_) => {
                Self::Blind
            }
            ProblemKind::CredentialNotRenewed
            | ProblemKind::ClockSkew
            | ProblemKind::Throttled
            | ProblemKind::IntervalTooShort => Self::Act,
        }
    }
}

/// What is said of one or of many accounts with a problem.
fn of_accounts(kind: ProblemKind) -> (&'static str, &'static str) {
    match kind {
        ProblemKind::Silent => ("account is no longer polled", "accounts are no longer polled"),
        ProblemKind::Down => ("account is down", "accounts are down"),
        ProblemKind::Outage => {
            ("account was not answered for two intervals", "accounts were not answered for two intervals")
        }
        ProblemKind::ListingFailed(Listing::UinsFile) => {
            ("account has a uins_file that cannot be used", "accounts have uins_files that cannot be used")
        }
        ProblemKind::ListingFailed(Listing::Caller) => {
            ("account cannot find the user that asks", "accounts cannot find the users that ask")
        }
        ProblemKind::ListingFailed(Listing::Users) => {
            ("account cannot list its users", "accounts cannot list their users")
        }
        ProblemKind::ListingFailed(Listing::TypedUsers) => {
            ("account cannot list its users of other types", "accounts cannot list their users of other types")
        }
        ProblemKind::ListingFailed(Listing::Members) => {
            ("account cannot list its organization", "accounts cannot list their organizations")
        }
        ProblemKind::ListingFailed(Listing::LastUses) => {
            ("account cannot find when keys were last used", "accounts cannot find when keys were last used")
        }
        ProblemKind::CredentialNotRenewed => {
            ("account cannot renew its credential", "accounts cannot renew their credentials")
        }
        ProblemKind::ClockSkew => {
            ("account finds this machine's clock wrong", "accounts find this machine's clock wrong")
        }
        ProblemKind::Throttled => ("account is throttled", "accounts are throttled"),
        ProblemKind::IntervalTooShort => {
            ("account has too short an interval for its users", "accounts have too short intervals for their users")
        }
    }
}

/// Those of a report, the gravest first.
pub(super) fn problems(report: &Report) -> Vec<Problem> {
    let (users, keys) = (&report.totals.users, &report.totals.keys);
    let of_users = [
        (Severity::Blind, users.failing, "user cannot be polled", "users cannot be polled", "#failing", Runbook::POLLS),
        (
            Severity::Blind,
            users.late,
            "user was last answered for over three intervals ago",
            "users were last answered for over three intervals ago",
            "?show=users&state=late",
            Runbook::LATE,
        ),
        (
            Severity::Act,
            keys.with(Finding::AutoDisableSoon),
            "key is not used and will soon be disabled by Tencent Cloud",
            "keys are not used and will soon be disabled by Tencent Cloud",
            DISABLED_SOON,
            Runbook::of_finding(Finding::AutoDisableSoon),
        ),
        (
            Severity::Act,
            keys.with(Finding::Stale),
            "key is older than it may be",
            "keys are older than they may be",
            "#keys",
            Runbook::of_finding(Finding::Stale),
        ),
        (
            Severity::Act,
            users.over_limit,
            "user has more keys than allowed",
            "users have more keys than allowed",
            "#limit",
            Runbook::of_finding(Finding::OverLimit),
        ),
        (
            Severity::Act,
            users.exemption_ended,
            "user has an exemption that has ended",
            "users have exemptions that have ended",
            "?show=users&state=exemption_ended",
            Runbook::EXEMPTION,
        ),
        (Severity::Act, users.missing, "user does not exist", "users do not exist", "#absent", Runbook::POLLS),
    ];
    let of_accounts = report.problems.iter().map(|(kind, affected)| {
        let ((one, many), accounts) = (of_accounts(*kind), &affected.accounts);
        let first = accounts.names.first().map(ToString::to_string);
        Problem {
            gravity: Severity::of(*kind),
            text: format!("{}: {}", count(accounts.of, one, many), names(accounts)),
            href: "#accounts",
            note: Some((first, affected.note.clone())),
            runbook: Runbook::of_problem(*kind),
        }
    });
    let of_users = of_users.into_iter().filter(|(_, number, ..)| *number > 0).map(
        |(gravity, number, one, many, href, runbook)| {
            let note = match (href, report.causes.first()) {
                ("#failing", Some(cause)) => Some(of_cause(cause, report.causes.len() > 1)),
                (DISABLED_SOON, _) => Some(Note::plain(AUTO_DISABLE_ANNOUNCEMENT, OF_AUTO_DISABLE)),
                _ => None,
            };
            let note = note.map(|note| (None, note));
            Problem { gravity, text: count(number, one, many), href, note, runbook }
        },
    );
    let of_config = report.config_refused.then(|| Problem {
        gravity: Severity::Act,
        text: "the configuration cannot be used: the log and `check-config` tell why".to_owned(),
        href: "#accounts",
        note: None,
        runbook: Runbook::CONFIG,
    });
    let mut problems: Vec<Problem> = of_config.into_iter().chain(of_accounts).chain(of_users).collect();
    problems.sort_by_key(|problem| Reverse(problem.gravity));
    problems
}

/// Why polls of users fail: one cause, and the first error.
fn of_cause(CauseReport { cause, users, since, error }: &CauseReport, are_others: bool) -> Note {
    let (reason, code) = cause.labels();
    let reason = code.map_or_else(|| reason.to_owned(), |code| format!("{reason} `{code}`"));
    let what = if are_others { format!("{reason} ({})", count(*users, "user", "users")) } else { reason };
    Note { what, since: *since, error: error.clone(), advice: cause.advice().map(Into::into) }
}

/// The first few of `accounts`, and how many others there are.
pub(super) fn names(accounts: &Named) -> String {
    let names: Vec<&str> = accounts.names.iter().map(AccountName::as_str).collect();
    let names = names.join(", ");
    match accounts.of - accounts.names.len() {
        0 => names,
        others => format!("{names} and {} more", grouped(others)),
    }
}
