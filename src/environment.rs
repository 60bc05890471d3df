//! The one door to the environment variables.

use std::{collections::HashMap, env::VarError, ffi::OsString, fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretString};

/// The environment variables, as they were when the program started, or as a test has them.
///
/// Some of them are secrets, and it cannot know which: all are kept as such.
#[derive(Clone, Default)]
pub struct Environment(Arc<HashMap<String, Variable>>);

struct Variable {
    value: SecretString,
    is_unicode: bool,
}

// === impl Environment ===

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::from_os(std::env::vars_os())
    }

    /// These variables. None is left out: where one is not UTF-8, U+FFFD stands in its value, which is then refused.
    #[must_use]
    pub fn from_os(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let variable = |(name, value): (OsString, OsString)| {
            let is_unicode = value.to_str().is_some();
            let value = SecretString::from(value.to_string_lossy().into_owned());
            (name.to_string_lossy().into_owned(), Variable { value, is_unicode })
        };
        Self(Arc::new(variables.into_iter().map(variable).collect()))
    }

    /// The value of the variable `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.0.get(name).map(|variable| &variable.value)
    }

    /// As [`std::env::var`], but without showing a value that is not UTF-8.
    ///
    /// # Errors
    /// The variable is not set, or is not UTF-8.
    pub fn var(&self, name: &str) -> Result<SecretString, VarError> {
        match self.0.get(name) {
            Some(Variable { value, is_unicode: true }) => Ok(value.clone()),
            Some(Variable { is_unicode: false, .. }) => Err(VarError::NotUnicode(OsString::new())),
            None => Err(VarError::NotPresent),
        }
    }

    /// The value of the variable `name`, without blanks around it; nothing if that is empty. Deployments leave a variable in
    /// place and empty where there is no value for it.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(|value| value.expose_secret().trim()).filter(|value| !value.is_empty())
    }

    /// Whether the variable `name` is UTF-8, if it is set.
    #[must_use]
    pub fn is_unicode(&self, name: &str) -> bool {
        self.0.get(name).is_none_or(|variable| variable.is_unicode)
    }

    /// The names and values of the variables whose names start with `prefix`, in no order; no value where it is not
    /// UTF-8. For settings, which are no secrets.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .map(|(name, variable)| (name.as_str(), variable.is_unicode.then(|| variable.value.expose_secret())))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self::from_os(variables.into_iter().map(|(name, value)| (name.into().into(), value.into().into())))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment([redacted])")
    }
}
