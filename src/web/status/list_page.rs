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
use crate::{
    inventory::assessment::{Finding, UserState},
    language::Language,
};

/// A page of a list as a document, in `language`. It links to the metrics at `telemetry_path`.
pub(super) fn list_page(language: Language, listed: &Listed, telemetry_path: &TelemetryPath) -> Markup {
    let Listed { list, of, rows, made } = listed;
    let title = list.of.title(language);
    let body = html! {
        (frame::header(language, None, telemetry_path))
        main {
            (filters(language, list))
            section aria-labelledby="list" {
                h2 id="list" {
                    (title) " "
                    small {
                        (grouped(*of))
                        @if let Some(account) = &list.account { (language.choose(" in account ", "，账号 ")) (account) }
                        @if let Some(uin) = list.uin { (language.choose(" of user ", "，用户 ")) (uin) }
                    }
                    @if let Some(runbook) = list.of.runbook() { " " (runbook.link(language)) }
                }
                @if *of == 0 { p { (language.choose("None.", "没有。")) } } @else { (rows_table(language, rows)) }
            }
            @if listed.pages().get() > 1 { (pager(language, list, listed.pages())) }
        }
        footer {
            (language.choose("Made at ", "生成于 ")) (utc(*made))
            (language.choose(". In the order of the configuration and of UINs.", "。按配置的顺序和 UIN 排列。"))
        }
    };
    frame::document(language, title, Mark::Plain, None, &body)
}

/// The ways to the whole list, and to each part of it.
fn filters(language: Language, list: &List) -> Markup {
    let all: Vec<Of> = match list.of {
        Of::Accounts => vec![],
        Of::Users(_) => [None].into_iter().chain(UserFilter::ALL.map(Some)).map(Of::Users).collect(),
        Of::Keys(_) => [None].into_iter().chain(Finding::OF_KEYS.map(Some)).map(Of::Keys).collect(),
    };
    html! {
        nav.filters aria-label=(language.choose("Lists", "列表")) {
            a href="?" { (language.choose("Overview", "总览")) }
            @for of in all {
                " "
                a href=(List { of, page: NonZeroUsize::MIN, ..list.clone() })
                    aria-current=[(of == list.of).then_some("page")] { (of.title(language)) }
            }
        }
    }
}

fn rows_table(language: Language, rows: &Rows) -> Markup {
    match rows {
        Rows::Accounts(accounts) => accounts_table(language, accounts),
        Rows::Users(users) => {
            let row = |user: &UserRow| {
                [
                    user.who(),
                    user.account(),
                    user.state(language),
                    user.keys(language),
                    user.next_poll(language),
                    user.last_answer(language),
                ]
            };
            let columns = language.choose(
                ["User", "Account", "State", "Keys", "Next poll", "Last answer"],
                ["用户", "账号", "状态", "密钥", "下次轮询", "上次响应"],
            );
            table("users", columns, 0, users.iter().map(row))
        }
        Rows::Keys(keys) => {
            let row = |key: &KeyRow| {
                [
                    key.age(language, &Finding::OF_KEYS),
                    key.label(),
                    key.who(),
                    key.account(),
                    key.status(language),
                    key.last_use(language),
                ]
            };
            let columns = language.choose(
                ["Age", "Key", "User", "Account", "Status", "Last use"],
                ["创建时长", "密钥", "用户", "账号", "状态", "最近使用"],
            );
            table("keys", columns, 1, keys.iter().map(row))
        }
    }
}

/// The ways to the other pages of a list that has so many.
fn pager(language: Language, list: &List, pages: NonZeroUsize) -> Markup {
    let page = list.page.get();
    let link = |to: usize, text: &str| {
        let to = NonZeroUsize::new(to).filter(|to| *to != list.page && *to <= pages);
        html! { @if let Some(to) = to { a href=(List { page: to, ..list.clone() }) { (text) } " " } }
    };
    let (number, of) = (grouped(page), grouped(pages.get()));
    html! {
        nav.pages aria-label=(language.choose("Pages", "分页")) {
            (link(1, language.choose("First", "首页")))
            (link(page - 1, language.choose("Previous", "上一页")))
            span { (language.choose(format!("Page {number} of {of}"), format!("第 {number} 页，共 {of} 页"))) } " "
            (link(page + 1, language.choose("Next", "下一页")))
            (link(pages.get(), language.choose("Last", "末页")))
        }
    }
}

// === impl Of ===

impl Of {
    /// What the list is called.
    pub(super) fn title(self, language: Language) -> &'static str {
        let (english, chinese) = match self {
            Self::Accounts => ("Accounts", "账号"),
            Self::Users(None) => ("All users", "所有用户"),
            Self::Users(Some(UserFilter::State(UserState::Failing))) => ("Failing users", "轮询失败的用户"),
            Self::Users(Some(UserFilter::State(UserState::Missing))) => ("Users who do not exist", "不存在的用户"),
            Self::Users(Some(UserFilter::State(UserState::Unknown))) => ("Users not polled yet", "尚未轮询的用户"),
            Self::Users(Some(UserFilter::State(UserState::Up))) => ("Users that are up", "正常的用户"),
            Self::Users(Some(UserFilter::Late)) => ("Users with a late answer", "延迟的用户"),
            Self::Users(Some(UserFilter::AtLimit)) => ("Users at their key limit", "密钥数已达上限的用户"),
            Self::Users(Some(UserFilter::OverLimit)) => ("Users over their key limit", "密钥数超过上限的用户"),
            Self::Users(Some(UserFilter::ConsoleLogin)) => {
                ("Users with keys and console login", "既有密钥又能登录控制台的用户")
            }
            Self::Users(Some(UserFilter::ExemptionEnded)) => ("Users whose exemption has ended", "豁免已到期的用户"),
            Self::Keys(None) => ("All keys", "所有密钥"),
            Self::Keys(Some(Finding::AutoDisableSoon)) => ("Keys that will soon be disabled", "即将被禁用的密钥"),
            Self::Keys(Some(Finding::VeryStale)) => ("Very stale keys", "严重超期的密钥"),
            Self::Keys(Some(Finding::Stale)) => ("Stale keys", "超期的密钥"),
            Self::Keys(Some(Finding::OverLimit)) => ("Keys of users over the limit", "密钥数超过上限的用户的密钥"),
            Self::Keys(Some(Finding::Unused)) => ("Unused keys", "闲置的密钥"),
            Self::Keys(Some(Finding::RotationUnfinished)) => ("Keys of unfinished rotations", "轮换未完成的密钥"),
            Self::Keys(Some(Finding::ConsoleLogin)) => ("Keys of users with console login", "能登录控制台的用户的密钥"),
            Self::Keys(Some(Finding::AtLimit)) => ("Keys of users at the limit", "密钥数已达上限的用户的密钥"),
            Self::Keys(Some(Finding::Inactive)) => ("Inactive keys", "已禁用的密钥"),
        };
        language.choose(english, chinese)
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
