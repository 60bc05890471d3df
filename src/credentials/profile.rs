//! A profile in a credentials file of the official tools.
//!
//! The SDKs read an INI file with a section for each profile; the command line tool keeps a JSON file for each. Sources: the
//! official Go and Python SDKs, and the command line tool, see [`tccli`].

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    str,
};

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tencentcloud_api::Credential;

use super::{
    Error, Place, ProfileFault,
    file::Content,
    identity::{Identity, Key},
    secret, tccli,
};
use crate::environment::Environment;

/// The fields of a section that are read.
const FIELDS: [&str; 3] = ["secret_id", "secret_key", "token"];

/// A profile in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The file.
    pub path: PathBuf,
    /// The section of the profile.
    pub name: String,
}

// === impl Profile ===

impl Profile {
    /// The profile `name` in the file at `path`, in which `~/` is the home directory of `environment`.
    #[must_use]
    pub fn new(path: &Path, name: String, environment: &Environment) -> Self {
        Self { path: at_home(path, environment), name }
    }

    fn of_ini(&self, text: &str) -> Result<Identity, Error> {
        let mut section = None;
        let mut fields: Option<HashMap<&str, SecretString>> = None;
        for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                section = Some(name.trim() == self.name);
                if section == Some(true) {
                    fields.get_or_insert_default();
                }
            } else if let (Some(true), Some(fields), Some((name, value))) =
                (section, fields.as_mut(), line.split_once(['=', ':']))
            {
                let name = name.trim().to_ascii_lowercase();
                if tccli::names_an_identity(&name) {
                    return Err(self.fault(ProfileFault::Ignored { field: name }));
                }
                if let Some(name) = FIELDS.into_iter().find(|field| *field == name)
                    // Tools differ in which of two keys they use.
                    && fields.insert(name, unquoted(value.trim()).into()).is_some()
                {
                    return Err(self.fault(ProfileFault::Twice(name)));
                }
            }
        }
        let mut fields = fields.ok_or_else(|| self.fault(ProfileFault::NoSection(self.name.clone())))?;
        let credential = self.credential(FIELDS.map(|name| (name, fields.remove(name))))?;
        Ok(Identity::Key(Key { credential, expires: None, login: None }))
    }

    /// The id, the key and the token, each with its name in the file.
    pub(super) fn credential(&self, fields: [(&'static str, Option<SecretString>); 3]) -> Result<Credential, Error> {
        let [id, key, (token_name, token)] = fields;
        let checked = |name, value: &SecretString| -> Result<SecretString, Error> {
            Ok(secret(value.expose_secret(), || Place::Field(self.path.clone(), name))?.into())
        };
        let required = |(name, value): (_, Option<SecretString>)| {
            checked(name, &value.ok_or_else(|| self.fault(ProfileFault::NoField(name)))?)
        };
        let token = token.filter(|token| !token.expose_secret().trim().is_empty());
        Ok(Credential {
            secret_id: required(id)?,
            secret_key: required(key)?,
            token: token.map(|token| checked(token_name, &token)).transpose()?,
        })
    }

    pub(super) fn fault(&self, fault: ProfileFault) -> Error {
        Error::Profile { path: self.path.clone(), fault }
    }
}

impl Content for Profile {
    type Value = Identity;

    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }

    fn parse(&self, contents: &[SecretSlice<u8>]) -> Result<Identity, Error> {
        let content = contents.iter().map(ExposeSecret::expose_secret).next().unwrap_or_default();
        let text = str::from_utf8(content).map_err(|_| self.fault(ProfileFault::NotText))?;
        if text.trim_start().starts_with('{') { tccli::read(text, self) } else { self.of_ini(text) }
    }

    fn credential(identity: &Identity) -> Option<&Credential> {
        identity.key().map(|key| &key.credential)
    }
}

fn at_home(path: &Path, environment: &Environment) -> PathBuf {
    match (path.strip_prefix("~"), environment.get("HOME")) {
        (Ok(rest), Some(home)) => Path::new(home.expose_secret()).join(rest),
        _ => path.to_owned(),
    }
}

/// Some SDKs remove quotes, others keep them. No secret contains any.
fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, name: &str) -> Result<[Option<String>; 3], String> {
        let profile = Profile { path: "file".into(), name: name.to_owned() };
        let identity = profile.parse(&[text.as_bytes().to_vec().into()]).map_err(|error| error.to_string())?;
        let Identity::Key(Key { credential, .. }) = identity else { panic!("no key: {identity:?}") };
        let exposed = |secret: SecretString| secret.expose_secret().to_owned();
        Ok([Some(exposed(credential.secret_id)), Some(exposed(credential.secret_key)), credential.token.map(exposed)])
    }

    fn found(id: &str, key: &str, token: Option<&str>) -> [Option<String>; 3] {
        [Some(id.to_owned()), Some(key.to_owned()), token.map(str::to_owned)]
    }

    #[test]
    fn a_section_is_read_as_the_sdks_do() {
        let text = "\u{feff}# mine\n[default]\r\nsecret_id = id1\r\nSecret_Key: 'key1'\n; no more\n\n[other]\nsecret_id=id2\nsecret_key=a=b\ntoken=\"t\"\n";
        assert_eq!(read(text, "default"), Ok(found("id1", "key1", None)));
        assert_eq!(read(text, "other"), Ok(found("id2", "a=b", Some("t"))));
        assert_eq!(
            read(text, "third"),
            Err("file has no section [third]: add it, or give another name under `profile`".into())
        );
    }

    #[test]
    fn the_json_of_the_command_line_tool_is_read() {
        let text = r#"{"secretId": "id", "secretKey": "key", "token": null, "type": "default"}"#;
        assert_eq!(read(text, "default"), Ok(found("id", "key", None)));
        assert_eq!(read(r#"{"secretKey": "key"}"#, "default"), Err("file has no secretId: add it".into()));
        assert_eq!(read("{", "default"), Err("file is no JSON object: have tccli write it again".into()));
    }

    #[test]
    fn errors_do_not_repeat_secrets() {
        for (text, expected) in [
            ("[default]\nsecret_key = key", "file has no secret_id: add it"),
            ("[default]\nsecret_id = id\nsecret_key =", "file: secret_key is empty"),
            ("[default]\nsecret_id = id\nsecret_key = the key", "file: secret_key holds a blank"),
            ("secret_id = id\nsecret_key = key", "file has no section [default]"),
            ("[default]\nsecret_id = id", "file has no secret_key: add it"),
            ("[default]\nsecret_id = id\nsecret_id = the key", "file has secret_id twice in the section"),
            (
                "[default]\nsecret_id = id\n[other]\n[default]\nsecret_key = key\nSecret_Id = the key",
                "file has secret_id twice",
            ),
            (
                "[default]\nsecret_id = id\nsecret_key = key\nrole_arn = the key",
                "file has role_arn, which is not followed",
            ),
            (
                "[default]\nsource-profile = the key\nsecret_id = id\nsecret_key = key",
                "file has source-profile, which is not",
            ),
        ] {
            let error = read(text, "default").unwrap_err();
            assert!(error.starts_with(expected) && !error.contains("the key"), "{text}: {error}");
        }
    }

    #[test]
    fn a_tilde_is_the_home_directory() {
        let environment: Environment = [("HOME", "/home/me")].into_iter().collect();
        assert_eq!(at_home(Path::new("~/.tccli/a"), &environment), Path::new("/home/me/.tccli/a"));
        assert_eq!(at_home(Path::new("/a/~"), &environment), Path::new("/a/~"));
    }
}
