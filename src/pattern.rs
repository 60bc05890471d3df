//! Patterns of names and UINs of users.

use std::{fmt, str::FromStr};

use thiserror::Error;
use wildmatch::WildMatch;

/// The longest pattern, in characters: no name that it could match is longer.
const MAX_CHARS: usize = 128;

/// A text in which `*` stands for any characters, and `?` for any one. Case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// Text that is not a [`Pattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a pattern: expected 1 to {MAX_CHARS} characters of a name or a UIN, in which * and ? stand for others")]
pub struct NotAPattern;

// === impl Pattern ===

impl Pattern {
    /// Whether the pattern matches the whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        WildMatch::new(&self.0).matches(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        if (1..=MAX_CHARS).contains(&text.chars().count()) { Ok(Self(text.to_owned())) } else { Err(NotAPattern) }
    }
}

/// Whether what `matches` some patterns is selected: one of `include`, or whatever it matches if that is empty, and none of
/// `exclude`.
pub(crate) fn selects(include: &[Pattern], exclude: &[Pattern], matches: impl Fn(&Pattern) -> bool) -> bool {
    (include.is_empty() || include.iter().any(&matches)) && !exclude.iter().any(&matches)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(text)
    }

    /// By the definition.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
            Some((char, rest)) => {
                text.split_first().is_some_and(|(first, text)| (*char == '?' || char == first) && naive(rest, text))
            }
        }
    }

    #[test]
    fn stars_and_question_marks_stand_for_others() {
        for (pattern, text) in
            [("ci-*", "ci-"), ("*", ""), ("a*c*", "abcabc"), ("?é", "éé"), ("10001306591?", "100013065917")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("ci-*", "xci-a"), ("?", ""), ("CI", "ci"), ("a*b", "abc"), ("[a]", "a"), ("a", "aa")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        for wrong in [String::new(), "é".repeat(MAX_CHARS + 1)] {
            assert_eq!(wrong.parse::<Pattern>(), Err(NotAPattern));
        }
    }

    #[test]
    fn many_stars_cost_little() {
        assert!(!matches(&"*a".repeat(64), &"a".repeat(63)));
        assert!(!matches(&"*a*".repeat(42), &"b".repeat(128)));
    }

    proptest! {
        #[test]
        fn matches_what_the_definition_says(pattern in "[ab*?]{1,8}", text in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), naive(&chars(&pattern), &chars(&text)));
        }
    }
}
