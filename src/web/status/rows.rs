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
            failure: user.failure.clone(),
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
    pub(super) fn why(&self) -> Markup {
        html! { (self.cause().html()) (self.error()) }
    }

    fn error(&self) -> Markup {
        html! { @if let Some(failure) = &self.failure { p { (foreign(&failure.error, ERROR)) } } }
    }

    /// Since when polls have failed.
    pub(super) fn since(&self) -> Markup {
        html! {
            @match &self.failure {
                Some(failure) => (since(failure.since, self.now)),
                None => "since before the restart",
            }
        }
    }

    pub(super) fn next_poll(&self) -> Markup {
        let next = self.failure.as_ref().and_then(|failure| failure.next_poll);
        html! {
            @match next.map(|next| next.duration_since(self.now)) {
                Some(left) if left.is_positive() => { "next poll in " (duration(left.unsigned_abs())) },
                Some(_) => "next poll is due",
                None => "–",
            }
        }
    }

    pub(super) fn last_answer(&self) -> Markup {
        html! {
            @match self.answered {
                Some(answered) => { "answered " (elapsed(answered, self.now)) " ago" },
                None => "never answered",
            }
        }
    }

    /// How many keys it has, of how many; and whether the user may log in to the console.
    pub(super) fn keys(&self) -> Markup {
        let Some(keys) = self.keys else { return html! { "–" } };
        html! {
            (keys) " of " (self.limit)
            @if self.assessed.verdict.findings.contains(Finding::OverLimit) { " " span.act { "over" } }
            @if self.console_login == Some(true) { " and console login" }
        }
    }

    /// How its last poll ended, with all there is to say of that.
    pub(super) fn state(&self) -> Markup {
        html! {
            @match self.assessed.state {
                UserState::Unknown => span.wait { "not polled yet" },
                UserState::Up => span.good { "up" },
                UserState::Failing => { span.blind { "failing" } " " (self.since()) ": " (self.why()) },
                UserState::Missing => { span.act { "does not exist" } " " (self.since()) (self.error()) },
            }
            @if self.assessed.is_late { " " span.blind { "late" } }
            @for exemption in &self.exemptions { " " (exempt(exemption, self.now)) }
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
            label: key.label.clone(),
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

    pub(super) fn status(&self) -> Markup {
        html! { (self.status.label()) }
    }

    pub(super) fn label(&self) -> Markup {
        html! { code { (foreign(&self.label, NAME)) } }
    }

    /// Its age, and which of the `shown` findings it has or is exempt from.
    pub(super) fn age(&self, shown: &[Finding]) -> Markup {
        let days = usize::try_from(self.age.as_secs() / 86_400).unwrap_or_default();
        let findings = self.findings.distinct().filter(|finding| shown.contains(finding));
        html! {
            (count(days, "day", "days"))
            @for text in findings.filter_map(|finding| self.finding(finding)) { " " span.act { (text) } }
            @for exemption in self.exempt.iter().filter(|exemption| shown.contains(&exemption.finding)) {
                p { (exempt(exemption, self.now)) }
            }
        }
    }

    /// A finding in words, if it is shown beside the age.
    fn finding(&self, finding: Finding) -> Option<Cow<'static, str>> {
        let text = match finding {
            Finding::AutoDisableSoon => return self.disabled_at.map(|time| self.disabled(time).into()),
            Finding::VeryStale => "very stale",
            Finding::Stale => "stale",
            Finding::OverLimit => "over the limit",
            Finding::Unused => "unused",
            Finding::RotationUnfinished => "rotation unfinished",
            Finding::ConsoleLogin => "console login",
            // A key never has the one, and its status says the other.
            Finding::AtLimit | Finding::Inactive => return None,
        };
        Some(text.into())
    }

    /// When Tencent Cloud will disable it.
    fn disabled(&self, at: Timestamp) -> String {
        if at > self.now {
            format!("will be disabled on {}", day(at))
        } else {
            format!("may be disabled any day since {}", day(at))
        }
    }

    /// When it was last used, as far as that is known.
    pub(super) fn last_use(&self) -> Markup {
        html! {
            @match self.last_use {
                Some(LastUse::Never) => "never used",
                Some(LastUse::At(time)) => { "used " (elapsed(time, self.now)) " ago" },
                None => "–",
            }
        }
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
fn exempt(exemption: &Exemption, now: Timestamp) -> Markup {
    let finding = exemption.finding.label();
    html! {
        @match exemption.until {
            Some(until) if exemption.has_ended(now) => {
                span.act { "exemption from " (finding) " ended " (day(until)) }
            },
            Some(until) => span.quiet { "exempt from " (finding) " until " (day(until)) },
            None => span.quiet { "exempt from " (finding) },
        }
        @if let Some(reason) = &exemption.reason { " (" (foreign(reason, NAME)) ")" }
    }
}

// === impl Cause ===

impl Cause {
    pub(super) fn of(failure: &Failure) -> Self {
        Self::Known(failure.reason, failure.code)
    }

    /// The labels of its reason and of its code.
    pub(super) fn labels(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Known(reason, code) => (reason.label(), code),
            Self::BeforeRestart => ("before the restart", None),
        }
    }

    /// What to do about it, beside what the error says.
    pub(super) fn advice(self) -> Option<&'static str> {
        match self {
            Self::Known(reason, code) => beside_the_error(reason, code),
            Self::BeforeRestart => Some("Wait: it will be known why once they have been polled again."),
        }
    }

    /// Its reason, and its code.
    pub(super) fn html(self) -> Markup {
        let (reason, code) = self.labels();
        html! {
            (reason)
            @if let Some(code) = code.filter(|code| *code != Code::OTHER) { " " code { (code) } }
        }
    }
}
