//! Lists the account's users of other types, page by page, for `discover.user_types`.

use std::{collections::HashSet, time::Duration};

use tencentcloud_api::{AccountsPage, ListAccounts, ListUsers, UserType};
use thiserror::Error;
use tracing::info;

use super::{
    CallError, Engine, Job, Plan,
    users::{LastListing, differences, found, select},
};
use crate::inventory::{Found, Listing};

/// More pages are not read.
const MAX_PAGES: usize = 1_000;

/// See [`Listing::TypedUsers`].
#[derive(Default)]
pub(in crate::poll) struct TypedUsersJob {
    pages: Pages,
    /// What was last requested.
    requested: Option<ListAccounts>,
    last: LastListing,
}

/// The pages of a list that is not complete.
#[derive(Debug, Default)]
struct Pages {
    types: Vec<UserType>,
    /// How many of the types are complete.
    complete: usize,
    /// The marker of the next page of the type that is not; none for the first one.
    marker: Option<String>,
    /// All markers of that type.
    markers: HashSet<String>,
    read: usize,
    users: Found,
}

/// What follows a page.
#[derive(Debug, PartialEq, Eq)]
enum Page {
    /// Another page.
    More,
    /// It was the last one. These are all users.
    Complete(Found),
}

/// Pages that are not read to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum Endless {
    #[error("a page has the marker of an earlier one, so the pages would never end")]
    RepeatedMarker,
    #[error("there are more than {MAX_PAGES} pages")]
    TooManyPages,
    #[error("there are more than {} users", ListUsers::MAX_USERS)]
    TooManyUsers,
}

// === impl TypedUsersJob ===

impl TypedUsersJob {
    /// Writes the users of the last list that the plan selects.
    fn write(&self, engine: &Engine, plan: &Plan) {
        let account = engine.account();
        account.set_typed(select(&self.last, account.sources().typed, plan));
        engine.deps.users_changed.notify_one();
    }
}

impl Job for TypedUsersJob {
    type Action = ListAccounts;

    const NAME: &'static str = "listing users of other types";
    const LISTING: Option<Listing> = Some(Listing::TypedUsers);

    fn interval(plan: &Plan) -> Option<Duration> {
        let discovery = plan.discovery.as_ref().filter(|discovery| !discovery.user_types.is_empty());
        discovery.map(|discovery| discovery.interval.get())
    }

    fn apply(&mut self, engine: &Engine, plan: &Plan) -> bool {
        let types = plan.discovery.as_ref().map(|discovery| discovery.user_types.clone());
        self.pages = Pages::of(types.unwrap_or_default());
        self.write(engine, plan);
        true
    }

    fn clear(&mut self, engine: &Engine) {
        *self = Self::default();
        engine.account().set_typed(Found::new());
        engine.deps.users_changed.notify_one();
    }

    fn action(&mut self) -> Option<ListAccounts> {
        self.requested = self.pages.next();
        self.requested.clone()
    }

    fn answered(&mut self, page: AccountsPage, engine: &Engine, plan: &Plan) -> Result<Option<Duration>, CallError> {
        // After another plan, the first page is next.
        if self.requested != self.pages.next() {
            return Ok(Some(Duration::ZERO));
        }
        let users = match self.pages.push(page) {
            Ok(Page::More) => return Ok(Some(Duration::ZERO)),
            Ok(Page::Complete(users)) => users,
            Err(error) => return Err(CallError::rejected(&error)),
        };
        let account = engine.account();
        let before = account.sources().typed;
        self.last.replace(users, before.len()).map_err(|error| CallError::rejected(&error))?;
        self.write(engine, plan);
        account.listing_succeeded(Listing::TypedUsers, engine.now());
        let typed = account.sources().typed;
        let (new, gone) = differences(&before, &typed);
        if new + gone > 0 {
            info!(account = %account.name(), new, gone, users = typed.len(), "users of other types listed");
        }
        Ok(Self::interval(plan))
    }

    fn failed(&mut self, _error: &CallError, _plan: &Plan, interval: Duration) -> Duration {
        // The list may change before the next request.
        self.pages.restart();
        interval
    }
}

// === impl Pages ===

impl Pages {
    fn of(types: Vec<UserType>) -> Self {
        Self { types, ..Self::default() }
    }

    /// The request for the next page; none if there are no types.
    fn next(&self) -> Option<ListAccounts> {
        let user_type = self.types.get(self.complete)?;
        Some(ListAccounts::page(*user_type, self.marker.clone()))
    }

    /// The first page is next.
    fn restart(&mut self) {
        *self = Self::of(std::mem::take(&mut self.types));
    }

    /// Adds the next page. After the last one, the first page is next.
    fn push(&mut self, AccountsPage { users, marker }: AccountsPage) -> Result<Page, Endless> {
        self.read += 1;
        self.users.extend(users.into_iter().map(found));
        if self.users.len() > ListUsers::MAX_USERS {
            return Err(Endless::TooManyUsers);
        }
        let is_last = marker.is_none() && self.complete + 1 >= self.types.len();
        if is_last {
            let users = std::mem::take(&mut self.users);
            self.restart();
            return Ok(Page::Complete(users));
        }
        if self.read >= MAX_PAGES {
            return Err(Endless::TooManyPages);
        }
        if let Some(marker) = &marker {
            if !self.markers.insert(marker.clone()) {
                return Err(Endless::RepeatedMarker);
            }
        } else {
            self.complete += 1;
            self.markers.clear();
        }
        self.marker = marker;
        Ok(Page::More)
    }
}

#[cfg(test)]
mod tests {
    use tencentcloud_api::NamedUser;

    use super::*;

    fn page(numbers: impl IntoIterator<Item = u64>, marker: Option<&str>) -> AccountsPage {
        let named =
            |uin: u64| NamedUser { uin: uin.try_into().unwrap(), name: format!("user-{uin}"), console_login: None };
        AccountsPage { users: numbers.into_iter().map(named).collect(), marker: marker.map(str::to_owned) }
    }

    fn pages() -> Pages {
        Pages::of(vec![UserType::Owner, UserType::Collaborator])
    }

    fn request(user_type: UserType, marker: Option<&str>) -> ListAccounts {
        ListAccounts::page(user_type, marker.map(str::to_owned))
    }

    #[test]
    fn every_page_of_every_type_makes_the_list() {
        let mut pages = pages();
        for _ in 0..2 {
            assert_eq!(pages.next(), Some(request(UserType::Owner, None)));
            assert_eq!(pages.push(page([1], None)), Ok(Page::More));
            assert_eq!(pages.next(), Some(request(UserType::Collaborator, None)));
            assert_eq!(pages.push(page([2, 3], Some("a"))), Ok(Page::More));
            assert_eq!(pages.next(), Some(request(UserType::Collaborator, Some("a"))));
            assert_eq!(pages.push(page([], Some("b"))), Ok(Page::More));
            let Ok(Page::Complete(all)) = pages.push(page([3, 4], None)) else { panic!("not complete") };
            assert_eq!(all.keys().map(|uin| uin.get()).collect::<Vec<_>>(), [1, 2, 3, 4]);
        }
    }

    #[test]
    fn two_types_may_have_the_same_marker_and_one_may_not_have_it_twice() {
        let mut pages = pages();
        for (numbers, marker) in [([1], Some("a")), ([2], None), ([3], Some("a")), ([4], Some("b"))] {
            assert_eq!(pages.push(page(numbers, marker)), Ok(Page::More));
        }
        assert_eq!(pages.push(page([5], Some("a"))), Err(Endless::RepeatedMarker));
        pages.restart();
        assert_eq!(pages.next(), Some(request(UserType::Owner, None)));
        assert_eq!(pages.users, Found::new());
    }

    #[test]
    fn pages_and_users_are_bounded() {
        let mut pages = pages();
        for number in 1..MAX_PAGES {
            assert_eq!(pages.push(page([], Some(&number.to_string()))), Ok(Page::More));
        }
        assert_eq!(pages.push(page([], Some("more"))), Err(Endless::TooManyPages));
        let most = ListUsers::MAX_USERS as u64;
        pages.restart();
        assert_eq!(pages.push(page(1..=most, Some("a"))), Ok(Page::More));
        assert_eq!(pages.push(page([most, most + 1], None)), Err(Endless::TooManyUsers));
    }
}
