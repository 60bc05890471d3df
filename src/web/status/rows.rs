//! Users and keys as rows of a list, and what is written into their cells.

use std::{borrow::Cow, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use tencentcloud_api::{Code, KeyStatus, LastUse, Reason, Uin};

use super::{
    foreign::{NAME, foreign},
    query::{List, Of},
    text::{count, day, duration, elapsed, since},
};
use crate::{
    advice::beside_the_error,
    inventory::{
        Account, AccountName, AccountSettings, Exemption, Failure, Key, Policy, User,
        assessment::{Finding, Findings, UserAssessment, UserState, Verdict},
    },
    language::{Language, key_status},
};

/// The most bytes that an error takes in a row.
pub(super) const ERROR: usize = 320;

/// A user.
#[derive(Debug)]
pub(super) struct UserRow {
    pub(super) account: AccountName,
    pub(super) uin: Uin,
    pub(super) name: Option<Arc<str>>,
    pub(super) assessed: UserAssessment,
    /// How many keys it has, and may have; nothing where that is not known.
    pub(super) keys: Option<usize>,
    pub(super) limit: u32,
    pub(super) console_login: Option<bool>,
    pub(super) exemptions: Vec<Exemption>,
    /// Why the last poll failed; nothing where it did not, or did so before a restart.
    pub(super) failure: Option<Failure>,
    /// When the API last answered about it.
    pub(super) answered: Option<Timestamp>,
    /// By the account's clock.
    pub(super) now: Timestamp,
}

/// A key.
#[derive(Debug)]
pub(super) struct KeyRow {
    pub(super) account: AccountName,
    pub(super) uin: Uin,
    pub(super) name: Option<Arc<str>>,
    pub(super) label: String,
    pub(super) status: KeyStatus,
    pub(super) age: SignedDuration,
    pub(super) findings: Findings,
    /// Why other findings are not reported.
    pub(super) exempt: Vec<Exemption>,
    /// When Tencent Cloud will disable it, where that is known.
    pub(super) disabled_at: Option<Timestamp>,
    pub(super) last_use: Option<LastUse>,
    pub(super) now: Timestamp,
}

/// Why a poll failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cause {
    /// For this reason, and with this code where the API answered with one.
    Known(Reason, Option<&'static str>),
    /// It failed before a restart, and has not been asked since.
    BeforeRestart,
}

// === impl UserRow ===

impl UserRow {
    pub(super) fn of(
        account: &Account,
        (uin, user): (Uin, &User),
        assessed: UserAssessment,
        settings: &AccountSettings,
        now: Timestamp,
    ) -> Self {
        Self {
            account: account.name().clone(),
            uin,
            name: user.name.clone(),
            assessed,
            keys: user.keys.as_ref().map(|keys| keys.len()),
            limit: user.policy(settings).limit,
            console_login: user.console_login,
            exemptions: user.policy(settings).exemptions.clone(),
            failure: user.failure.as_deref().cloned(),
            answered: user.answered.get(),
            now,
        }
    }

    pub(super) fn cause(&self) -> Cause {
        self.failure.as_ref().map_or(Cause::BeforeRestart, Cause::of)
    }

    pub(super) fn who(&self) -> Markup {
        who(self.name.as_deref(), self.uin)
    }

    pub(super) fn account(&self) -> Markup {
        html! { (self.account) }
    }

    /// Why the last poll failed.
    pub(super) fn why(&self, language: Language) -> Markup {
        html! { (self.cause().html(language)) (self.error()) }
    }

    fn error(&self) -> Markup {
        html! { @if let Some(failure) = &self.failure { p { (foreign(&failure.error, ERROR)) } } }
    }

    /// Since when polls have failed.
    pub(super) fn since(&self, language: Language) -> Markup {
        html! {
            @match &self.failure {
                Some(failure) => (since(language, failure.since, self.now)),
                None => (language.choose("since before the restart", "始于重启之前")),
            }
        }
    }

    pub(super) fn next_poll(&self, language: Language) -> Markup {
        let next = self.failure.as_ref().and_then(|failure| failure.next_poll);
        let text = match next.map(|next| next.duration_since(self.now)) {
            Some(left) if left.is_positive() => {
                let left = duration(language, left.unsigned_abs());
                language.choose(format!("next poll in {left}"), format!("{left}后轮询"))
            }
            Some(_) => language.choose("next poll is due", "即将轮询").to_owned(),
            None => "–".to_owned(),
        };
        html! { (text) }
    }

    pub(super) fn last_answer(&self, language: Language) -> Markup {
        let text = match self.answered {
            Some(answered) => {
                let elapsed = elapsed(language, answered, self.now);
                language.choose(format!("answered {elapsed} ago"), format!("{elapsed}前响应"))
            }
            None => language.choose("never answered", "从未响应").to_owned(),
        };
        html! { (text) }
    }

    /// How many keys it has, of how many; and whether the user may log in to the console.
    pub(super) fn keys(&self, language: Language) -> Markup {
        let Some(keys) = self.keys else { return html! { "–" } };
        let limit = self.limit;
        html! {
            (language.choose(format!("{keys} of {limit}"), format!("{keys} 个，上限 {limit} 个")))
            @if self.assessed.verdict.findings.contains(Finding::OverLimit) {
                " " span.act { (language.choose("over", "超过上限")) }
            }
            @if self.console_login == Some(true) { (language.choose(" and console login", "，可登录控制台")) }
        }
    }

    /// How its last poll ended, with all there is to say of that.
    pub(super) fn state(&self, language: Language) -> Markup {
        let text = match self.assessed.state {
            UserState::Unknown => language.choose("not polled yet", "尚未轮询"),
            UserState::Up => language.choose("up", "正常"),
            UserState::Failing => language.choose("failing", "轮询失败"),
            UserState::Missing => language.choose("does not exist", "不存在"),
        };
        html! {
            @match self.assessed.state {
                UserState::Unknown => span.wait { (text) },
                UserState::Up => span.good { (text) },
                UserState::Failing => {
                    span.blind { (text) } " " (self.since(language)) (language.choose(": ", "：")) (self.why(language))
                },
                UserState::Missing => { span.act { (text) } " " (self.since(language)) (self.error()) },
            }
            @if self.assessed.is_late { " " span.blind { (language.choose("late", "延迟")) } }
            @for exemption in &self.exemptions { " " (exempt(language, exemption, self.now)) }
        }
    }
}

// === impl KeyRow ===

impl KeyRow {
    pub(super) fn of(
        account: &Account,
        (uin, user): (Uin, &User),
        key: &Key,
        verdict: Verdict,
        policy: &Policy,
        now: Timestamp,
    ) -> Self {
        Self {
            account: account.name().clone(),
            uin,
            name: user.name.clone(),
            label: key.label.to_string(),
            status: key.status,
            age: key.age(now),
            findings: verdict.findings,
            exempt: policy.exemptions_from(verdict.exempt).cloned().collect(),
            disabled_at: key.auto_disabled_at(policy),
            last_use: key.last_use,
            now,
        }
    }

    pub(super) fn who(&self) -> Markup {
        who(self.name.as_deref(), self.uin)
    }

    pub(super) fn account(&self) -> Markup {
        html! { (self.account) }
    }

    pub(super) fn status(&self, language: Language) -> Markup {
        html! { (key_status(language, self.status)) }
    }

    pub(super) fn label(&self) -> Markup {
        html! { code { (foreign(&self.label, NAME)) } }
    }

    /// Its age, and which of the `shown` findings it has or is exempt from.
    pub(super) fn age(&self, language: Language, shown: &[Finding]) -> Markup {
        let days = usize::try_from(self.age.as_secs() / 86_400).unwrap_or_default();
        let findings = self.findings.distinct().filter(|finding| shown.contains(finding));
        html! {
            (count(language, days, "day", "days", "天"))
            @for text in findings.filter_map(|finding| self.finding(language, finding)) { " " span.act { (text) } }
            @for exemption in self.exempt.iter().filter(|exemption| shown.contains(&exemption.finding)) {
                p { (exempt(language, exemption, self.now)) }
            }
        }
    }

    /// A finding in words, if it is shown beside the age.
    fn finding(&self, language: Language, finding: Finding) -> Option<Cow<'static, str>> {
        let (english, chinese) = match finding {
            Finding::AutoDisableSoon => return self.disabled_at.map(|time| self.disabled(language, time).into()),
            Finding::VeryStale => ("very stale", "严重超期"),
            Finding::Stale => ("stale", "超期"),
            Finding::OverLimit => ("over the limit", "数量超限"),
            Finding::Unused => ("unused", "闲置"),
            Finding::RotationUnfinished => ("rotation unfinished", "轮换未完成"),
            Finding::ConsoleLogin => ("console login", "可登录控制台"),
            // A key never has the one, and its status says the other.
            Finding::AtLimit | Finding::Inactive => return None,
        };
        Some(language.choose(english, chinese).into())
    }

    /// When Tencent Cloud will disable it.
    fn disabled(&self, language: Language, at: Timestamp) -> String {
        let day = day(at);
        if at > self.now {
            language.choose(format!("will be disabled on {day}"), format!("将于 {day} 被禁用"))
        } else {
            language.choose(format!("may be disabled any day since {day}"), format!("自 {day} 起随时可能被禁用"))
        }
    }

    /// When it was last used, as far as that is known.
    pub(super) fn last_use(&self, language: Language) -> Markup {
        let text = match self.last_use {
            Some(LastUse::Never) => language.choose("never used", "从未使用").to_owned(),
            Some(LastUse::At(time)) => {
                let elapsed = elapsed(language, time, self.now);
                language.choose(format!("used {elapsed} ago"), format!("{elapsed}前使用"))
            }
            None => "–".to_owned(),
        };
        html! { (text) }
    }
}

/// A user's name, where it is known, and its UIN, which leads to its keys.
fn who(name: Option<&str>, uin: Uin) -> Markup {
    html! {
        @if let Some(name) = name.filter(|name| !name.is_empty()) { (foreign(name, NAME)) " " }
        a href=(List::new(Of::Keys(None)).of_user(uin)) { (uin) }
    }
}

/// What a user is exempt from, in force or ended, and why.
fn exempt(language: Language, exemption: &Exemption, now: Timestamp) -> Markup {
    let (finding, until) = (exemption.finding.label(), exemption.until.map(day));
    let (before, after) = language.choose((" (", ")"), ("（", "）"));
    html! {
        @match until {
            Some(until) if exemption.has_ended(now) => span.act {
                (language.choose(
                    format!("exemption from {finding} ended {until}"),
                    format!("对 {finding} 的豁免已于 {until} 到期"),
                ))
            },
            Some(until) => span.quiet {
                (language.choose(
                    format!("exempt from {finding} until {until}"),
                    format!("豁免 {finding}，至 {until}"),
                ))
            },
            None => span.quiet { (language.choose("exempt from ", "豁免 ")) (finding) },
        }
        @if let Some(reason) = &exemption.reason { (before) (foreign(reason, NAME)) (after) }
    }
}

// === impl Cause ===

impl Cause {
    pub(super) fn of(failure: &Failure) -> Self {
        Self::Known(failure.reason, failure.code)
    }

    /// The labels of its reason and of its code.
    pub(super) fn labels(self, language: Language) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Known(reason, code) => (reason.label(), code),
            Self::BeforeRestart => (language.choose("before the restart", "重启之前"), None),
        }
    }

    /// What to do about it, beside what the error says.
    pub(super) fn advice(self, language: Language) -> Option<&'static str> {
        match self {
            Self::Known(reason, code) => beside_the_error(language, reason, code),
            Self::BeforeRestart => Some(language.choose(
                "Wait: it will be known why once they have been polled again.",
                "请等待：再次轮询之后才能知道原因。",
            )),
        }
    }

    /// Its reason, and its code.
    pub(super) fn html(self, language: Language) -> Markup {
        let (reason, code) = self.labels(language);
        html! {
            (reason)
            @if let Some(code) = code.filter(|code| *code != Code::OTHER) { " " code { (code) } }
        }
    }
}
