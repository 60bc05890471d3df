//! The section `credentials` of an account. Nothing that it holds is ever quoted: somebody may have put a secret there.

use super::{
    fault::{Notes, Refused},
    node::Node,
};
use crate::credentials::Paths;

/// The fields of `credentials`.
pub(super) const SOURCES: &[&str] = &["env", "file", "profile", "cvm_role", "tke_oidc", "assume_role"];

/// The fields of `credentials.file`.
pub(super) const FILE: &[&str] = &["secret_id_path", "secret_key_path", "token_path"];

/// Where an account's credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Environment variables.
    Env,
    /// Files.
    File(Paths),
}

pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Credentials, Refused> {
    let mut sources = Vec::new();
    node.each_field(&[SOURCES], notes, |name, field, notes| {
        let source = match name {
            "env" => field.each_field(&[], notes, |_, _, _| {}).map(|()| Credentials::Env),
            "file" => file(&field, notes).map(Credentials::File),
            _ => Err(field.refuse(notes, "not supported yet: use env: {} or file instead")),
        };
        sources.push((name.to_owned(), source));
    })?;
    match sources.pop() {
        None => Err(node.refuse(notes, "no source: expected env: {} or file")),
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
