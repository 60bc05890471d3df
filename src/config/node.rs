//! A value of the tree and the way to it, from which everything typed is read.

use std::{fmt, path::PathBuf, str::FromStr};

use ::config::{Value, ValueKind};

use super::fault::{Notes, Refused};

/// A value and its path.
pub(crate) struct Node<'a> {
    path: String,
    value: &'a Value,
}

// === impl Node ===

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Notes what is wrong with the value, and the variable that it comes from.
    pub(crate) fn refuse(&self, notes: &mut Notes, problem: impl fmt::Display) -> Refused {
        match self.value.origin() {
            Some(variable) => notes.add(&self.path, format!("{problem} (from environment variable {variable})")),
            None => notes.add(&self.path, problem.to_string()),
        }
    }

    /// Hands out each field of a table that is not null, in the order of the file. Fields that are not `known` are
    /// refused, and what they hold stays unsaid: it may be a secret.
    pub(crate) fn each_field(
        &self,
        known: &[&[&'static str]],
        notes: &mut Notes,
        mut take: impl FnMut(&str, Node<'a>, &mut Notes),
    ) -> Result<(), Refused> {
        for (key, field) in self.entries(notes)? {
            if !known.concat().contains(&key) {
                field.refuse(notes, unknown(key, &known.concat()));
            } else if !field.is_null() {
                take(key, field, notes);
            }
        }
        Ok(())
    }

    /// Each entry of a table, whatever its name, null or not, in the order of the file.
    pub(crate) fn entries(&self, notes: &mut Notes) -> Result<Vec<(&'a str, Node<'a>)>, Refused> {
        let ValueKind::Table(table) = &self.value.kind else {
            return Err(self.mistyped(notes, "fields (name: value)"));
        };
        let entry = |(key, value): (&'a String, _)| (key.as_str(), Self { path: path_to(&self.path, key), value });
        Ok(table.iter().map(entry).collect())
    }

    /// Whether there is a name and nothing after it.
    pub(crate) fn is_null(&self) -> bool {
        self.value.kind == ValueKind::Nil
    }

    /// Whether it is text without a character.
    pub(crate) fn is_blank(&self) -> bool {
        matches!(&self.value.kind, ValueKind::String(text) if text.is_empty())
    }

    /// Whether it is a table.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.value.kind, ValueKind::Table(_))
    }

    /// The items of a list.
    pub(crate) fn items(&self, notes: &mut Notes) -> Result<Vec<Node<'a>>, Refused> {
        let ValueKind::Array(items) = &self.value.kind else {
            return Err(self.mistyped(notes, "a list"));
        };
        let item = |(index, value)| Self { path: format!("{}[{index}]", self.path), value };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// A scalar's text, be it a number or a word.
    pub(crate) fn text(&self, notes: &mut Notes) -> Result<&'a str, Refused> {
        match &self.value.kind {
            ValueKind::String(text) => Ok(text),
            _ => Err(self.mistyped(notes, "a single value")),
        }
    }

    /// A scalar, by the rules of its type.
    pub(crate) fn parse<T: FromStr<Err: fmt::Display>>(&self, notes: &mut Notes) -> Result<T, Refused> {
        self.scalar(notes, str::parse)
    }

    /// A scalar, by the rules of `parse`, whose error says what the text is.
    pub(crate) fn scalar<T, E: fmt::Display>(
        &self,
        notes: &mut Notes,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Refused> {
        let text = self.text(notes)?;
        parse(text).map_err(|error| self.refuse(notes, format_args!("{} is {error}", quoted(text))))
    }

    /// As [`Self::scalar`], where what is found must not be quoted: it may be a secret.
    pub(super) fn hidden<T, E: fmt::Display>(
        &self,
        notes: &mut Notes,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Refused> {
        parse(self.text(notes)?).map_err(|error| self.refuse(notes, error))
    }

    /// The path of a file. What is no path is not quoted: it may be a secret.
    pub(crate) fn file_path(&self, notes: &mut Notes) -> Result<PathBuf, Refused> {
        match self.text(notes)? {
            "" => Err(self.refuse(notes, "empty: expected the path of a file")),
            path => Ok(path.into()),
        }
    }

    fn mistyped(&self, notes: &mut Notes, expected: &str) -> Refused {
        let found = match &self.value.kind {
            ValueKind::Nil => "nothing",
            ValueKind::Table(_) => "fields",
            ValueKind::Array(_) => "a list",
            _ => "a single value",
        };
        self.refuse(notes, format_args!("expected {expected}, found {found}"))
    }
}

/// The path of the field `key` of what `parent` leads to.
pub(super) fn path_to(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match shortened(key, 28) {
        key if !plain => format!("{parent}[{key:?}]"),
        key if parent.is_empty() => key,
        key => format!("{parent}.{key}"),
    }
}

/// What is wrong with the field `key`, which is none of `known`.
pub(crate) fn unknown(key: &str, known: &[&str]) -> String {
    let distance = |other: &str| strsim::damerau_levenshtein(&key.to_ascii_lowercase(), other);
    let nearest =
        known.iter().filter(|other| distance(other) <= 1.max(other.len() / 3)).min_by_key(|other| distance(other));
    let meant = nearest.map(|nearest| format!(" (did you mean {nearest}?)")).unwrap_or_default();
    let allowed = if known.is_empty() { "no field here".to_owned() } else { known.join(", ") };
    format!("unknown field{meant}: expected {allowed}")
}

/// A value as found, in quotes. What belongs elsewhere in a URL, such as a password, is nobody's to read.
fn quoted(text: &str) -> String {
    if text.contains('@') { "the value".to_owned() } else { format!("{:?}", shortened(text, 64)) }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
