//! Text from elsewhere: names of users, errors of the API, ids of keys.

use maud::{Markup, html};

use super::text::verbatim;

/// The most bytes that a name takes in the page.
pub(super) const NAME: usize = 160;

/// Text from elsewhere, in at most `room` bytes of HTML: the middle of a longer one is left out. Its direction does not
/// affect the text around it. Invisible characters, and those that change the direction of text, are shown by their code
/// points.
pub(super) fn foreign(text: &str, room: usize) -> Markup {
    html! {
        bdi {
            @if fitting(text.chars(), room) == text.len() {
                (visible(text))
            } @else {
                @let front = fitting(text.chars(), room / 3 * 2);
                @let back = fitting(text.chars().rev(), room / 3);
                (visible(&text[..front])) "…" (visible(&text[text.len() - back..]))
            }
        }
    }
}

fn visible(text: &str) -> Markup {
    html! {
        @for character in text.chars() {
            @match character {
                // Errors have lines.
                '\n' | '\r' | '\t' => " ",
                '\'' => (verbatim("&#39;")),
                character if is_unseen(character) => i { (format_args!("U+{:04X}", u32::from(character))) },
                character => (character.encode_utf8(&mut [0; 4])),
            }
        }
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
    match character {
        '\n' | '\r' | '\t' => 1,
        '<' | '>' => "&lt;".len(),
        '&' | '\'' => "&amp;".len(),
        '"' => "&quot;".len(),
        character if is_unseen(character) => "<i>U+10FFFF</i>".len(),
        character => character.len_utf8(),
    }
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
        let shown = foreign(text, room).into_string();
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
        for text in ["'", "<", ">", "&", "\"", "王", "\u{202e}", "a", "\n", "\u{10ffff}"]
            .map(|character| character.repeat(4_000))
        {
            for room in [0, 1, 8, 30, 160, 161] {
                let shown = shown(&text, room);
                assert!(shown.len() <= room + '…'.len_utf8(), "{room}: {shown}");
                assert!(room < 30 || shown.len() > room / 2, "{room}: {shown}");
            }
        }
    }
}
