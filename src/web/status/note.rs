//! What is wrong with an account, in words: since when, the error, and what to do.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    account::AccountReport,
    foreign::foreign,
    text::{count, duration, prose, since, users},
};
use crate::{
    advice::of_listing,
    inventory::{
        Listing,
        assessment::{AccountProblem, AccountState},
    },
    language::Language,
};

/// What is wrong, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// Our own words.
    pub(super) what: String,
    /// Since when, and what time it is.
    pub(super) since: Option<(Timestamp, Timestamp)>,
    /// In the words of the API, or of the system.
    pub(super) error: Option<Arc<str>>,
    /// What to do, where the error does not say so.
    pub(super) advice: Option<Cow<'static, str>>,
}

// === impl Note ===

impl Note {
    /// What is to be said of a problem of an account.
    pub(super) fn of(language: Language, problem: AccountProblem, account: &AccountReport) -> Self {
        match problem {
            AccountProblem::Silent => Self::plain(
                language.choose("its poller has shown no sign of life for three minutes", "三分钟以来没有任何轮询活动"),
                language.choose(
                    "Restart the exporter, and report it with its log.",
                    "请重启 exporter，并附上日志报告缺陷。",
                ),
            ),
            AccountProblem::Down => Self::of_down(language, account),
            AccountProblem::Outage => Self::plain(
                language.choose(
                    "for two intervals no user was answered about, and not every user has been polled since",
                    "两个间隔内没有一次轮询成功，此后尚未轮询过每个用户",
                ),
                language.choose(
                    "See why polls fail, or why the schedule lags. It ends once each user has been polled.",
                    "请查明轮询失败或延迟的原因。每个用户都轮询过之后，该问题即消失。",
                ),
            ),
            AccountProblem::ListingFailed(listing) => {
                let (english, chinese) = match listing {
                    Listing::UinsFile => ("its `uins_file` cannot be used", "`uins_file` 无法使用"),
                    Listing::Caller => (
                        "the user that makes the requests cannot be found (`include_self`)",
                        "无法确定调用者（`include_self`）",
                    ),
                    Listing::Users => ("its users cannot be listed (`discover`)", "无法列出用户（`discover`）"),
                    Listing::TypedUsers => (
                        "its users of other types cannot be listed (`user_types`)",
                        "无法列出其他类型的用户（`user_types`）",
                    ),
                    Listing::Members => (
                        "the members of its organization cannot be listed (`organization`)",
                        "无法列出集团组织的成员账号（`organization`）",
                    ),
                    Listing::LastUses => (
                        "when keys were last used cannot be found (`last_used`)",
                        "无法获取密钥的最近使用时间（`last_used`）",
                    ),
                };
                let failure = account.listings.get(listing).failure.as_ref();
                Self {
                    what: language.choose(english, chinese).to_owned(),
                    since: failure.map(|failure| (failure.since, account.now)),
                    error: failure.map(|failure| Arc::clone(&failure.error)),
                    advice: failure.and_then(|failure| of_listing(language, listing, failure.reason, failure.code)),
                }
            }
            AccountProblem::CredentialNotRenewed => {
                let problem = account.credential_problem.as_ref();
                Self {
                    what: language.choose("its credential cannot be renewed", "无法刷新凭证").to_owned(),
                    since: problem.map(|problem| (problem.since, account.now)),
                    error: problem.map(|problem| Arc::clone(&problem.error)),
                    advice: Some(
                        language
                            .choose(
                                "The last valid one stays in use until it expires or the exporter restarts.",
                                "继续使用上一份有效的凭证，直到它过期或 exporter 重启。",
                            )
                            .into(),
                    ),
                }
            }
            AccountProblem::ClockSkew(ahead) => {
                let is_behind = ahead.is_positive();
                let (side, chinese) = if is_behind { ("behind", "慢") } else { ("ahead of", "快") };
                let off = duration(language, ahead.unsigned_abs());
                Self::plain(
                    &language.choose(
                        format!("this machine's clock is {off} {side} the API's"),
                        format!("本机的时钟比 API 的时钟{chinese} {off}"),
                    ),
                    language.choose(
                        "Set the clock. Until then, signatures and ages follow the API's.",
                        "请校准时钟。在此之前，签名和创建时长以 API 的时钟为准。",
                    ),
                )
            }
            AccountProblem::Throttled => Self::plain(
                language.choose("the API throttles it, so it sends fewer requests", "被 API 限频，因此减少了请求"),
                language.choose(
                    "Find what else calls the API in this account, or lower `poll.rate_limit`.",
                    "请找出还有什么在该账号中调用 API，或降低 `poll.rate_limit`。",
                ),
            ),
            AccountProblem::IntervalTooShort(needed) => {
                let needed = duration(language, needed);
                Self::plain(
                    &language.choose(
                        format!("the rate limit reaches every user in {needed} at best"),
                        format!("受频率限制，轮询所有用户至少需要 {needed}"),
                    ),
                    language.choose(
                        "Raise `poll.interval` to more than that.",
                        "请把 `poll.interval` 增大到超过这个时间。",
                    ),
                )
            }
        }
    }

    fn of_down(language: Language, account: &AccountReport) -> Self {
        let counts = account.assessment.users;
        let what = match counts.total {
            0 => language
                .choose("no user is known, as a list of them failed", "获取用户列表失败，没有已知的用户")
                .to_owned(),
            total if counts.missing == total => {
                let configured = count(language, total, "user is configured", "users are configured", "个已配置的用户");
                language.choose(format!("{configured}, and none exists"), format!("{configured}都不存在"))
            }
            total => {
                let users = users(language, total);
                language.choose(
                    format!("no last poll of its {users} brought keys"),
                    format!("{users}的上次轮询都没有取得密钥"),
                )
            }
        };
        Self { what, since: None, error: None, advice: None }
    }

    pub(super) fn plain(what: &str, advice: &'static str) -> Self {
        Self { what: what.to_owned(), since: None, error: None, advice: Some(advice.into()) }
    }

    /// As HTML, with so many bytes of the error at most.
    pub(super) fn html(&self, language: Language, room: usize) -> Markup {
        html! {
            (prose(&self.what))
            @if let Some((time, now)) = self.since { (language.choose(", ", "，")) (since(language, time, now)) }
            @if let Some(error) = &self.error { (language.choose(": ", "：")) (foreign(error, room)) }
            (language.choose(".", "。"))
            @if let Some(advice) = &self.advice { " " strong { (prose(advice)) } }
        }
    }
}

// === impl AccountReport ===

impl AccountReport {
    /// Its state, as the class that gives the colour, and in words.
    pub(super) fn state(&self, language: Language) -> (&'static str, &'static str) {
        if self.assessment.problems.contains(&AccountProblem::Silent) {
            return ("blind", language.choose("no longer polled", "已停止轮询"));
        }
        match self.assessment.state {
            AccountState::Down => ("blind", language.choose("down", "不可用")),
            AccountState::Up => ("good", language.choose("up", "正常")),
            AccountState::Empty => ("quiet", language.choose("no users here", "此处没有用户")),
            AccountState::Unknown => ("wait", language.choose("not polled yet", "尚未轮询")),
        }
    }
}

/// What a listing lists that has not been answered yet.
pub(super) fn awaited(language: Language, listing: Listing) -> &'static str {
    let (english, chinese) = match listing {
        Listing::UinsFile => ("the file of users (`uins_file`)", "用户文件（`uins_file`）"),
        Listing::Caller => ("the user that makes the requests (`include_self`)", "调用者（`include_self`）"),
        Listing::Users => ("the list of users (`discover`)", "用户列表（`discover`）"),
        Listing::TypedUsers => {
            ("the list of users of other types (`user_types`)", "其他类型的用户列表（`user_types`）")
        }
        Listing::Members => {
            ("the list of the organization's members (`organization`)", "集团组织的成员列表（`organization`）")
        }
        Listing::LastUses => ("when keys were last used (`last_used`)", "密钥的最近使用时间（`last_used`）"),
    };
    language.choose(english, chinese)
}
