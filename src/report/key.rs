//! Keys, and what is to be said of each.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use crate::{
    inventory::{AccountName, Facts, User, assessment::Findings},
    tencent::{KeyStatus, LastUse, Uin},
};

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
    pub findings: Findings,
}

// === impl KeyReport ===

impl KeyReport {
    /// The keys of a user, where it is `now`.
    pub(super) fn of_user(
        account: &AccountName,
        (uin, user): (Uin, &User),
        facts: &Facts,
        now: Timestamp,
    ) -> impl Iterator<Item = Self> {
        let limit = user.assess(facts).limit;
        user.keys.as_deref().unwrap_or_default().iter().map(move |key| Self {
            account: account.clone(),
            uin,
            user_name: user.name.as_deref().map(str::to_owned),
            last_used: key.last_use,
            label: key.label.clone(),
            status: key.status,
            created: key.created,
            age: key.age(now),
            findings: key.findings(limit, facts, now),
        })
    }

    /// Where it stands in a list: what is worst comes first, keys in use before others, then the oldest.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let worst = self.findings.iter().next();
        let place = (self.account.clone(), self.uin, self.label.clone());
        (worst.is_none(), worst, self.status == KeyStatus::Inactive, Reverse(self.age), place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::assessment::Finding;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn key(days: i32, status: KeyStatus, findings: &[Finding]) -> KeyReport {
        KeyReport {
            account: "prod".parse().unwrap(),
            uin: "7".parse().unwrap(),
            user_name: None,
            label: days.to_string(),
            status,
            created: now() - DAY * days,
            age: DAY * days,
            last_used: None,
            findings: findings.iter().copied().collect(),
        }
    }

    #[test]
    fn the_worst_come_first() {
        use Finding::{Inactive, OverLimit, Stale, Unused};
        let mut keys = [
            key(3, KeyStatus::Active, &[]),
            key(400, KeyStatus::Inactive, &[Inactive]),
            key(60, KeyStatus::Active, &[Unused]),
            key(100, KeyStatus::Active, &[Stale, OverLimit]),
            key(5, KeyStatus::Inactive, &[Inactive]),
            key(70, KeyStatus::Active, &[OverLimit]),
            key(200, KeyStatus::Active, &[Stale]),
        ];
        keys.sort_by_cached_key(KeyReport::rank);
        let order: Vec<&str> = keys.iter().map(|key| key.label.as_str()).collect();
        assert_eq!(order, ["200", "100", "70", "60", "400", "5", "3"]);
    }
}
