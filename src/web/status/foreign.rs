//! Text from elsewhere: names of users, errors of the API, ids of keys.

use std::fmt;

use super::text;

/// The most bytes that a name takes in the page.
pub(super) const NAME: usize = 160;

/// Text from elsewhere, in so many bytes of HTML at most. It is escaped, and its direction does not reach beyond it.
/// Invisible characters, and those that change the direction of text, are shown by their numbers. Of a text that is too
/// long, the middle is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreign<'a>(pub(super) &'a str, pub(super) usize);

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, room) = *self;
        f.write_str("<bdi>")?;
        let front = fitting(text.chars(), room);
        if front == text.len() {
            written(f, text)?;
        } else {
            let front = fitting(text.chars(), room / 3 * 2);
            let back = fitting(text.chars().rev(), room / 3);
            written(f, &text[..front])?;
            f.write_str("…")?;
            written(f, &text[text.len() - back..])?;
        }
        f.write_str("</bdi>")
    }
}

/// How many bytes of text the first of these characters have that take `room` bytes as HTML.
fn fitting(characters: impl Iterator<Item = char>, room: usize) -> usize {
    let sizes = characters.scan(0, |taken, character| {
        *taken += size(character);
        (*taken <= room).then_some(character.len_utf8())
    });
    sizes.sum()
}

/// How many bytes a character takes as HTML.
fn size(character: char) -> usize {
    match entity(character) {
        Some(entity) => entity.len(),
        None if is_unseen(character) => "<i>U+10FFFF</i>".len(),
        None => character.len_utf8(),
    }
}

fn written(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        match entity(character) {
            Some(entity) => f.write_str(entity)?,
            None if is_unseen(character) => write!(f, "<i>U+{:04X}</i>", u32::from(character))?,
            None => write!(f, "{character}")?,
        }
    }
    Ok(())
}

fn entity(character: char) -> Option<&'static str> {
    // Errors have lines.
    if matches!(character, '\n' | '\r' | '\t') { Some(" ") } else { text::entity(character) }
}

/// Whether a character has no shape of its own, or changes the direction of others: controls, format characters and blanks
/// that are not seen, by Unicode's `Default_Ignorable_Code_Point` and general category `Cf`.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, room: usize) -> String {
        let shown = Foreign(text, room).to_string();
        shown.strip_prefix("<bdi>").unwrap().strip_suffix("</bdi>").unwrap().to_owned()
    }

    #[test]
    fn foreign_text_is_no_markup_and_what_is_unseen_is_shown() {
        for (text, expected) in [
            ("王小明", "王小明"),
            (r#"<b a="1">'&amp;"#, "&lt;b a=&quot;1&quot;&gt;&#39;&amp;amp;"),
            ("admin\u{202e}nimda", "admin<i>U+202E</i>nimda"),
            ("a\u{200b}\u{feff}b\0\nc", "a<i>U+200B</i><i>U+FEFF</i>b<i>U+0000</i> c"),
            ("\u{e0041}", "<i>U+E0041</i>"),
            ("", ""),
        ] {
            assert_eq!(shown(text, 1_000), expected);
        }
    }

    #[test]
    fn text_that_is_too_long_keeps_its_ends_and_is_never_longer_than_its_room() {
        assert_eq!(shown("123456789", 9), "123456789");
        assert_eq!(shown("1234567890", 9), "123456…890");
        for text in ["'", "王", "\u{202e}", "a", "\u{10ffff}"].map(|character| character.repeat(4_000)) {
            for room in [0, 1, 8, 30, 160, 161] {
                let shown = shown(&text, room);
                assert!(shown.len() <= room + '…'.len_utf8(), "{room}: {shown}");
                assert!(room < 30 || shown.len() > room / 2, "{room}: {shown}");
            }
        }
    }
}
