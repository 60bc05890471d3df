//! How a user stands after its last poll.

use crate::{inventory::User, tencent::Reason};

/// How a user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No poll has ended yet.
    Unknown,
    /// The last poll brought the keys.
    Up,
    /// The last poll failed.
    Failing,
    /// There is no such user.
    Absent,
}

// === impl Standing ===

impl Standing {
    /// That of `user`. Why a poll failed before a restart is not known; who is down and answered, but has no keys, is
    /// not there.
    pub(super) fn of(user: &User) -> Self {
        match (user.up, user.failure) {
            (None, _) => Self::Unknown,
            (Some(true), _) => Self::Up,
            (Some(false), Some(failure)) if failure.reason == Reason::UserNotFound => Self::Absent,
            (Some(false), None) if user.answered.is_some() && user.keys.is_none() => Self::Absent,
            (Some(false), _) => Self::Failing,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::inventory::Failure;

    #[test]
    fn a_user_who_does_not_exist_is_known_after_a_restart_as_well() {
        let epoch = Timestamp::UNIX_EPOCH;
        let failure = |reason| Some(Failure { reason, code: None, since: epoch });
        let absent = User { up: Some(false), answered: Some(epoch), ..User::default() };
        let listed = User { keys: Some([].into()), ..absent.clone() };
        for (user, standing) in [
            (User::default(), Standing::Unknown),
            (User { answered: Some(epoch), ..User::default() }, Standing::Unknown),
            (User { up: Some(true), ..listed.clone() }, Standing::Up),
            (listed.clone(), Standing::Failing),
            (User { failure: failure(Reason::Denied), ..listed }, Standing::Failing),
            (User { failure: failure(Reason::UserNotFound), ..absent.clone() }, Standing::Absent),
            (User { failure: failure(Reason::Timeout), ..absent.clone() }, Standing::Failing),
            (absent, Standing::Absent),
            (User { up: Some(false), ..User::default() }, Standing::Failing),
        ] {
            assert_eq!(Standing::of(&user), standing, "{user:?}");
        }
    }
}
