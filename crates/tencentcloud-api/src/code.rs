//! The API's own error codes.

use std::fmt;

use crate::Reason;

/// The code of an error answer, such as `AuthFailure.SignatureExpire`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    text: String,
    documented: Option<&'static str>,
    reason: Reason,
}

/// What codes of a documented family, but of a kind that is not documented, fall under.
const FAMILIES: &[(&str, Reason)] = &[("AuthFailure", Reason::Credentials), ("OperationDenied", Reason::Denied)];

// === impl Code ===

impl Code {
    /// What every code that is not documented is counted as.
    pub const OTHER: &str = "other";

    /// Every documented code with the reason it falls under.
    ///
    /// Sources: the common codes, <https://www.tencentcloud.com/document/api/1036/38589>; those of `ListAccessKeys`,
    /// <https://cloud.tencent.com/document/product/598/45156>; `LimitExceeded.Uin` and the users that
    /// are not found, from CAM's own list in the SDKs.
    pub const DOCUMENTED: &[(&str, Reason)] = &[
        ("ActionOffline", Reason::Rejected),
        ("AuthFailure.InvalidAuthorization", Reason::Credentials),
        ("AuthFailure.InvalidSecretId", Reason::Credentials),
        ("AuthFailure.MFAFailure", Reason::Credentials),
        ("AuthFailure.SecretIdNotFound", Reason::Credentials),
        ("AuthFailure.SignatureExpire", Reason::ClockSkew),
        ("AuthFailure.SignatureFailure", Reason::Credentials),
        ("AuthFailure.TokenFailure", Reason::Credentials),
        ("AuthFailure.UnauthorizedOperation", Reason::Denied),
        ("DryRunOperation", Reason::Rejected),
        ("FailedOperation", Reason::ServerError),
        ("FailedOperation.Accesskey", Reason::ServerError),
        ("InternalError", Reason::ServerError),
        ("InternalError.UnknownError", Reason::ServerError),
        ("InvalidAction", Reason::Rejected),
        ("InvalidParameter", Reason::Rejected),
        ("InvalidParameter.ParamError", Reason::Rejected),
        ("InvalidParameter.UserNotExist", Reason::UserNotFound),
        ("InvalidParameterValue", Reason::Rejected),
        ("InvalidRequest", Reason::Rejected),
        ("IpInBlacklist", Reason::Denied),
        ("IpNotInWhitelist", Reason::Denied),
        ("LimitExceeded", Reason::Rejected),
        ("LimitExceeded.Uin", Reason::Throttled),
        ("MissingParameter", Reason::Rejected),
        ("NoSuchProduct", Reason::Rejected),
        ("NoSuchVersion", Reason::Rejected),
        ("OperationDenied.AccessKeyOverLimit", Reason::Denied),
        ("OperationDenied.SubUin", Reason::Denied),
        ("OperationDenied.UinNotMatch", Reason::Denied),
        ("RequestLimitExceeded", Reason::Throttled),
        ("RequestLimitExceeded.GlobalRegionUinLimitExceeded", Reason::Throttled),
        ("RequestLimitExceeded.IPLimitExceeded", Reason::Throttled),
        ("RequestLimitExceeded.UinLimitExceeded", Reason::Throttled),
        ("RequestSizeLimitExceeded", Reason::Rejected),
        ("ResourceInUse", Reason::ServerError),
        ("ResourceInsufficient", Reason::ServerError),
        ("ResourceNotFound", Reason::Rejected),
        ("ResourceNotFound.SecretNotExist", Reason::Rejected),
        ("ResourceNotFound.UserNotExist", Reason::UserNotFound),
        ("ResourceNotFound.UserNotExists", Reason::UserNotFound),
        ("ResourceUnavailable", Reason::ServerError),
        ("ResponseSizeLimitExceeded", Reason::Rejected),
        ("ServiceUnavailable", Reason::ServerError),
        ("UnauthorizedOperation", Reason::Denied),
        ("UnknownParameter", Reason::Rejected),
        ("UnsupportedOperation", Reason::Rejected),
        ("UnsupportedProtocol", Reason::Rejected),
        ("UnsupportedRegion", Reason::Rejected),
    ];

    /// The code that an answer gives as `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let of = |name: &str| Self::DOCUMENTED.iter().find(|(code, _)| *code == name);
        let documented = of(text);
        let family = text.split('.').next().unwrap_or_default();
        let reason = documented
            .or_else(|| of(family))
            .or_else(|| FAMILIES.iter().find(|(name, _)| *name == family))
            .map_or(Reason::Other, |(_, reason)| *reason);
        Self { text: text.to_owned(), documented: documented.map(|(code, _)| *code), reason }
    }

    /// The code, with its text passed through `scrub`. One that is documented is no secret, even where a part of it is one
    /// by chance.
    #[must_use]
    pub(crate) fn scrubbed(self, scrub: impl FnOnce(&str) -> String) -> Self {
        if self.documented.is_some() { self } else { Self { text: scrub(&self.text), ..self } }
    }

    /// A name from a closed set: the code where it is documented, otherwise `other`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.documented.unwrap_or(Self::OTHER)
    }

    /// The reason it falls under; a code that is not documented goes with its family, the part before the dot.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_nobody_documented_goes_with_its_family() {
        for (text, reason) in [
            ("RequestLimitExceeded.SomethingNew", Reason::Throttled),
            ("AuthFailure.SomethingNew", Reason::Credentials),
            ("UnauthorizedOperation.CamNoAuth", Reason::Denied),
            ("InternalError.Db", Reason::ServerError),
            ("RequestLimitExceededx", Reason::Other),
            ("", Reason::Other),
        ] {
            let code = Code::new(text);
            assert_eq!((code.reason(), code.label()), (reason, Code::OTHER), "{text}");
        }
    }

    #[test]
    fn a_secret_within_a_documented_code_changes_nothing() {
        let scrubbed = |text: &str| Code::new(text).scrubbed(|text| text.replace("Token", "[redacted]"));
        assert_eq!(scrubbed("AuthFailure.TokenFailure"), Code::new("AuthFailure.TokenFailure"));
        let unknown = scrubbed("AuthFailure.TokenX");
        assert_eq!(
            (unknown.to_string(), unknown.reason()),
            ("AuthFailure.[redacted]X".to_owned(), Reason::Credentials)
        );
    }

    #[test]
    fn codes_are_listed_once_and_in_order() {
        assert!(Code::DOCUMENTED.is_sorted_by(|a, b| a.0 < b.0));
    }
}
