//! A value of the tree and its path, from which typed values are read.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use ::config::{Value, ValueKind};

use super::fault::{Notes, Refused};

/// The most characters of a value that an error repeats. Secrets are usually longer; names and values that are worth repeating
/// are shorter.
const MAX_SHOWN: usize = 20;

/// The most characters of a URL's path that an error repeats.
const MAX_SHOWN_OF_PATH: usize = 8;

/// A value and its path.
pub struct Node<'a> {
    path: String,
    value: &'a Value,
    /// The directory that relative paths are relative to, unless they come from a variable.
    folder: &'a Path,
}

// === impl Node ===

impl<'a> Node<'a> {
    /// The root of a file, if its directory does not matter.
    #[must_use]
    pub fn root(value: &'a Value) -> Self {
        Self::root_in(value, Path::new(""))
    }

    /// The root of a file in the directory `folder`.
    #[must_use]
    pub fn root_in(value: &'a Value, folder: &'a Path) -> Self {
        Self { path: String::new(), value, folder }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Notes a fault of the value, with the variable that the value comes from.
    pub fn refuse(&self, notes: &mut Notes, problem: impl fmt::Display) -> Refused {
        match self.value.origin() {
            Some(variable) => notes.add(&self.path, format!("{problem} (from environment variable {variable})")),
            None => notes.add(&self.path, problem.to_string()),
        }
    }

    /// Passes each field of a table to `take`, in the order of the file. A field that `take` returns `false` for is unknown:
    /// it is refused, and the error lists the `known` ones. Its value is not repeated: it may be a secret.
    ///
    /// # Errors
    /// It is not a table.
    pub fn each_field(
        &self,
        known: &[&str],
        notes: &mut Notes,
        mut take: impl FnMut(&str, &Self, &mut Notes) -> bool,
    ) -> Result<(), Refused> {
        for (name, field) in self.entries(notes)? {
            if !take(name, &field, notes) {
                field.refuse(notes, unknown(name, known));
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

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.value.kind == ValueKind::Nil
    }

    /// Whether it is an empty text.
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

    /// The text of a scalar, which may be a number.
    ///
    /// # Errors
    /// It is not a scalar.
    pub fn text(&self, notes: &mut Notes) -> Result<&'a str, Refused> {
        let ValueKind::String(text) = &self.value.kind else {
            return Err(self.mistyped(notes, "a single value"));
        };
        Ok(text)
    }

    /// A scalar, parsed as its type.
    ///
    /// # Errors
    /// It is not a scalar, or not of that type.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self, notes: &mut Notes) -> Result<T, Refused> {
        self.scalar(notes, str::parse)
    }

    /// A scalar, parsed with `parse`, whose error says what is wrong with the text.
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

    /// As [`Self::scalar`], for a value that must not be quoted, because it may be a secret.
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

    /// As [`Self::parse`], for a value that must be unique `within` a list or the like.
    ///
    /// # Errors
    /// It is not a scalar, not one of that type, or not unique.
    pub fn unique<T: FromStr<Err: fmt::Display> + fmt::Display>(
        &self,
        within: &str,
        notes: &mut Notes,
    ) -> Result<T, Refused> {
        let value: T = self.parse(notes)?;
        let text = value.to_string();
        match notes.first_path(within, &text, &self.path) {
            None => Ok(value),
            Some(first) => {
                Err(self.refuse(notes, format_args!("{} is at {first} already: remove or change one", quoted(&text))))
            }
        }
    }

    /// The path of a file. A relative path is relative to the directory of the configuration or, if it comes from a variable,
    /// to the working directory. A value that is not a path is not quoted, because it may be a secret.
    ///
    /// # Errors
    /// It is not a path.
    pub fn file_path(&self, notes: &mut Notes) -> Result<PathBuf, Refused> {
        match self.text(notes)? {
            "" => Err(self.refuse(notes, "empty: expected the path of a file")),
            // The content of a file, such as a key. An error that names the path would repeat it.
            path if path.contains(char::is_control) => {
                Err(self.refuse(notes, "more than one line: expected the path of a file"))
            }
            path if self.value.origin().is_some() => Ok(path.into()),
            path => Ok(self.folder.join(path)),
        }
    }

    /// As [`Self::file_path`], but a path that begins with `~/` stays as it is.
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
            ValueKind::String(_)
            | ValueKind::Boolean(_)
            | ValueKind::I64(_)
            | ValueKind::I128(_)
            | ValueKind::U64(_)
            | ValueKind::U128(_)
            | ValueKind::Float(_) => "a single value",
        };
        self.refuse(notes, format_args!("expected {expected}, found {found}"))
    }
}

/// Reads a scalar with `parse`, whose error says what is wrong with the text.
pub fn scalar<T, E: fmt::Display>(
    parse: impl Fn(&str) -> Result<T, E>,
) -> impl Fn(&Node<'_>, &mut Notes) -> Result<T, Refused> {
    move |node, notes| node.scalar(notes, &parse)
}

/// As [`scalar`], for a value that must not be quoted, because it may be a secret.
pub fn hidden<T, E: fmt::Display>(
    parse: impl Fn(&str) -> Result<T, E>,
) -> impl Fn(&Node<'_>, &mut Notes) -> Result<T, Refused> {
    move |node, notes| node.hidden(notes, &parse)
}

/// Reads each item of a list with `item`.
pub fn list<T>(
    item: impl Fn(&Node<'_>, &mut Notes) -> Result<T, Refused>,
) -> impl Fn(&Node<'_>, &mut Notes) -> Result<Vec<T>, Refused> {
    move |node, notes| {
        // All items are read, so that all faults are noted.
        let items: Vec<_> = node.items(notes)?.iter().map(|node| item(node, notes)).collect();
        items.into_iter().collect()
    }
}

/// The longest name that an error repeats. Names of fields are shorter, and secrets are usually longer.
const MAX_NAME: usize = 28;

/// The path of the field `key` of the table at `parent`.
#[must_use]
pub fn path_to(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match key.chars().count() {
        // It is not the name of a field, and may be a secret.
        length if length > MAX_NAME => format!("{parent}[a name of {length} characters]"),
        _ if !plain => format!("{parent}[{key:?}]"),
        _ if parent.is_empty() => key.to_owned(),
        _ => format!("{parent}.{key}"),
    }
}

/// The fault of a field `key` that is not one of `known`.
#[must_use]
pub fn unknown(key: &str, known: &[&str]) -> String {
    let allowed = if known.is_empty() { "no field here".to_owned() } else { known.join(", ") };
    format!("unknown field{}: expected {allowed}", meant(key, known))
}

/// The fault of a value `text` that is not one of `known`. `kind` says what they are.
#[must_use]
pub fn unknown_value(text: &str, kind: &str, known: &[&str]) -> String {
    format!("{} is not a {kind}{}: expected {}", quoted(text), meant(text, known), known.join(", "))
}

/// The one of `known` that was probably meant.
fn meant(key: &str, known: &[&str]) -> String {
    let distance = |other: &str| strsim::damerau_levenshtein(&key.to_ascii_lowercase(), other);
    let nearest =
        known.iter().filter(|other| distance(other) <= 1.max(other.len() / 3)).min_by_key(|other| distance(other));
    nearest.map(|nearest| format!(" (did you mean {nearest}?)")).unwrap_or_default()
}

/// A value, in quotes. Of a value that may be a secret, only the length.
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

/// Whether it is a name in the style of constants, such as that of a cipher suite. Secrets do not consist of short words.
fn is_constant(text: &str) -> bool {
    let is_word = |word: &str| {
        (1..=10).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    text.contains('_') && text.len() <= 64 && text.split('_').all(is_word)
}

/// Scheme and host of a URL, or a host alone, if it looks like one. A long path or query may contain a token.
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
