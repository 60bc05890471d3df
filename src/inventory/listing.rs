//! The lists that an account's users come from, and what is known of each.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use tencentcloud_api::Reason;

/// What is asked for beside the keys of each user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listing {
    /// The file that lists users: `uins_file`.
    UinsFile,
    /// The user that makes the requests: `include_self`.
    Caller,
    /// The account's sub-users: `discover`.
    Users,
    /// The account's users of other types: `discover.user_types`.
    TypedUsers,
    /// The organization's members: `organization`.
    Members,
    /// When keys were last used: `poll.last_used`.
    LastUses,
}

/// Which of them are configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is configured or not, whatever the others are")]
pub struct ConfiguredListings {
    /// `uins_file`.
    pub uins_file: bool,
    /// `include_self`.
    pub caller: bool,
    /// `discover`.
    pub users: bool,
    /// `discover.user_types`.
    pub typed_users: bool,
    /// `organization`.
    pub members: bool,
    /// `poll.last_used`.
    pub last_uses: bool,
}

/// How the last attempts at a listing ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingState {
    /// When it last succeeded and was believed.
    pub succeeded: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    pub failure: Option<ListingFailure>,
    /// Whether what it listed before a restart was restored.
    pub was_restored: bool,
}

/// Why a listing failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingFailure {
    /// The kind; `None` where no API was asked.
    pub reason: Option<Reason>,
    /// The label of the API's code, if the API answered with one.
    pub code: Option<&'static str>,
    /// In words, with the request id; free of secrets and of bounded length. May hold text from the network.
    pub error: Arc<str>,
    /// When the first of the attempts failed that have failed in a row.
    pub since: Timestamp,
}

/// The state of each listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listings([ListingState; Listing::ALL.len()]);

/// The most bytes that are kept of the text of an error, and how many of them are its end, which has the request id.
const MAX_ERROR_BYTES: usize = 400;
const END_OF_ERROR_BYTES: usize = 100;

// === impl Listing ===

impl Listing {
    /// Every listing, the most urgent first.
    pub const ALL: [Self; 6] =
        [Self::UinsFile, Self::Caller, Self::Users, Self::TypedUsers, Self::Members, Self::LastUses];

    /// Whether the set of users, or of accounts, comes from it.
    #[must_use]
    pub fn finds_users(self) -> bool {
        match self {
            Self::UinsFile | Self::Caller | Self::Users | Self::TypedUsers | Self::Members => true,
            Self::LastUses => false,
        }
    }

    /// Its name among programs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::UinsFile => "uins_file",
            Self::Caller => "include_self",
            Self::Users => "discover",
            Self::TypedUsers => "user_types",
            Self::Members => "organization",
            Self::LastUses => "last_used",
        }
    }
}

// === impl ConfiguredListings ===

impl ConfiguredListings {
    /// Whether `listing` is configured.
    #[must_use]
    pub fn contains(self, listing: Listing) -> bool {
        match listing {
            Listing::UinsFile => self.uins_file,
            Listing::Caller => self.caller,
            Listing::Users => self.users,
            Listing::TypedUsers => self.typed_users,
            Listing::Members => self.members,
            Listing::LastUses => self.last_uses,
        }
    }

    /// Those that are configured.
    pub fn iter(self) -> impl Iterator<Item = Listing> {
        Listing::ALL.into_iter().filter(move |listing| self.contains(*listing))
    }
}

// === impl ListingState ===

impl ListingState {
    /// Whether the last attempt succeeded; `None` before the first has ended.
    #[must_use]
    pub fn up(&self) -> Option<bool> {
        match (&self.failure, self.succeeded) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        }
    }

    pub(super) fn succeed(&mut self, at: Timestamp) {
        (self.succeeded, self.failure) = (Some(at), None);
    }

    pub(super) fn fail(&mut self, mut failure: ListingFailure) {
        if let Some(before) = &self.failure {
            failure.since = before.since;
        }
        self.failure = Some(failure);
    }
}

// === impl Listings ===

impl Listings {
    /// The state of `listing`.
    #[must_use]
    pub fn get(&self, listing: Listing) -> &ListingState {
        &self.0[listing as usize]
    }

    pub(super) fn get_mut(&mut self, listing: Listing) -> &mut ListingState {
        &mut self.0[listing as usize]
    }
}

/// The text of `error`, without its middle where it is too long.
#[must_use]
pub fn error_text(error: &impl fmt::Display) -> Arc<str> {
    let text = error.to_string();
    if text.len() <= MAX_ERROR_BYTES {
        return text.into();
    }
    let beginning = text.floor_char_boundary(MAX_ERROR_BYTES - END_OF_ERROR_BYTES);
    let end = text.ceil_char_boundary(text.len() - END_OF_ERROR_BYTES);
    format!("{}…{}", &text[..beginning], &text[end..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listing_has_its_place() {
        for (place, listing) in Listing::ALL.into_iter().enumerate() {
            assert_eq!(listing as usize, place);
        }
    }

    #[test]
    fn a_failure_lasts_from_the_first_of_a_row_until_a_success() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let failure = |at| ListingFailure { reason: None, code: None, error: "no".into(), since: second(at) };
        let mut state = ListingState::default();
        assert_eq!(state.up(), None);
        state.succeed(second(1));
        assert_eq!(state.up(), Some(true));
        state.fail(failure(2));
        state.fail(failure(3));
        let failed = ListingState { succeeded: Some(second(1)), failure: Some(failure(2)), ..ListingState::default() };
        assert_eq!(state, failed);
        assert_eq!(state.up(), Some(false));
        state.succeed(second(4));
        state.fail(failure(5));
        assert_eq!(state.failure, Some(failure(5)));
    }

    #[test]
    fn the_text_of_an_error_is_bounded() {
        assert_eq!(&*error_text(&"short"), "short");
        let long = error_text(&format!("{} (request id 1-2)", "é".repeat(1_000)));
        assert!(long.len() <= MAX_ERROR_BYTES + '…'.len_utf8(), "{long}");
        assert!(long.contains("é…é") && long.ends_with("é (request id 1-2)"), "{long}");
    }
}
