//! The fields of `credentials`. Errors never quote a value, because it may be a secret.

use std::path::PathBuf;

use exporter_toolkit::yaml::{Fields, Node, Notes, Refused, fields, hidden};
use tencentcloud_api::{
    metadata::RoleName,
    sts::{AssumeRole, ExternalId, RoleArn, SessionDuration, SessionName},
};

use super::scalar::{Unfit, duration};
use crate::{PROGRAM, credentials::Paths, poll::OutOfRange};

/// The profile that is read if none is named.
const DEFAULT_PROFILE: &str = "default";

/// What to do about a missing path.
const ADD_PATH: &str = "add it, the path of a file";

/// Maximum length of a profile's name, in characters.
const MAX_NAME_CHARS: usize = 64;

/// Where an account's credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The first source that is configured.
    Chain,
    /// Environment variables.
    Env,
    /// Files.
    File(Paths),
    /// The credentials file of the official SDKs and tools.
    Profile {
        /// The path; `None` for the default paths.
        path: Option<PathBuf>,
        /// The profile.
        name: String,
    },
    /// The role of the virtual machine. `None` is the role of the machine, whatever its name.
    CvmRole(Option<RoleName>),
    /// The identity of a pod in TKE.
    TkeOidc,
    /// A role, assumed with a credential from another source.
    AssumeRole {
        /// The request to STS.
        request: Box<AssumeRole>,
        /// The other source.
        source: Box<Credentials>,
    },
}

/// A source: its name, and how its section is read.
type Source = (&'static str, fn(&Node<'_>, &mut Notes) -> Result<Credentials, Refused>);

/// The sources that do not need another one.
const SOURCES: [Source; 5] = [
    ("env", |node, notes| no_fields(node, notes).map(|()| Credentials::Env)),
    ("file", file),
    ("profile", profile),
    ("cvm_role", cvm_role),
    ("tke_oidc", |node, notes| no_fields(node, notes).map(|()| Credentials::TkeOidc)),
];

/// The source that needs another one.
const ASSUME_ROLE: Source = ("assume_role", assume_role);

fields! {
    /// `credentials.file`.
    struct FileFields {
        secret_id_path: PathBuf, read Node::file_path, required ADD_PATH;
        secret_key_path: PathBuf, read Node::file_path, required ADD_PATH;
        token_path: PathBuf, read Node::file_path, optional;
    }
}

fields! {
    /// `credentials.profile`.
    struct ProfileFields {
        path: PathBuf, read Node::file_path_or_home, optional;
        name: String, read hidden(profile_name), default DEFAULT_PROFILE.to_owned();
    }
}

fields! {
    /// `credentials.cvm_role`.
    struct CvmRoleFields {
        role: RoleName, read hidden(str::parse), optional;
    }
}

fields! {
    /// `credentials.assume_role`.
    struct AssumeRoleFields {
        role_arn: RoleArn, read hidden(str::parse),
            required "add it, such as qcs::cam::uin/100000000001:roleName/exporter";
        session_name: SessionName, read hidden(str::parse), default PROGRAM.into();
        external_id: ExternalId, read hidden(str::parse), optional;
        duration: SessionDuration, read hidden(session_duration), default SessionDuration::default();
        source: Credentials, read read_source, default Credentials::default();
    }
}

// === impl Credentials ===

impl Default for Credentials {
    /// The chain.
    fn default() -> Self {
        Self::Chain
    }
}

pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    read_one_of(&[&SOURCES[..], &[ASSUME_ROLE]].concat(), node, notes)
}

/// Reads the source of the credential that assumes a role.
fn read_source(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    read_one_of(&SOURCES, node, notes)
}

fn read_one_of(sources: &[Source], node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    let names: Vec<&str> = sources.iter().map(|(name, _)| *name).collect();
    let mut given = Vec::new();
    node.each_field(&names, notes, |name, field, notes| {
        let Some((name, read)) = sources.iter().find(|(known, _)| *known == name) else { return false };
        if !field.is_null() {
            given.push((*name, read(field, notes)));
        }
        true
    })?;
    match given.pop() {
        None => Err(node.refuse(notes, format_args!("no source: expected one of {}", names.join(", ")))),
        Some((_, source)) if given.is_empty() => source,
        Some((last, _)) => {
            let others: Vec<&str> = given.into_iter().map(|(name, _)| name).collect();
            Err(node.refuse(notes, format_args!("{} and {last} are given: keep one", others.join(", "))))
        }
    }
}

fn no_fields(node: &Node<'_>, notes: &mut Notes) -> Result<(), Refused> {
    node.each_field(&[], notes, |_, _, _| false)
}

fn file(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    let fields = FileFields::read(node, notes)?;
    Ok(Credentials::File(Paths {
        secret_id: fields.secret_id_path()?,
        secret_key: fields.secret_key_path()?,
        token: fields.token_path()?,
    }))
}

fn profile(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    let fields = ProfileFields::read(node, notes)?;
    Ok(Credentials::Profile { path: fields.path()?, name: fields.name()? })
}

fn cvm_role(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    let fields = CvmRoleFields::read(node, notes)?;
    Ok(Credentials::CvmRole(fields.role()?))
}

fn assume_role(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    let fields = AssumeRoleFields::read(node, notes)?;
    let request = AssumeRole {
        role_arn: fields.role_arn()?,
        role_session_name: fields.session_name()?,
        duration_seconds: fields.duration()?,
        external_id: fields.external_id()?,
    };
    Ok(Credentials::AssumeRole { request: Box::new(request), source: Box::new(fields.source()?) })
}

fn session_duration(text: &str) -> Result<SessionDuration, Unfit> {
    duration(text, |duration| SessionDuration::new(duration).ok_or_else(|| OutOfRange::expected("1s to 12h")))
}

fn profile_name(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_NAME_CHARS).contains(&text.chars().count())
        && !text.chars().any(|character| character.is_control() || matches!(character, '[' | ']'));
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("not the name of a profile: expected 1 to {MAX_NAME_CHARS} characters other than [ and ]"))
    }
}
