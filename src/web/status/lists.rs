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
    text::{grouped, prose, since, users},
    worst::TopN,
};
use crate::{
    inventory::assessment::{Finding, UserState},
    language::Language,
};

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
    language: Language,
    id: &str,
    title: &str,
    list: &TopN<R, T>,
    all: Of,
    runbook: Option<Runbook>,
    content: &Markup,
) -> Markup {
    let (shown, of) = (grouped(list.shown()), grouped(list.of()));
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) {
                (title) " "
                small {
                    @if list.shown() == list.of() {
                        (of)
                    } @else {
                        (language.choose(
                            format!("{shown} of {of}, the worst first"),
                            format!("共 {of} 个，显示最严重的 {shown} 个"),
                        ))
                    }
                }
                @if list.of() > 0 {
                    " " a href=(List::new(all)) { (language.choose("All ", "全部 ")) (of) }
                    @if let Some(runbook) = runbook { " " (runbook.link(language)) }
                }
            }
            (content)
        }
    }
}

fn accounts(report: &Report) -> Markup {
    let language = report.language;
    let content = html! {
        @if report.accounts.of() > 0 {
            (accounts_table(language, report.accounts()))
        } @else if report.config_refused {
            p {
                (language.choose(
                    "Nobody is polled until there is a configuration that can be used.",
                    "在有可用的配置之前，不轮询任何用户。",
                ))
            }
        } @else {
            p { (language.choose("No account falls to this exporter.", "没有分配给此 exporter 的账号。")) }
        }
    };
    section(language, "accounts", Of::Accounts.title(language), &report.accounts, Of::Accounts, None, &content)
}

fn failing(report: &Report) -> Markup {
    let language = report.language;
    let row = |user: &UserRow| {
        [
            user.who(),
            user.account(),
            user.why(language),
            user.since(language),
            user.next_poll(language),
            user.last_answer(language),
        ]
    };
    let columns = language.choose(
        ["User", "Account", "Why", "Failing", "Next poll", "Last answer"],
        ["用户", "账号", "原因", "持续时间", "下次轮询", "上次响应"],
    );
    let comma = language.choose(", ", "，");
    let content = html! {
        ul.causes {
            @for cause in report.causes.iter().take(CAUSES) {
                li {
                    strong { (cause.cause.html(language)) } (comma) (users(language, cause.users))
                    @if let Some((time, now)) = cause.since { (comma) (since(language, time, now)) }
                    // Where nothing can be said but what the error says, that is shown here as well.
                    @if let Some(advice) = cause.cause.advice(language) {
                        (language.choose(". ", "。")) (prose(advice))
                    } @else if let Some(error) = &cause.error {
                        (language.choose(": ", "：")) (foreign(error, ERROR))
                    }
                }
            }
            @if report.causes.len() > CAUSES { li { (language.choose("And others.", "以及其他原因。")) } }
        }
        (table("failing", columns, 0, report.failing.iter().map(row)))
    };
    let all = Of::Users(Some(UserFilter::State(UserState::Failing)));
    section(language, "failing", all.title(language), &report.failing, all, Some(Runbook::POLLS), &content)
}

fn keys(report: &Report) -> Markup {
    let language = report.language;
    let rows = report.keys.iter().map(|key| {
        let age = key.age(language, &[Finding::VeryStale, Finding::Stale]);
        [age, key.label(), key.who(), key.account(), key.status(language)]
    });
    let columns =
        language.choose(["Age", "Key", "User", "Account", "Status"], ["创建时长", "密钥", "用户", "账号", "状态"]);
    let content = html! {
        @if report.keys.of() == 0 {
            p { (language.choose("No key is known.", "没有已知的密钥。")) }
        } @else {
            (table("keys", columns, 1, rows))
        }
    };
    let runbook = Runbook::of_finding(Finding::Stale);
    let title = language.choose("Oldest keys", "创建最早的密钥");
    section(language, "keys", title, &report.keys, Of::Keys(None), Some(runbook), &content)
}

fn at_limit(report: &Report) -> Markup {
    let language = report.language;
    let rows = report.at_limit.iter().map(|user| [user.who(), user.account(), user.keys(language)]);
    let columns = language.choose(["User", "Account", "Keys"], ["用户", "账号", "密钥"]);
    let content = table("limit", columns, 0, rows);
    let (all, runbook) = (Of::Users(Some(UserFilter::AtLimit)), Runbook::of_finding(Finding::AtLimit));
    section(language, "limit", all.title(language), &report.at_limit, all, Some(runbook), &content)
}

fn absent(report: &Report) -> Markup {
    let language = report.language;
    let rows = report.absent.iter().map(|user| [user.who(), user.account(), user.last_answer(language)]);
    let columns = language.choose(["User", "Account", "Last answer"], ["用户", "账号", "上次响应"]);
    let content = html! {
        p { (prose(ABSENT.advice(language).unwrap_or_default())) }
        (table("absent", columns, 0, rows))
    };
    let all = Of::Users(Some(UserFilter::State(UserState::Missing)));
    section(language, "absent", all.title(language), &report.absent, all, Some(Runbook::POLLS), &content)
}
