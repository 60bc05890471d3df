//! Lists the members of the account's organization, page by page, for `organization`.

use std::time::Duration;

use tencentcloud_api::{Client, DescribeOrganizationMembers, MembersPage};
use thiserror::Error;
use tracing::info;

use super::{
    CallError, Engine, Job, Plan,
    users::{Discovery, LastListing, differences},
};
use crate::inventory::{Found, Listing};

/// More members are not accepted.
const MOST: u64 = 10_000;

/// The wait between two pages. The API's rate limit for this action is not documented.
const BETWEEN_PAGES: Duration = Duration::from_millis(250);

/// How members are listed.
#[derive(Debug)]
pub struct Organization {
    /// The API that lists them.
    pub client: Client,
    /// How often, and which of them are polled.
    pub members: Discovery,
}

/// See [`Listing::Members`].
#[derive(Default)]
pub(in crate::poll) struct MembersJob {
    pages: Pages,
    /// The number of the page that was last requested.
    requested: u64,
    last: LastListing,
}

/// The pages of a list that is not complete.
#[derive(Debug, Default)]
struct Pages {
    number: u64,
    total: u64,
    members: Found,
}

/// What follows a page.
#[derive(Debug, PartialEq, Eq)]
enum Page {
    /// Another page.
    More,
    /// It was the last one. These are all members.
    Complete(Found),
}

/// Pages that are not a complete list: accepting them would drop members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum Inconsistent {
    /// The list changed meanwhile, or its total is wrong.
    #[error("the pages do not hold the {0} members that they tell of: it may have changed meanwhile")]
    Differ(u64),
    /// No organization is so large.
    #[error("there are {0} members, more than {MOST}")]
    TooMany(u64),
}

// === impl MembersJob ===

impl MembersJob {
    /// Writes the members of the last list that the plan selects.
    fn write(&self, engine: &Engine, plan: &Plan) {
        let Some(Organization { members, .. }) = &plan.organization else { return };
        let account = engine.account();
        let before = account.members();
        // Before the first list, no members are known, which is not the same as none.
        if before.is_some() || self.last.is_known() {
            let before = before.as_deref().cloned().unwrap_or_default();
            account.set_members(Some(self.last.selected(before, |uin, name| members.admits(uin, name))));
            (engine.deps.on_members)();
        }
    }
}

impl Job for MembersJob {
    type Action = DescribeOrganizationMembers;

    const NAME: &'static str = "listing the organization's members";
    const LISTING: Option<Listing> = Some(Listing::Members);

    fn client(plan: &Plan) -> &Client {
        plan.organization.as_ref().map_or(&plan.client, |organization| &organization.client)
    }

    fn interval(plan: &Plan) -> Option<Duration> {
        plan.organization.as_ref().map(|organization| organization.members.interval.get())
    }

    fn apply(&mut self, engine: &Engine, plan: &Plan) -> bool {
        self.write(engine, plan);
        true
    }

    fn clear(&mut self, engine: &Engine) {
        (self.pages, self.last) = (Pages::default(), LastListing::default());
        engine.account().set_members(None);
    }

    fn action(&mut self) -> Option<DescribeOrganizationMembers> {
        self.requested = self.pages.next();
        Some(DescribeOrganizationMembers::page(self.requested))
    }

    fn answered(&mut self, page: MembersPage, engine: &Engine, plan: &Plan) -> Result<Option<Duration>, CallError> {
        // If it was switched off and on meanwhile, the first page is next.
        if self.requested != self.pages.next() {
            return Ok(Some(BETWEEN_PAGES));
        }
        let members = match self.pages.push(page) {
            Ok(Page::More) => return Ok(Some(BETWEEN_PAGES)),
            Ok(Page::Complete(members)) => members,
            Err(error) => return Err(CallError { is_transient: true, ..CallError::rejected(&error) }),
        };
        let account = engine.account();
        let before = account.members().unwrap_or_default();
        self.last.replace(members, before.len()).map_err(|error| CallError::rejected(&error))?;
        self.write(engine, plan);
        account.listing_succeeded(Listing::Members, engine.now());
        let members = account.members().unwrap_or_default();
        let (new, gone) = differences(&before, &members);
        if new + gone > 0 {
            info!(account = %account.name(), new, gone, members = members.len(), "organization members listed");
        }
        Ok(Self::interval(plan))
    }

    fn failed(&mut self, _error: &CallError, _plan: &Plan, interval: Duration) -> Duration {
        // The list may change before the next request.
        self.pages = Pages::default();
        interval
    }
}

// === impl Pages ===

impl Pages {
    /// The number of the page that is next, counted from 0.
    fn next(&self) -> u64 {
        self.number
    }

    /// Adds the next page. After the last one, and after an error, the first page is next.
    fn push(&mut self, MembersPage { members, total }: MembersPage) -> Result<Page, Inconsistent> {
        let mut pages = std::mem::take(self);
        if total > MOST {
            return Err(Inconsistent::TooMany(total));
        }
        if pages.number > 0 && pages.total != total {
            return Err(Inconsistent::Differ(pages.total));
        }
        pages.total = total;
        pages.number += 1;
        let was_empty = members.is_empty();
        pages.members.extend(members.into_iter().map(|member| (member.uin, member.name.into())));
        if pages.number * DescribeOrganizationMembers::PAGE < total && !was_empty {
            *self = pages;
            return Ok(Page::More);
        }
        if pages.members.len() as u64 == total {
            Ok(Page::Complete(pages.members))
        } else {
            Err(Inconsistent::Differ(total))
        }
    }
}

#[cfg(test)]
mod tests {
    use tencentcloud_api::NamedUser;

    use super::*;

    fn page(numbers: impl IntoIterator<Item = u64>, total: u64) -> MembersPage {
        let named =
            |uin: u64| NamedUser { uin: uin.try_into().unwrap(), name: format!("member-{uin}"), console_login: None };
        MembersPage { members: numbers.into_iter().map(named).collect(), total }
    }

    #[test]
    fn pages_are_a_list_once_the_last_is_there() {
        let mut pages = Pages::default();
        assert_eq!(pages.push(page(1..=50, 120)), Ok(Page::More));
        assert_eq!(pages.push(page(51..=100, 120)), Ok(Page::More));
        assert_eq!(pages.next(), 2);
        let Ok(Page::Complete(all)) = pages.push(page(101..=120, 120)) else { panic!("not complete") };
        assert_eq!((all.len(), pages.next()), (120, 0));
        assert_eq!(pages.push(page([], 0)), Ok(Page::Complete(Found::new())));
        assert!(matches!(pages.push(page(1..=50, 50)), Ok(Page::Complete(all)) if all.len() == 50));
    }

    #[test]
    fn list_that_changes_meanwhile_is_read_again() {
        let mut pages = Pages::default();
        for (last, total) in [(page(51..=59, 59), 60), (page(50..=59, 60), 60), (page([], 60), 60)] {
            assert_eq!(pages.push(page(1..=50, total)), Ok(Page::More));
            assert_eq!(pages.push(last), Err(Inconsistent::Differ(total)));
            assert_eq!(pages.next(), 0);
        }
        assert_eq!(pages.push(page(1..=50, u64::MAX)), Err(Inconsistent::TooMany(u64::MAX)));
        assert_eq!(pages.push(page([], 3)), Err(Inconsistent::Differ(3)));
    }
}
