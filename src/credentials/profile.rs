//! The credentials file of the official tools.
//!
//! The SDKs read an INI file with a section a profile; the command line tool keeps a JSON file a profile. Sources: the
//! official Go and Python SDKs, the README of `tccli`.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    str,
    sync::Arc,
};

use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::Deserialize;

use super::{Error, Fetched, File, Place, ProfileFault, secret};
use crate::{clock::Clock, environment::Environment, files, tencent::Credential};

/// Names the file.
const VARIABLE: &str = "TENCENTCLOUD_CREDENTIALS_FILE";

/// Where it is for everybody on the machine.
const OF_THE_MACHINE: &str = "/etc/tencentcloud/credentials";

/// Where it is in a home.
const OF_THE_USER: &str = "~/.tencentcloud/credentials";

/// A profile in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The file.
    pub path: PathBuf,
    /// The section of the profile.
    pub name: String,
}

/// A profile in the first file that is there.
#[derive(Debug)]
pub struct Search {
    candidates: Vec<(PathBuf, Arc<File>)>,
    found: Mutex<Option<Arc<File>>>,
}

/// A profile of the command line tool.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tccli {
    secret_id: Option<String>,
    secret_key: Option<String>,
    token: Option<String>,
}

// === impl Profile ===

impl Profile {
    /// That profile of the file at `path`, where `~/` is the home of `environment`.
    #[must_use]
    pub fn new(path: &Path, name: String, environment: &Environment) -> Self {
        Self { path: at_home(path, environment), name }
    }

    /// The credential in the file's content.
    pub(super) fn credential(&self, contents: &[SecretSlice<u8>]) -> Result<Credential, Error> {
        let content = contents.iter().map(ExposeSecret::expose_secret).next().unwrap_or_default();
        let text = str::from_utf8(content).map_err(|_| self.fault(ProfileFault::NotText))?;
        if text.trim_start().starts_with('{') { self.of_json(text) } else { self.of_ini(text) }
    }

    fn of_json(&self, text: &str) -> Result<Credential, Error> {
        // serde's own messages may quote a secret.
        let found: Tccli = serde_json::from_str(text).map_err(|_| self.fault(ProfileFault::NotJson))?;
        let [id, key, token] =
            [found.secret_id, found.secret_key, found.token].map(|text| text.map(SecretString::from));
        self.of_fields([("secretId", id), ("secretKey", key), ("token", token)])
    }

    fn of_ini(&self, text: &str) -> Result<Credential, Error> {
        let mut section = None;
        let mut fields: Option<HashMap<String, SecretString>> = None;
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
                fields.insert(name.trim().to_ascii_lowercase(), unquoted(value.trim()).into());
            }
        }
        let mut fields = fields.ok_or_else(|| self.fault(ProfileFault::NoSection(self.name.clone())))?;
        self.of_fields(["secret_id", "secret_key", "token"].map(|name| (name, fields.remove(name))))
    }

    /// The id, the key and the token, each with its name in the file.
    fn of_fields(&self, fields: [(&'static str, Option<SecretString>); 3]) -> Result<Credential, Error> {
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

    fn fault(&self, fault: ProfileFault) -> Error {
        Error::Profile { path: self.path.clone(), fault }
    }
}

// === impl Search ===

impl Search {
    /// That profile, in the file that a variable of `environment` names; without that, in the one of its home or of the
    /// machine.
    #[must_use]
    pub fn new(name: &str, environment: &Environment, clock: &Arc<dyn Clock>) -> Self {
        let named = environment.get(VARIABLE).map(ExposeSecret::expose_secret).filter(|path| !path.trim().is_empty());
        let places = named.map_or_else(|| vec![OF_THE_USER, OF_THE_MACHINE], |path| vec![path]);
        let candidates = places.into_iter().map(|path| {
            let profile = Profile::new(Path::new(path), name.to_owned(), environment);
            (profile.path.clone(), Arc::new(File::profile(profile, Arc::clone(clock))))
        });
        Self { candidates: candidates.collect(), found: Mutex::default() }
    }

    pub(super) async fn fetch(&self) -> Result<Fetched, Error> {
        if let Some(found) = self.found() {
            return found.fetch().await;
        }
        for (_, file) in &self.candidates {
            match Arc::clone(file).fetch().await {
                Err(Error::Files(files::Error::Unreadable { kind: std::io::ErrorKind::NotFound, .. })) => {}
                outcome => {
                    if outcome.is_ok() {
                        *self.found.lock() = Some(Arc::clone(file));
                    }
                    return outcome;
                }
            }
        }
        Err(Error::NoProfile(self.candidates.iter().map(|(path, _)| path.clone()).collect()))
    }

    /// The file that has been found.
    pub(super) fn found(&self) -> Option<Arc<File>> {
        self.found.lock().clone()
    }

    pub(super) fn failures(&self) -> u64 {
        self.found().map_or(0, |file| file.failures())
    }
}

fn at_home(path: &Path, environment: &Environment) -> PathBuf {
    match (path.strip_prefix("~"), environment.get("HOME")) {
        (Ok(rest), Some(home)) => Path::new(home.expose_secret()).join(rest),
        _ => path.to_owned(),
    }
}

/// Some SDKs take quotes off, others keep them; no secret has any.
fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, name: &str) -> Result<[Option<String>; 3], String> {
        let profile = Profile { path: "file".into(), name: name.to_owned() };
        let credential = profile.credential(&[text.as_bytes().to_vec().into()]).map_err(|error| error.to_string())?;
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
    fn the_command_line_tool_s_json_is_read() {
        let text = r#"{"secretId": "id", "secretKey": "key", "token": null, "type": "x"}"#;
        assert_eq!(read(text, "default"), Ok(found("id", "key", None)));
        assert_eq!(read(r#"{"secretKey": "key"}"#, "default"), Err("file has no secretId: add it".into()));
        assert_eq!(read("{", "default"), Err("file is no JSON object: have tccli write it again".into()));
    }

    #[test]
    fn what_is_wrong_is_said_and_what_it_holds_is_not() {
        for (text, told) in [
            ("[default]\nsecret_key = key", "file has no secret_id: add it"),
            ("[default]\nsecret_id = id\nsecret_key =", "file: secret_key is empty"),
            ("[default]\nsecret_id = id\nsecret_key = the key", "file: secret_key holds a blank"),
            ("secret_id = id\nsecret_key = key", "file has no section [default]"),
        ] {
            let error = read(text, "default").unwrap_err();
            assert!(error.starts_with(told) && !error.contains("the key"), "{text}: {error}");
        }
    }

    #[test]
    fn a_tilde_is_the_home() {
        let environment: Environment = [("HOME", "/home/me")].into_iter().collect();
        assert_eq!(at_home(Path::new("~/.tccli/a"), &environment), Path::new("/home/me/.tccli/a"));
        assert_eq!(at_home(Path::new("/a/~"), &environment), Path::new("/a/~"));
    }
}
