//! Parses the text of a file into a tree.
//!
//! The `config` crate can read YAML too. Here each scalar stays text, so that an account named 007 does not become 7; duplicate
//! fields are reported; and a malicious file can neither nest deeply nor multiply itself.

use std::fmt;

use ::config::{Map, Value, ValueKind};
use yaml_rust2::{
    Event, ScanError,
    parser::{Parser, Tag},
    scanner::{Marker, TScalarStyle},
};

use super::{Faults, MAX_DEPTH, Notes, path_to};

/// Some editors write it before UTF-8 text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The tag of text, which is written `!!str`.
const TEXT: &str = "tag:yaml.org,2002:str";

/// A list or a table whose end has not been read yet.
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

/// The table in `text`, which has no fields if the text is empty. `example` is one of its fields, for an error.
///
/// # Errors
/// The text is not a YAML table, or a field is given twice.
pub fn read(text: &str, example: &str) -> Result<Value, Faults> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    check_characters(text)?;
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    loop {
        let (event, mark) = parser.next_token().map_err(|error| not_yaml(&error))?;
        if event == Event::StreamEnd {
            break;
        }
        reader.take(event, mark)?;
    }
    let root = match reader.root.map(|root| root.kind) {
        None | Some(ValueKind::Nil) => Map::new(),
        Some(ValueKind::Table(fields)) => fields,
        Some(_) => {
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
                check_tag(tag.as_ref(), mark)?;
                let plain = style == TScalarStyle::Plain && tag.is_none();
                match self.open.last_mut() {
                    Some(Open::Table { key: None, .. }) if plain && text == "<<" => {
                        return Err(at(mark, "merge keys (<<) are not accepted: write the fields out"));
                    }
                    Some(Open::Table { key: key @ None, .. }) => *key = Some((text, mark.line())),
                    _ => self.put(if plain { plain_scalar(text) } else { ValueKind::String(text) }),
                }
                Ok(())
            }
            Event::SequenceStart(_, tag) => {
                check_tag(tag.as_ref(), mark)?;
                self.begin(mark, Open::List(Vec::new()))
            }
            Event::MappingStart(_, tag) => {
                check_tag(tag.as_ref(), mark)?;
                self.begin(mark, Open::Table { entries: Map::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                match self.open.pop() {
                    Some(Open::List(items)) => self.put(ValueKind::Array(items)),
                    Some(Open::Table { entries, .. }) => self.put(ValueKind::Table(entries)),
                    None => {}
                }
                Ok(())
            }
            Event::Alias(_) => Err(at(mark, "aliases (*name) are not taken: write the value out")),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart | Event::DocumentEnd => {
                Ok(())
            }
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

    /// The path of the field `name` of the innermost table.
    fn path(&self, name: &str) -> String {
        let outer = &self.open[..self.open.len().saturating_sub(1)];
        let parent = outer.iter().fold(String::new(), |path, open| match open {
            Open::List(items) => format!("{path}[{}]", items.len()),
            Open::Table { key, .. } => path_to(&path, key.as_ref().map_or("", |(key, _)| key)),
        });
        path_to(&parent, name)
    }
}

/// The value of a scalar without quotes, which may be null.
#[must_use]
pub fn plain_scalar(text: String) -> ValueKind {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => ValueKind::Nil,
        _ => ValueKind::String(text),
    }
}

/// Refuses the characters that YAML does not allow. The parser takes a NUL for the end of the file, and would ignore the rest.
/// Characters that end a line in only one of the YAML versions are refused as well.
fn check_characters(text: &str) -> Result<(), Faults> {
    let is_accepted = |character: char| match character {
        '\u{2028}' | '\u{2029}' => false,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => true,
        _ => false,
    };
    match text.char_indices().find(|(_, character)| !is_accepted(*character)) {
        None => Ok(()),
        Some((index, character)) => {
            let line = text[..index].split('\n').count();
            let code = u32::from(character);
            let fix = "remove it, or restore the file if it is damaged";
            Err(Faults::of_file(format!("line {line}: unexpected character U+{code:04X}: {fix}")))
        }
    }
}

/// Refuses tags, which change the type of a value.
fn check_tag(tag: Option<&Tag>, mark: Marker) -> Result<(), Faults> {
    match tag {
        Some(tag) if format!("{}{}", tag.handle, tag.suffix) != TEXT => {
            Err(at(mark, "tags (!name) are not accepted: write the value without it"))
        }
        _ => Ok(()),
    }
}

fn at(mark: Marker, problem: impl fmt::Display) -> Faults {
    Faults::of_file(format!("line {}: {problem}", mark.line()))
}

fn not_yaml(error: &ScanError) -> Faults {
    let mark = error.marker();
    Faults::of_file(format!("line {}, column {}: not YAML: {}", mark.line(), mark.col() + 1, error.info()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> String {
        read(text, "a").unwrap_err().to_string()
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let Ok(Value { kind: ValueKind::Table(table), .. }) = read("\u{feff}a: 1", "a") else { panic!("no table") };
        assert!(table.contains_key("a"));
    }

    #[test]
    fn characters_that_are_not_text_are_refused_everywhere() {
        let fix = "remove it, or restore the file if it is damaged";
        for code in (0..0x20).chain(0x7f..0xa0).chain([0x2028, 0x2029, 0xfffe, 0xffff]) {
            let character = char::from_u32(code).unwrap();
            for text in ["@", "@a: 1", "# @\na: 1", "a: 1\n@", "a: \"@\"", "a: |\n  @"] {
                let text = text.replace('@', &character.to_string());
                if matches!(character, '\t' | '\n' | '\r') {
                    continue;
                }
                let line = text.split(character).next().unwrap().split('\n').count();
                assert_eq!(fault(&text), format!("line {line}: unexpected character U+{code:04X}: {fix}"), "{text:?}");
            }
        }
    }

    #[test]
    fn tags_other_than_text_and_merge_keys_are_refused() {
        assert!(read("a: !!str 1\nb: !<tag:yaml.org,2002:str> 2\n'<<': 3", "a").is_ok());
        let tags = "line 1: tags (!name) are not accepted: write the value without it";
        for text in
            ["a: !!binary MQ==", "a: !own 1", "a: ! 1", "a: !!set {b, c}", "a: !!seq [b]", "!!int a: 1", "!!map {}"]
        {
            assert_eq!(fault(text), tags, "{text}");
        }
        assert_eq!(fault("<<: {a: 1}"), "line 1: merge keys (<<) are not accepted: write the fields out");
    }

    /// None of these overflows the stack or takes quadratic time.
    #[test]
    fn a_large_file_of_anything_is_read() {
        for piece in [
            "[",
            "{",
            "- ",
            "? ",
            "a: ",
            "[a,",
            "{a: ",
            "&a ",
            "!a ",
            "!!str ",
            "\"",
            "'",
            "|",
            "#\n",
            "a\n",
            "\n",
            "\t",
            "%A a\n",
            "---\n",
            "...\n",
            ":",
            ",",
            "a: [b]\n",
            "a:\n",
            "a: |\n  b\n",
            "a,",
            "]",
            "}",
        ] {
            let text = piece.repeat((128 << 10) / piece.len());
            let _ = read(&text, "a");
            let _ = read(&format!("a: [{text}"), "a");
            let _ = read(&format!("a:\n  - {text}"), "a");
        }
    }

    proptest! {
        /// A field after the random text is either read, or the file is refused.
        #[test]
        fn no_field_is_ignored(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..20)) {
            let text = pieces.concat();
            for follows in ["\nlast: 1", "\n---\nlast: 1", "\n...\nlast: 1"] {
                if let Ok(tree) = read(&format!("{text}{follows}"), "a") {
                    prop_assert!(format!("{tree:?}").contains("last"), "{text:?}");
                }
            }
        }
    }

    #[rustfmt::skip]
    const PIECES: &[&str] = &[
        "a", "b: ", ": ", "\n", "\n  ", "- ", "[", "]", "{", "}", ", ", "? ", "'", "\"", "|", ">", "|2-", "&a ", "*a", "!", "!!str ",
        "%YAML 1.2\n", "%TAG ! a\n", "#", " #", "---", "\n---\n", "\n...\n", "\t", "~", "<<", "\r", "\u{feff}", "\u{85}", "\0", "\u{1a}",
    ];
}
