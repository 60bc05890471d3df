//! Why a user's last poll brought no keys.

use jiff::Timestamp;

use crate::tencent::Reason;

/// Why, in names from closed sets: no text from the network is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub reason: Reason,
    /// The label of the API's code, where the API answered with one.
    pub code: Option<&'static str>,
    /// When the first of the polls failed that have failed in a row, for whatever reason.
    pub since: Timestamp,
}

// === impl Failure ===

impl Failure {
    /// A failure at `at`, where the poll before ended as `before` has it.
    pub(super) fn after(before: Option<Self>, reason: Reason, code: Option<&'static str>, at: Timestamp) -> Self {
        Self { reason, code, since: before.map_or(at, |before| before.since) }
    }
}
