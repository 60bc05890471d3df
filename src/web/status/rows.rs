//! Users and keys as rows of a list, and what is written into their cells.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{Code, KeyStatus, LastUse, Reason, Uin};

use super::{
    foreign::{Foreign, NAME},
    query::{List, Of},
    text::{Count, Day, Escaped, Since, span},
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

/// What a user is exempt from, in force or ended, where the time is this.
struct Exempt<'a>(&'a Exemption, Timestamp);

/// A user's name, where it is known, and its UIN, which leads to its keys.
struct Who<'a>(Option<&'a str>, Uin);

// === impl UserRow ===

impl UserRow {
    pub(super) fn of(
        account: &Account,
        (uin, user): (Uin, &User),
        assessed: UserAssessment,
        facts: &AccountSettings,
        now: Timestamp,
    ) -> Self {
        Self {
            account: account.name().clone(),
            uin,
            name: user.name.clone(),
            assessed,
            keys: user.keys.as_ref().map(|keys| keys.len()),
            limit: user.policy(facts).limit,
            console_login: user.console_login,
            exemptions: user.policy(facts).exemptions.clone(),
            failure: user.failure.clone(),
            answered: user.answered,
            now,
        }
    }

    pub(super) fn cause(&self) -> Cause {
        self.failure.as_ref().map_or(Cause::BeforeRestart, Cause::of)
    }

    pub(super) fn who(&self) -> impl fmt::Display {
        Who(self.name.as_deref(), self.uin)
    }

    /// Why the last poll failed.
    pub(super) fn why(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            write!(f, "{}", self.cause())?;
            match &self.failure {
                Some(failure) => write!(f, "<p>{}</p>", Foreign(&failure.error, ERROR)),
                None => Ok(()),
            }
        })
    }

    /// Since when polls have failed.
    pub(super) fn since(&self) -> impl fmt::Display {
        fmt::from_fn(|f| match &self.failure {
            Some(failure) => write!(f, "{}", Since(failure.since, self.now)),
            None => f.write_str("since before the restart"),
        })
    }

    pub(super) fn next_poll(&self) -> impl fmt::Display {
        let next = self.failure.as_ref().and_then(|failure| failure.next_poll);
        let left = next.map(|next| next.duration_since(self.now));
        fmt::from_fn(move |f| match left {
            Some(left) if left.is_positive() => write!(f, "next poll in {}", span(left)),
            Some(_) => f.write_str("next poll is due"),
            None => f.write_str("–"),
        })
    }

    pub(super) fn last_answer(&self) -> impl fmt::Display {
        let ago = self.answered.map(|answered| self.now.duration_since(answered));
        fmt::from_fn(move |f| match ago {
            Some(ago) => write!(f, "answered {} ago", span(ago)),
            None => f.write_str("never answered"),
        })
    }

    /// How many keys it has, of how many; and whether the user may log in to the console.
    pub(super) fn keys(&self) -> impl fmt::Display {
        fmt::from_fn(|f| match self.keys {
            Some(keys) => {
                write!(f, "{keys} of {}", self.limit)?;
                if self.assessed.verdict.findings.contains(Finding::OverLimit) {
                    f.write_str(r#" <span class="act">over</span>"#)?;
                }
                f.write_str(if self.console_login == Some(true) { " and console login" } else { "" })
            }
            None => f.write_str("–"),
        })
    }

    /// How its last poll ended, with all there is to say of that.
    pub(super) fn state(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            match self.assessed.state {
                UserState::Unknown => write!(f, r#"<span class="wait">not polled yet</span>"#)?,
                UserState::Up => write!(f, r#"<span class="good">up</span>"#)?,
                UserState::Failing => {
                    write!(f, r#"<span class="blind">failing</span> {}: {}"#, self.since(), self.why())?;
                }
                UserState::Missing => {
                    write!(f, r#"<span class="act">does not exist</span>"#)?;
                    match &self.failure {
                        Some(failure) => {
                            write!(f, " {}<p>{}</p>", self.since(), Foreign(&failure.error, ERROR))?;
                        }
                        None => write!(f, " {}", self.since())?,
                    }
                }
            }
            f.write_str(if self.assessed.is_late { r#" <span class="blind">late</span>"# } else { "" })?;
            self.exemptions.iter().try_for_each(|exemption| write!(f, " {}", Exempt(exemption, self.now)))
        })
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

    pub(super) fn who(&self) -> impl fmt::Display {
        Who(self.name.as_deref(), self.uin)
    }

    /// Its age, and what is to be said of it of that in `said`.
    pub(super) fn age(&self, said: &[Finding]) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            let days = usize::try_from(self.age.as_secs() / 86_400).unwrap_or_default();
            write!(f, "{}", Count(days, "day", "days"))?;
            for finding in self.findings.distinct().filter(|finding| said.contains(finding)) {
                let text = match finding {
                    Finding::AutoDisableSoon => {
                        write!(f, r#" <span class="act">{}</span>"#, self.disabled())?;
                        continue;
                    }
                    Finding::VeryStale => "very stale",
                    Finding::Stale => "stale",
                    Finding::OverLimit => "over the limit",
                    Finding::Unused => "unused",
                    Finding::RotationUnfinished => "rotation unfinished",
                    Finding::ConsoleLogin => "console login",
                    // A key has the one never, and its status says the other.
                    Finding::AtLimit | Finding::Inactive => continue,
                };
                write!(f, r#" <span class="act">{text}</span>"#)?;
            }
            let mut exempt = self.exempt.iter().filter(|exemption| said.contains(&exemption.finding));
            exempt.try_for_each(|exemption| write!(f, "<p>{}</p>", Exempt(exemption, self.now)))
        })
    }

    /// When Tencent Cloud will disable it.
    fn disabled(&self) -> impl fmt::Display {
        let Self { disabled_at, now, .. } = *self;
        fmt::from_fn(move |f| match disabled_at {
            Some(time) if time > now => write!(f, "will be disabled on {}", Day(time)),
            Some(time) => write!(f, "may be disabled any day since {}", Day(time)),
            None => Ok(()),
        })
    }

    pub(super) fn label(&self) -> impl fmt::Display {
        fmt::from_fn(|f| write!(f, "<code>{}</code>", Foreign(&self.label, NAME)))
    }

    /// When it was last used, as far as that is known.
    pub(super) fn last_use(&self) -> impl fmt::Display {
        let (last_use, now) = (self.last_use, self.now);
        fmt::from_fn(move |f| match last_use {
            Some(LastUse::Never) => f.write_str("never used"),
            Some(LastUse::At(time)) => write!(f, "used {} ago", span(now.duration_since(time))),
            None => f.write_str("–"),
        })
    }
}

// === impl Exempt ===

impl fmt::Display for Exempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(exemption @ Exemption { finding, until, reason }, now) = self;
        let finding = finding.label();
        match until {
            Some(until) if exemption.has_ended(*now) => {
                write!(f, r#"<span class="act">exemption from {finding} ended {}</span>"#, Day(*until))?;
            }
            Some(until) => write!(f, r#"<span class="quiet">exempt from {finding} until {}</span>"#, Day(*until))?,
            None => write!(f, r#"<span class="quiet">exempt from {finding}</span>"#)?,
        }
        match reason {
            Some(reason) => write!(f, " ({})", Foreign(reason, NAME)),
            None => Ok(()),
        }
    }
}

// === impl Who ===

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, uin) = self;
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            write!(f, "{} ", Foreign(name, NAME))?;
        }
        write!(f, r#"<a href="{}">{uin}</a>"#, List::new(Of::Keys(None)).of_user(*uin))
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
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, code) = self.labels();
        write!(f, "{reason}")?;
        match code {
            None | Some(Code::OTHER) => Ok(()),
            Some(code) => write!(f, " <code>{}</code>", Escaped(code)),
        }
    }
}
