//! A page of a whole list as it is written.

use std::num::NonZeroUsize;

use exporter_toolkit::TelemetryPath;
use maud::{Markup, html};

use super::{
    frame::{self, Mark},
    list::{Listed, Rows},
    query::{List, Of, UserFilter},
    rows::{KeyRow, UserRow},
    runbook::Runbook,
    table::{accounts_table, table},
    text::{grouped, utc},
};
use crate::inventory::assessment::{Finding, UserState};

/// A page of a list as a document. It links to the metrics at `telemetry_path`.
pub(super) fn list_page(listed: &Listed, telemetry_path: &TelemetryPath) -> Markup {
    let Listed { list, of, rows, made } = listed;
    let title = list.of.title();
    let body = html! {
        (frame::header(None, telemetry_path))
        main {
            (filters(list))
            section aria-labelledby="list" {
                h2 id="list" {
                    (title) " "
                    small {
                        (grouped(*of))
                        @if let Some(account) = &list.account { " in account " (account) }
                        @if let Some(uin) = list.uin { " of user " (uin) }
                    }
                    @if let Some(runbook) = list.of.runbook() { " " (runbook.link()) }
                }
                @if *of == 0 { p { "None." } } @else { (rows_table(rows)) }
            }
            @if listed.pages().get() > 1 { (pager(list, listed.pages())) }
        }
        footer { "Made at " (utc(*made)) ". In the order of the configuration and of UINs." }
    };
    frame::document(title, Mark::Plain, None, &body)
}

/// The ways to the whole list, and to each part of it.
fn filters(list: &List) -> Markup {
    let all: Vec<Of> = match list.of {
        Of::Accounts => vec![],
        Of::Users(_) => [None].into_iter().chain(UserFilter::ALL.map(Some)).map(Of::Users).collect(),
        Of::Keys(_) => [None].into_iter().chain(Finding::OF_KEYS.map(Some)).map(Of::Keys).collect(),
    };
    html! {
        nav.filters aria-label="Lists" {
            a href="?" { "Overview" }
            @for of in all {
                " "
                a href=(List { of, page: NonZeroUsize::MIN, ..list.clone() })
                    aria-current=[(of == list.of).then_some("page")] { (of.title()) }
            }
        }
    }
}

fn rows_table(rows: &Rows) -> Markup {
    match rows {
        Rows::Accounts(accounts) => accounts_table(accounts),
        Rows::Users(users) => {
            let row = |user: &UserRow| {
                [user.who(), user.account(), user.state(), user.keys(), user.next_poll(), user.last_answer()]
            };
            let columns = ["User", "Account", "State", "Keys", "Next poll", "Last answer"];
            table("users", columns, 0, users.iter().map(row))
        }
        Rows::Keys(keys) => {
            let row = |key: &KeyRow| {
                [key.age(&Finding::OF_KEYS), key.label(), key.who(), key.account(), key.status(), key.last_use()]
            };
            table("keys", ["Age", "Key", "User", "Account", "Status", "Last use"], 1, keys.iter().map(row))
        }
    }
}

/// The ways to the other pages of a list that has so many.
fn pager(list: &List, pages: NonZeroUsize) -> Markup {
    let page = list.page.get();
    let link = |to: usize, text: &str| {
        let to = NonZeroUsize::new(to).filter(|to| *to != list.page && *to <= pages);
        html! { @if let Some(to) = to { a href=(List { page: to, ..list.clone() }) { (text) } " " } }
    };
    html! {
        nav.pages aria-label="Pages" {
            (link(1, "First"))
            (link(page - 1, "Previous"))
            span { "Page " (grouped(page)) " of " (grouped(pages.get())) } " "
            (link(page + 1, "Next"))
            (link(pages.get(), "Last"))
        }
    }
}

// === impl Of ===

impl Of {
    /// What the list is called.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Accounts => "Accounts",
            Self::Users(None) => "All users",
            Self::Users(Some(UserFilter::State(UserState::Failing))) => "Failing users",
            Self::Users(Some(UserFilter::State(UserState::Missing))) => "Users who do not exist",
            Self::Users(Some(UserFilter::State(UserState::Unknown))) => "Users not polled yet",
            Self::Users(Some(UserFilter::State(UserState::Up))) => "Users that are up",
            Self::Users(Some(UserFilter::Late)) => "Users with a late answer",
            Self::Users(Some(UserFilter::AtLimit)) => "Users at their key limit",
            Self::Users(Some(UserFilter::OverLimit)) => "Users over their key limit",
            Self::Keys(None) => "All keys",
            Self::Users(Some(UserFilter::ConsoleLogin)) => "Users with keys and console login",
            Self::Users(Some(UserFilter::ExemptionEnded)) => "Users whose exemption has ended",
            Self::Keys(Some(Finding::AutoDisableSoon)) => "Keys that will soon be disabled",
            Self::Keys(Some(Finding::VeryStale)) => "Very stale keys",
            Self::Keys(Some(Finding::Stale)) => "Stale keys",
            Self::Keys(Some(Finding::OverLimit)) => "Keys of users over the limit",
            Self::Keys(Some(Finding::Unused)) => "Unused keys",
            Self::Keys(Some(Finding::RotationUnfinished)) => "Keys of unfinished rotations",
            Self::Keys(Some(Finding::ConsoleLogin)) => "Keys of users with console login",
            Self::Keys(Some(Finding::AtLimit)) => "Keys of users at the limit",
            Self::Keys(Some(Finding::Inactive)) => "Inactive keys",
        }
    }

    fn runbook(self) -> Option<Runbook> {
        match self {
            Self::Accounts
            | Self::Keys(None)
            | Self::Users(None | Some(UserFilter::State(UserState::Unknown | UserState::Up))) => None,
            Self::Users(Some(UserFilter::State(UserState::Failing | UserState::Missing))) => Some(Runbook::POLLS),
            Self::Users(Some(UserFilter::Late)) => Some(Runbook::LATE),
            Self::Users(Some(UserFilter::AtLimit)) => Some(Runbook::of_finding(Finding::AtLimit)),
            Self::Users(Some(UserFilter::ConsoleLogin)) => Some(Runbook::of_finding(Finding::ConsoleLogin)),
            Self::Users(Some(UserFilter::ExemptionEnded)) => Some(Runbook::EXEMPTION),
            Self::Users(Some(UserFilter::OverLimit)) => Some(Runbook::of_finding(Finding::OverLimit)),
            Self::Keys(Some(finding)) => Some(Runbook::of_finding(finding)),
        }
    }
}
