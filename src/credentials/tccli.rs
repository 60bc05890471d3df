//! The credentials file of the official command line tool, `tccli`: a JSON object for each profile.
//!
//! `type` decides first, even if there is a key as well; then `role-arn` with `role-session-name`, then the key. `tccli`
//! itself uses the key if one of these two is missing, or if it does not know the type. Here that is an error, because the
//! key belongs to another identity than the role.
//!
//! Source: the official tool, version 3.1.189, `parse_global_arg`, `oauth.py` and `sso.py`.

use std::{collections::HashMap, str::FromStr};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::IgnoredAny};
use tencentcloud_api::sts::{AssumeRole, SessionDuration};

use super::{
    Error, ProfileFault,
    identity::{Identity, Key},
    profile::Profile,
};

/// The fields of the file.
#[derive(Deserialize)]
struct Contents {
    #[serde(rename = "secretId")]
    secret_id: Option<String>,
    #[serde(rename = "secretKey")]
    secret_key: Option<String>,
    token: Option<String>,
    r#type: Option<String>,
    #[serde(rename = "role-arn")]
    role_arn: Option<String>,
    #[serde(rename = "role-session-name")]
    role_session_name: Option<String>,
    /// Seconds since the Unix epoch.
    #[serde(rename = "expiresAt")]
    expires_at: Option<f64>,
}

/// The fields that name a role: both, or neither.
const ROLE: [&str; 2] = ["role-arn", "role-session-name"];

/// Fields that name an identity in one tool or another. They are compared without case, hyphens and underscores.
const IDENTITIES: [&str; 7] = [
    "credentialprocess",
    "credentialsource",
    "rolearn",
    "rolename",
    "rolesessionname",
    "sourceprofile",
    "webidentitytokenfile",
];

/// The identity that the text of a file names.
pub(super) fn read(text: &str, profile: &Profile) -> Result<Identity, Error> {
    // serde's own messages may quote a secret.
    let not_json = |_| profile.fault(ProfileFault::NotJson);
    let Contents { secret_id, secret_key, token, r#type, role_arn, role_session_name, expires_at } =
        serde_json::from_str(text).map_err(not_json)?;
    let [secret_id, secret_key, token] = [secret_id, secret_key, token].map(|text| text.map(SecretString::from));
    #[expect(clippy::zero_sized_map_values, reason = "serde reads the fields of an object into a map alone")]
    let names: HashMap<String, IgnoredAny> = serde_json::from_str(text).map_err(not_json)?;
    let mut unread = names.into_keys().filter(|name| !ROLE.contains(&name.as_str()));
    if let Some(field) = unread.find(|name| names_an_identity(name)) {
        return Err(profile.fault(ProfileFault::Ignored { field }));
    }
    let login = match r#type.as_deref().unwrap_or_default() {
        "cvm-role" => return Ok(Identity::CvmRole),
        "" | "default" => None,
        "oauth" => Some("tccli auth login"),
        "sso" => Some("tccli sso login"),
        _ => return Err(profile.fault(ProfileFault::UnknownType)),
    };
    let token_is_there = token.as_ref().is_some_and(|token| !token.expose_secret().trim().is_empty());
    if login.is_some() && !token_is_there {
        return Err(profile.fault(ProfileFault::NoField("token")));
    }
    let expires = match expires_at {
        Some(seconds) => Some(time(seconds).ok_or_else(|| profile.fault(ProfileFault::NoTime("expiresAt")))?),
        None if login.is_some() => return Err(profile.fault(ProfileFault::NoField("expiresAt"))),
        None => None,
    };
    let credential = profile.credential([("secretId", secret_id), ("secretKey", secret_key), ("token", token)])?;
    let key = Key { credential, expires, login };
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let half = |missing, given| Err(profile.fault(ProfileFault::Half { missing, given }));
    match (given(role_arn), given(role_session_name)) {
        (None, None) => Ok(Identity::Key(key)),
        (Some(_), None) => half("role-session-name", "role-arn"),
        (None, Some(_)) => half("role-arn", "role-session-name"),
        (Some(arn), Some(name)) => {
            let request = AssumeRole {
                role_arn: parsed(&arn, "role-arn", profile)?,
                role_session_name: parsed(&name, "role-session-name", profile)?,
                duration_seconds: SessionDuration::default(),
                external_id: None,
            };
            Ok(Identity::Role(key, Box::new(request)))
        }
    }
}

/// Whether a field seems to name an identity. If it is not supported, the key in the file may belong to another one.
pub(super) fn names_an_identity(field: &str) -> bool {
    let letters: String = field.chars().filter(|letter| !"-_".contains(*letter)).collect();
    IDENTITIES.contains(&letters.to_ascii_lowercase().as_str())
}

fn parsed<T: FromStr<Err: ToString>>(text: &str, field: &'static str, profile: &Profile) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| profile.fault(ProfileFault::Wrong { field, problem: error.to_string() }))
}

fn time(seconds: f64) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is too large becomes the largest number, which is no time"
    )]
    let seconds = seconds as i64;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(fields: &str) -> Result<Identity, String> {
        let profile = Profile { path: "file".into(), name: "default".to_owned() };
        read(&format!("{{{fields}}}"), &profile).map_err(|error| error.to_string())
    }

    const KEY: &str = r#""secretId": "id", "secretKey": "key""#;
    const ARN: &str = r#""role-arn": "qcs::cam::uin/1:roleName/exporter""#;
    const NAME: &str = r#""role-session-name": "me""#;

    #[test]
    fn a_role_is_named_by_two_fields() {
        let found = identity(&format!("{KEY}, {ARN}, {NAME}, \"token\": \"t\"")).unwrap();
        let Identity::Role(key, request) = found else { panic!("no role: {found:?}") };
        assert_eq!(key.credential.token.unwrap().expose_secret(), "t");
        let request = serde_json::to_string(&request).unwrap();
        let expected =
            r#"{"RoleArn":"qcs::cam::uin/1:roleName/exporter","RoleSessionName":"me","DurationSeconds":7200}"#;
        assert_eq!(request, expected);
        for none in ["", r#", "role-arn": null"#, r#", "role-arn": "", "role-session-name": """#, r#", "type": """#] {
            assert!(matches!(identity(&format!("{KEY}{none}")), Ok(Identity::Key(_))), "{none}");
        }
    }

    #[test]
    fn the_type_decides_even_if_there_is_a_key() {
        for fields in ["", "\"secretId\": \"None\", ", &format!("{KEY}, {ARN}, {NAME}, ")] {
            let found = identity(&format!(r#"{fields}"type": "cvm-role""#));
            assert!(matches!(found, Ok(Identity::CvmRole)), "{found:?}");
        }
    }

    #[test]
    fn a_login_ends() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let end = now.as_second() + 60;
        for kind in ["oauth", "sso"] {
            let login =
                format!(r#"{KEY}, "token": "t", "type": "{kind}", "expiresAt": {end}, "{kind}": {{"expiresAt": 1}}"#);
            let found = identity(&login).unwrap();
            let Identity::Key(key) = found else { panic!("no key: {found:?}") };
            let at = |second: i64| key.at(now + jiff::SignedDuration::from_secs(second), "file".as_ref());
            assert!(at(59).is_ok());
            let expired = at(60).unwrap_err().to_string();
            assert!(
                expired.starts_with(
                    "file has a credential that expired at 2026-01-01T00:01:00Z: log in again with `tccli "
                )
            );
            assert!(expired.contains("choose a source under `credentials`"), "{expired}");
        }
    }

    #[test]
    fn a_key_is_not_used_for_another_identity() {
        for (fields, expected) in [
            (ARN, "has role-arn and no role-session-name: add it, or name the role under `credentials.assume_role`"),
            (NAME, "has role-session-name and no role-arn"),
            (r#""role-arn": "exporter", "role-session-name": "me""#, "role-arn is not a role"),
            (&format!(r#"{ARN}, "role-session-name": "m""#), "role-session-name is not a session's name"),
            (r#""type": "cvm_role""#, "has a type that is not one of default, cvm-role, oauth and sso"),
            (r#""type": "oauth", "expiresAt": 1"#, "has no token"),
            (r#""type": "sso", "token": "t""#, "has no expiresAt"),
            (r#""type": "sso", "token": "t", "expiresAt": 1e300"#, "expiresAt is not a time"),
            (r#""roleArn": "a""#, "has roleArn, which is not followed: name the role under `credentials.assume_role`"),
            (r#""source_profile": "a""#, "has source_profile, which is not followed"),
            (r#""secretKey": "other""#, "is no JSON object"),
            (r#""expiresAt": "soon""#, "is no JSON object"),
        ] {
            let error = identity(&format!("{KEY}, {fields}")).unwrap_err();
            assert!(error.contains(expected), "{fields}: {error}");
        }
        for (half, expected) in [
            (r#""secretId": "id""#, "has no secretKey: add it"),
            (r#""token": "t""#, "has no secretId: add it"),
            (r#""secretId": "", "secretKey": "key""#, "secretId is empty"),
        ] {
            assert!(identity(half).unwrap_err().contains(expected), "{half}");
            assert!(identity(&format!("{half}, {ARN}, {NAME}")).unwrap_err().contains(expected), "{half}");
        }
    }
}
