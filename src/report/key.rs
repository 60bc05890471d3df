//! Keys, and what is to be said of each.

use std::{cmp::Reverse, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    inventory::{AccountName, Facts, Key, User},
    tencent::{KeyStatus, LastUse, Uin},
};

/// From when on a key that is not used is called unused. Tencent Cloud gives no number; this is what the CIS benchmarks
/// for other clouds ask.
pub const UNUSED_AFTER: SignedDuration = SignedDuration::from_hours(45 * 24);

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// The account.
    pub account: AccountName,
    /// The user.
    pub uin: Uin,
    /// What the user is called, where that is known.
    pub user_name: Option<String>,
    /// The key's id, as it is shown.
    pub label: String,
    /// Its status.
    pub status: KeyStatus,
    /// When it was made.
    pub created: Timestamp,
    /// How old it is; none is younger than nothing.
    pub age: SignedDuration,
    /// When it was last used, where that is known.
    pub last_used: Option<LastUse>,
    /// What is to be said of it, the worst first. Nothing is good.
    pub findings: Vec<Finding>,
}

/// What is to be said of a key; the worst come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// It is older than `keys.max_age`.
    Stale,
    /// Its user has more keys than `keys.limit`.
    OverLimit,
    /// It has not been used for [`UNUSED_AFTER`], or never in as long a life.
    Unused,
    /// It is disabled, and could be deleted.
    Inactive,
}

// === impl KeyReport ===

impl KeyReport {
    /// The `keys` of a user, where it is `now`.
    pub(super) fn of_user(
        account: &AccountName,
        (uin, user): (Uin, &User),
        keys: &[Key],
        facts: &Facts,
        now: Timestamp,
    ) -> impl Iterator<Item = Self> {
        let is_over_limit = keys.len() > usize::try_from(facts.key_limit).unwrap_or(usize::MAX);
        keys.iter().map(move |key| {
            let report = Self {
                account: account.clone(),
                uin,
                user_name: user.name.as_deref().map(str::to_owned),
                last_used: key.last_use,
                label: key.label.clone(),
                status: key.status,
                created: key.created,
                age: now.duration_since(key.created).max(SignedDuration::ZERO),
                findings: vec![],
            };
            report.judged(is_over_limit, facts.key_max_age, now)
        })
    }

    /// Where it stands in a list: what is worst comes first, keys in use before others, then the oldest.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let worst = self.findings.first().copied();
        let place = (self.account.clone(), self.uin, self.label.clone());
        (worst.is_none(), worst, self.status == KeyStatus::Inactive, Reverse(self.age), place)
    }

    fn judged(mut self, is_over_limit: bool, max_age: Duration, now: Timestamp) -> Self {
        let idle = self.last_used.map(|last_used| match last_used {
            LastUse::Never => self.age,
            LastUse::At(time) => now.duration_since(time),
        });
        let findings = [
            (Finding::Stale, self.age.unsigned_abs() > max_age),
            (Finding::OverLimit, is_over_limit),
            (Finding::Unused, idle.is_some_and(|idle| idle > UNUSED_AFTER)),
            (Finding::Inactive, self.status == KeyStatus::Inactive),
        ];
        self.findings = findings.into_iter().filter(|(_, is_so)| *is_so).map(|(finding, _)| finding).collect();
        self
    }
}

// === impl Finding ===

impl Finding {
    /// Every finding, the worst first.
    pub const ALL: [Self; 4] = [Self::Stale, Self::OverLimit, Self::Unused, Self::Inactive];

    /// What it is called among programs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::OverLimit => "over_limit",
            Self::Unused => "unused",
            Self::Inactive => "inactive",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn key(days: i64, status: KeyStatus, last_used: Option<LastUse>, is_over_limit: bool) -> KeyReport {
        let key = KeyReport {
            account: "prod".parse().unwrap(),
            uin: "7".parse().unwrap(),
            user_name: None,
            label: days.to_string(),
            status,
            created: now() - DAY * i32::try_from(days).unwrap(),
            age: DAY * i32::try_from(days).unwrap(),
            last_used,
            findings: vec![],
        };
        key.judged(is_over_limit, Duration::from_hours(90 * 24), now())
    }

    #[test]
    fn a_key_is_called_all_that_it_is() {
        use Finding::{Inactive, OverLimit, Stale, Unused};
        use KeyStatus::{Active, Unknown};
        let used = |days: i32| Some(LastUse::At(now() - DAY * days));
        for (key, findings) in [
            (key(90, Active, None, false), vec![]),
            (key(91, Active, None, false), vec![Stale]),
            (key(1, Unknown, None, true), vec![OverLimit]),
            (key(1, KeyStatus::Inactive, None, false), vec![Inactive]),
            (key(50, Active, Some(LastUse::Never), false), vec![Unused]),
            (key(45, Active, Some(LastUse::Never), false), vec![]),
            (key(80, Active, used(46), false), vec![Unused]),
            (key(80, Active, used(45), false), vec![]),
            (key(99, KeyStatus::Inactive, used(99), true), vec![Stale, OverLimit, Unused, Inactive]),
        ] {
            assert_eq!(key.findings, findings, "{key:?}");
        }
    }

    #[test]
    fn the_worst_come_first() {
        let mut keys = [
            key(3, KeyStatus::Active, None, false),
            key(400, KeyStatus::Inactive, None, false),
            key(60, KeyStatus::Active, Some(LastUse::Never), false),
            key(100, KeyStatus::Active, None, true),
            key(5, KeyStatus::Inactive, None, false),
            key(70, KeyStatus::Active, None, true),
            key(200, KeyStatus::Active, None, false),
        ];
        keys.sort_by_cached_key(KeyReport::rank);
        let order: Vec<&str> = keys.iter().map(|key| key.label.as_str()).collect();
        assert_eq!(order, ["200", "100", "400", "70", "60", "5", "3"]);
    }
}
