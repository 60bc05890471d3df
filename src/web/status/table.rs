//! Tables, and that of accounts.

use maud::{Markup, html};

use super::{
    account::{AccountReport, BudgetReport, SweepReport},
    note::{Note, awaited},
    problems::Severity,
    query::{List, Of, UserFilter},
    text::{self, duration, grouped, per_second, prose},
};
use crate::{
    inventory::assessment::{AccountProblem, UserState},
    language::Language,
};

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
pub(super) fn accounts_table<'a>(language: Language, accounts: impl IntoIterator<Item = &'a AccountReport>) -> Markup {
    let row = |account| [name, users, requests, sweep, freshness].map(|cell| cell(language, account));
    let columns = language.choose(
        ["Account", "Users", "Requests", "Sweep", "Freshness"],
        ["账号", "用户", "请求", "本轮轮询", "数据时效"],
    );
    table("accounts", columns, 0, accounts.into_iter().map(row))
}

/// The name, the state, and what is wrong.
fn name(language: Language, account: &AccountReport) -> Markup {
    let (class, state) = account.state(language);
    let users = List::new(Of::Users(None)).of_account(&account.name);
    let assessment = &account.assessment;
    let is_told = |problem: &&AccountProblem| !matches!(problem, AccountProblem::Silent | AccountProblem::Down);
    html! {
        a href=(users) { (account.name) } " " span class=(class) { (state) }
        @for (number, problem) in assessment.problems.iter().filter(is_told).enumerate() {
            @let note = Note::of(language, *problem, account);
            p class=(Severity::of(problem.kind()).class()) { (note.html(language, ERRORS[number.min(1)])) }
        }
        @for listing in &assessment.awaited {
            p.wait { (language.choose("awaited: ", "等待响应：")) (prose(awaited(language, *listing))) }
        }
    }
}

fn users(language: Language, account: &AccountReport) -> Markup {
    let users = &account.assessment.users;
    let parts = [
        (users.unknown, UserState::Unknown, language.choose("not polled yet", "个尚未轮询")),
        (users.failing, UserState::Failing, language.choose("failing", "个轮询失败")),
        (users.missing, UserState::Missing, language.choose("not there", "个不存在")),
    ];
    html! {
        (text::users(language, users.total))
        @for (number, state, what) in parts.into_iter().filter(|(number, ..)| *number > 0) {
            @let list = List::new(Of::Users(Some(UserFilter::State(state)))).of_account(&account.name);
            p { a href=(list) { (grouped(number)) " " (what) } }
        }
    }
}

fn requests(language: Language, account: &AccountReport) -> Markup {
    let Some(BudgetReport { pace, rate, limit }) = account.budget else { return html! { "–" } };
    let (now, current, most) = (per_second(pace), per_second(rate), per_second(limit));
    html! {
        (language.choose(format!("{now} of {most} a second"), format!("每秒 {now} 次，上限 {most} 次")))
        @if rate < limit { (language.choose(format!(", {current} at present"), format!("，目前限 {current} 次"))) }
        meter min="0" max=(limit) value=(pace) aria-label=(language.choose("Requests a second", "每秒请求数")) {}
    }
}

fn sweep(language: Language, account: &AccountReport) -> Markup {
    let Some(SweepReport { asked, of, left, is_the_first }) = account.sweep.filter(|sweep| sweep.of > 0) else {
        return html! { "–" };
    };
    let (done, all, left) = (grouped(asked), grouped(of), duration(language, left));
    html! {
        @if is_the_first { (language.choose("first: ", "首轮：")) }
        (language.choose(format!("{done} of {all} asked, {left} left"), format!("已轮询 {done} / {all}，还需 {left}")))
        progress max=(of) value=(asked) aria-label=(language.choose("Sweep", "本轮轮询")) {}
    }
}

fn freshness(language: Language, account: &AccountReport) -> Markup {
    let interval = duration(language, account.assessment.effective_interval);
    let oldest = account.assessment.oldest_answer.map(|oldest| duration(language, oldest));
    let late = account.assessment.users.late;
    html! {
        @match oldest {
            Some(oldest) => {
                (language.choose(format!("oldest answer {oldest} ago"), format!("最早的响应在 {oldest}前")))
            },
            None => (language.choose("no answer yet", "尚无响应")),
        }
        @if late == 0 {
            p.quiet { (language.choose(format!("polled every {interval}"), format!("轮询间隔 {interval}"))) }
        } @else {
            @let late = grouped(late);
            p.blind {
                (language.choose(
                    format!("{late} over three intervals of {interval}"),
                    format!("{late} 个超过三个间隔（每个 {interval}）"),
                ))
            }
        }
    }
}
