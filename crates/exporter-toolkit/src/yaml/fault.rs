//! The faults of a configuration.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt, slice,
};

use thiserror::Error;

use crate::files;

/// Something that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The path of the value, such as `accounts[1].uins[3]`; empty for the whole file.
    pub path: String,
    /// What was found, what is expected and how to fix it.
    pub problem: String,
}

/// All faults, one per line: environment variables that do not fit, then values in the order of the file, then values that are
/// valid, but not together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Faults(Vec<Fault>);

/// There is no value, and its fault has been noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Where faults are noted.
#[derive(Debug, Default)]
pub struct Notes {
    faults: Vec<Fault>,
    /// The path of the first of each value that must be unique, by what it is unique within.
    unique: BTreeMap<(String, String), String>,
}

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

    /// The faults. There is at least one.
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
    /// Notes a fault of the value at `path`.
    pub fn add(&mut self, path: impl Into<String>, problem: impl Into<String>) -> Refused {
        self.faults.push(Fault { path: path.into(), problem: problem.into() });
        Refused
    }

    /// Notes each of `faults`.
    pub fn extend(&mut self, faults: Faults) {
        self.faults.extend(faults.0);
    }

    /// Where `value` was first, unless that is now, at `path`.
    pub(super) fn first_path(&mut self, within: &str, value: &str, path: &str) -> Option<String> {
        match self.unique.entry((within.to_owned(), value.to_owned())) {
            Entry::Occupied(first) => Some(first.get().clone()),
            Entry::Vacant(place) => {
                place.insert(path.to_owned());
                None
            }
        }
    }

    /// The value, if there is one and there are no faults.
    ///
    /// # Errors
    /// All faults.
    pub fn conclude<T>(self, value: Result<T, Refused>) -> Result<T, Faults> {
        match value {
            Ok(value) if self.faults.is_empty() => Ok(value),
            _ => Err(Faults(self.faults)),
        }
    }
}
