//! What is found of keys and of users.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::KeyLimit;
use crate::{
    inventory::{Facts, Key, Policy, User},
    tencent::{KeyStatus, LastUse},
};

/// How long before Tencent Cloud disables a key that is reported.
pub const AUTO_DISABLE_NOTICE: SignedDuration = SignedDuration::from_hours(15 * 24);

/// How much earlier than calculated a key is expected to be disabled: last uses are known to the day, and late.
const AUTO_DISABLE_MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// What is found of a key or of a user; the gravest first. Of a disabled key nothing is found but that and that its user is
/// over the limit: it opens no door.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    pub fn policy<'a>(&'a self, facts: &'a Facts) -> &'a Policy {
        self.policy.as_deref().unwrap_or(&facts.policy)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Exemption;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn key(label: &str, days: i32, status: KeyStatus, last_use: Option<LastUse>) -> Key {
        Key { label: label.to_owned(), status, created: now() - DAY * days, last_use }
    }

    fn user(keys: &[Key]) -> User {
        User { keys: Some(keys.into()), ..User::default() }
    }

    fn used(days: i32) -> LastUse {
        LastUse::At(now() - DAY * days)
    }

    /// What is found of the key of a user that has no other.
    fn found(key: Key, policy: &Policy) -> Vec<Finding> {
        let user = user(&[key]);
        user.judged_keys(policy, now()).flat_map(|(_, verdict)| verdict.findings.iter()).collect()
    }

    #[test]
    fn each_finding_has_its_place() {
        for (place, finding) in Finding::ALL.into_iter().enumerate() {
            assert_eq!(finding as usize, place);
        }
        assert!(Finding::ALL.into_iter().filter(|finding| *finding != Finding::AtLimit).eq(Finding::OF_KEYS));
    }

    #[test]
    fn a_key_has_all_findings_that_are_true_of_it() {
        use Finding::{AutoDisableSoon, Inactive, Stale, Unused, VeryStale};
        use KeyStatus::{Active, Unknown};
        let never = Some(LastUse::Never);
        let disabled = KeyStatus::Inactive;
        for (days, status, last_use, findings) in [
            (90, Active, None, vec![]),
            (91, Active, None, vec![Stale]),
            (91, Unknown, None, vec![Stale]),
            (180, Active, None, vec![Stale]),
            (181, Unknown, None, vec![VeryStale, Stale]),
            (1, disabled, None, vec![Inactive]),
            (999, disabled, Some(used(99)), vec![Inactive]),
            (45, Active, never, vec![]),
            (50, Active, never, vec![Unused]),
            (80, Active, Some(used(45)), vec![]),
            (80, Active, Some(used(46)), vec![Unused]),
            // 89 days after the last use, told 15 days before.
            (80, Active, Some(used(73)), vec![Unused]),
            (80, Active, Some(used(74)), vec![AutoDisableSoon, Unused]),
            (80, Unknown, Some(used(74)), vec![Unused]),
            (74, Active, never, vec![AutoDisableSoon, Unused]),
            (500, Active, Some(used(400)), vec![AutoDisableSoon, VeryStale, Stale, Unused]),
            (-1, Active, never, vec![]),
        ] {
            let key = key("a", days, status, last_use);
            assert_eq!(found(key.clone(), &Policy::default()), findings, "{key:?}");
        }
    }

    #[test]
    fn what_is_switched_off_is_not_found() {
        let off = Policy { unused_after: None, auto_disable_after: None, rotation_grace: None, ..Policy::default() };
        let old = key("a", 80, KeyStatus::Active, Some(LastUse::Never));
        assert_eq!((found(old.clone(), &off), old.auto_disabled_at(&off)), (vec![], None));
        let two = user(&[old, key("b", 20, KeyStatus::Active, None)]);
        assert!(two.judged_keys(&off, now()).all(|(_, verdict)| verdict == Verdict::default()));
        let expected = now() - DAY * 80 + DAY * 89;
        assert_eq!(two.keys.as_deref().unwrap()[0].auto_disabled_at(&Policy::default()), Some(expected));
    }

    #[test]
    fn a_rotation_is_unfinished_while_the_old_keys_are_active() {
        use KeyStatus::{Active, Inactive, Unknown};
        let unfinished = |keys: &[(i32, KeyStatus)]| {
            let keys: Vec<Key> = (0..)
                .zip(keys)
                .map(|(place, (days, status))| key(&format!("k{place}"), *days, *status, None))
                .collect();
            let user = user(&keys);
            let is_so = |verdict: Verdict| verdict.findings.contains(Finding::RotationUnfinished);
            user.judged_keys(&Policy::default(), now()).map(|(_, verdict)| is_so(verdict)).collect::<Vec<_>>()
        };
        assert_eq!(unfinished(&[(50, Active), (8, Active)]), [true, false]);
        assert_eq!(unfinished(&[(50, Active), (7, Active)]), [false, false], "there is still time");
        assert_eq!(unfinished(&[(8, Active), (50, Active), (60, Active)]), [false, true, true]);
        assert_eq!(unfinished(&[(50, Inactive), (8, Active)]), [false, false]);
        assert_eq!(unfinished(&[(50, Active), (8, Inactive)]), [false, false], "the new key is disabled");
        assert_eq!(unfinished(&[(50, Active), (8, Unknown)]), [false, false]);
        assert_eq!(
            unfinished(&[(8, Active), (8, Active)]),
            [true, false],
            "made in the same second: one is the newest"
        );
        assert_eq!(unfinished(&[(50, Active)]), [false]);
    }

    #[test]
    fn a_user_has_all_findings_that_are_true_of_it() {
        use Finding::{AtLimit, ConsoleLogin, OverLimit};
        let active = |label: &str| key(label, 1, KeyStatus::Active, None);
        let disabled = key("d", 1, KeyStatus::Inactive, None);
        for (keys, console_login, findings) in [
            (vec![], Some(true), vec![]),
            (vec![active("a")], None, vec![]),
            (vec![active("a")], Some(false), vec![]),
            (vec![active("a")], Some(true), vec![ConsoleLogin]),
            (vec![disabled.clone()], Some(true), vec![]),
            (vec![active("a"), disabled.clone()], Some(true), vec![ConsoleLogin, AtLimit]),
            (vec![active("a"), active("b"), disabled], Some(true), vec![OverLimit, ConsoleLogin]),
        ] {
            let user = User { console_login, ..user(&keys) };
            let verdict = user.verdict(&Policy::default(), now());
            assert_eq!((verdict.findings.iter().collect::<Vec<_>>(), verdict.exempt), (findings, Findings::default()));
            for (key, of_key) in user.judged_keys(&Policy::default(), now()) {
                for finding in [OverLimit, ConsoleLogin] {
                    let is_marked = verdict.findings.contains(finding) && (finding == OverLimit || key.is_enabled());
                    assert_eq!(of_key.findings.contains(finding), is_marked, "{key:?}");
                }
            }
        }
    }

    #[test]
    fn an_exemption_hides_a_finding_until_it_ends() {
        let exempt = |until: Option<Timestamp>| Policy {
            exemptions: vec![Exemption { finding: Finding::Stale, until, reason: None }],
            ..Policy::default()
        };
        let user = user(&[key("a", 181, KeyStatus::Active, None)]);
        let verdict = |until| user.judged_keys(&exempt(until), now()).next().unwrap().1;
        let set = |findings: &[Finding]| findings.iter().copied().collect::<Findings>();
        let hidden = Verdict { findings: set(&[Finding::VeryStale]), exempt: set(&[Finding::Stale]) };
        assert_eq!((verdict(None), verdict(Some(now() + DAY))), (hidden, hidden));
        let reported = Verdict { findings: set(&[Finding::VeryStale, Finding::Stale]), exempt: set(&[]) };
        assert_eq!(verdict(Some(now())), reported);
        assert!(reported.findings.distinct().eq([Finding::VeryStale]));
    }

    #[test]
    fn a_limit_of_nothing_is_reached_by_nobody_without_keys() {
        for (keys, limit, standing) in [
            (0, 0, KeyLimit::Below),
            (1, 0, KeyLimit::Over),
            (1, 2, KeyLimit::Below),
            (2, 2, KeyLimit::At),
            (3, 2, KeyLimit::Over),
        ] {
            let user = user(&vec![key("a", 0, KeyStatus::Active, None); keys]);
            assert_eq!(user.key_limit(&Policy { limit, ..Policy::default() }), standing);
        }
    }
}
