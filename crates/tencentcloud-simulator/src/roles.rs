//! The roles of the account, and the temporary credentials that are out for them.
//!
//! Source: <https://cloud.tencent.com/document/api/598/33164>.

use jiff::{SignedDuration, Timestamp, tz::Offset};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tencentcloud_api::Credential;

use crate::{Caller, Rejection, actions::Fields};

/// How long a session lasts when a request does not say.
const DEFAULT_SECONDS: u64 = 7_200;

/// The longest that a session may last.
const MAX_SECONDS: u64 = 43_200;

/// How long an expired credential is remembered as one that was good.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// A role.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// The UIN of the account that it belongs to.
    pub account: u64,
    /// Its name, which its ARN has.
    pub name: String,
    /// Its number. Those who have taken it on call as this.
    pub id: u64,
    /// Who may take it on: UINs of callers, and numbers of other roles.
    pub trusted_callers: Vec<u64>,
    /// What those who take it on must know besides.
    pub external_id: Option<String>,
    /// The web identities that may take it on.
    pub trusted_identities: Vec<Identity>,
    /// What it may do, such as `cam:ListAccessKeys`.
    pub permissions: Vec<String>,
}

/// An identity of an identity provider.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The provider.
    pub provider_id: String,
    /// Its token, which is good for as long as it stands here.
    pub token: String,
}

/// The roles and their sessions.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    pub(crate) roles: Vec<Role>,
    sessions: Vec<Session>,
}

/// A temporary credential that is out.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) caller: Caller,
    pub(crate) expires: Timestamp,
}

// === impl Role ===

impl Role {
    /// The name of the role that requests give.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("qcs::cam::uin/{}:roleName/{}", self.account, self.name)
    }

    fn is_named(&self, arn: &str) -> bool {
        arn == self.arn() || arn == format!("qcs::cam::uin/{}:role/{}", self.account, self.id)
    }
}

// === impl Roles ===

impl Roles {
    /// The role that a request names.
    pub(crate) fn named(&self, arn: Option<&str>) -> Result<&Role, Rejection> {
        let missing = || Rejection::new("ResourceNotFound.RoleNotFound", "The role does not exist.");
        self.roles.iter().find(|role| arn.is_some_and(|arn| role.is_named(arn))).ok_or_else(missing)
    }

    /// The role of that number.
    pub(crate) fn by_id(&self, id: u64) -> Option<&Role> {
        self.roles.iter().find(|role| role.id == id)
    }

    /// A new temporary credential of the role.
    pub(crate) fn open_session(&mut self, role: u64, lifetime: SignedDuration, now: Timestamp) -> Session {
        let random = || format!("{:032x}", fastrand::u128(..));
        let credential = Credential {
            secret_id: format!("AKIDtmp{}", random()).into(),
            secret_key: random().into(),
            token: Some(SecretString::from(random() + &random())),
        };
        let expires = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        // Whole seconds, as the answer tells them.
        let expires = Timestamp::from_second(expires.as_second()).unwrap_or(expires);
        let session = Session { caller: Caller { uin: role, credential }, expires };
        self.sessions.retain(|session| now.duration_since(session.expires) < REMEMBERED);
        self.sessions.push(session.clone());
        session
    }

    /// The session whose credential has that id.
    pub(crate) fn session(&self, secret_id: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.caller.credential.secret_id.expose_secret() == secret_id)
    }

    pub(crate) fn issued(&self) -> Vec<Credential> {
        self.sessions.iter().map(|session| session.caller.credential.clone()).collect()
    }

    /// Takes back every credential that is out.
    pub(crate) fn revoke(&mut self) {
        self.sessions.clear();
    }
}

// === impl Session ===

impl Session {
    /// The fields of an answer that hands it out.
    pub(crate) fn answer(&self) -> Fields {
        let Credential { secret_id, secret_key, token } = &self.caller.credential;
        let fields = [
            (
                "Credentials",
                json!({
                    "Token": token.as_ref().map(ExposeSecret::expose_secret),
                    "TmpSecretId": secret_id.expose_secret(),
                    "TmpSecretKey": secret_key.expose_secret(),
                }),
            ),
            ("ExpiredTime", self.expires.as_second().into()),
            ("Expiration", self.expiration().into()),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The end, as answers write it.
    pub(crate) fn expiration(&self) -> String {
        Offset::UTC.to_datetime(self.expires).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// Refuses what cannot be the name of a session.
pub(crate) fn session_name(name: Option<&str>) -> Result<(), Rejection> {
    let fits = |name: &str| {
        (2..=128).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
    };
    if name.is_some_and(fits) {
        return Ok(());
    }
    Err(Rejection::new("InvalidParameter.ParamError", "`RoleSessionName` must be 2 to 128 of the characters allowed."))
}

/// How long a session is to last.
pub(crate) fn duration(seconds: Option<u64>) -> Result<SignedDuration, Rejection> {
    match seconds.unwrap_or(DEFAULT_SECONDS) {
        seconds @ 1..=MAX_SECONDS => Ok(SignedDuration::from_secs(seconds.cast_signed())),
        _ => Err(Rejection::new("InvalidParameter.OverTimeError", "`DurationSeconds` must be 1 to 43200.")),
    }
}
