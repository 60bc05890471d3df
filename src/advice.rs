//! What to do about a poll that failed.
//!
//! The texts are those of the tables in docs/metrics.md; a test holds them together. Backticks are around what is to be
//! read letter by letter.

use std::borrow::Cow;

use tencentcloud_api::{
    Action, DescribeOrganizationMembers, GetCallerIdentity, GetSecurityLastUsed, ListAccessKeys, ListAccounts,
    ListUsers, Reason,
};

use crate::inventory::Listing;

/// What to do about codes of which more can be said than of their reason, in alphabetical order.
///
/// Sources: the common codes, <https://www.tencentcloud.com/document/api/1036/38589>; those of `ListAccessKeys`,
/// <https://cloud.tencent.com/document/product/598/45156>; what limits are counted by,
/// <https://cloud.tencent.com/document/product/1278/109059>.
pub const OF_CODES: &[(&str, &str)] = &[
    (
        "AuthFailure.InvalidSecretId",
        "The secret id does not belong to an API key: set the correct one in `TENCENTCLOUD_SECRET_ID` or the credential file.",
    ),
    ("AuthFailure.MFAFailure", "A policy requires MFA for the calling user: exempt `cam:ListAccessKeys` from it."),
    (
        "AuthFailure.SecretIdNotFound",
        "The exporter's own key was deleted or disabled, or was copied with stray whitespace: enable it, or create and configure another one.",
    ),
    (
        "AuthFailure.SignatureFailure",
        "The secret key does not belong to the secret id: copy both again, from the same key.",
    ),
    (
        "AuthFailure.TokenFailure",
        "The token of the temporary credential is wrong or has expired: renew all three parts.",
    ),
    ("AuthFailure.UnauthorizedOperation", GRANT),
    ("IpInBlacklist", "The exporter's IP address is on the account's blacklist: remove it."),
    ("IpNotInWhitelist", "The exporter's IP address is not on the account's whitelist: add it."),
    (
        "OperationDenied.SubUin",
        "This is the root account's UIN, whose keys only its own credential may list: remove it from the users.",
    ),
    (
        "OperationDenied.UinNotMatch",
        "The user belongs to another root account: move its UIN to the account of that one's credential.",
    ),
    (
        "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
        "All clients of the root account together send too many requests: find the others, or ask Tencent Cloud for a higher limit.",
    ),
    (
        "RequestLimitExceeded.IPLimitExceeded",
        "All clients at the exporter's IP address together send too many requests: lower `poll.rate_limit`, or give the exporter another address.",
    ),
    (
        "RequestLimitExceeded.UinLimitExceeded",
        "All clients of the root account together send too many requests: find the others, or ask Tencent Cloud for a higher limit.",
    ),
    ("UnauthorizedOperation", GRANT),
    ("UnsupportedRegion", "The API is not available in this region: fix or remove `region`."),
];

const GRANT: &str = "Give the calling user a policy that allows `cam:ListAccessKeys` on the resource `*`; no other resource is understood.";

/// What to do about a poll that failed for `reason`, with this `code` where the API answered with one.
#[must_use]
pub fn advice(reason: Reason, code: Option<&str>) -> &'static str {
    let of_code = OF_CODES.iter().find(|(name, _)| code == Some(name));
    of_code.map_or_else(|| of_reason(reason), |(_, advice)| advice)
}

/// As [`advice`], for where the error is shown as well: it need not refer to the log for that. Nothing where there
/// is no more to say.
#[must_use]
pub fn beside_the_error(reason: Reason, code: Option<&str>) -> Option<&'static str> {
    // Where no credential could be had, the error says what to do.
    if (reason, code) == (Reason::Credentials, None) {
        return None;
    }
    let text = advice(reason, code);
    if text.starts_with("The log ") { text.split_once(". ").map(|(_, rest)| rest) } else { Some(text) }
}

/// As [`beside_the_error`], for a request that needs `permission`, as a policy names it.
#[must_use]
pub fn of_action(permission: &str, reason: Reason, code: Option<&str>) -> Option<Cow<'static, str>> {
    // The polls, which go to the same endpoint, say what else may be wrong.
    if permission == ListAccounts::permission() && reason == Reason::Rejected {
        return Some(
            "The API does not have `ListAccounts`, or not for one of these types: change or remove `user_types`."
                .into(),
        );
    }
    let (text, of_keys) = (beside_the_error(reason, code)?, ListAccessKeys::permission());
    if permission == of_keys || !text.contains(&of_keys) {
        return Some(text.into());
    }
    // What is said of root accounts is true of their keys alone.
    let text = if text == of_reason(Reason::Denied) { text.split_inclusive('.').next().unwrap_or(text) } else { text };
    Some(text.replace(&of_keys, permission).into())
}

/// What to do about a listing that failed, where the error is shown as well. Nothing where that says it.
#[must_use]
pub fn of_listing(listing: Listing, reason: Option<Reason>, code: Option<&str>) -> Option<Cow<'static, str>> {
    let permission = match listing {
        Listing::UinsFile => {
            return Some(
                "The last valid list stays in use, if there was one. The file is read again within seconds of a change."
                    .into(),
            );
        }
        Listing::Caller => GetCallerIdentity::permission(),
        Listing::Users => ListUsers::permission(),
        Listing::TypedUsers => ListAccounts::permission(),
        Listing::Members => DescribeOrganizationMembers::permission(),
        Listing::LastUses => GetSecurityLastUsed::permission(),
    };
    match (reason?, code) {
        // It is a role.
        (Reason::Denied, None) if listing == Listing::Caller => {
            Some("To poll users, name them under `uins`, or set `discover: true`.".into())
        }
        // Not the API: an answer that was understood and cannot be used, or no credential. The error says what to do.
        (Reason::Denied | Reason::Malformed | Reason::Credentials, None) => None,
        (reason, code) => of_action(&permission, reason, code),
    }
}

fn of_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Throttled => {
            "Lower `poll.rate_limit`: other clients use the account's limit. See `account_rate_limit_requests_per_second`."
        }
        Reason::Credentials => {
            "The log names the variable, the file or the code. A key that was disabled or deleted gives `AuthFailure.SecretIdNotFound`."
        }
        Reason::ClockSkew => {
            "Fix the machine's clock. Normally the exporter uses the API's clock: see `clock_skew_seconds`."
        }
        Reason::Denied => {
            "Allow `cam:ListAccessKeys` on `*`. Keys of the root account can be listed by its own credential only."
        }
        Reason::UserNotFound => "Remove it from `uins` or `uins_file`.",
        Reason::Rejected => "Check `endpoint` and `region`.",
        Reason::ServerError => "Wait. The request id in the log is what Tencent Cloud's support asks for.",
        Reason::HttpStatus => "A proxy answered, or `endpoint` is wrong.",
        Reason::Connect => "Check DNS, network policy, proxy.",
        Reason::Tls => "Check the certificate authorities, and for an intercepting proxy.",
        Reason::Connection => "Wait.",
        Reason::Timeout => "Wait, or raise `poll.timeout`.",
        Reason::TooLarge => "Something other than the API answered: check `endpoint`.",
        Reason::Malformed => "The log says what. A creation time in the future means that `keys.time_zone` is wrong.",
        Reason::Other => "The log has the code.",
    }
}

#[cfg(test)]
mod tests {
    use tencentcloud_api::Code;

    use super::*;

    #[test]
    fn what_is_said_of_a_code_is_said_of_one_that_comes() {
        assert!(OF_CODES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, text) in OF_CODES {
            let (_, reason) = Code::DOCUMENTED.iter().find(|(documented, _)| documented == code).unwrap();
            assert_eq!(advice(*reason, Some(code)), *text);
            assert_ne!(advice(*reason, None), *text);
        }
        assert_eq!(advice(Reason::Denied, Some("OperationDenied")), advice(Reason::Denied, None));
    }

    #[test]
    fn advice_names_the_permission_that_is_missing() {
        for (listing, permission) in [
            (Listing::Caller, "sts:GetCallerIdentity"),
            (Listing::Users, "cam:ListUsers"),
            (Listing::TypedUsers, "cam:ListAccounts"),
            (Listing::Members, "organization:DescribeOrganizationMembers"),
            (Listing::LastUses, "cam:GetSecurityLastUsed"),
        ] {
            for code in ["AuthFailure.UnauthorizedOperation", "AuthFailure.MFAFailure", "OperationDenied"] {
                let reason = if code == "AuthFailure.MFAFailure" { Reason::Credentials } else { Reason::Denied };
                let advice = of_listing(listing, Some(reason), Some(code)).unwrap();
                assert!(advice.contains(&format!("`{permission}`")), "{advice}");
                assert!(!advice.contains("ListAccessKeys") && !advice.contains("root account"), "{advice}");
            }
            let no_code = of_listing(listing, Some(Reason::Denied), None);
            assert_eq!(no_code.is_some(), listing == Listing::Caller, "otherwise the error says what to do");
        }
        let unknown = of_listing(Listing::TypedUsers, Some(Reason::Rejected), Some("InvalidAction")).unwrap();
        assert!(unknown.contains("remove `user_types`"), "{unknown}");
        let of_keys = of_action("cam:ListAccessKeys", Reason::Denied, None);
        assert_eq!(of_keys.as_deref(), beside_the_error(Reason::Denied, None));
    }

    #[test]
    fn nobody_is_sent_to_the_log_who_sees_the_error() {
        for reason in Reason::ALL {
            let advice = beside_the_error(reason, None);
            assert!(!advice.is_some_and(|advice| advice.starts_with("The log")), "{advice:?}");
        }
        assert_eq!(beside_the_error(Reason::Other, Some("other")), None);
        assert_eq!(beside_the_error(Reason::Timeout, None), Some(advice(Reason::Timeout, None)));
        let malformed = beside_the_error(Reason::Malformed, None);
        assert!(malformed.is_some_and(|advice| advice.starts_with("A creation time in the future")), "{malformed:?}");
    }
}
