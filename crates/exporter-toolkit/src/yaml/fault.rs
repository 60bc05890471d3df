//! What is wrong with a configuration, and where.

use std::{fmt, slice};

use thiserror::Error;

use crate::files;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The way to the value, such as `accounts[1].uins[3]`; empty where it is the whole file.
    pub path: String,
    /// What was found, what is allowed and how to fix it.
    pub problem: String,
}

/// All that is wrong, one a line: environment variables that have no place, then the values in the order of the file,
/// then those that are right by themselves and do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Faults(Vec<Fault>);

/// A fault has been noted, and there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Where faults are noted.
#[derive(Debug, Default)]
pub struct Notes(Vec<Fault>);

// === impl Fault ===

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, problem } = self;
        if path.is_empty() { f.write_str(problem) } else { write!(f, "{path}: {problem}") }
    }
}

// === impl Faults ===

impl Faults {
    /// A fault of the file as a whole.
    pub fn of_file(problem: impl Into<String>) -> Self {
        Self(vec![Fault { path: String::new(), problem: problem.into() }])
    }

    /// Each of them; there is at least one.
    pub fn iter(&self) -> slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl From<files::Error> for Faults {
    fn from(error: files::Error) -> Self {
        Self::of_file(error.to_string())
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{fault}")?;
        }
        Ok(())
    }
}

// === impl Notes ===

impl Notes {
    /// Notes `problem` with the value at `path`.
    pub fn add(&mut self, path: impl Into<String>, problem: impl Into<String>) -> Refused {
        self.0.push(Fault { path: path.into(), problem: problem.into() });
        Refused
    }

    /// Notes each of `faults`.
    pub fn extend(&mut self, faults: Faults) {
        self.0.extend(faults.0);
    }

    /// The value, if there is one and nothing was noted.
    ///
    /// # Errors
    /// All that was noted.
    pub fn conclude<T>(self, value: Result<T, Refused>) -> Result<T, Faults> {
        match value {
            Ok(value) if self.0.is_empty() => Ok(value),
            _ => Err(Faults(self.0)),
        }
    }
}
