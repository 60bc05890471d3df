//! A page of a whole list, gathered from the inventory: in the order of the configuration and of UINs, which stays the
//! same between two pages. It takes one pass over the users, or two, and keeps one page.

use std::{num::NonZeroUsize, sync::Arc};

use jiff::Timestamp;

use super::{
    account::AccountReport,
    query::{List, Of},
    rows::{KeyRow, UserRow},
};
use crate::inventory::{
    Account, AccountSettings, Inventory, User,
    assessment::{Moment, UserAssessment},
};

/// The most rows of a page.
pub(super) const ROWS: usize = 100;

/// A page of a list.
#[derive(Debug)]
pub(super) struct Listed {
    /// Its number is that of the last page where there are fewer pages than that.
    pub(super) list: List,
    /// How many rows the whole list has.
    pub(super) of: usize,
    pub(super) rows: Rows,
    /// When it was gathered, by the machine's clock.
    pub(super) made: Timestamp,
}

/// The rows of a page.
#[derive(Debug)]
pub(super) enum Rows {
    Accounts(Vec<AccountReport>),
    Users(Vec<UserRow>),
    Keys(Vec<KeyRow>),
}

/// Those of many rows that are on a page. The others are only counted.
struct Pager<T> {
    before: usize,
    of: usize,
    rows: Vec<T>,
}

// === impl Listed ===

impl Listed {
    /// The page of `inventory` that `list` asks for, where the machine's clock says `local`. Nothing where there is no such
    /// account.
    pub(super) fn of(list: &List, inventory: &Inventory, local: Timestamp) -> Option<Self> {
        let mut accounts = inventory.accounts();
        if let Some(name) = &list.account {
            accounts.retain(|account| account.name() == name);
            if accounts.is_empty() {
                return None;
            }
        }
        let moment = Moment::now(local);
        let (of, rows) = gathered(list, &accounts, moment);
        let list = List { page: list.page.min(pages(of)), ..list.clone() };
        // There were fewer pages than asked for: the last one is shown.
        let (of, rows) = if rows.is_empty() { gathered(&list, &accounts, moment) } else { (of, rows) };
        Some(Self { list, of, rows, made: local })
    }

    /// How many pages there are: at least one.
    pub(super) fn pages(&self) -> NonZeroUsize {
        pages(self.of)
    }
}

fn pages(rows: usize) -> NonZeroUsize {
    NonZeroUsize::new(rows.div_ceil(ROWS)).unwrap_or(NonZeroUsize::MIN)
}

/// How many rows there are, and those of the page.
fn gathered(list: &List, accounts: &[Arc<Account>], moment: Moment) -> (usize, Rows) {
    match list.of {
        Of::Accounts => {
            let mut pager = Pager::at(list.page);
            for (place, account) in accounts.iter().enumerate() {
                pager.offer(|| AccountReport::of(place, account, &account.snapshot(), moment));
            }
            (pager.of, Rows::Accounts(pager.rows))
        }
        Of::Users(filter) => {
            let mut pager = Pager::at(list.page);
            each_user(list, accounts, moment, |account, place, assessed, settings, now| {
                if filter.is_none_or(|filter| filter.admits(assessed)) {
                    pager.offer(|| UserRow::of(account, place, assessed, settings, now));
                }
            });
            (pager.of, Rows::Users(pager.rows))
        }
        Of::Keys(finding) => {
            let mut pager = Pager::at(list.page);
            each_user(list, accounts, moment, |account, (uin, user), _, settings, now| {
                let policy = user.policy(settings);
                for (key, verdict) in user.judged_keys(policy, now) {
                    if finding.is_none_or(|finding| verdict.findings.contains(finding)) {
                        pager.offer(|| KeyRow::of(account, (uin, user), key, verdict, policy, now));
                    }
                }
            });
            (pager.of, Rows::Keys(pager.rows))
        }
    }
}

/// Shows each user that the list may have.
fn each_user(
    list: &List,
    accounts: &[Arc<Account>],
    moment: Moment,
    mut see: impl FnMut(&Account, (tencentcloud_api::Uin, &User), UserAssessment, &AccountSettings, Timestamp),
) {
    for account in accounts {
        let (settings, interval, now) =
            (account.settings(), account.effective_interval(), account.correct(moment.local));
        let mut see =
            |uin, user: &User| see(account, (uin, user), user.assess(&settings, interval, now), &settings, now);
        match list.uin {
            None => account.each_user(see),
            Some(uin) => {
                let user = account.users().get(&uin).cloned();
                if let Some(user) = user {
                    see(uin, &user);
                }
            }
        }
    }
}

// === impl Rows ===

impl Rows {
    fn is_empty(&self) -> bool {
        match self {
            Self::Accounts(rows) => rows.is_empty(),
            Self::Users(rows) => rows.is_empty(),
            Self::Keys(rows) => rows.is_empty(),
        }
    }
}

// === impl Pager ===

impl<T> Pager<T> {
    fn at(page: NonZeroUsize) -> Self {
        Self { before: (page.get() - 1) * ROWS, of: 0, rows: vec![] }
    }

    /// Here is another row. It is made only if it is on the page.
    fn offer(&mut self, row: impl FnOnce() -> T) {
        if self.of >= self.before && self.rows.len() < ROWS {
            self.rows.push(row());
        }
        self.of += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_rows_and_no_others_are_made() {
        for (page, rows, expected) in [
            (1, 250, 0..100),
            (2, 250, 100..200),
            (3, 250, 200..250),
            (1, 0, 0..0),
            (1, 100, 0..100),
            (2, 100, 100..100),
        ] {
            let (mut pager, mut made) = (Pager::at(NonZeroUsize::new(page).unwrap()), 0);
            for row in 0..rows {
                pager.offer(|| {
                    made += 1;
                    row
                });
            }
            assert_eq!((pager.of, made), (rows, expected.len()));
            assert!(pager.rows.into_iter().eq(expected));
        }
        assert_eq!([0, 1, 100, 101].map(|rows| pages(rows).get()), [1, 1, 1, 2]);
    }
}
