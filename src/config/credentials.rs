//! The section `credentials` of an account. Nothing that it holds is ever quoted: somebody may have put a secret there.

use std::{path::PathBuf, time::Duration};

use exporter_toolkit::yaml::{Node, Notes, Refused};
use tencentcloud_api::{
    metadata::RoleName,
    sts::{AssumeRole, SessionDuration},
};

use super::scalar::duration;
use crate::{PROGRAM, credentials::Paths, poll::OutOfRange};

/// The fields of `credentials`.
pub(super) const SOURCES: &[&str] = &["env", "file", "profile", "cvm_role", "tke_oidc", "assume_role"];

/// The fields of `credentials.file`.
pub(super) const FILE: &[&str] = &["secret_id_path", "secret_key_path", "token_path"];

/// The fields of `credentials.profile`.
pub(super) const PROFILE: &[&str] = &["path", "name"];

/// The fields of `credentials.cvm_role`.
pub(super) const CVM_ROLE: &[&str] = &["role"];

/// The fields of `credentials.assume_role`.
pub(super) const ASSUME_ROLE: &[&str] = &["role_arn", "session_name", "external_id", "duration", "source"];

/// The section of the file that is read where no profile is named.
const DEFAULT_PROFILE: &str = "default";

/// The most characters of a profile's name.
const MAX_NAME_CHARS: usize = 64;

/// Where an account's credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The first of several that has one.
    Chain,
    /// Environment variables.
    Env,
    /// Files.
    File(Paths),
    /// The credentials file of the official tools.
    Profile {
        /// Where it is; nothing if it is to be looked for.
        path: Option<PathBuf>,
        /// The profile.
        name: String,
    },
    /// The role of the virtual machine: that one, or whichever it has.
    CvmRole(Option<RoleName>),
    /// The identity of a pod in TKE.
    TkeOidc,
    /// A role, taken on with a credential from another source.
    AssumeRole {
        /// What STS is asked for.
        request: Box<AssumeRole>,
        /// The other source.
        source: Box<Credentials>,
    },
}

// === impl Credentials ===

impl Default for Credentials {
    /// The chain.
    fn default() -> Self {
        Self::Chain
    }
}

pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    read_one_of(node, SOURCES, notes)
}

/// One of these sources.
fn read_one_of(node: &Node<'_>, allowed: &[&'static str], notes: &mut Notes) -> Result<Credentials, Refused> {
    let mut sources = Vec::new();
    node.each_field(&[allowed], notes, |name, field, notes| {
        let source = match name {
            "env" => field.each_field(&[], notes, |_, _, _| {}).map(|()| Credentials::Env),
            "file" => file(&field, notes).map(Credentials::File),
            "profile" => profile(&field, notes),
            "cvm_role" => cvm_role(&field, notes),
            "tke_oidc" => field.each_field(&[], notes, |_, _, _| {}).map(|()| Credentials::TkeOidc),
            _ => assume_role(&field, notes),
        };
        sources.push((name.to_owned(), source));
    })?;
    match sources.pop() {
        None => Err(node.refuse(notes, format_args!("no source: expected one of {}", allowed.join(", ")))),
        Some((_, source)) if sources.is_empty() => source,
        Some((last, _)) => {
            let others: Vec<String> = sources.into_iter().map(|(name, _)| name).collect();
            Err(node.refuse(notes, format_args!("{} and {last} are given: keep one", others.join(", "))))
        }
    }
}

fn file(node: &Node<'_>, notes: &mut Notes) -> Result<Paths, Refused> {
    let [mut secret_id, mut secret_key, mut token] = [const { None }; 3];
    node.each_field(&[FILE], notes, |name, field, notes| {
        let path = field.file_path(notes);
        match name {
            "secret_id_path" => secret_id = Some(path),
            "secret_key_path" => secret_key = Some(path),
            "token_path" => token = Some(path),
            _ => {}
        }
    })?;
    let mut required = |name, path: Option<_>| {
        path.unwrap_or_else(|| Err(node.refuse(notes, format_args!("no {name}: add it, the path of a file"))))
    };
    let (secret_id, secret_key) = (required("secret_id_path", secret_id), required("secret_key_path", secret_key));
    Ok(Paths { secret_id: secret_id?, secret_key: secret_key?, token: token.transpose()? })
}

fn profile(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    let (mut path, mut name) = (None, None);
    node.each_field(&[PROFILE], notes, |field_name, field, notes| match field_name {
        "path" => path = Some(field.file_path_or_home(notes)),
        _ => name = Some(field.hidden(notes, profile_name)),
    })?;
    let name = name.unwrap_or_else(|| Ok(DEFAULT_PROFILE.to_owned()));
    Ok(Credentials::Profile { path: path.transpose()?, name: name? })
}

fn cvm_role(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    let mut role = None;
    node.each_field(&[CVM_ROLE], notes, |_, field, notes| role = Some(field.hidden(notes, str::parse)))?;
    Ok(Credentials::CvmRole(role.transpose()?))
}

fn assume_role(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    let (mut role_arn, mut session_name, mut external_id, mut lasts, mut source) = (None, None, None, None, None);
    node.each_field(&[ASSUME_ROLE], notes, |name, field, notes| match name {
        "role_arn" => role_arn = Some(field.hidden(notes, str::parse)),
        "session_name" => session_name = Some(field.hidden(notes, str::parse)),
        "external_id" => external_id = Some(field.hidden(notes, str::parse)),
        "duration" => lasts = Some(field.hidden(notes, |text| duration(text, session_duration))),
        _ => source = Some(read_one_of(&field, &SOURCES[..SOURCES.len() - 1], notes)),
    })?;
    let role_arn = role_arn.unwrap_or_else(|| {
        Err(node.refuse(notes, "no role_arn: add it, such as qcs::cam::uin/100000000001:roleName/exporter"))
    });
    let request = AssumeRole {
        role_arn: role_arn?,
        role_session_name: session_name.transpose()?.unwrap_or_else(|| PROGRAM.into()),
        duration_seconds: lasts.transpose()?.unwrap_or_default(),
        external_id: external_id.transpose()?,
    };
    let source = source.transpose()?.unwrap_or_default();
    Ok(Credentials::AssumeRole { request: Box::new(request), source: Box::new(source) })
}

fn session_duration(duration: Duration) -> Result<SessionDuration, OutOfRange> {
    SessionDuration::new(duration).ok_or_else(|| OutOfRange::expected("1s to 12h"))
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
