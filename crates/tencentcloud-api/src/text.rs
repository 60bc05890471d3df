//! Text of an answer, whatever is in it.

use std::{fmt, str};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// What stands for a character that is none.
const REPLACEMENT: char = '\u{fffd}';

/// Text in which everything that is not Unicode is replaced by U+FFFD. JSON can write half of a surrogate pair, such as
/// `"\ud800"`, which no `String` holds: a single name like that must not make the whole answer unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

struct TextVisitor;

impl<'de> Deserialize<'de> for Text {
    /// As bytes, for `serde_json` documents that it then hands out such halves in WTF-8 and does not refuse them.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(TextVisitor)
    }
}

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text, E> {
        Ok(Text(lossy(bytes)))
    }
}

/// As `String::from_utf8_lossy`, but half of a surrogate pair is replaced by one character and not by three. Takes
/// linear time.
fn lossy(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    loop {
        let error = match str::from_utf8(bytes) {
            Ok(rest) if text.is_empty() => return rest.to_owned(),
            Ok(rest) => return text + rest,
            Err(error) => error,
        };
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        text += &String::from_utf8_lossy(valid);
        text.push(REPLACEMENT);
        let length = match rest {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            _ => error.error_len().unwrap_or(rest.len()),
        };
        bytes = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &[u8]) -> Option<String> {
        serde_json::from_slice(json).ok().map(|Text(text)| text)
    }

    #[test]
    fn half_a_surrogate_pair_is_one_replacement() {
        for (json, text) in [
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\udc00""#, "\u{fffd}"),
            (r#""a\ud800b""#, "a\u{fffd}b"),
            (r#""\ud800\ud800\udc00""#, "\u{fffd}\u{10000}"),
            (r#""\ud83d\ude00 \u738b""#, "😀 王"),
            (r#""\ud800\n""#, "\u{fffd}\n"),
            (r#""王\"""#, "王\""),
            (r#""""#, ""),
        ] {
            assert_eq!(read(json.as_bytes()).as_deref(), Some(text), "{json}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_and_other_types_refused() {
        assert_eq!(read(b"\"a\xff\xe4\xbdb\"").as_deref(), Some("a\u{fffd}\u{fffd}b"));
        assert_eq!(read(b"\"a\xed\xa0\"").as_deref(), Some("a\u{fffd}\u{fffd}"));
        for json in ["7", "null", "[97]", "{}", "true", r#""\ud8""#, r#""\x""#, r#""a"#] {
            assert_eq!(read(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn a_long_text_of_halves_is_read_in_linear_time() {
        // Were each half to read the rest again, this would read 10^11 bytes.
        let halves = 400_000;
        let json = format!("\"{}\"", r"\ud800".repeat(halves));
        assert_eq!(read(json.as_bytes()).map(|text| text.len()), Some(3 * halves));
    }
}
