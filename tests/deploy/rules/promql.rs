//! Takes `PromQL` to pieces, as far as its tests need it.

use std::{collections::BTreeSet, ops::Range};

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A metric, a function, a label or a keyword.
    Name,
    Number,
    /// In brackets, without them, or after `offset`.
    Duration,
    /// In quotes, with them.
    String,
    /// Anything else, such as an operator or a parenthesis.
    Sign,
}

/// A piece of an expression.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Where it is.
    pub(super) at: Range<usize>,
    /// Whether it stands in a list of labels, such as that of `by`.
    pub(super) in_labels: bool,
    /// Whether it stands in the braces of a selector.
    pub(super) in_matchers: bool,
}

/// The keywords that a list of labels follows.
const LABELS_FOLLOW: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The keywords besides.
const KEYWORDS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

const SIGNS: [&str; 6] = ["==", "!=", ">=", "<=", "=~", "!~"];

/// The pieces of an expression, in their order.
pub(super) fn tokens(expression: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token> = vec![];
    let (mut start, mut in_matchers, mut in_labels) = (0, false, false);
    while let Some(first) = expression[start..].chars().next() {
        let rest = &expression[start..];
        let is_of_a_name = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
        let (kind, length) = match first {
            _ if first.is_whitespace() => {
                start += first.len_utf8();
                continue;
            }
            '"' => (Kind::String, rest[1..].find('"').unwrap() + 2),
            '0'..='9' if tokens.last().is_some_and(|token| ["[", "offset"].contains(&token.text)) => {
                (Kind::Duration, rest.find(|it: char| !it.is_ascii_alphanumeric()).unwrap_or(rest.len()))
            }
            '0'..='9' => {
                let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.');
                (Kind::Number, end.unwrap_or(rest.len()))
            }
            _ if is_of_a_name(first) => (Kind::Name, rest.find(|it| !is_of_a_name(it)).unwrap_or(rest.len())),
            _ => (Kind::Sign, if SIGNS.iter().any(|sign| rest.starts_with(sign)) { 2 } else { first.len_utf8() }),
        };
        let text = &rest[..length];
        match text {
            "(" => in_labels = tokens.last().is_some_and(|token| LABELS_FOLLOW.contains(&token.text)),
            ")" => in_labels = false,
            "{" => in_matchers = true,
            "}" => in_matchers = false,
            _ => {}
        }
        tokens.push(Token { kind, text, at: start..start + length, in_labels, in_matchers });
        start += length;
    }
    tokens
}

/// The metrics of an expression.
pub(super) fn metrics(expression: &str) -> BTreeSet<String> {
    let tokens = tokens(expression);
    let is_metric = |(number, token): (usize, &Token)| {
        let is_call = tokens.get(number + 1).is_some_and(|next| next.text == "(" || LABELS_FOLLOW.contains(&next.text));
        let is_keyword = KEYWORDS.contains(&token.text) || LABELS_FOLLOW.contains(&token.text);
        token.kind == Kind::Name && !is_call && !is_keyword && !token.in_labels && !token.in_matchers
    };
    let metrics = tokens.iter().enumerate().filter(|(number, token)| is_metric((*number, token)));
    metrics.map(|(_, token)| token.text.to_owned()).collect()
}

#[test]
fn the_metrics_of_an_expression_are_found() {
    let expression =
        r#"max by (a, b) (x{c="d"}) or abs(y:z[5m]) - time() > ignoring (e) group_left () 2 * v unless on (f) w"#;
    assert_eq!(metrics(expression), ["v", "w", "x", "y:z"].map(str::to_owned).into());
    assert_eq!(tokens("x offset 1h").last().unwrap().kind, Kind::Duration);
}
