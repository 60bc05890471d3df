//! Which accounts an organisation has, by the API's own list, which comes in pages.

use tencentcloud_api::{Client, DescribeOrganizationMembers, MembersPage};
use thiserror::Error;

use super::Discovery;
use crate::inventory::Found;

/// The most members that are taken for possible.
const MOST: u64 = 10_000;

/// How an account's organisation is asked for its members.
#[derive(Debug)]
pub struct Organization {
    /// Whom to ask.
    pub client: Client,
    /// How often, and who of them is wanted.
    pub members: Discovery,
}

/// The pages of a list that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Pages {
    number: u64,
    total: u64,
    members: Found,
}

/// What a page brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// There is another.
    More,
    /// It is the last one. These are all.
    Complete(Found),
}

/// Pages that are no whole list: who would believe them would take members that are there for gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Inconsistent {
    /// The list changed while it was read, or is not what it says.
    #[error("the pages do not hold the {0} members that they tell of: it may have changed meanwhile")]
    Differ(u64),
    /// No organisation is so large.
    #[error("there are {0} members, more than {MOST}")]
    TooMany(u64),
}

// === impl Pages ===

impl Pages {
    /// The number of the page that is next, counted from 0.
    pub(super) fn next(&self) -> u64 {
        self.number
    }

    /// Takes the next page. After the last one, and after one that does not fit, the first is next.
    pub(super) fn turn(&mut self, MembersPage { members, total }: MembersPage) -> Result<Page, Inconsistent> {
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
        assert_eq!(pages.turn(page(1..=50, 120)), Ok(Page::More));
        assert_eq!(pages.turn(page(51..=100, 120)), Ok(Page::More));
        assert_eq!(pages.next(), 2);
        let Ok(Page::Complete(all)) = pages.turn(page(101..=120, 120)) else { panic!("not whole") };
        assert_eq!((all.len(), pages.next()), (120, 0));
        assert_eq!(pages.turn(page([], 0)), Ok(Page::Complete(Found::new())));
        assert!(matches!(pages.turn(page(1..=50, 50)), Ok(Page::Complete(all)) if all.len() == 50));
    }

    #[test]
    fn what_changes_while_it_is_read_is_read_anew() {
        let mut pages = Pages::default();
        for (last, total) in [(page(51..=59, 59), 60), (page(50..=59, 60), 60), (page([], 60), 60)] {
            assert_eq!(pages.turn(page(1..=50, total)), Ok(Page::More));
            assert_eq!(pages.turn(last), Err(Inconsistent::Differ(total)));
            assert_eq!(pages.next(), 0);
        }
        assert_eq!(pages.turn(page(1..=50, u64::MAX)), Err(Inconsistent::TooMany(u64::MAX)));
        assert_eq!(pages.turn(page([], 3)), Err(Inconsistent::Differ(3)));
    }
}
