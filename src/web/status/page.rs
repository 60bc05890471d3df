//! The overview as it is written: the numbers on top, what needs attention, what is awaited, and the lists.

use exporter_toolkit::TelemetryPath;
use maud::{Markup, html};

use super::{
    frame::{self, Mark},
    lists::lists,
    note,
    problems::{Problem, Severity, names, problems},
    report::{Report, Totals},
    text::{count, duration, grouped, prose, utc},
};
use crate::inventory::assessment::Finding;

/// How often the page loads itself again, in seconds.
const REFRESH: u32 = 15;

/// The most bytes that an error takes beside a problem.
const ERROR: usize = 700;

/// The state of all in a few words.
struct State {
    words: String,
    class: &'static str,
    mark: Mark,
}

/// The overview as a document. It links to the metrics at `telemetry_path`, and reloads itself unless it `is_still`.
pub(super) fn overview(report: &Report, telemetry_path: &TelemetryPath, is_still: bool) -> Markup {
    let problems = problems(report);
    let State { words, class, mark } = state(&report.totals, &problems);
    let body = html! {
        (frame::header(Some((class, &words)), telemetry_path))
        main {
            (numbers(report))
            @if !problems.is_empty() { (attention(&problems)) }
            @if !report.awaited.is_empty() || report.unpolled.of > 0 { (awaited(report)) }
            (lists(report))
        }
        (footer(report, is_still))
    };
    frame::document(&words, mark, (!is_still).then_some(REFRESH), &body)
}

fn state(totals: &Totals, problems: &[Problem]) -> State {
    let words = count(problems.len(), "problem", "problems");
    match problems.first().map(|problem| problem.gravity) {
        Some(gravity) => State { words, class: gravity.class(), mark: gravity.mark() },
        None if totals.proven < totals.accounts => {
            State { words: "Starting".to_owned(), class: "wait", mark: Mark::Wait }
        }
        None => State { words: "All well".to_owned(), class: "good", mark: Mark::Good },
    }
}

fn numbers(report: &Report) -> Markup {
    let Totals { accounts, users, keys, .. } = &report.totals;
    let of_users = match users.unknown {
        0 => format!("of {}", of_accounts(*accounts)),
        unknown => format!("{} not polled yet", grouped(unknown)),
    };
    let allowed = match report.max_ages.first() {
        Some(max_age) if report.max_ages.len() == 1 => format!("over {}", duration(*max_age)),
        _ => "older than they may be".to_owned(),
    };
    let absent = match users.missing {
        0 => "and none that does not exist".to_owned(),
        absent => format!("and {}", count(absent, "that does not exist", "that do not exist")),
    };
    let numbers = [
        ("Users", users.total, "number", of_users),
        ("Keys", keys.total, "number", format!("{} inactive", grouped(keys.with(Finding::Inactive)))),
        ("Stale keys", keys.with(Finding::Stale), "number act", allowed),
        ("At key limit", users.at_limit, "number", format!("{} over it", grouped(users.over_limit))),
        ("Failing users", users.failing, "number blind", absent),
    ];
    html! {
        dl {
            @for (name, number, class, note) in numbers {
                div {
                    dt { (name) }
                    dd class=(if number == 0 { "number" } else { class }) { (grouped(number)) }
                    dd { (note) }
                }
            }
        }
    }
}

fn attention(problems: &[Problem]) -> Markup {
    html! {
        section aria-labelledby="attention" {
            h2 id="attention" { "Needs attention" }
            ul {
                @for Problem { gravity, text, href, note, runbook } in problems {
                    li class=(gravity.class()) {
                        a href=(href) { (prose(text)) }
                        @if let Some((account, note)) = note {
                            p {
                                @if let Some(account) = account { (account) ": " }
                                (note.html(ERROR)) " " (runbook.link())
                            }
                        } @else {
                            " " (runbook.link())
                        }
                    }
                }
            }
        }
    }
}

/// What has to come before it is proven that all is well.
fn awaited(report: &Report) -> Markup {
    let Report { awaited, unpolled, totals, .. } = report;
    html! {
        section aria-labelledby="awaited" {
            h2 id="awaited" { "Awaited from the API" }
            ul {
                @for (listing, accounts) in awaited {
                    li.wait {
                        (prose(note::awaited(*listing))) ", in " (of_accounts(accounts.of)) ": " (names(accounts))
                    }
                }
                @if unpolled.of > 0 {
                    li.wait {
                        "the keys of " (count(totals.users.unknown, "user", "users")) ", in " (of_accounts(unpolled.of))
                        ": " (names(unpolled))
                    }
                }
            }
            p { "A request that fails, or is not answered within " code { "poll.timeout" } ", is shown here." }
        }
    }
}

fn footer(report: &Report, is_still: bool) -> Markup {
    html! {
        footer {
            "Version " (env!("CARGO_PKG_VERSION")) " (" (env!("BUILD_REVISION")) "), up for " (duration(report.uptime))
            ". Made at " (utc(report.made))
            @if is_still {
                ", and held still: " a href="?" { "go on" }
            } @else {
                ", and again every " (REFRESH) " s: " a href="?still" { "hold still" }
            }
            "."
        }
    }
}

fn of_accounts(number: usize) -> String {
    count(number, "account", "accounts")
}

// === impl Severity ===

impl Severity {
    /// The class that gives the colour and the shape.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Blind => "blind",
        }
    }

    fn mark(self) -> Mark {
        match self {
            Self::Act => Mark::Act,
            Self::Blind => Mark::Blind,
        }
    }
}
