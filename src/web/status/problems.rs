//! What needs somebody's attention, in a sentence each.

use std::{cmp::Reverse, fmt::Write};

use super::{
    account::Trouble,
    report::{Named, Report},
    text::{Count, Grouped},
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

/// What is said of one or of many accounts in each kind of trouble.
const TROUBLES: [(Gravity, &str, &str); Trouble::KINDS] = [
    (Gravity::Blind, "account is polled no longer", "accounts are polled no longer"),
    (Gravity::Blind, "account is down", "accounts are down"),
    (
        Gravity::Blind,
        "account has a file of users that cannot be used",
        "accounts have files of users that cannot be used",
    ),
    (Gravity::Act, "account finds this machine's clock wrong", "accounts find this machine's clock wrong"),
    (Gravity::Act, "account is throttled", "accounts are throttled"),
    (
        Gravity::Act,
        "account has too short an interval for its users",
        "accounts have too short intervals for their users",
    ),
];

/// Those of a report, the gravest first.
pub(super) fn problems(report: &Report) -> Vec<Problem> {
    let totals = &report.totals;
    let of_users = [
        (Gravity::Blind, totals.failing, "user cannot be polled", "users cannot be polled", "failing"),
        (
            Gravity::Blind,
            totals.late,
            "user was last answered for over three intervals ago",
            "users were last answered for over three intervals ago",
            "accounts",
        ),
        (Gravity::Act, totals.stale_keys, "key is older than it may be", "keys are older than they may be", "keys"),
        (
            Gravity::Act,
            totals.over_limit,
            "user has more keys than allowed",
            "users have more keys than allowed",
            "limit",
        ),
        (Gravity::Act, totals.absent, "user does not exist", "users do not exist", "absent"),
    ];
    let of_accounts = TROUBLES.iter().zip(&report.troubles).filter(|(_, accounts)| accounts.of > 0).map(
        |((gravity, one, many), accounts)| Problem {
            gravity: *gravity,
            text: format!("{}: {}", Count(accounts.of, one, many), names(accounts)),
            part: "accounts",
        },
    );
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
