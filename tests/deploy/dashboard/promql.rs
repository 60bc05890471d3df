//! What a query selects: as much of `PromQL` as the rules for dashboards ask about.

/// A selector of a query.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) metric: String,
    /// Its matchers as they are written, without blanks.
    pub(super) matchers: Vec<String>,
    /// What stands in its brackets.
    pub(super) range: Option<String>,
    /// The function or aggregation that is applied to it directly.
    pub(super) function: String,
}

/// Words that are no metrics, and whose parentheses hold labels.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 4] = ["and", "or", "unless", "bool"];

/// The selectors of `query`, which must be one that Prometheus understands.
pub(super) fn selectors(query: &str) -> Vec<Selector> {
    let is_of_word = |character: char| character.is_ascii_alphanumeric() || "_:$.".contains(character);
    let mut found: Vec<Selector> = vec![];
    let mut functions: Vec<String> = vec![];
    let mut word = "";
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|character| !is_of_word(character)).unwrap_or(rest.len());
        if end > 0 {
            (word, rest) = rest.split_at(end);
            // An aggregation's labels may stand before what it aggregates.
            let is_called = ["(", "by (", "without ("].iter().any(|call| rest.trim_start().starts_with(call));
            let is_metric = first.is_ascii_alphabetic() && !is_called && !OPERATORS.contains(&word);
            if is_metric && !GROUPING.contains(&word) {
                let function = functions.last().cloned().unwrap_or_default();
                found.push(Selector { metric: word.to_owned(), function, ..Selector::default() });
            }
            continue;
        }
        match first {
            '(' if GROUPING.contains(&word) => rest = inside(rest, ')').1,
            '(' => {
                functions.push(word.to_owned());
                rest = &rest[1..];
            }
            ')' => {
                functions.pop();
                rest = &rest[1..];
            }
            '{' => {
                let (matchers, after) = inside(rest, '}');
                let matchers = matchers.split(',').map(|matcher| matcher.replace(' ', ""));
                found.last_mut().unwrap().matchers = matchers.collect();
                rest = after;
            }
            '[' => {
                let (range, after) = inside(rest, ']');
                found.last_mut().unwrap().range = Some(range.to_owned());
                rest = after;
            }
            _ => rest = &rest[first.len_utf8()..],
        }
        if first != ' ' {
            word = "";
        }
    }
    found
}

/// What stands between the first character and `end`, and what follows.
fn inside(text: &str, end: char) -> (&str, &str) {
    text[1..].split_once(end).unwrap_or_else(|| panic!("no {end}: {text}"))
}

#[test]
fn finds_what_is_selected() {
    let query = r#"sum by (le) (rate(a_bucket{job=~"$job", b="x y"}[$__rate_interval])) > bool 0.5
        and on (job) group_left () time() - max(c{d="e"}) * $unused_for or f"#;
    let selector = |metric: &str, matchers: &[&str], range: Option<&str>, function: &str| Selector {
        metric: metric.to_owned(),
        matchers: matchers.iter().map(|matcher| (*matcher).to_owned()).collect(),
        range: range.map(str::to_owned),
        function: function.to_owned(),
    };
    let expected = [
        selector("a_bucket", &[r#"job=~"$job""#, r#"b="xy""#], Some("$__rate_interval"), "rate"),
        selector("c", &[r#"d="e""#], None, "max"),
        selector("f", &[], None, ""),
    ];
    assert_eq!(selectors(query), expected);
}
