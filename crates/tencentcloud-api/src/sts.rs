//! STS: temporary credentials of roles.
//!
//! Sources: <https://cloud.tencent.com/document/api/1312/48197> (`AssumeRole`),
//! <https://cloud.tencent.com/document/api/1312/73070> (`AssumeRoleWithWebIdentity`).

use std::{fmt, str::FromStr, time::Duration};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::{Action, Context, Credential, Program, Temporary, Uin, credential::scrub, metadata::RoleName};

const SERVICE: &str = "sts";
const VERSION: &str = "2018-08-13";

/// A role, by name or by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleArn(String);

/// The name of a role's session, which the account's audit log shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionName(String);

/// The external id that a role may require of callers from another account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExternalId(String);

/// How long a role's credential is valid: one second to twelve hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionDuration(Duration);

/// Text that is not a [`RoleArn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a role: expected qcs::cam::uin/<UIN of the account>:roleName/<name>, or :role/<number>, such as \
     qcs::cam::uin/100000000001:roleName/exporter"
)]
pub struct NotARoleArn;

/// Text that is not a [`SessionName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a session's name: expected 2 to 128 letters, digits or _+=,.@-")]
pub struct NotASessionName;

/// Text that is not an [`ExternalId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an external id: expected 2 to 128 letters, digits or _+=,.@:/-")]
pub struct NotAnExternalId;

/// Takes on a role that trusts the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRole {
    /// Which.
    pub role_arn: RoleArn,
    /// The name of the session.
    pub role_session_name: SessionName,
    /// How long the credential is valid.
    pub duration_seconds: SessionDuration,
    /// The external id that the role requires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
}

/// Assumes a role with a token of an identity provider that the role trusts. The request is not signed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRoleWithWebIdentity {
    /// The provider.
    pub provider_id: String,
    /// Its token.
    #[serde(serialize_with = "exposed")]
    pub web_identity_token: SecretString,
    /// Which role.
    pub role_arn: RoleArn,
    /// The name of the session.
    pub role_session_name: SessionName,
    /// How long the credential is valid.
    pub duration_seconds: SessionDuration,
}

/// The body of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    credentials: Credentials,
    expired_time: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    token: Secret,
    tmp_secret_id: Secret,
    tmp_secret_key: Secret,
}

/// Text of an answer that is a secret from there on.
#[derive(Deserialize)]
#[serde(from = "String")]
pub(crate) struct Secret(pub(crate) SecretString);

// === impl AssumeRole ===

impl Action for AssumeRole {
    const SERVICE: &'static str = SERVICE;
    const NAME: &'static str = "AssumeRole";
    const VERSION: &'static str = VERSION;

    type Response = Response;
    type Output = Temporary;

    fn parse(&self, response: Response, _: Context) -> Result<Temporary, String> {
        response.into_temporary()
    }
}

// === impl AssumeRoleWithWebIdentity ===

impl Action for AssumeRoleWithWebIdentity {
    const SERVICE: &'static str = SERVICE;
    const NAME: &'static str = "AssumeRoleWithWebIdentity";
    const VERSION: &'static str = VERSION;

    type Response = Response;
    type Output = Temporary;

    fn parse(&self, response: Response, _: Context) -> Result<Temporary, String> {
        response.into_temporary()
    }

    fn scrub(&self, text: &str) -> String {
        scrub(text, &self.web_identity_token)
    }
}

// === impl Response ===

impl Response {
    fn into_temporary(self) -> Result<Temporary, String> {
        let Credentials { token, tmp_secret_id, tmp_secret_key } = self.credentials;
        temporary([tmp_secret_id, tmp_secret_key, token], self.expired_time)
    }
}

/// The credential of an answer, given as id, key and token, which ends at that Unix time.
pub(crate) fn temporary(secrets: [Secret; 3], expires: i64) -> Result<Temporary, String> {
    let expires = Timestamp::from_second(expires).map_err(|_| "a credential ends at no time that there is")?;
    if secrets.iter().any(|Secret(secret)| !is_graphic(secret.expose_secret())) {
        return Err("a credential is empty, or holds what no header can carry".to_owned());
    }
    let [Secret(secret_id), Secret(secret_key), Secret(token)] = secrets;
    Ok(Temporary { credential: Credential { secret_id, secret_key, token: Some(token) }, expires, life: None })
}

// === impl Secret ===

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

// === impl RoleArn ===

impl RoleArn {
    /// The role of that name in that account.
    #[must_use]
    pub fn named(account: Uin, role: &RoleName) -> Self {
        Self(format!("qcs::cam::uin/{account}:roleName/{role}"))
    }
}

impl FromStr for RoleArn {
    type Err = NotARoleArn;

    fn from_str(text: &str) -> Result<Self, NotARoleArn> {
        let parse = || {
            let (account, role) = text.strip_prefix("qcs::cam::uin/")?.split_once(':')?;
            account.parse::<Uin>().ok()?;
            let named = role.strip_prefix("roleName/").is_some_and(is_role_name);
            let numbered = role.strip_prefix("role/").is_some_and(|number| number.parse::<Uin>().is_ok());
            (named || numbered).then(|| Self(text.to_owned()))
        };
        parse().ok_or(NotARoleArn)
    }
}

/// Whether a role may have that name.
pub(crate) fn is_role_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && is_of(name, b"_+=,.@-")
}

// === impl SessionName ===

impl FromStr for SessionName {
    type Err = NotASessionName;

    fn from_str(text: &str) -> Result<Self, NotASessionName> {
        let fits = (2..=128).contains(&text.len()) && is_of(text, b"_+=,.@-");
        if fits { Ok(Self(text.to_owned())) } else { Err(NotASessionName) }
    }
}

impl From<Program> for SessionName {
    /// The program's name, or `session` where that cannot be one.
    fn from(program: Program) -> Self {
        program.name.parse().unwrap_or_else(|NotASessionName| Self("session".to_owned()))
    }
}

// === impl ExternalId ===

impl FromStr for ExternalId {
    type Err = NotAnExternalId;

    fn from_str(text: &str) -> Result<Self, NotAnExternalId> {
        let fits = (2..=128).contains(&text.len()) && is_of(text, b"_+=,.@:/-");
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAnExternalId) }
    }
}

// === impl SessionDuration ===

impl SessionDuration {
    /// How long that is.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }

    /// That long; nothing if that is more than twelve hours or less than a second.
    #[must_use]
    pub fn new(duration: Duration) -> Option<Self> {
        (Duration::from_secs(1)..=Duration::from_hours(12)).contains(&duration).then_some(Self(duration))
    }
}

impl Default for SessionDuration {
    /// Two hours, as the API itself has it.
    fn default() -> Self {
        Self(Duration::from_hours(2))
    }
}

impl Serialize for SessionDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_secs())
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_of(text: &str, others: &[u8]) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

fn is_graphic(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_the_name_of_the_program_where_it_may() {
        let name = |name| SessionName::from(Program { name, version: "1" });
        assert_eq!(Ok(name("tencentcloud-cam-exporter")), "tencentcloud-cam-exporter".parse());
        assert_eq!(Ok(name("an exporter")), "session".parse());
    }

    #[test]
    fn roles_are_named_or_numbered() {
        for right in ["qcs::cam::uin/100000000001:roleName/an_exporter-1", "qcs::cam::uin/1:role/4611686018427397919"] {
            assert_eq!(right.parse::<RoleArn>().unwrap().to_string(), right);
        }
        let named = RoleArn::named(1.try_into().unwrap(), &"exporter".parse().unwrap());
        assert_eq!("qcs::cam::uin/1:roleName/exporter".parse(), Ok(named));
        for wrong in [
            "",
            "exporter",
            "qcs::cam::uin/x:roleName/exporter",
            "qcs::cam::uin/1:roleName/",
            "qcs::cam::uin/1:roleName/a/b",
            "qcs::cam::uin/1:role/exporter",
            "qcs::cam::uin/1:uin/2",
            " qcs::cam::uin/1:roleName/exporter",
        ] {
            assert_eq!(wrong.parse::<RoleArn>(), Err(NotARoleArn), "{wrong:?}");
        }
    }

    #[test]
    fn an_answer_that_no_header_can_carry_is_refused_and_not_told() {
        let secret = |text: &str| Secret(text.into());
        let refused = temporary([secret("id"), secret("the\nkey"), secret("token")], 0).unwrap_err();
        assert!(!refused.contains("key"), "{refused}");
        assert!(temporary([secret("id"), secret("key"), secret("")], 0).is_err());
        assert!(temporary([secret("id"), secret("key"), secret("token")], i64::MAX).is_err());
    }
}
