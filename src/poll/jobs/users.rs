//! Lists the account's users, for `discover`.

use std::time::Duration;

use tencentcloud_api::{ListUsers, NamedUser, Uin, UserType};
use thiserror::Error;
use tracing::info;

use super::{CallError, Engine, Job, Plan};
use crate::{
    inventory::{Found, FoundUser, Listing},
    pattern::{Pattern, selects},
    poll::Interval,
};

/// How users are discovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// How often they are listed.
    pub interval: Interval,
    /// Those whose name or UIN matches one of these are polled. All, if there are none.
    pub include: Vec<Pattern>,
    /// Those whose name or UIN matches one of these are not polled.
    pub exclude: Vec<Pattern>,
    /// Those of these types are listed as well.
    pub user_types: Vec<UserType>,
}

/// The last list of users or members that was accepted, with those that are not selected.
#[derive(Debug, Default)]
pub(super) struct LastListing {
    users: Option<Found>,
    /// Whether the answer before was rejected because it was empty.
    emptied: bool,
}

/// A single empty answer must not delete all users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the list of users is empty, and it was not before: the users stay unless the next list is empty too")]
pub(super) struct EmptyListing;

/// See [`Listing::Users`].
#[derive(Default)]
pub(in crate::poll) struct UsersJob {
    last: LastListing,
}

// === impl UsersJob ===

impl UsersJob {
    /// Writes the users of the last list that the plan selects.
    fn write(&self, engine: &Engine, plan: &Plan) {
        let account = engine.account();
        account.set_found(select(&self.last, account.sources().found, plan));
        engine.deps.users_changed.notify_one();
    }
}

impl Job for UsersJob {
    type Action = ListUsers;

    const NAME: &'static str = "listing users";
    const LISTING: Option<Listing> = Some(Listing::Users);

    fn interval(plan: &Plan) -> Option<Duration> {
        plan.discovery.as_ref().map(|discovery| discovery.interval.get())
    }

    fn apply(&mut self, engine: &Engine, plan: &Plan) -> bool {
        self.write(engine, plan);
        true
    }

    fn clear(&mut self, engine: &Engine) {
        self.last = LastListing::default();
        engine.account().set_found(Found::new());
        engine.deps.users_changed.notify_one();
    }

    fn action(&mut self) -> Option<ListUsers> {
        Some(ListUsers {})
    }

    fn answered(&mut self, users: Vec<NamedUser>, engine: &Engine, plan: &Plan) -> Result<Option<Duration>, CallError> {
        let account = engine.account();
        let before = account.sources().found;
        self.last
            .replace(users.into_iter().map(found).collect(), before.len())
            .map_err(|error| CallError::rejected(&error))?;
        self.write(engine, plan);
        account.listing_succeeded(Listing::Users, engine.now());
        let found = account.sources().found;
        let (new, gone) = differences(&before, &found);
        if new + gone > 0 {
            info!(account = %account.name(), new, gone, users = found.len(), "users listed");
        }
        Ok(Self::interval(plan))
    }
}

// === impl Discovery ===

impl Discovery {
    /// Whether the user is polled.
    #[must_use]
    pub fn admits(&self, uin: Uin, name: &str) -> bool {
        let uin = uin.to_string();
        selects(&self.include, &self.exclude, |pattern| pattern.matches(name) || pattern.matches(&uin))
    }
}

impl Default for Discovery {
    /// All sub-users, every 10 minutes.
    fn default() -> Self {
        Self { interval: Interval::OF_DISCOVERY, include: vec![], exclude: vec![], user_types: vec![] }
    }
}

// === impl LastListing ===

impl LastListing {
    /// Replaces the list. `known` is how many users there are before the first list.
    pub(super) fn replace(&mut self, answer: Found, known: usize) -> Result<(), EmptyListing> {
        let before = self.users.as_ref().map_or(known, Found::len);
        if answer.is_empty() && before > 0 && !std::mem::replace(&mut self.emptied, true) {
            return Err(EmptyListing);
        }
        self.emptied = false;
        self.users = Some(answer);
        Ok(())
    }

    /// Whether there has been a list.
    pub(super) fn is_known(&self) -> bool {
        self.users.is_some()
    }

    /// The selected users of the list; of `before` if there has been no list.
    pub(super) fn selected(&self, before: Found, is_selected: impl Fn(Uin, &str) -> bool) -> Found {
        let mut users = self.users.clone().unwrap_or(before);
        users.retain(|uin, user| is_selected(*uin, &user.name));
        users
    }
}

/// The users of the last list that the plan selects; of `before` if there has been no list.
pub(super) fn select(last: &LastListing, before: Found, plan: &Plan) -> Found {
    let Plan { discovery, owns, .. } = plan;
    last.selected(before, |uin, name| {
        owns(uin) && discovery.as_ref().is_some_and(|discovery| discovery.admits(uin, name))
    })
}

/// A user that was listed.
pub(super) fn found(NamedUser { uin, name, console_login }: NamedUser) -> (Uin, FoundUser) {
    (uin, FoundUser { name: name.into(), console_login })
}

/// How many users are only in `after`, and how many only in `before`.
pub(super) fn differences(before: &Found, after: &Found) -> (usize, usize) {
    let only_in = |one: &Found, other: &Found| one.keys().filter(|uin| !other.contains_key(uin)).count();
    (only_in(after, before), only_in(before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uin(number: u64) -> Uin {
        number.try_into().unwrap()
    }

    #[test]
    fn patterns_match_names_and_uins() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let discovery = |include: &[&str], exclude: &[&str]| Discovery {
            include: patterns(include),
            exclude: patterns(exclude),
            ..Discovery::default()
        };
        assert!(discovery(&[], &[]).admits(uin(7), ""));
        assert!(discovery(&["ci-*", "7?"], &[]).admits(uin(7), "ci-deploy"));
        assert!(discovery(&["ci-*", "7?"], &[]).admits(uin(70), "alice"));
        assert!(!discovery(&["ci-*", "7?"], &[]).admits(uin(7), "alice"));
        assert!(!discovery(&["ci-*"], &["*-old"]).admits(uin(7), "ci-old"));
        assert!(!discovery(&[], &["7"]).admits(uin(7), "ci-deploy"));
    }

    fn list(numbers: &[u64]) -> Found {
        numbers.iter().map(|number| (uin(*number), format!("user-{number}").into())).collect()
    }

    fn all(list: &LastListing) -> Vec<u64> {
        list.selected(Found::new(), |_, _| true).keys().map(|uin| uin.get()).collect()
    }

    #[test]
    fn empty_list_is_accepted_the_second_time() {
        let mut last = LastListing::default();
        assert_eq!(last.replace(list(&[1, 2]), 0), Ok(()));
        assert_eq!(last.replace(list(&[]), 0), Err(EmptyListing));
        assert_eq!(all(&last), [1, 2]);
        assert_eq!(last.replace(list(&[2]), 0), Ok(()));
        assert_eq!(last.replace(list(&[]), 0), Err(EmptyListing), "the list in between counts");
        assert_eq!(last.replace(list(&[]), 0), Ok(()));
        assert!(all(&last).is_empty());
        assert_eq!(last.replace(list(&[]), 0), Ok(()), "there were no users");
    }

    #[test]
    fn users_known_before_the_first_list_count() {
        let mut last = LastListing::default();
        let before = Found::from([(uin(1), "a".into()), (uin(2), "b".into())]);
        assert_eq!(last.selected(before.clone(), |uin, _| uin.get() == 2).len(), 1);
        assert_eq!(last.replace(list(&[]), before.len()), Err(EmptyListing));
        assert_eq!(last.selected(before.clone(), |_, _| true), before);
        assert_eq!(last.replace(list(&[3]), before.len()), Ok(()));
        assert_eq!(last.selected(before, |_, _| true).keys().map(|uin| uin.get()).collect::<Vec<_>>(), [3]);
    }
}
