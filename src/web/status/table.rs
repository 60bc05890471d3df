//! Tables, and that of accounts.

use maud::{Markup, html};

use super::{
    account::{AccountReport, BudgetReport, SweepReport},
    note::{Note, awaited},
    problems::Severity,
    query::{List, Of, UserFilter},
    text::{count, duration, grouped, per_second, prose},
};
use crate::inventory::assessment::{AccountProblem, UserState};

/// The most bytes that the error of an account's first problem takes in its row, and those of the others.
const ERRORS: [usize; 2] = [400, 120];

/// A table of that class. The cells of the column `heading` are the headings of the rows. The style sheet selects cells
/// by their number, as classes in each row would make the page long.
pub(super) fn table<const N: usize>(
    class: &str,
    columns: [&str; N],
    heading: usize,
    rows: impl Iterator<Item = [Markup; N]>,
) -> Markup {
    html! {
        table class=(class) {
            thead { tr { @for column in columns { th scope="col" { (column) } } } }
            tbody {
                @for row in rows {
                    tr {
                        @for (column, cell) in row.iter().enumerate() {
                            @if column == heading { th scope="row" { (cell) } } @else { td { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

/// The table of these accounts.
pub(super) fn accounts_table<'a>(accounts: impl IntoIterator<Item = &'a AccountReport>) -> Markup {
    let row = |account| [name(account), users(account), requests(account), sweep(account), freshness(account)];
    let columns = ["Account", "Users", "Requests", "Sweep", "Freshness"];
    table("accounts", columns, 0, accounts.into_iter().map(row))
}

/// The name, the state, and what is wrong.
fn name(account: &AccountReport) -> Markup {
    let (class, state) = account.state();
    let users = List::new(Of::Users(None)).of_account(&account.name);
    let assessment = &account.assessment;
    let is_told = |problem: &&AccountProblem| !matches!(problem, AccountProblem::Silent | AccountProblem::Down);
    html! {
        a href=(users) { (account.name) } " " span class=(class) { (state) }
        @for (number, problem) in assessment.problems.iter().filter(is_told).enumerate() {
            p class=(Severity::of(problem.kind()).class()) { (Note::of(*problem, account).html(ERRORS[number.min(1)])) }
        }
        @for listing in &assessment.awaited { p.wait { "awaited: " (prose(awaited(*listing))) } }
    }
}

fn users(account: &AccountReport) -> Markup {
    let users = &account.assessment.users;
    let parts = [
        (users.unknown, UserState::Unknown, "not polled yet"),
        (users.failing, UserState::Failing, "failing"),
        (users.missing, UserState::Missing, "not there"),
    ];
    html! {
        (count(users.total, "user", "users"))
        @for (number, state, what) in parts.into_iter().filter(|(number, ..)| *number > 0) {
            @let list = List::new(Of::Users(Some(UserFilter::State(state)))).of_account(&account.name);
            p { a href=(list) { (grouped(number)) " " (what) } }
        }
    }
}

fn requests(account: &AccountReport) -> Markup {
    let Some(BudgetReport { pace, rate, limit }) = account.budget else { return html! { "–" } };
    html! {
        (per_second(pace)) " of " (per_second(limit)) " a second"
        @if rate < limit { ", " (per_second(rate)) " at present" }
        meter min="0" max=(limit) value=(pace) aria-label="Requests a second" {}
    }
}

fn sweep(account: &AccountReport) -> Markup {
    let Some(SweepReport { asked, of, left, is_the_first }) = account.sweep.filter(|sweep| sweep.of > 0) else {
        return html! { "–" };
    };
    html! {
        @if is_the_first { "first: " }
        (grouped(asked)) " of " (grouped(of)) " asked, " (duration(left)) " left"
        progress max=(of) value=(asked) aria-label="Sweep" {}
    }
}

fn freshness(account: &AccountReport) -> Markup {
    let interval = duration(account.assessment.effective_interval);
    html! {
        @match account.assessment.oldest_answer {
            Some(oldest) => { "oldest answer " (duration(oldest)) " ago" },
            None => "no answer yet",
        }
        @match account.assessment.users.late {
            0 => p.quiet { "polled every " (interval) },
            late => p.blind { (grouped(late)) " over three intervals of " (interval) },
        }
    }
}
