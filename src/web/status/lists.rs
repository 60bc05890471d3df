//! The lists of the overview: accounts, failing users, keys, users at their limit, users who do not exist.

use maud::{Markup, html};
use tencentcloud_api::Reason;

use super::{
    foreign::foreign,
    query::{List, Of, UserFilter},
    report::Report,
    rows::{Cause, ERROR, UserRow},
    runbook::Runbook,
    table::{accounts_table, table},
    text::{count, grouped, prose, since},
    worst::TopN,
};
use crate::inventory::assessment::{Finding, UserState};

/// What is said of users who do not exist.
const ABSENT: Cause = Cause::Known(Reason::UserNotFound, None);

/// The most causes of failures that are listed one by one.
const CAUSES: usize = 12;

/// The lists of a report.
pub(super) fn lists(report: &Report) -> Markup {
    html! {
        (accounts(report))
        @if report.failing.of() > 0 { (failing(report)) }
        div.halves {
            (keys(report))
            div {
                @if report.at_limit.of() > 0 { (at_limit(report)) }
                @if report.absent.of() > 0 { (absent(report)) }
            }
        }
    }
}

/// A list under a heading: what it is called, how many of how many it shows, and where the whole list is.
fn section<R: Ord, T>(
    id: &str,
    title: &str,
    list: &TopN<R, T>,
    all: Of,
    runbook: Option<Runbook>,
    content: &Markup,
) -> Markup {
    let of = grouped(list.of());
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) {
                (title) " "
                small {
                    @if list.shown() == list.of() {
                        (of)
                    } @else {
                        (grouped(list.shown())) " of " (of) ", the worst first"
                    }
                }
                @if list.of() > 0 {
                    " " a href=(List::new(all)) { "All " (of) }
                    @if let Some(runbook) = runbook { " " (runbook.link()) }
                }
            }
            (content)
        }
    }
}

fn accounts(report: &Report) -> Markup {
    let content = html! {
        @if report.accounts.of() > 0 {
            (accounts_table(report.accounts()))
        } @else if report.config_refused {
            p { "Nobody is polled until there is a configuration that can be used." }
        } @else {
            p { "No account falls to this exporter." }
        }
    };
    section("accounts", "Accounts", &report.accounts, Of::Accounts, None, &content)
}

fn failing(report: &Report) -> Markup {
    let row =
        |user: &UserRow| [user.who(), user.account(), user.why(), user.since(), user.next_poll(), user.last_answer()];
    let columns = ["User", "Account", "Why", "Failing", "Next poll", "Last answer"];
    let content = html! {
        ul.causes {
            @for cause in report.causes.iter().take(CAUSES) {
                li {
                    strong { (cause.cause.html()) } ", " (count(cause.users, "user", "users"))
                    @if let Some((time, now)) = cause.since { ", " (since(time, now)) }
                    // Where nothing can be said but what the error says, that is shown here as well.
                    @if let Some(advice) = cause.cause.advice() {
                        ". " (prose(advice))
                    } @else if let Some(error) = &cause.error {
                        ": " (foreign(error, ERROR))
                    }
                }
            }
            @if report.causes.len() > CAUSES { li { "And others." } }
        }
        (table("failing", columns, 0, report.failing.iter().map(row)))
    };
    let all = Of::Users(Some(UserFilter::State(UserState::Failing)));
    section("failing", "Failing users", &report.failing, all, Some(Runbook::POLLS), &content)
}

fn keys(report: &Report) -> Markup {
    let rows = report.keys.iter().map(|key| {
        [key.age(&[Finding::VeryStale, Finding::Stale]), key.label(), key.who(), key.account(), key.status()]
    });
    let content = html! {
        @if report.keys.of() == 0 {
            p { "No key is known." }
        } @else {
            (table("keys", ["Age", "Key", "User", "Account", "Status"], 1, rows))
        }
    };
    let runbook = Runbook::of_finding(Finding::Stale);
    section("keys", "Oldest keys", &report.keys, Of::Keys(None), Some(runbook), &content)
}

fn at_limit(report: &Report) -> Markup {
    let rows = report.at_limit.iter().map(|user| [user.who(), user.account(), user.keys()]);
    let content = table("limit", ["User", "Account", "Keys"], 0, rows);
    let (all, runbook) = (Of::Users(Some(UserFilter::AtLimit)), Runbook::of_finding(Finding::AtLimit));
    section("limit", "Users at their key limit", &report.at_limit, all, Some(runbook), &content)
}

fn absent(report: &Report) -> Markup {
    let rows = report.absent.iter().map(|user| [user.who(), user.account(), user.last_answer()]);
    let content = html! {
        p { (prose(ABSENT.advice().unwrap_or_default())) }
        (table("absent", ["User", "Account", "Last answer"], 0, rows))
    };
    let all = Of::Users(Some(UserFilter::State(UserState::Missing)));
    section("absent", "Users who do not exist", &report.absent, all, Some(Runbook::POLLS), &content)
}
