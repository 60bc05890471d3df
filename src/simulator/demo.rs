//! An account to look at: what `demo` polls.
//!
//! Its ids and secrets are plainly made up, and the same every time.

use jiff::{SignedDuration, Timestamp};

use super::{Behaviour, Caller, Key, NoKeys, Population, User};
use crate::tencent::Credential;

/// The UIN of the first user, which is the exporter's own; the others follow.
const FIRST_UIN: u64 = 100_013_065_900;

const ACTIVE: &str = "Active";
const INACTIVE: &str = "Inactive";

/// A user as it is written down here.
struct DemoUser {
    /// The ages of the keys, in days, and their status.
    keys: &'static [(f64, &'static str)],
    no_keys: NoKeys,
    behaviour: Behaviour,
}

const NO_KEYS: DemoUser = with_keys(&[]);

const USERS: &[DemoUser] = &[
    // The exporter's own key.
    with_keys(&[(12.4, ACTIVE)]),
    // As it should be: one fresh key, or two while one takes over from the other.
    with_keys(&[(0.1, ACTIVE)]),
    with_keys(&[(0.8, ACTIVE)]),
    with_keys(&[(3.2, ACTIVE)]),
    with_keys(&[(9.5, ACTIVE)]),
    with_keys(&[(17.0, ACTIVE)]),
    with_keys(&[(23.7, ACTIVE)]),
    with_keys(&[(31.1, ACTIVE)]),
    with_keys(&[(38.6, ACTIVE)]),
    with_keys(&[(44.9, ACTIVE)]),
    with_keys(&[(52.3, ACTIVE)]),
    with_keys(&[(60.0, ACTIVE)]),
    with_keys(&[(66.8, ACTIVE)]),
    with_keys(&[(71.5, ACTIVE)]),
    with_keys(&[(78.2, ACTIVE)]),
    with_keys(&[(84.7, ACTIVE)]),
    // Stale today, tomorrow, and since long.
    with_keys(&[(90.2, ACTIVE)]),
    with_keys(&[(89.4, ACTIVE)]),
    with_keys(&[(121.6, ACTIVE)]),
    with_keys(&[(203.3, ACTIVE)]),
    with_keys(&[(411.9, ACTIVE)]),
    with_keys(&[(1_294.5, ACTIVE)]),
    with_keys(&[(2_215.0, ACTIVE)]),
    // At the limit.
    with_keys(&[(2.5, ACTIVE), (88.1, ACTIVE)]),
    with_keys(&[(14.3, ACTIVE), (187.4, ACTIVE)]),
    with_keys(&[(33.0, ACTIVE), (33.1, INACTIVE)]),
    with_keys(&[(730.6, ACTIVE), (1_095.2, INACTIVE)]),
    // Over it.
    with_keys(&[(5.7, ACTIVE), (97.3, ACTIVE), (365.8, INACTIVE)]),
    // Disabled, and never removed.
    with_keys(&[(156.2, INACTIVE)]),
    with_keys(&[(912.4, INACTIVE)]),
    // Without keys, in the three ways an answer may say so.
    NO_KEYS,
    DemoUser { no_keys: NoKeys::Null, ..NO_KEYS },
    DemoUser { no_keys: NoKeys::Absent, ..NO_KEYS },
    // One that sometimes fails, one that may not be listed, one that was deleted.
    DemoUser { behaviour: Behaviour::Flaky { every: 4 }, ..with_keys(&[(47.2, ACTIVE)]) },
    DemoUser { behaviour: Behaviour::Denied, ..with_keys(&[(210.0, ACTIVE)]) },
    DemoUser { behaviour: Behaviour::DoesNotExist, ..NO_KEYS },
];

const fn with_keys(keys: &'static [(f64, &'static str)]) -> DemoUser {
    DemoUser { keys, no_keys: NoKeys::Empty, behaviour: Behaviour::Answers }
}

// === impl DemoUser ===

impl DemoUser {
    /// The user at this place, whose keys are so old as of `now`.
    fn as_of(&self, now: Timestamp, place: u64) -> User {
        let keys = (1..).zip(self.keys).map(|(number, &(days, status))| {
            let age = SignedDuration::from_secs_f64(days * 86_400.0);
            let created = now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
            Key::new(id(place * 10 + number), status, created)
        });
        User { keys: keys.collect(), no_keys: self.no_keys, behaviour: self.behaviour }
    }
}

// === impl Population ===

impl Population {
    /// A believable account as of `now`: fresh keys and stale ones, users at their limit and one over it, and the usual
    /// few that cannot be asked. [`Population::uins`] are the users to poll, one of whom does not exist.
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

    use super::*;

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
        assert_eq!(demo.users[&(FIRST_UIN + 16)].keys[0].create_time, "2025-10-03 03:12:00");
    }
}
