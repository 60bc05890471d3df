//! How numbers and foreign text are written for a terminal.

use std::fmt;

/// A number of things that are called so, one or many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count<'a>(pub(super) usize, pub(super) &'a str, pub(super) &'a str);

/// `text` in one line, without anything that a terminal would take for a command.
pub(super) fn one_line(text: &str) -> String {
    let blank = |character: char| if character.is_control() { ' ' } else { character };
    let cleaned: String = text.chars().map(blank).collect();
    cleaned.split_whitespace().collect::<Vec<_>>().join(" ")
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
    fn foreign_text_commands_no_terminal() {
        assert_eq!(one_line("a\r\n\u{1b}[2Jb\u{9b}31m\t c\u{7}"), "a [2Jb 31m c");
    }
}
