//! A value of the tree and the way to it, from which everything typed is read.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use ::config::{Value, ValueKind};

use super::fault::{Notes, Refused};

/// The most characters of what is found that an error repeats. Secrets are usually longer, and no name or
/// value of a field that is worth repeating is.
const MAX_SHOWN: usize = 20;

/// The most of a URL's path that is repeated.
const MAX_SHOWN_OF_PATH: usize = 8;

/// A value and its path.
pub struct Node<'a> {
    path: String,
    value: &'a Value,
    /// What relative paths of files are relative to, unless they come from a variable.
    folder: &'a Path,
}

// === impl Node ===

impl<'a> Node<'a> {
    /// The root of a file whose folder does not matter.
    #[must_use]
    pub fn root(value: &'a Value) -> Self {
        Self::root_in(value, Path::new(""))
    }

    /// The root of a file in `folder`.
    #[must_use]
    pub fn root_in(value: &'a Value, folder: &'a Path) -> Self {
        Self { path: String::new(), value, folder }
    }

    /// The way to it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Notes what is wrong with the value, and the variable that it comes from.
    pub fn refuse(&self, notes: &mut Notes, problem: impl fmt::Display) -> Refused {
        match self.value.origin() {
            Some(variable) => notes.add(&self.path, format!("{problem} (from environment variable {variable})")),
            None => notes.add(&self.path, problem.to_string()),
        }
    }

    /// Hands out each field of a table that is not null, in the order of the file. Fields that are not `known` are
    /// refused, and what they hold stays unsaid: it may be a secret.
    ///
    /// # Errors
    /// It is not a table.
    pub fn each_field(
        &self,
        known: &[&[&'static str]],
        notes: &mut Notes,
        take: impl FnMut(&str, Node<'a>, &mut Notes),
    ) -> Result<(), Refused> {
        self.each_field_or_null(known, &[], notes, take)
    }

    /// As [`Self::each_field`], and with those that are `nullable` even if they are null.
    ///
    /// # Errors
    /// It is not a table.
    pub fn each_field_or_null(
        &self,
        known: &[&[&'static str]],
        nullable: &[&str],
        notes: &mut Notes,
        mut take: impl FnMut(&str, Node<'a>, &mut Notes),
    ) -> Result<(), Refused> {
        for (key, field) in self.entries(notes)? {
            if !known.concat().contains(&key) {
                field.refuse(notes, unknown(key, &known.concat()));
            } else if !field.is_null() || nullable.contains(&key) {
                take(key, field, notes);
            }
        }
        Ok(())
    }

    /// Each entry of a table, whatever its name, null or not, in the order of the file.
    ///
    /// # Errors
    /// It is not a table.
    pub fn entries(&self, notes: &mut Notes) -> Result<Vec<(&'a str, Node<'a>)>, Refused> {
        let ValueKind::Table(table) = &self.value.kind else {
            return Err(self.mistyped(notes, "fields (name: value)"));
        };
        let entry = |(key, value): (&'a String, _)| {
            (key.as_str(), Self { path: path_to(&self.path, key), value, folder: self.folder })
        };
        Ok(table.iter().map(entry).collect())
    }

    /// Whether there is a name and nothing after it.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.value.kind == ValueKind::Nil
    }

    /// Whether it is text without a character.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        matches!(&self.value.kind, ValueKind::String(text) if text.is_empty())
    }

    /// Whether it is a table.
    #[must_use]
    pub fn is_table(&self) -> bool {
        matches!(self.value.kind, ValueKind::Table(_))
    }

    /// The items of a list.
    ///
    /// # Errors
    /// It is not a list.
    pub fn items(&self, notes: &mut Notes) -> Result<Vec<Node<'a>>, Refused> {
        let ValueKind::Array(items) = &self.value.kind else {
            return Err(self.mistyped(notes, "a list"));
        };
        let item = |(index, value)| Self { path: format!("{}[{index}]", self.path), value, folder: self.folder };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// A scalar's text, be it a number or a word.
    ///
    /// # Errors
    /// It is not a scalar.
    pub fn text(&self, notes: &mut Notes) -> Result<&'a str, Refused> {
        match &self.value.kind {
            ValueKind::String(text) => Ok(text),
            _ => Err(self.mistyped(notes, "a single value")),
        }
    }

    /// A scalar, by the rules of its type.
    ///
    /// # Errors
    /// It is not a scalar, or not one of that type.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self, notes: &mut Notes) -> Result<T, Refused> {
        self.scalar(notes, str::parse)
    }

    /// A scalar, by the rules of `parse`, whose error says what the text is.
    ///
    /// # Errors
    /// It is not a scalar, or `parse` refuses it.
    pub fn scalar<T, E: fmt::Display>(
        &self,
        notes: &mut Notes,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Refused> {
        let text = self.text(notes)?;
        parse(text).map_err(|error| self.refuse(notes, format_args!("{} is {error}", quoted(text))))
    }

    /// As [`Self::scalar`], where what is found must not be quoted: it may be a secret.
    ///
    /// # Errors
    /// It is not a scalar, or `parse` refuses it.
    pub fn hidden<T, E: fmt::Display>(
        &self,
        notes: &mut Notes,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Refused> {
        parse(self.text(notes)?).map_err(|error| self.refuse(notes, error))
    }

    /// The path of a file. A relative one is relative to the folder of the configuration, or, if it comes from a variable,
    /// to the working directory. What is no path is not quoted: it may be a secret.
    ///
    /// # Errors
    /// It is not a path.
    pub fn file_path(&self, notes: &mut Notes) -> Result<PathBuf, Refused> {
        match self.text(notes)? {
            "" => Err(self.refuse(notes, "empty: expected the path of a file")),
            path if self.value.origin().is_some() => Ok(path.into()),
            path => Ok(self.folder.join(path)),
        }
    }

    /// As [`Self::file_path`], where `~/` stands for a home, which is not known here.
    ///
    /// # Errors
    /// It is not a path.
    pub fn file_path_or_home(&self, notes: &mut Notes) -> Result<PathBuf, Refused> {
        match self.text(notes)? {
            path if path.starts_with("~/") => Ok(path.into()),
            _ => self.file_path(notes),
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

/// The longest name that is repeated. The names of fields are shorter, and secrets are usually longer.
const MAX_NAME: usize = 28;

/// The path of the field `key` of what `parent` leads to.
#[must_use]
pub fn path_to(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match key.chars().count() {
        // It is no field's name, and may be a secret.
        length if length > MAX_NAME => format!("{parent}[a name of {length} characters]"),
        _ if !plain => format!("{parent}[{key:?}]"),
        _ if parent.is_empty() => key.to_owned(),
        _ => format!("{parent}.{key}"),
    }
}

/// What is wrong with the field `key`, which is none of `known`.
#[must_use]
pub fn unknown(key: &str, known: &[&str]) -> String {
    let allowed = if known.is_empty() { "no field here".to_owned() } else { known.join(", ") };
    format!("unknown field{}: expected {allowed}", meant(key, known))
}

/// What is wrong with the value `text`, which is none of `known`, each of which is a `kind`.
#[must_use]
pub fn unknown_value(text: &str, kind: &str, known: &[&str]) -> String {
    format!("{} is not a {kind}{}: expected {}", quoted(text), meant(text, known), known.join(", "))
}

/// Which of `known` may have been meant.
fn meant(key: &str, known: &[&str]) -> String {
    let distance = |other: &str| strsim::damerau_levenshtein(&key.to_ascii_lowercase(), other);
    let nearest =
        known.iter().filter(|other| distance(other) <= 1.max(other.len() / 3)).min_by_key(|other| distance(other));
    nearest.map(|nearest| format!(" (did you mean {nearest}?)")).unwrap_or_default()
}

/// A value as found, in quotes, unless it may be a secret: then only its length is given.
#[must_use]
pub fn quoted(text: &str) -> String {
    match (text.chars().count(), shown_of_url(text)) {
        _ if text.contains('@') => "the value".to_owned(),
        (..=MAX_SHOWN, _) => format!("{text:?}"),
        _ if is_constant(text) => format!("{text:?}"),
        (_, Some(shown)) => format!("{shown:?}"),
        (length, None) => format!("a text of {length} characters"),
    }
}

/// Whether it is a name in the style of constants, such as that of a cipher suite. No secret is made of short words.
fn is_constant(text: &str) -> bool {
    let is_word = |word: &str| {
        (1..=10).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    text.contains('_') && text.len() <= 64 && text.split('_').all(is_word)
}

/// Scheme and host of a URL, or a host alone, if it looks like one. A long path or query may hold a token.
fn shown_of_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let (host, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let is_label = |label: &str| {
        (1..=MAX_SHOWN).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let looks_right = scheme.len() <= 8
        && is_label(scheme)
        && host.len() <= 64
        && host.contains('.')
        && host.split(['.', ':']).all(is_label);
    let shown = if tail.len() <= MAX_SHOWN_OF_PATH { text.to_owned() } else { format!("{scheme}://{host}/…") };
    looks_right.then_some(shown)
}
