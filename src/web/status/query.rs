//! What the query of a request asks for: the overview, or a page of a whole list.
//!
//! Every link within the pages is a query alone. So they work behind a proxy with a path, whether that ends in a slash or
//! not.

use std::{fmt, num::NonZeroUsize};

use tencentcloud_api::Uin;
use thiserror::Error;

use crate::inventory::{
    AccountName,
    assessment::{Finding, UserAssessment, UserState},
};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) enum Query {
    /// What is wrong, and the worst of everything. It loads itself again unless it `is_still`.
    Overview { is_still: bool },
    /// A page of a list.
    List(List),
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct List {
    pub(super) of: Of,
    /// Of this account alone.
    pub(super) account: Option<AccountName>,
    /// Of this user alone.
    pub(super) uin: Option<Uin>,
    pub(super) page: NonZeroUsize,
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Accounts,
    Users(Option<UserFilter>),
    /// Keys, or those with a finding.
    Keys(Option<Finding>),
}

/// Which users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UserFilter {
    State(UserState),
    Late,
    AtLimit,
    OverLimit,
    ConsoleLogin,
    ExemptionEnded,
}

/// What is wrong with a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(in crate::web) enum NotAQuery {
    #[error(
        "unknown parameter: this page takes `still`, or `show` with `account`, `uin`, `state`, `finding` and `page`, \
         each once and not percent-encoded"
    )]
    Parameter,
    #[error("a parameter is there twice")]
    Twice,
    #[error("show is missing: users, keys or accounts")]
    Missing,
    #[error("unknown show: expected users, keys or accounts")]
    Show,
    #[error("account is not an account name: expected 1 to 64 letters, digits, _ or -")]
    Account,
    #[error("uin is not a UIN: expected digits")]
    Uin,
    #[error(
        "unknown state: expected failing, missing, unknown, up, late, at_limit, over_limit, console_login or \
             exemption_ended"
    )]
    State,
    #[error(
        "unknown finding: expected auto_disable_soon, very_stale, stale, over_limit, unused, rotation_unfinished, \
             console_login or inactive"
    )]
    Finding,
    #[error("page is not a page: expected a number from 1 to 999999999")]
    Page,
    #[error(
        "this list has no such filter: users take account, uin and state, keys take account, uin and finding, accounts take none"
    )]
    Filter,
}

/// The highest number of a page.
const MAX_PAGE: usize = 999_999_999;

// === impl Query ===

impl Query {
    /// The query of a request's target, without the question mark.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::web) fn parse(query: Option<&str>) -> Result<Self, NotAQuery> {
        match query {
            None | Some("") => Ok(Self::Overview { is_still: false }),
            Some("still") => Ok(Self::Overview { is_still: true }),
            Some(query) => List::parse(query).map(Self::List),
        }
    }
}

// === impl List ===

impl List {
    /// The first page of the whole list.
    pub(super) fn new(of: Of) -> Self {
        Self { of, account: None, uin: None, page: NonZeroUsize::MIN }
    }

    /// As this, but of one account.
    pub(super) fn of_account(self, account: &AccountName) -> Self {
        Self { account: Some(account.clone()), ..self }
    }

    /// As this, but of one user.
    pub(super) fn of_user(self, uin: Uin) -> Self {
        Self { uin: Some(uin), ..self }
    }

    fn parse(query: &str) -> Result<Self, NotAQuery> {
        let [mut show, mut account, mut uin, mut state, mut finding, mut page] = [None; 6];
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').ok_or(NotAQuery::Parameter)?;
            let place = match name {
                "show" => &mut show,
                "account" => &mut account,
                "uin" => &mut uin,
                "state" => &mut state,
                "finding" => &mut finding,
                "page" => &mut page,
                _ => return Err(NotAQuery::Parameter),
            };
            if place.replace(value).is_some() {
                return Err(NotAQuery::Twice);
            }
        }
        let account = account.map(str::parse).transpose().map_err(|_| NotAQuery::Account)?;
        let uin = uin.map(str::parse).transpose().map_err(|_| NotAQuery::Uin)?;
        let state = state.map(|state| UserFilter::named(state).ok_or(NotAQuery::State)).transpose()?;
        let finding = finding.map(|finding| named_finding(finding).ok_or(NotAQuery::Finding)).transpose()?;
        let page = page.map_or(Some(NonZeroUsize::MIN), page_number).ok_or(NotAQuery::Page)?;
        let of = match show.ok_or(NotAQuery::Missing)? {
            "accounts" if account.is_none() && uin.is_none() && state.is_none() && finding.is_none() => Of::Accounts,
            "users" if finding.is_none() => Of::Users(state),
            "keys" if state.is_none() => Of::Keys(finding),
            "accounts" | "users" | "keys" => return Err(NotAQuery::Filter),
            _ => return Err(NotAQuery::Show),
        };
        Ok(Self { of, account, uin, page })
    }
}

/// The address.
impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, account, uin, page } = self;
        match of {
            Of::Accounts => write!(f, "?show=accounts")?,
            Of::Users(None) => write!(f, "?show=users")?,
            Of::Users(Some(filter)) => write!(f, "?show=users&state={}", filter.label())?,
            Of::Keys(None) => write!(f, "?show=keys")?,
            Of::Keys(Some(finding)) => write!(f, "?show=keys&finding={}", finding.label())?,
        }
        if let Some(account) = account {
            write!(f, "&account={account}")?;
        }
        if let Some(uin) = uin {
            write!(f, "&uin={uin}")?;
        }
        if page.get() > 1 {
            write!(f, "&page={page}")?;
        }
        Ok(())
    }
}

/// A number as we write it: without a sign or zeros in front, so that one page has one address.
fn page_number(text: &str) -> Option<NonZeroUsize> {
    let number: NonZeroUsize = text.parse().ok()?;
    (number.get() <= MAX_PAGE && number.to_string() == text).then_some(number)
}

fn named_finding(name: &str) -> Option<Finding> {
    Finding::OF_KEYS.into_iter().find(|finding| finding.label() == name)
}

// === impl UserFilter ===

impl UserFilter {
    pub(super) const ALL: [Self; 9] = [
        Self::State(UserState::Failing),
        Self::State(UserState::Missing),
        Self::State(UserState::Unknown),
        Self::State(UserState::Up),
        Self::Late,
        Self::AtLimit,
        Self::OverLimit,
        Self::ConsoleLogin,
        Self::ExemptionEnded,
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.label() == name)
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::State(UserState::Failing) => "failing",
            Self::State(UserState::Missing) => "missing",
            Self::State(UserState::Unknown) => "unknown",
            Self::State(UserState::Up) => "up",
            Self::Late => "late",
            Self::AtLimit => "at_limit",
            Self::OverLimit => "over_limit",
            Self::ConsoleLogin => "console_login",
            Self::ExemptionEnded => "exemption_ended",
        }
    }

    pub(super) fn admits(self, user: UserAssessment) -> bool {
        let has = |finding: Finding| user.verdict.findings.contains(finding);
        match self {
            Self::State(state) => user.state == state,
            Self::Late => user.is_late,
            Self::AtLimit => has(Finding::AtLimit) || has(Finding::OverLimit),
            Self::OverLimit => has(Finding::OverLimit),
            Self::ConsoleLogin => has(Finding::ConsoleLogin),
            Self::ExemptionEnded => user.exemption_ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Query, NotAQuery> {
        Query::parse(Some(query))
    }

    #[test]
    fn every_list_is_read_from_the_address_that_leads_to_it() {
        let users = [None].into_iter().chain(UserFilter::ALL.map(Some)).map(Of::Users);
        let keys = [None].into_iter().chain(Finding::OF_KEYS.map(Some)).map(Of::Keys);
        for of in users.chain(keys) {
            let plain = List::new(of);
            let account = plain.clone().of_account(&"prod-1_a".parse().unwrap());
            let user = account.clone().of_user(100.try_into().unwrap());
            let page = List { page: 12.try_into().unwrap(), ..user.clone() };
            for list in [plain, account, user, page] {
                let address = list.to_string();
                assert_eq!(parse(address.strip_prefix('?').unwrap()), Ok(Query::List(list)), "{address}");
            }
        }
        let accounts = List { page: 2.try_into().unwrap(), ..List::new(Of::Accounts) };
        assert_eq!(parse("page=2&show=accounts"), Ok(Query::List(accounts)));
    }

    #[test]
    fn the_overview_is_what_is_shown_where_nothing_is_asked_for() {
        assert_eq!(Query::parse(None), Ok(Query::Overview { is_still: false }));
        assert_eq!(parse(""), Ok(Query::Overview { is_still: false }));
        assert_eq!(parse("still"), Ok(Query::Overview { is_still: true }));
    }

    #[test]
    fn whatever_else_is_refused_and_why() {
        for (query, error) in [
            ("still=1", NotAQuery::Parameter),
            ("show=users&still", NotAQuery::Parameter),
            ("show=users&", NotAQuery::Parameter),
            ("show=users&Page=2", NotAQuery::Parameter),
            ("show=users&<script>=1", NotAQuery::Parameter),
            ("sh%6Fw=users", NotAQuery::Parameter),
            ("show=users&page=1&page=1", NotAQuery::Twice),
            ("page=1", NotAQuery::Missing),
            ("show=", NotAQuery::Show),
            ("show=Users", NotAQuery::Show),
            ("show=users&account=a%20b", NotAQuery::Account),
            ("show=users&account=", NotAQuery::Account),
            ("show=keys&uin=0", NotAQuery::Uin),
            ("show=keys&uin=-1", NotAQuery::Uin),
            ("show=users&state=stale", NotAQuery::State),
            ("show=keys&finding=failing", NotAQuery::Finding),
            ("show=users&finding=stale", NotAQuery::Filter),
            ("show=keys&state=up", NotAQuery::Filter),
            ("show=accounts&account=prod", NotAQuery::Filter),
        ] {
            assert_eq!(parse(query), Err(error), "{query}");
        }
        for page in ["0", "-1", "+1", "01", "1.0", "", "1000000000", "99999999999999999999999"] {
            assert_eq!(parse(&format!("show=users&page={page}")), Err(NotAQuery::Page), "{page}");
        }
    }
}
