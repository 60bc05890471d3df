//! Which users an account has, by the API's own list.

use tencentcloud_api::Uin;
use thiserror::Error;

use super::Interval;
use crate::{inventory::Found, pattern::Pattern};

/// How an account's users are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// How often they are listed.
    pub interval: Interval,
    /// Whom to take: those that fit one of these by name or UIN. Everybody, where there are none.
    pub include: Vec<Pattern>,
    /// Whom to leave out of them, in the same way.
    pub exclude: Vec<Pattern>,
}

/// A list, of users or of members, as it was last good, whoever of it is wanted.
#[derive(Debug, Default)]
pub(super) struct LastListing {
    users: Option<Found>,
    /// Whether the answer before was refused for being empty.
    emptied: bool,
}

/// An answer without users, where there were some: who would believe that at once takes one mistake of the API's for
/// the end of everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the list of users is empty, and it was not before: the users stay unless the next list is empty too")]
pub(super) struct EmptyListing;

// === impl Discovery ===

impl Discovery {
    /// Whether the user is wanted.
    #[must_use]
    pub fn admits(&self, uin: Uin, name: &str) -> bool {
        let uin = uin.to_string();
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name) || pattern.matches(&uin));
        (self.include.is_empty() || fits(&self.include)) && !fits(&self.exclude)
    }
}

impl Default for Discovery {
    /// Everybody, every 10 minutes.
    fn default() -> Self {
        Self { interval: Interval::OF_DISCOVERY, include: vec![], exclude: vec![] }
    }
}

// === impl LastListing ===

impl LastListing {
    /// Takes an answer. `known` is how many users came from the list before, if this is the first.
    pub(super) fn take(&mut self, answer: Found, known: usize) -> Result<(), EmptyListing> {
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

    /// The users of whom `is_wanted`; of those in `before` as long as there has been no list.
    pub(super) fn wanted(&self, before: Found, is_wanted: impl Fn(Uin, &str) -> bool) -> Found {
        let mut users = self.users.clone().unwrap_or(before);
        users.retain(|uin, user| is_wanted(*uin, &user.name));
        users
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uin(number: u64) -> Uin {
        number.try_into().unwrap()
    }

    fn list(numbers: &[u64]) -> Found {
        numbers.iter().map(|number| (uin(*number), format!("user-{number}").into())).collect()
    }

    fn everybody(list: &LastListing) -> Vec<u64> {
        list.wanted(Found::new(), |_, _| true).keys().map(|uin| uin.get()).collect()
    }

    #[test]
    fn patterns_are_of_names_and_of_uins() {
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

    #[test]
    fn an_empty_answer_where_users_were_is_believed_the_second_time() {
        let mut last = LastListing::default();
        assert_eq!(last.take(list(&[1, 2]), 0), Ok(()));
        assert_eq!(last.take(list(&[]), 0), Err(EmptyListing));
        assert_eq!(everybody(&last), [1, 2]);
        assert_eq!(last.take(list(&[2]), 0), Ok(()));
        assert_eq!(last.take(list(&[]), 0), Err(EmptyListing), "what came between counts");
        assert_eq!(last.take(list(&[]), 0), Ok(()));
        assert!(everybody(&last).is_empty());
        assert_eq!(last.take(list(&[]), 0), Ok(()), "nobody was there");
    }

    #[test]
    fn whoever_was_known_before_the_first_list_counts() {
        let mut last = LastListing::default();
        let before = Found::from([(uin(1), "a".into()), (uin(2), "b".into())]);
        assert_eq!(last.wanted(before.clone(), |uin, _| uin.get() == 2).len(), 1);
        assert_eq!(last.take(list(&[]), before.len()), Err(EmptyListing));
        assert_eq!(last.wanted(before.clone(), |_, _| true), before);
        assert_eq!(last.take(list(&[3]), before.len()), Ok(()));
        assert_eq!(last.wanted(before, |_, _| true).keys().map(|uin| uin.get()).collect::<Vec<_>>(), [3]);
    }
}
