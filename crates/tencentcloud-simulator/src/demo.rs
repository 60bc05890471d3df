//! An account to look at: what `demo` polls.
//!
//! Its ids and secrets are plainly made up, and the same every time.

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::Credential;

use crate::{Behaviour, Caller, Key, NoKeys, Population, User, UserType};

/// The UIN of the first user, which is the exporter's own; the others follow.
const FIRST_UIN: u64 = 100_013_065_900;

const ACTIVE: &str = "Active";
const INACTIVE: &str = "Inactive";

/// A user as it is written down here.
struct DemoUser {
    name: &'static str,
    /// The age of each key in days, its status, and how many calendar days before today it was last used.
    keys: &'static [(f64, &'static str, Option<u16>)],
    no_keys: NoKeys,
    behaviour: Behaviour,
    console_login: bool,
}

/// In place of the days since a key was last used.
const NEVER: Option<u16> = None;

const USERS: &[DemoUser] = &[
    // The exporter's own key.
    with_keys("key-exporter", &[(12.4, ACTIVE, Some(0))]),
    // As it should be: one fresh key, or two while one takes over from the other.
    with_keys("ci-build", &[(0.1, ACTIVE, Some(0))]),
    with_keys("ci-release", &[(0.8, ACTIVE, Some(0))]),
    with_keys("terraform", &[(3.2, ACTIVE, Some(1))]),
    // People, one of which may log in to the console as well.
    DemoUser { console_login: true, ..with_keys("alice", &[(9.5, ACTIVE, Some(0))]) },
    with_keys("bob", &[(17.2, ACTIVE, Some(2))]),
    with_keys("carol", &[(23.7, ACTIVE, Some(2))]),
    with_keys("dave", &[(31.1, ACTIVE, Some(0))]),
    with_keys("erin", &[(38.6, ACTIVE, Some(0))]),
    with_keys("frank", &[(44.9, ACTIVE, Some(0))]),
    with_keys("grace", &[(52.3, ACTIVE, Some(0))]),
    with_keys("heidi", &[(60.2, ACTIVE, Some(2))]),
    with_keys("ivan", &[(66.8, ACTIVE, Some(1))]),
    with_keys("judy", &[(71.5, ACTIVE, Some(0))]),
    with_keys("mallory", &[(78.2, ACTIVE, Some(0))]),
    // Not used for long: Tencent Cloud will disable it in nine days.
    with_keys("niaj", &[(84.7, ACTIVE, Some(80))]),
    // Stale today, tomorrow, and since long.
    with_keys("backup", &[(90.2, ACTIVE, Some(1))]),
    with_keys("billing-export", &[(89.4, ACTIVE, Some(0))]),
    with_keys("log-shipper", &[(121.6, ACTIVE, Some(0))]),
    with_keys("image-sync", &[(203.3, ACTIVE, NEVER)]),
    with_keys("dns-updater", &[(411.9, ACTIVE, Some(247))]),
    with_keys("legacy-api", &[(1_294.5, ACTIVE, NEVER)]),
    with_keys("first-admin", &[(2_215.2, ACTIVE, Some(1_329))]),
    // At the limit.
    with_keys("payments-rotating", &[(2.5, ACTIVE, Some(1)), (88.1, ACTIVE, Some(0))]),
    with_keys("search-rotating", &[(14.3, ACTIVE, Some(0)), (187.4, ACTIVE, Some(1))]),
    with_keys("cdn-purge", &[(33.2, ACTIVE, Some(1)), (33.1, INACTIVE, NEVER)]),
    with_keys("old-pipeline", &[(730.6, ACTIVE, Some(438)), (1_095.2, INACTIVE, Some(876))]),
    // Over it.
    with_keys("data-platform", &[(5.7, ACTIVE, Some(0)), (97.3, ACTIVE, Some(0)), (365.8, INACTIVE, Some(293))]),
    // Disabled, and never removed.
    with_keys("intern-2024", &[(156.2, INACTIVE, Some(125))]),
    with_keys("trial-vendor", &[(912.4, INACTIVE, Some(730))]),
    // Without keys, in the three ways an answer may say so.
    with_keys("olivia", &[]),
    DemoUser { no_keys: NoKeys::Null, ..with_keys("peggy", &[]) },
    DemoUser { no_keys: NoKeys::Absent, console_login: true, ..with_keys("console-only", &[]) },
    // One that sometimes fails, one that may not be listed, one that was deleted.
    DemoUser { behaviour: Behaviour::Flaky { every: 4 }, ..with_keys("flaky-gateway", &[(47.2, ACTIVE, Some(1))]) },
    DemoUser { behaviour: Behaviour::Denied, ..with_keys("security-audit", &[(210.2, ACTIVE, Some(1))]) },
    DemoUser { behaviour: Behaviour::DoesNotExist, ..with_keys("left-in-spring", &[]) },
];

const fn with_keys(name: &'static str, keys: &'static [(f64, &'static str, Option<u16>)]) -> DemoUser {
    DemoUser { name, keys, no_keys: NoKeys::Empty, behaviour: Behaviour::Answers, console_login: false }
}

// === impl DemoUser ===

impl DemoUser {
    /// The user at this place, with keys of these ages as of `now`.
    ///
    /// Ages are counted from `now`, last uses from the day of the API's zone that `now` is in. So a list that is made at once
    /// shows the same at any time of day.
    fn as_of(&self, now: Timestamp, place: u64) -> User {
        let keys = (1..).zip(self.keys).map(|(number, &(days, status, last_used))| {
            let age = SignedDuration::from_secs_f64(days * 86_400.0);
            let created = now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
            let key = Key::new(id(place * 10 + number), status, created);
            match last_used {
                Some(days) => key.used_days_before(now, days),
                None => key,
            }
        });
        let name = Some(self.name.to_owned());
        let Self { no_keys, behaviour, console_login, .. } = *self;
        User {
            name,
            user_type: UserType::SubUser,
            member: None,
            keys: keys.collect(),
            no_keys,
            behaviour,
            console_login,
        }
    }
}

// === impl Population ===

impl Population {
    /// A believable account as of `now`: fresh keys and stale ones, users at their limit and one over it, and the usual
    /// few that cannot be asked. [`Population::uins`] are the users to poll, one of which does not exist. The others have names.
    #[must_use]
    pub fn demo(now: Timestamp) -> Self {
        let users = (0..).zip(USERS).map(|(place, user)| (FIRST_UIN + place, user.as_of(now, place)));
        let caller = Caller { uin: FIRST_UIN, credential: Self::demo_credential() };
        Self { callers: vec![caller], users: users.collect() }
    }

    /// The credential that [`Population::demo`] knows.
    #[must_use]
    pub fn demo_credential() -> Credential {
        Credential { secret_id: id(1).into(), secret_key: "not-a-secret-this-is-a-demo".into(), token: None }
    }
}

/// 36 characters, as real ones have, of which the last four tell them apart.
fn id(number: u64) -> String {
    format!("AKIDDEMO{number:028}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::{
        civil::{Date, DateTime},
        tz::offset,
    };

    use super::*;
    use crate::Field;

    #[test]
    fn has_what_there_is_to_see() {
        let demo = Population::demo("2026-01-01T00:00:00Z".parse().unwrap());
        let keys: Vec<&Key> = demo.users.values().flat_map(|user| &user.keys).collect();
        let ids: HashSet<&str> = keys.iter().map(|key| key.access_key_id.as_str()).collect();
        assert_eq!(ids.len(), keys.len());
        assert!(ids.iter().all(|id| id.len() == 36));
        assert_eq!(demo.uins().len(), 36);

        let users = |count: usize| demo.users.values().filter(|user| user.keys.len() == count).count();
        assert_eq!((users(0), users(2), users(3)), (4, 4, 1));
        let behaving = |behaviour| demo.users.values().filter(|user| user.behaviour == behaviour).count();
        assert_eq!([Behaviour::Denied, Behaviour::DoesNotExist].map(behaving), [1, 1]);
        let names: HashSet<_> = demo.users.values().map(|user| &user.name).collect();
        assert_eq!(names.len(), demo.users.len());
        let used = keys.iter().filter(|key| key.last_used_date != Field::Null).count();
        assert!(used > 20 && keys.len() - used >= 3, "{used} of {}", keys.len());
        assert_eq!(demo.users[&(FIRST_UIN + 16)].keys[0].create_time, "2025-10-03 03:12:00");
    }

    /// What `list` shows of every key, for which time passes that a list takes.
    fn shown(now: Timestamp) -> Vec<(i64, i64)> {
        let zone = offset(8);
        let looked_at = now + SignedDuration::from_mins(30);
        let demo = Population::demo(now);
        let keys = demo.users.values().flat_map(|user| &user.keys);
        let shown = keys.map(|key| {
            let created = DateTime::strptime("%Y-%m-%d %H:%M:%S", &key.create_time).unwrap();
            let age = looked_at.duration_since(zone.to_timestamp(created).unwrap());
            let last_used = match &key.last_used_date {
                Field::Value(date) => {
                    let date: Date = date.parse().unwrap();
                    looked_at.duration_since(zone.to_timestamp(date.at(0, 0, 0, 0)).unwrap()).as_hours() / 24
                }
                Field::Null | Field::Absent => -1,
            };
            let is_young = age.as_hours() < 24;
            (if is_young { age.as_hours() } else { age.as_hours() / 24 }, last_used)
        });
        shown.collect()
    }

    #[test]
    fn shows_the_same_at_any_time_of_day() {
        // Half an hour before midnight of the API's zone the last of these lists is made.
        for days in [["2026-01-01", "2026-02-28"], ["2028-02-29", "2026-12-31"]].concat() {
            let midnight = offset(8).to_timestamp(days.parse::<Date>().unwrap().at(0, 0, 0, 0)).unwrap();
            let first = shown(midnight);
            for minutes in (0..24 * 60 - 30).step_by(7) {
                assert_eq!(shown(midnight + SignedDuration::from_mins(minutes)), first, "{days}, {minutes} min");
            }
        }
    }
}
