//! Errors of credential sources.

use std::{fmt, path::PathBuf};

use exporter_toolkit::files;
use jiff::Timestamp;
use tencentcloud_api::{Error as WireError, Reason, metadata};
use thiserror::Error;

/// Codes of STS for transient errors, in addition to those of all APIs.
const TRANSIENT: [&str; 2] = [
    // Too many requests.
    "InvalidParameter.OverLimit",
    // The token is read again for each request, and may have been replaced by then.
    "InvalidParameter.WebIdentityTokenError",
];

/// Why a source has no credential.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The variable is not set, or empty.
    #[error("environment variable {0} is not set: set it, or choose another source under `credentials`")]
    Unset(&'static str),
    /// The variable is not set, or empty, and another one that needs it is set.
    #[error(
        "environment variable {missing} is not set: set it beside {given}, or choose another source under `credentials`"
    )]
    Incomplete {
        /// The variable.
        missing: &'static str,
        /// The other one.
        given: &'static str,
    },
    /// The value of the variable is invalid.
    #[error("environment variable {name} is {problem}")]
    Wrong {
        /// The variable.
        name: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// The files cannot be read.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// The value cannot be a secret of the API.
    #[error("{place} {fault}")]
    Unusable {
        /// The variable, the file or the field.
        place: Place,
        /// What is wrong with its content, without repeating it.
        fault: Fault,
    },
    /// The credentials file is invalid.
    #[error("{} {fault}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: ProfileFault,
    },
    /// There is no credentials file.
    #[error("there is no credentials file, neither of {}", listed(.0))]
    NoProfile(Vec<PathBuf>),
    /// The source does not respond in time.
    #[error("it takes too long: check the mount of the files, or the way to whoever issues it")]
    Hanging,
    /// STS has issued no credential.
    #[error("{action}: {error}")]
    Sts {
        /// The action.
        action: &'static str,
        /// Why.
        error: RequestError,
    },
    /// The machine has no role.
    #[error("the metadata service: {}", metadata::Error::NoRole)]
    NoRole,
    /// The metadata service has issued no credential.
    #[error("the metadata service: {0}")]
    Metadata(RequestError),
    /// There is no credential for the request to STS.
    #[error("the source of assume_role: {0}")]
    Source(Box<Error>),
    /// No source of the chain is configured.
    #[error("no source has a credential: {}", .0.iter().map(|(name, error)| format!("{name}: {error}")).collect::<Vec<_>>().join("; "))]
    Chain(Vec<(&'static str, Error)>),
    /// The source of the chain that is configured has no credential. The next one would be another identity.
    #[error("the source {name}: {error}. No other source is used instead: it may be another identity")]
    Link {
        /// The source.
        name: &'static str,
        /// Why.
        error: Box<Error>,
    },
}

/// The error of a request. Two are equal if their kinds are, because texts contain request ids and times.
#[derive(Clone, Debug)]
pub struct RequestError {
    kind: String,
    text: String,
    transient: bool,
}

/// Where a secret was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An environment variable.
    Variable(&'static str),
    /// A file.
    File(PathBuf),
    /// A field in a file.
    Field(PathBuf, &'static str),
}

/// What is wrong with a secret's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is empty, or only whitespace.
    #[error("is empty")]
    Empty,
    /// It contains whitespace or another character that no secret has.
    #[error("holds a blank, a control character or one beyond ASCII: it must be the secret and nothing else")]
    Foreign,
}

/// What is wrong with a credentials file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProfileFault {
    /// It is not text.
    #[error("is not UTF-8: save it as UTF-8")]
    NotText,
    /// It begins like JSON, but is not valid JSON.
    #[error("is no JSON object: have tccli write it again")]
    NotJson,
    /// The section is missing.
    #[error("has no section [{0}]: add it, or give another name under `profile`")]
    NoSection(String),
    /// The field is missing.
    #[error("has no {0}: add it")]
    NoField(&'static str),
    /// The field is given twice.
    #[error("has {0} twice in the section: keep one")]
    Twice(&'static str),
    /// The value of the field is invalid.
    #[error("{field} is {problem}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// The field is not a time.
    #[error("{0} is not a time in seconds since 1970: have tccli write it again")]
    NoTime(&'static str),
    /// One of two fields that belong together.
    #[error(
        "has {given} and no {missing}: add it, or name the role under `credentials.assume_role`, and take {given} out"
    )]
    Half {
        /// The field that is missing.
        missing: &'static str,
        /// The field that is given.
        given: &'static str,
    },
    /// A field that names an identity, in a way that is not supported.
    #[error(
        "has {field}, which is not followed: name the role under `credentials.assume_role`, with this profile as its source, and take {field} out"
    )]
    Ignored {
        /// The field.
        field: String,
    },
    /// The type of the profile is unknown.
    #[error(
        "has a type that is not one of default, cvm-role, oauth and sso: choose another source under `credentials`"
    )]
    UnknownType,
    /// The credential has expired.
    #[error("has a credential that expired at {at}: {}choose a source under `credentials` that does not expire, or is renewed", log_in(.login.as_ref()))]
    Expired {
        /// When.
        at: Timestamp,
        /// The command that makes the command line tool write a new one.
        login: Option<&'static str>,
    },
}

// === impl Error ===

impl Error {
    /// Whether a retry may succeed soon.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Hanging => true,
            Self::Sts { error, .. } | Self::Metadata(error) => error.transient,
            Self::Source(error) | Self::Link { error, .. } => error.is_transient(),
            Self::Chain(skipped) => skipped.last().is_some_and(|(_, error)| error.is_transient()),
            Self::Unset(_)
            | Self::Incomplete { .. }
            | Self::NoRole
            | Self::Wrong { .. }
            | Self::Files(_)
            | Self::Unusable { .. }
            | Self::Profile { .. }
            | Self::NoProfile(_) => false,
        }
    }

    /// Whether the source is not configured, so that the next one of a chain can be used.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Unset(_) | Self::NoProfile(_) | Self::NoRole)
    }
}

// === impl RequestError ===

impl From<&WireError> for RequestError {
    fn from(error: &WireError) -> Self {
        let reason = error.reason();
        let kind = if let WireError::Api { code, .. } = error { code.to_string() } else { reason.label().to_owned() };
        let transient = reason.is_transient() || reason == Reason::ClockSkew || TRANSIENT.contains(&kind.as_str());
        Self { kind, text: error.to_string(), transient }
    }
}

impl From<&metadata::Error> for RequestError {
    fn from(error: &metadata::Error) -> Self {
        match error {
            metadata::Error::Wire(error) => Self { transient: true, ..error.into() },
            metadata::Error::SeveralRoles => {
                let text = format!("{error}: name one as `cvm_role.role`");
                Self { kind: text.clone(), text, transient: error.is_transient() }
            }
            metadata::Error::NoRole | metadata::Error::NoSuccess => {
                Self { kind: error.to_string(), text: error.to_string(), transient: error.is_transient() }
            }
        }
    }
}

impl PartialEq for RequestError {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for RequestError {}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// === impl Place ===

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::File(path) => path.display().fmt(f),
            Self::Field(path, field) => write!(f, "{}: {field}", path.display()),
        }
    }
}

/// The secret in `text`, without whitespace around it: files often end with a newline, and pasted values with a space.
pub(super) fn secret(text: &str, place: impl FnOnce() -> Place) -> Result<&str, Error> {
    let secret = text.trim();
    let fault = match secret {
        "" => Fault::Empty,
        secret if secret.bytes().all(|byte| byte.is_ascii_graphic()) => return Ok(secret),
        _ => Fault::Foreign,
    };
    Err(Error::Unusable { place: place(), fault })
}

fn log_in(command: Option<&&str>) -> String {
    command.map(|command| format!("log in again with `{command}`, or ")).unwrap_or_default()
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" nor ")
}
