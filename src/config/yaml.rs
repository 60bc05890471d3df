//! The file's text as a tree.
//!
//! The `config` crate can read YAML too. Here every scalar stays the text that it is, so that an account named 007 is
//! not called 7, every field given twice is found, and a hostile file can neither nest nor multiply itself.

use std::fmt;

use ::config::{Map, Value, ValueKind};
use yaml_rust2::{
    Event, ScanError,
    parser::Parser,
    scanner::{Marker, TScalarStyle},
};

use super::{
    MAX_DEPTH,
    fault::{Faults, Notes},
    node::path_to,
};

/// A list or a table of which the end is not read yet.
enum Open {
    List(Vec<Value>),
    Table { entries: Map<String, Value>, key: Option<(String, usize)> },
}

#[derive(Default)]
struct Reader {
    root: Option<Value>,
    open: Vec<Open>,
    notes: Notes,
}

/// The table that `text` is; without any field if there is nothing in it. `example` is one of its fields.
///
/// # Errors
/// Text that is not one YAML table, or one that names a field twice.
pub(crate) fn read(text: &str, example: &str) -> Result<Value, Faults> {
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    loop {
        let (event, mark) = parser.next_token().map_err(|error| not_yaml(&error))?;
        if event == Event::StreamEnd {
            break;
        }
        reader.take(event, mark)?;
    }
    let root = match reader.root.map_or(ValueKind::Nil, |root| root.kind) {
        ValueKind::Nil => ValueKind::Table(Map::new()),
        root @ ValueKind::Table(_) => root,
        _ => {
            let expected = "not a configuration: expected fields at its top level, such as";
            return Err(Faults::of_file(format!("{expected} {example}:")));
        }
    };
    reader.notes.conclude(Ok(Value::new(None, root)))
}

// === impl Reader ===

impl Reader {
    fn take(&mut self, event: Event, mark: Marker) -> Result<(), Faults> {
        match event {
            Event::DocumentStart if self.root.is_some() => {
                Err(at(mark, "a second document begins: expected one; remove the line --- or what follows it"))
            }
            Event::Scalar(text, style, _, tag) => {
                let plain = style == TScalarStyle::Plain && tag.is_none();
                match self.open.last_mut() {
                    Some(Open::Table { key: key @ None, .. }) => *key = Some((text, mark.line())),
                    _ => self.put(if plain { plain_scalar(text) } else { ValueKind::String(text) }),
                }
                Ok(())
            }
            Event::SequenceStart(..) => self.begin(mark, Open::List(Vec::new())),
            Event::MappingStart(..) => self.begin(mark, Open::Table { entries: Map::new(), key: None }),
            Event::SequenceEnd | Event::MappingEnd => {
                match self.open.pop() {
                    Some(Open::List(items)) => self.put(ValueKind::Array(items)),
                    Some(Open::Table { entries, .. }) => self.put(ValueKind::Table(entries)),
                    None => {}
                }
                Ok(())
            }
            Event::Alias(_) => Err(at(mark, "aliases (*name) are not taken: write the value out")),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, mark: Marker, open: Open) -> Result<(), Faults> {
        if let Some(Open::Table { key: None, .. }) = self.open.last() {
            return Err(at(mark, "a list or a table where a field's name belongs: expected text before the colon"));
        }
        if self.open.len() == MAX_DEPTH {
            return Err(at(mark, format!("nested deeper than {MAX_DEPTH} levels: no field is that deep")));
        }
        self.open.push(open);
        Ok(())
    }

    fn put(&mut self, kind: ValueKind) {
        let value = Value::new(None, kind);
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(items)) => items.push(value),
            Some(Open::Table { entries, key }) => {
                let (key, line) = key.take().unwrap_or_default();
                if entries.contains_key(&key) {
                    let path = self.path(&key);
                    self.notes.add(path, format!("given twice, again on line {line}: keep one"));
                } else {
                    entries.insert(key, value);
                }
            }
        }
    }

    /// The way to the field `name` of the innermost table.
    fn path(&self, name: &str) -> String {
        let outer = &self.open[..self.open.len().saturating_sub(1)];
        let parent = outer.iter().fold(String::new(), |path, open| match open {
            Open::List(items) => format!("{path}[{}]", items.len()),
            Open::Table { key, .. } => path_to(&path, key.as_ref().map_or("", |(key, _)| key)),
        });
        path_to(&parent, name)
    }
}

/// A scalar without quotes: YAML has several ways to say nothing.
pub(super) fn plain_scalar(text: String) -> ValueKind {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => ValueKind::Nil,
        _ => ValueKind::String(text),
    }
}

fn at(mark: Marker, problem: impl fmt::Display) -> Faults {
    Faults::of_file(format!("line {}: {problem}", mark.line()))
}

fn not_yaml(error: &ScanError) -> Faults {
    let mark = error.marker();
    Faults::of_file(format!("line {}, column {}: not YAML: {}", mark.line(), mark.col() + 1, error.info()))
}
