//! Users of whom there are no keys to show, and why.

use crate::{
    advice::beside_the_error,
    inventory::{AccountName, User},
    tencent::{Reason, Uin},
};

/// A user who could not be polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The account.
    pub account: AccountName,
    /// The user.
    pub uin: Uin,
    /// What the user is called, where that is known.
    pub user_name: Option<String>,
    /// Why, in names from closed sets.
    pub why: Why,
    /// Why, in words. They may be from the network, and hold anything but secrets.
    pub error: Option<String>,
}

/// Why a user could not be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The poll failed for this reason, and with this code where the API answered with one.
    Failed(Reason, Option<&'static str>),
    /// There was none: the sweep was stopped, or nothing else of the account was answered.
    NotPolled,
}

// === impl Failure ===

impl Failure {
    pub(super) fn of(account: &AccountName, uin: Uin, user: &User) -> Self {
        let why = user.failure.as_ref().map_or(Why::NotPolled, |failure| Why::Failed(failure.reason, failure.code));
        let error = user.failure.as_ref().map(|failure| failure.error.to_string());
        let user_name = user.name.as_deref().map(str::to_owned);
        Self { account: account.clone(), uin, user_name, why, error }
    }
}

// === impl Why ===

impl Why {
    /// The reason's label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Failed(reason, _) => reason.label(),
            Self::NotPolled => "not_polled",
        }
    }

    /// The label of the API's code.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Failed(_, code) => code,
            Self::NotPolled => None,
        }
    }

    /// What to do about it, beside what the error says.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::Failed(reason, code) => beside_the_error(reason, code),
            Self::NotPolled => {
                Some("The sweep ended before it came to it: see why others of the account fail, and list again.")
            }
        }
    }
}
