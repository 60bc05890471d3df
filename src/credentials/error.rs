//! Why no credential could be had.

use std::{fmt, path::PathBuf};

use exporter_toolkit::files;
use jiff::Timestamp;
use tencentcloud_api::{Error as WireError, Reason, metadata};
use thiserror::Error;

/// Codes of STS that stand for something which passes, beside those that every API has.
const PASSING: [&str; 2] = [
    // Too many requests.
    "InvalidParameter.OverLimit",
    // The token is read anew each time, and may have been replaced by then.
    "InvalidParameter.WebIdentityTokenError",
];

/// Why no credential could be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The variable is not set, or set to nothing.
    #[error("environment variable {0} is not set: set it, or choose another source under `credentials`")]
    Unset(&'static str),
    /// The variable is not set, or set to nothing, and another that needs it is.
    #[error(
        "environment variable {missing} is not set: set it beside {given}, or choose another source under `credentials`"
    )]
    Incomplete {
        /// The variable.
        missing: &'static str,
        /// The other one.
        given: &'static str,
    },
    /// The variable is set to something that it cannot be.
    #[error("environment variable {name} is {problem}")]
    Wrong {
        /// The variable.
        name: &'static str,
        /// What its value is instead of what it should be.
        problem: String,
    },
    /// The files cannot be read as they are.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// The value cannot be a secret of the API.
    #[error("{place} {fault}")]
    Unusable {
        /// The variable, the file or the field.
        place: Place,
        /// What is wrong with its content, which is not shown.
        fault: Fault,
    },
    /// The credentials file lacks something.
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
    /// Nothing comes in time.
    #[error("it takes too long: check the mount of the files, or the way to whoever issues it")]
    Hanging,
    /// STS gave none.
    #[error("{action}: {error}")]
    Sts {
        /// What it was asked for.
        action: &'static str,
        /// Why.
        error: Told,
    },
    /// The machine has no role.
    #[error("the metadata service: {}", metadata::Error::NoRole)]
    NoRole,
    /// The metadata service gave none.
    #[error("the metadata service: {0}")]
    Metadata(Told),
    /// There is none to ask STS with.
    #[error("the source of assume_role: {0}")]
    Source(Box<Error>),
    /// No source of the chain has one.
    #[error("no source has a credential: {}", .0.iter().map(|(name, error)| format!("{name}: {error}")).collect::<Vec<_>>().join("; "))]
    Chain(Vec<(&'static str, Error)>),
    /// The source of the chain that is set up has none. Another would be another identity.
    #[error("the source {name}: {error}. No other source is used instead: it may be another identity")]
    Link {
        /// The source.
        name: &'static str,
        /// Why.
        error: Box<Error>,
    },
}

/// What somebody answered, or why they did not. Two are the same if they are of one kind: texts tell of request ids and
/// times.
#[derive(Clone, Debug)]
pub struct Told {
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
    /// Nothing but blanks.
    #[error("is empty")]
    Empty,
    /// A blank or another character that no secret has inside it.
    #[error("holds a blank, a control character or one beyond ASCII: it must be the secret and nothing else")]
    Foreign,
}

/// What is wrong with a credentials file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProfileFault {
    /// Bytes that are no text.
    #[error("is not UTF-8: save it as UTF-8")]
    NotText,
    /// It begins like JSON, and is none.
    #[error("is no JSON object: have tccli write it again")]
    NotJson,
    /// The section is not there.
    #[error("has no section [{0}]: add it, or give another name under `profile`")]
    NoSection(String),
    /// The field is not there.
    #[error("has no {0}: add it")]
    NoField(&'static str),
    /// The field is there twice.
    #[error("has {0} twice in the section: keep one")]
    Twice(&'static str),
    /// The field cannot be what it is.
    #[error("{field} is {problem}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// What its value is instead of what it should be.
        problem: String,
    },
    /// The field is not a time.
    #[error("{0} is not a time in seconds since 1970: have tccli write it again")]
    NoTime(&'static str),
    /// One of two fields that go together.
    #[error(
        "has {given} and no {missing}: add it, or name the role under `credentials.assume_role`, and take {given} out"
    )]
    Half {
        /// The field that is missing.
        missing: &'static str,
        /// The field that is there.
        given: &'static str,
    },
    /// A field that names an identity, and that the tool which reads such files does not follow.
    #[error(
        "has {field}, which is not followed: name the role under `credentials.assume_role`, with this profile as its source, and take {field} out"
    )]
    Ignored {
        /// The field.
        field: String,
    },
    /// The type of a profile that is not known.
    #[error(
        "has a type that is not one of default, cvm-role, oauth and sso: choose another source under `credentials`"
    )]
    UnknownType,
    /// The credential has ended.
    #[error("has a credential that expired at {at}: {}choose a source under `credentials` that does not expire, or is renewed", log_in(.login.as_ref()))]
    Expired {
        /// When.
        at: Timestamp,
        /// What has the command line tool write a new one.
        login: Option<&'static str>,
    },
}

// === impl Error ===

impl Error {
    /// Whether the credential may well be had in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Hanging => true,
            Self::Sts { error: told, .. } | Self::Metadata(told) => told.transient,
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

    /// Whether nobody has set the source up, so that the next one of a chain may be used.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Unset(_) | Self::NoProfile(_) | Self::NoRole)
    }
}

// === impl Told ===

impl From<&WireError> for Told {
    fn from(error: &WireError) -> Self {
        let reason = error.reason();
        let kind = match error {
            WireError::Api { code, .. } => code.to_string(),
            _ => reason.label().to_owned(),
        };
        let transient = reason.is_transient() || reason == Reason::ClockSkew || PASSING.contains(&kind.as_str());
        Self { kind, text: error.to_string(), transient }
    }
}

impl From<&metadata::Error> for Told {
    fn from(error: &metadata::Error) -> Self {
        match error {
            metadata::Error::Wire(error) => Self { transient: true, ..error.into() },
            metadata::Error::SeveralRoles => {
                let text = format!("{error}: name one as `cvm_role.role`");
                Self { kind: text.clone(), text, transient: error.is_transient() }
            }
            other => Self { kind: other.to_string(), text: other.to_string(), transient: other.is_transient() },
        }
    }
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Told {}

impl fmt::Display for Told {
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

/// The secret in `text`. Files tend to end in a newline, and pasted values in a blank: the API takes neither.
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
