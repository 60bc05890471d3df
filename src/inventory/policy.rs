//! What is expected of keys: the account's policy, and overrides of it for single users.
//!
//! A user's policy is resolved when the configuration or the user's name changes, and not when it is read. Users to which
//! the same overrides apply share one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tencentcloud_api::Uin;

use super::assessment::{Finding, Findings};
use crate::pattern::Pattern;

/// What is expected of a user's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Keys a user may have.
    pub limit: u32,
    /// The age from which a key is stale; very stale from twice that.
    pub max_age: Duration,
    /// How long a key may be unused.
    pub unused_after: Option<Duration>,
    /// After how long without use Tencent Cloud disables a key.
    pub auto_disable_after: Option<Duration>,
    /// How long an old key may stay active beside a new one.
    pub rotation_grace: Option<Duration>,
    /// At most one for a finding, in the order of [`Finding::ALL`].
    pub exemptions: Vec<Exemption>,
}

/// A finding that is not reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    /// What is not reported.
    pub finding: Finding,
    /// When that ends, if it does.
    pub until: Option<Timestamp>,
    /// Why, as configured.
    pub reason: Option<Arc<str>>,
}

/// What is expected of the keys of some users, where that is not what is expected of others. The outer `Option` of a field
/// is whether the override changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// The way to it in the configuration, such as `keys.overrides[0]`.
    pub path: String,
    /// The users, by name or UIN.
    pub users: Vec<Pattern>,
    /// [`Policy::limit`].
    pub limit: Option<u32>,
    /// [`Policy::max_age`].
    pub max_age: Option<Duration>,
    /// [`Policy::unused_after`].
    pub unused_after: Option<Option<Duration>>,
    /// [`Policy::rotation_grace`].
    pub rotation_grace: Option<Option<Duration>>,
    /// What is not reported.
    pub exempt: Findings,
    /// When the exemption ends, if it does.
    pub until: Option<Timestamp>,
    /// Why there is an exemption.
    pub reason: Option<Arc<str>>,
}

/// Resolves the policies of many users.
pub(super) struct Resolver<'a> {
    default: &'a Policy,
    overrides: &'a [Override],
    /// By the places of the overrides that apply.
    resolved: HashMap<Vec<usize>, Arc<Policy>>,
}

// === impl Policy ===

impl Policy {
    /// The exemption from `finding`, in force or ended.
    #[must_use]
    pub fn exemption(&self, finding: Finding) -> Option<&Exemption> {
        self.exemptions.iter().find(|exemption| exemption.finding == finding)
    }

    /// The exemptions, in force or ended, from any of `findings`.
    pub fn exemptions_from(&self, findings: Findings) -> impl Iterator<Item = &Exemption> {
        self.exemptions.iter().filter(move |exemption| findings.contains(exemption.finding))
    }

    /// This policy, with one more override.
    fn apply(&mut self, change: &Override) {
        self.limit = change.limit.unwrap_or(self.limit);
        self.max_age = change.max_age.unwrap_or(self.max_age);
        self.unused_after = change.unused_after.unwrap_or(self.unused_after);
        self.rotation_grace = change.rotation_grace.unwrap_or(self.rotation_grace);
        for finding in change.exempt.iter() {
            let new = Exemption { finding, until: change.until, reason: change.reason.clone() };
            match self.exemptions.binary_search_by_key(&finding, |exemption| exemption.finding) {
                Ok(place) if self.exemptions[place].ends_before(&new) => self.exemptions[place] = new,
                Ok(_) => {}
                Err(place) => self.exemptions.insert(place, new),
            }
        }
    }
}

impl Default for Policy {
    /// 2 keys of up to 90 days, used within 45 days; disabled by Tencent Cloud after 90 days; 7 days for a rotation.
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(24 * days);
        Self {
            limit: 2,
            max_age: days(90),
            unused_after: Some(days(45)),
            auto_disable_after: Some(days(90)),
            rotation_grace: Some(days(7)),
            exemptions: vec![],
        }
    }
}

// === impl Exemption ===

impl Exemption {
    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Of two with the same end, the later one counts.
    fn ends_before(&self, other: &Self) -> bool {
        match (self.until, other.until) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(one), Some(other)) => one <= other,
        }
    }
}

// === impl Override ===

impl Override {
    /// Whether it is for the user who has this UIN, in digits, and perhaps this name.
    fn is_for(&self, uin: &str, name: Option<&str>) -> bool {
        self.users.iter().any(|pattern| pattern.matches(uin) || name.is_some_and(|name| pattern.matches(name)))
    }
}

// === impl Resolver ===

impl<'a> Resolver<'a> {
    pub(super) fn new(default: &'a Policy, overrides: &'a [Override]) -> Self {
        Self { default, overrides, resolved: HashMap::new() }
    }

    /// The policy of a user; nothing where it is the account's.
    pub(super) fn resolve(&mut self, uin: Uin, name: Option<&str>) -> Option<Arc<Policy>> {
        if self.overrides.is_empty() {
            return None;
        }
        let uin = uin.to_string();
        let applies = self.overrides.iter().enumerate().filter(|(_, change)| change.is_for(&uin, name));
        let places: Vec<usize> = applies.map(|(place, _)| place).collect();
        if places.is_empty() {
            return None;
        }
        let Self { default, overrides, resolved } = self;
        let policy = resolved.entry(places).or_insert_with_key(|places| {
            let mut policy = default.clone();
            for place in places {
                policy.apply(&overrides[*place]);
            }
            policy.into()
        });
        Some(Arc::clone(policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(users: &[&str]) -> Override {
        Override { users: users.iter().map(|text| text.parse().unwrap()).collect(), ..Override::default() }
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).unwrap()
    }

    #[test]
    fn later_overrides_win_field_by_field_and_exemptions_add_up() {
        let default = Policy::default();
        let hour = Duration::from_hours(1);
        let overrides = [
            Override {
                limit: Some(3),
                max_age: Some(hour),
                exempt: [Finding::Stale].into_iter().collect(),
                ..change(&["svc-*"])
            },
            Override { limit: Some(4), unused_after: Some(None), ..change(&["*-a", "7"]) },
            Override {
                rotation_grace: Some(Some(hour)),
                exempt: [Finding::Unused].into_iter().collect(),
                ..change(&["svc-a"])
            },
        ];
        let mut resolver = Resolver::new(&default, &overrides);
        let mut resolve = |uin: u64, name| resolver.resolve(uin.try_into().unwrap(), name);
        let a = resolve(1, Some("svc-a")).unwrap();
        assert_eq!((a.limit, a.max_age, a.unused_after, a.rotation_grace), (4, hour, None, Some(hour)));
        assert_eq!(a.auto_disable_after, default.auto_disable_after);
        assert_eq!(a.exemptions.iter().map(|one| one.finding).collect::<Vec<_>>(), [Finding::Stale, Finding::Unused]);
        assert_eq!(resolve(2, Some("svc-b")).unwrap().limit, 3);
        assert_eq!(resolve(7, None).unwrap().limit, 4);
        assert_eq!((resolve(8, Some("alice")), resolve(70, None)), (None, None));
        assert!(Arc::ptr_eq(&resolve(9, Some("svc-c")).unwrap(), &resolve(2, Some("svc-b")).unwrap()));
    }

    #[test]
    fn of_two_exemptions_the_one_that_lasts_longer_counts() {
        let exempt = |until: Option<Timestamp>, reason: &str| Override {
            exempt: [Finding::Stale].into_iter().collect(),
            until,
            reason: Some(reason.into()),
            ..change(&["*"])
        };
        for (overrides, reason) in [
            ([exempt(Some(day(1)), "one"), exempt(Some(day(2)), "two")], "two"),
            ([exempt(Some(day(2)), "one"), exempt(Some(day(1)), "two")], "one"),
            ([exempt(None, "one"), exempt(Some(day(1)), "two")], "one"),
            ([exempt(Some(day(1)), "one"), exempt(None, "two")], "two"),
            ([exempt(Some(day(1)), "one"), exempt(Some(day(1)), "two")], "two"),
        ] {
            let policy = Resolver::new(&Policy::default(), &overrides).resolve(7.try_into().unwrap(), None).unwrap();
            let exemption = policy.exemption(Finding::Stale).unwrap();
            assert_eq!((policy.exemptions.len(), exemption.reason.as_deref()), (1, Some(reason)));
        }
    }

    #[test]
    fn an_exemption_ends_when_its_day_begins() {
        let exemption = Exemption { finding: Finding::Stale, until: Some(day(2)), reason: None };
        let before = Timestamp::from_second(2 * 86_400 - 1).unwrap();
        assert_eq!((exemption.has_ended(before), exemption.has_ended(day(2))), (false, true));
        assert!(!Exemption { until: None, ..exemption }.has_ended(Timestamp::MAX));
    }
}
