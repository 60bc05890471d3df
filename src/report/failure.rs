//! What could not be polled, and why: users without keys to show, and listings of users.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;
use tencentcloud_api::{Reason, Uin};

use crate::{
    advice::{beside_the_error, of_listing},
    inventory::{AccountName, Listing, ListingFailure, User, assessment::UserState},
    language::Language,
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
    pub error: Option<Arc<str>>,
    /// Since when; nothing where there was no poll.
    pub since: Option<Timestamp>,
}

/// A listing whose last attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedListing {
    /// The account.
    pub account: AccountName,
    /// The listing.
    pub listing: Listing,
    /// Why it failed.
    pub failure: ListingFailure,
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
        let is_missing = user.state() == UserState::Missing;
        // Of a user that does not exist, what further polls failed with says nothing.
        let failure = user.failure.as_ref().filter(|of| !is_missing || of.reason == Reason::UserNotFound);
        let unknown = if is_missing { Why::Failed(Reason::UserNotFound, None) } else { Why::NotPolled };
        let why = failure.map_or(unknown, |failure| Why::Failed(failure.reason, failure.code));
        let error = failure.map(|failure| Arc::clone(&failure.error));
        let since = failure.map(|failure| failure.since);
        let user_name = user.name.as_deref().map(str::to_owned);
        Self { account: account.clone(), uin, user_name, why, error, since }
    }

    /// Whether the user does not exist, which is an answer: it has no keys.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.why, Why::Failed(Reason::UserNotFound, _))
    }
}

// === impl FailedListing ===

impl FailedListing {
    /// The reason's label; nothing where no API was asked.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        self.failure.reason.map(Reason::label)
    }

    /// What to do about it, beside what the error says.
    #[must_use]
    pub fn advice(&self, language: Language) -> Option<String> {
        let ListingFailure { reason, code, .. } = self.failure;
        of_listing(language, self.listing, reason, code).map(Cow::into_owned)
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
    pub fn advice(self, language: Language) -> Option<&'static str> {
        match self {
            Self::Failed(reason, code) => beside_the_error(language, reason, code),
            Self::NotPolled => Some(language.choose(
                "The sweep ended before it came to it: see why others of the account fail, and list again.",
                "本轮轮询在轮到该用户之前已结束：请查明该账号的其他用户失败的原因，然后重新运行。",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::error_text;

    fn failed(listing: Listing, reason: Option<Reason>, code: Option<&'static str>) -> FailedListing {
        let failure = ListingFailure { reason, code, error: error_text(&"no"), since: Timestamp::UNIX_EPOCH };
        FailedListing { account: "prod".parse().unwrap(), listing, failure }
    }

    #[test]
    fn advice_about_a_listing_names_its_own_permission() {
        for (listing, permission) in [
            (Listing::Users, "cam:ListUsers"),
            (Listing::TypedUsers, "cam:ListAccounts"),
            (Listing::Members, "organization:DescribeOrganizationMembers"),
            (Listing::LastUses, "cam:GetSecurityLastUsed"),
        ] {
            let code = Some("AuthFailure.UnauthorizedOperation");
            let advice = failed(listing, Some(Reason::Denied), code).advice(Language::English).unwrap();
            assert!(advice.contains(&format!("`{permission}`")), "{advice}");
        }
        for listing in Listing::ALL {
            for reason in Reason::ALL {
                let advice = failed(listing, Some(reason), None).advice(Language::English).unwrap_or_default();
                let of_users = ["ListAccessKeys", "creation time", "root account"];
                assert!(!of_users.iter().any(|words| advice.contains(words)), "{listing:?}, {reason:?}: {advice}");
            }
        }
    }
}
