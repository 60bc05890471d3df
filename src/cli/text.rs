//! How numbers and foreign text are written for a terminal.

use std::fmt::{self, Write as _};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands for what a shortened text lacks.
const ELLIPSIS: char = '…';

/// A number of things that are called so, one or many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count<'a>(pub(super) usize, pub(super) &'a str, pub(super) &'a str);

/// `text` in one line, with everything escaped that a terminal would act on or not show: control characters, those that
/// change the direction of writing, and those that have no width. So no text looks like another.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for (place, character) in word.chars().enumerate() {
            if is_visible(character, place == 0) {
                line.push(character);
            } else {
                // Writing to a string does not fail.
                let _ = write!(line, "{}", character.escape_unicode());
            }
        }
    }
    line
}

/// Whether the character is seen, at the beginning of a word or further on: marks that combine need something before them.
fn is_visible(character: char, is_first: bool) -> bool {
    match character {
        // The standard library escapes them for another reason.
        '"' | '\'' | '\\' => true,
        // Variation selectors, fillers and joiners which count as letters or marks.
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{ffa0}'
        | '\u{180b}'..='\u{180f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{e0000}'..='\u{e0fff}' => false,
        _ if character.is_ascii() => !character.is_control(),
        _ => {
            let context: String = if is_first { "" } else { "a" }.chars().chain([character]).collect();
            context.escape_debug().eq(context.chars())
        }
    }
}

/// How many columns of a terminal `text` takes.
pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// As much of the beginning of `text` as fits into so many columns, with an ellipsis where that is not all.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short: String = beginning(text.chars(), columns.saturating_sub(1)).collect();
    short.push(ELLIPSIS);
    short
}

/// As [`shortened`], with the ellipsis in the middle: names of a kind often differ at their end.
pub(super) fn shortened_in_the_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let left = columns.saturating_sub(1);
    let mut short: String = beginning(text.chars(), left.div_ceil(2)).collect();
    short.push(ELLIPSIS);
    let end: Vec<char> = beginning(text.chars().rev(), left / 2).collect();
    short.extend(end.into_iter().rev());
    short
}

fn beginning(characters: impl Iterator<Item = char>, columns: usize) -> impl Iterator<Item = char> {
    let mut taken = 0;
    characters.take_while(move |character| {
        taken += character.width().unwrap_or_default();
        taken <= columns
    })
}

impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, one, many) = self;
        write!(f, "{number} {}", if *number == 1 { one } else { many })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_commands_no_terminal_and_hides_nothing() {
        for (text, line) in [
            ("a\r\n\u{1b}[2Jb\u{9b}31m\t c\u{7}", r"a \u{1b}[2Jb\u{9b}31m c\u{7}"),
            ("nimda\u{202e}nimda", r"nimda\u{202e}nimda"),
            ("\u{2066}a\u{2069}\u{61c}\u{200e}", r"\u{2066}a\u{2069}\u{61c}\u{200e}"),
            ("ad\u{200b}min\u{200d}\u{feff}\u{ad}", r"ad\u{200b}min\u{200d}\u{feff}\u{ad}"),
            ("a\u{3164}\u{fe0f}\u{e0061}", r"a\u{3164}\u{fe0f}\u{e0061}"),
            ("it's \"C:\\x\"", "it's \"C:\\x\""),
            ("王小明 éè e\u{301} ภาษาไทย 🔑", "王小明 éè e\u{301} ภาษาไทย 🔑"),
            ("\u{301}a", r"\u{301}a"),
        ] {
            assert_eq!(one_line(text), line);
        }
    }

    #[test]
    fn wide_characters_count_two_columns() {
        assert_eq!(width("王小明a"), 7);
        for (columns, short) in [(7, "王小明a"), (6, "王小…"), (5, "王小…"), (4, "王…"), (1, "…")] {
            assert_eq!(shortened("王小明a", columns), short);
        }
        for (columns, short) in [(9, "prod-eu-1"), (8, "prod…u-1"), (4, "pr…1"), (2, "p…"), (1, "…")] {
            assert_eq!(shortened_in_the_middle("prod-eu-1", columns), short);
        }
        assert_eq!(shortened_in_the_middle("王小明王小明", 7), "王…明");
    }
}
