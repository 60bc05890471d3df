//! The one door to the environment variables.

use std::{collections::HashMap, fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretString};

/// The environment variables, as they were when the program started, or as a test has them.
///
/// Some of them are secrets, and it cannot know which: all are kept as such.
#[derive(Clone, Default)]
pub struct Environment(Arc<HashMap<String, SecretString>>);

// === impl Environment ===

impl Environment {
    /// That of this process. What is not UTF-8 cannot be a setting of ours, and is left out.
    #[must_use]
    pub fn of_this_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of the variable `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.0.get(name)
    }

    /// The names and values of the variables whose names start with `prefix`, in no order. For settings, which are no
    /// secrets.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(Arc::new(
            variables.into_iter().map(|(name, value)| (name.into(), SecretString::from(value.into()))).collect(),
        ))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment([redacted])")
    }
}
