//! What is found of keys and of users.

#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{KeyStatus, LastUse};

use super::KeyLimit;
use crate::inventory::{AccountSettings, Key, Policy, User};

/// How long before Tencent Cloud disables a key that is reported.
pub const AUTO_DISABLE_NOTICE: SignedDuration = SignedDuration::from_hours(15 * 24);

/// How much earlier than calculated a key is expected to be disabled: last uses are known to the day, and late.
const AUTO_DISABLE_MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// What is found of a key or of a user; the gravest first. A disabled key, which nobody can use, has only [`Self::Inactive`] and
/// [`Self::OverLimit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Of a key: Tencent Cloud will disable it within [`AUTO_DISABLE_NOTICE`], as it is not used.
    AutoDisableSoon,
    /// Of a key: it is older than twice [`Policy::max_age`], and not disabled. Then it is stale, too.
    VeryStale,
    /// Of a key: it is older than [`Policy::max_age`], and not disabled.
    Stale,
    /// Of a user, and of its keys: there are more than [`Policy::limit`].
    OverLimit,
    /// Of a key: it has not been used for [`Policy::unused_after`], or never in as long a life, and is not disabled.
    Unused,
    /// Of a key: it is still active though a newer active one is older than [`Policy::rotation_grace`].
    RotationUnfinished,
    /// Of a user, and of its keys that are not disabled: the user may log in to the console.
    ConsoleLogin,
    /// Of a user: it has as many keys as it may have.
    AtLimit,
    /// Of a key: it is disabled, and could be deleted.
    Inactive,
}

/// A set of findings.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings([bool; Finding::ALL.len()]);

/// What is found of a key or of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is reported.
    pub findings: Findings,
    /// What is not reported, as the user is exempt from it.
    pub exempt: Findings,
}

// === impl Finding ===

impl Finding {
    /// Every finding, the gravest first.
    pub const ALL: [Self; 9] = [
        Self::AutoDisableSoon,
        Self::VeryStale,
        Self::Stale,
        Self::OverLimit,
        Self::Unused,
        Self::RotationUnfinished,
        Self::ConsoleLogin,
        Self::AtLimit,
        Self::Inactive,
    ];

    /// Those that a key may have, the gravest first.
    pub const OF_KEYS: [Self; 8] = [
        Self::AutoDisableSoon,
        Self::VeryStale,
        Self::Stale,
        Self::OverLimit,
        Self::Unused,
        Self::RotationUnfinished,
        Self::ConsoleLogin,
        Self::Inactive,
    ];

    /// Its name among programs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::AutoDisableSoon => "auto_disable_soon",
            Self::VeryStale => "very_stale",
            Self::Stale => "stale",
            Self::OverLimit => "over_limit",
            Self::Unused => "unused",
            Self::RotationUnfinished => "rotation_unfinished",
            Self::ConsoleLogin => "console_login",
            Self::AtLimit => "at_limit",
            Self::Inactive => "inactive",
        }
    }

    /// Whether it is a user who has it, even if its keys are marked with it.
    #[must_use]
    pub fn is_of_user(self) -> bool {
        match self {
            Self::OverLimit | Self::ConsoleLogin | Self::AtLimit => true,
            Self::AutoDisableSoon
            | Self::VeryStale
            | Self::Stale
            | Self::Unused
            | Self::RotationUnfinished
            | Self::Inactive => false,
        }
    }
}

// === impl Findings ===

impl Findings {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Whether `finding` is one of them.
    #[must_use]
    pub fn contains(self, finding: Finding) -> bool {
        self.0[finding as usize]
    }

    /// The findings, the gravest first.
    pub fn iter(self) -> impl Iterator<Item = Finding> {
        Finding::ALL.into_iter().filter(move |finding| self.contains(*finding))
    }

    /// As [`Self::iter`], without what another finding says already: what is very stale is stale, and what will be disabled is
    /// unused.
    pub fn distinct(self) -> impl Iterator<Item = Finding> {
        self.iter().filter(move |finding| match finding {
            Finding::Stale => !self.contains(Finding::VeryStale),
            Finding::Unused => !self.contains(Finding::AutoDisableSoon),
            Finding::AutoDisableSoon
            | Finding::VeryStale
            | Finding::OverLimit
            | Finding::RotationUnfinished
            | Finding::ConsoleLogin
            | Finding::AtLimit
            | Finding::Inactive => true,
        })
    }

    fn insert(&mut self, finding: Finding) {
        self.0[finding as usize] = true;
    }
}

impl fmt::Debug for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<Finding> for Findings {
    fn from_iter<T: IntoIterator<Item = Finding>>(findings: T) -> Self {
        let mut all = Self::default();
        findings.into_iter().for_each(|finding| all.insert(finding));
        all
    }
}

// === impl Verdict ===

impl Verdict {
    fn of(found: impl Iterator<Item = Finding>, policy: &Policy, now: Timestamp) -> Self {
        let mut verdict = Self::default();
        for finding in found {
            let is_exempt = policy.exemption(finding).is_some_and(|exemption| !exemption.has_ended(now));
            let findings = if is_exempt { &mut verdict.exempt } else { &mut verdict.findings };
            findings.insert(finding);
        }
        verdict
    }
}

// === impl User ===

impl User {
    /// What is expected of the user's keys.
    #[must_use]
    pub fn policy<'a>(&'a self, settings: &'a AccountSettings) -> &'a Policy {
        self.policy.as_deref().unwrap_or(&settings.policy)
    }

    /// How many keys the user has beside how many it may have.
    #[must_use]
    pub fn key_limit(&self, policy: &Policy) -> KeyLimit {
        let keys = self.keys.as_deref().unwrap_or_default().len();
        let limit = usize::try_from(policy.limit).unwrap_or(usize::MAX);
        match keys {
            0 => KeyLimit::Below,
            keys if keys > limit => KeyLimit::Over,
            keys if keys == limit => KeyLimit::At,
            _ => KeyLimit::Below,
        }
    }

    /// How many of its keys are not disabled.
    #[must_use]
    pub fn enabled_keys(&self) -> usize {
        let keys = self.keys.as_deref().unwrap_or_default();
        keys.iter().filter(|key| key.status != KeyStatus::Inactive).count()
    }

    /// What is found of the user.
    #[must_use]
    pub fn verdict(&self, policy: &Policy, now: Timestamp) -> Verdict {
        let limit = match self.key_limit(policy) {
            KeyLimit::Below => None,
            KeyLimit::At => Some(Finding::AtLimit),
            KeyLimit::Over => Some(Finding::OverLimit),
        };
        let may_log_in = self.console_login == Some(true) && self.enabled_keys() > 0;
        Verdict::of(limit.into_iter().chain(may_log_in.then_some(Finding::ConsoleLogin)), policy, now)
    }

    /// The newest of several active keys.
    #[must_use]
    pub fn newest_key(&self) -> Option<&Key> {
        let active = || self.keys.iter().flat_map(|keys| &**keys).filter(|key| key.status == KeyStatus::Active);
        active().nth(1)?;
        active().max_by_key(|key| key.created)
    }

    /// The user's keys, and what is found of each.
    pub fn judged_keys(&self, policy: &Policy, now: Timestamp) -> impl Iterator<Item = (&Key, Verdict)> {
        let limit = self.key_limit(policy);
        let newest = self.newest_key().filter(|newest| is_over(newest.age(now), policy.rotation_grace));
        self.keys.iter().flat_map(|keys| &**keys).map(move |key| {
            let found = Finding::OF_KEYS.into_iter().filter(|finding| match finding {
                Finding::AutoDisableSoon => {
                    key.auto_disabled_at(policy).is_some_and(|time| time.duration_since(now) <= AUTO_DISABLE_NOTICE)
                }
                Finding::VeryStale => key.is_enabled() && is_over(key.age(now), Some(policy.max_age.saturating_mul(2))),
                Finding::Stale => key.is_enabled() && is_over(key.age(now), Some(policy.max_age)),
                Finding::OverLimit => limit == KeyLimit::Over,
                Finding::Unused => {
                    key.is_enabled() && key.idle(now).is_some_and(|idle| is_over(idle, policy.unused_after))
                }
                Finding::RotationUnfinished => {
                    key.status == KeyStatus::Active && newest.is_some_and(|newest| newest.label != key.label)
                }
                Finding::ConsoleLogin => key.is_enabled() && self.console_login == Some(true),
                Finding::Inactive => !key.is_enabled(),
                Finding::AtLimit => false,
            });
            (key, Verdict::of(found, policy, now))
        })
    }
}

// === impl Key ===

impl Key {
    /// How old it is; never less than nothing.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.created).max(SignedDuration::ZERO)
    }

    /// For how long it has not been used, if that is known: for all its life if it never was.
    #[must_use]
    pub fn idle(&self, now: Timestamp) -> Option<SignedDuration> {
        self.last_use.map(|last_use| match last_use {
            LastUse::Never => self.age(now),
            LastUse::At(time) => now.duration_since(time),
        })
    }

    /// When it was last used, or made if it never was; if that is known.
    #[must_use]
    pub fn idle_since(&self) -> Option<Timestamp> {
        self.last_use.map(|last_use| match last_use {
            LastUse::Never => self.created,
            LastUse::At(time) => time,
        })
    }

    /// When Tencent Cloud will disable it if it is not used, a day early. Only active keys whose last use is known have such a
    /// time.
    #[must_use]
    pub fn auto_disabled_at(&self, policy: &Policy) -> Option<Timestamp> {
        let after = policy.auto_disable_after.filter(|_| self.status == KeyStatus::Active)?;
        let after = SignedDuration::try_from(after).ok()?.saturating_sub(AUTO_DISABLE_MARGIN);
        self.idle_since()?.checked_add(after).ok()
    }

    fn is_enabled(&self) -> bool {
        self.status != KeyStatus::Inactive
    }
}

/// Whether it is longer than it may be, in whole seconds, as the metrics have it.
fn is_over(time: SignedDuration, limit: Option<Duration>) -> bool {
    limit.is_some_and(|limit| u64::try_from(time.as_secs()).is_ok_and(|time| time > limit.as_secs()))
}
