//! Keys with their findings, and the order in which they are listed.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{KeyStatus, LastUse, Uin};

use crate::inventory::{AccountName, AccountSettings, Exemption, User, assessment::Findings};

/// The order of the keys in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The gravest finding first, and of those that have the same the oldest.
    #[default]
    Worst,
    /// The oldest first.
    Age,
    /// The longest unused first; those whose last use is not known last.
    LastUsed,
    /// By account.
    Account,
    /// By the user's UIN.
    User,
    /// By the user's name; those without one last.
    Name,
    /// By the key's id.
    Key,
}

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
    /// For how long it has not been used, where that is known: for all its life if it never was.
    pub idle: Option<SignedDuration>,
    /// When Tencent Cloud will disable it if it is not used, where that is known.
    pub auto_disabled_at: Option<Timestamp>,
    /// Whether its user may log in to the console, where that is known.
    pub console_login: Option<bool>,
    /// What is reported of it, the worst first. Nothing is good.
    pub findings: Findings,
    /// Why other findings are not reported.
    pub exempt: Vec<Exemption>,
}

// === impl KeyReport ===

impl KeyReport {
    /// The keys of a user, where it is `now`.
    pub(super) fn of_user<'a>(
        account: &'a AccountName,
        (uin, user): (Uin, &'a User),
        settings: &'a AccountSettings,
        now: Timestamp,
    ) -> impl Iterator<Item = Self> + 'a {
        let policy = user.policy(settings);
        user.judged_keys(policy, now).map(move |(key, verdict)| Self {
            account: account.clone(),
            uin,
            user_name: user.name.as_deref().map(str::to_owned),
            last_used: key.last_use,
            idle: key.idle(now),
            label: key.label.to_string(),
            status: key.status,
            created: key.created,
            age: key.age(now),
            auto_disabled_at: key.auto_disabled_at(policy),
            console_login: user.console_login,
            findings: verdict.findings,
            exempt: policy.exemptions_from(verdict.exempt).cloned().collect(),
        })
    }

    /// Where it stands in a list: what is worst comes first, keys in use before others, then the oldest.
    fn rank(&self) -> impl Ord + use<> {
        let worst = self.findings.iter().next();
        (worst.is_none(), worst, self.status == KeyStatus::Inactive, Reverse(self.age), self.place())
    }

    fn place(&self) -> impl Ord + use<> {
        (self.account.clone(), self.uin, self.label.clone())
    }
}

// === impl Order ===

impl Order {
    /// Puts `keys` in this order.
    pub fn sort(self, keys: &mut [KeyReport]) {
        match self {
            Self::Worst => keys.sort_by_cached_key(KeyReport::rank),
            Self::Age => keys.sort_by_cached_key(|key| (Reverse(key.age), key.place())),
            Self::LastUsed => keys.sort_by_cached_key(|key| (key.idle.is_none(), Reverse(key.idle), key.place())),
            Self::Account => keys.sort_by_cached_key(|key| (key.account.clone(), key.rank())),
            Self::User => keys.sort_by_cached_key(|key| (key.uin, key.rank())),
            Self::Name => {
                keys.sort_by_cached_key(|key| (key.user_name.is_none(), key.user_name.clone(), key.rank()));
            }
            Self::Key => keys.sort_by_cached_key(|key| (key.label.clone(), key.place())),
        }
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
            idle: None,
            auto_disabled_at: None,
            console_login: None,
            exempt: vec![],
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
        Order::Worst.sort(&mut keys);
        let order: Vec<&str> = keys.iter().map(|key| key.label.as_str()).collect();
        assert_eq!(order, ["200", "100", "70", "60", "400", "5", "3"]);
    }

    #[test]
    fn keys_come_in_the_order_that_is_asked_for() {
        use Finding::Stale;
        let a = |days: i32, account: &str, uin: u64, name: Option<&str>, idle: Option<i32>| KeyReport {
            account: account.parse().unwrap(),
            uin: uin.try_into().unwrap(),
            user_name: name.map(str::to_owned),
            idle: idle.map(|days| DAY * days),
            ..key(days, KeyStatus::Active, if days > 90 { &[Stale] } else { &[] })
        };
        let keys = [
            a(3, "b", 3, Some("zoe"), Some(3)),
            a(200, "b", 1, None, None),
            a(100, "a", 2, Some("amy"), Some(0)),
            a(50, "b", 1, Some("bob"), Some(49)),
        ];
        for (order, expected) in [
            (Order::Worst, ["200", "100", "50", "3"]),
            (Order::Age, ["200", "100", "50", "3"]),
            (Order::LastUsed, ["50", "3", "100", "200"]),
            (Order::Account, ["100", "200", "50", "3"]),
            (Order::User, ["200", "50", "100", "3"]),
            (Order::Name, ["100", "50", "3", "200"]),
            (Order::Key, ["100", "200", "3", "50"]),
        ] {
            let mut keys = keys.clone();
            order.sort(&mut keys);
            let labels: Vec<&str> = keys.iter().map(|key| key.label.as_str()).collect();
            assert_eq!(labels, expected, "{order:?}");
        }
    }
}
