//! What needs somebody's attention, in a sentence each.

use std::{cmp::Reverse, fmt::Write};

use super::{
    report::{Named, Report},
    text::{Count, Grouped},
};
use crate::inventory::{
    Listing,
    assessment::{Finding, ProblemKind},
};

/// Something that needs attention.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) gravity: Gravity,
    /// What, in plain text.
    pub(super) text: String,
    /// The id of the part of the page that tells more.
    pub(super) part: &'static str,
}

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gravity {
    /// What is shown is true, and somebody should act.
    Act,
    /// What is shown may no longer be true.
    Blind,
}

impl Gravity {
    /// Of a problem of an account.
    pub(super) fn of(kind: ProblemKind) -> Self {
        match kind {
            ProblemKind::Silent | ProblemKind::Down | ProblemKind::ListingFailed(_) => Self::Blind,
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
        ProblemKind::ListingFailed(Listing::UinsFile) => {
            ("account has a uins_file that cannot be used", "accounts have uins_files that cannot be used")
        }
        ProblemKind::ListingFailed(Listing::Caller) => {
            ("account cannot find the user that asks", "accounts cannot find the users that ask")
        }
        ProblemKind::ListingFailed(Listing::Users) => {
            ("account cannot list its users", "accounts cannot list their users")
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
        (Gravity::Blind, users.failing, "user cannot be polled", "users cannot be polled", "failing"),
        (
            Gravity::Blind,
            users.late,
            "user was last answered for over three intervals ago",
            "users were last answered for over three intervals ago",
            "accounts",
        ),
        (
            Gravity::Act,
            keys.with(Finding::Stale),
            "key is older than it may be",
            "keys are older than they may be",
            "keys",
        ),
        (
            Gravity::Act,
            users.over_limit,
            "user has more keys than allowed",
            "users have more keys than allowed",
            "limit",
        ),
        (Gravity::Act, users.missing, "user does not exist", "users do not exist", "absent"),
    ];
    let of_accounts = report.problems.iter().map(|(kind, accounts)| {
        let (one, many) = of_accounts(*kind);
        Problem {
            gravity: Gravity::of(*kind),
            text: format!("{}: {}", Count(accounts.of, one, many), names(accounts)),
            part: "accounts",
        }
    });
    let of_users =
        of_users.into_iter().filter(|(_, number, ..)| *number > 0).map(|(gravity, number, one, many, part)| Problem {
            gravity,
            text: Count(number, one, many).to_string(),
            part,
        });
    let of_config = report.config_refused.then(|| Problem {
        gravity: Gravity::Act,
        text: "the configuration cannot be used: the log tells why".to_owned(),
        part: "accounts",
    });
    let mut problems: Vec<Problem> = of_config.into_iter().chain(of_accounts).chain(of_users).collect();
    problems.sort_by_key(|problem| Reverse(problem.gravity));
    problems
}

fn names(accounts: &Named) -> String {
    let mut names = String::new();
    for (number, name) in accounts.names.iter().enumerate() {
        names.push_str(if number == 0 { "" } else { ", " });
        names.push_str(name.as_str());
    }
    let others = accounts.of - accounts.names.len();
    if others > 0 {
        // Writing to a string cannot fail.
        let _ = write!(names, " and {} more", Grouped(others));
    }
    names
}
