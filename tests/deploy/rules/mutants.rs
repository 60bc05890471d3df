//! Rules with one small mistake each.

use std::ops::Range;

use super::{
    file::Rule,
    promql::{Kind, Token, tokens},
};

/// A rule with a mistake in it.
#[derive(Clone, Debug)]
pub(super) struct Mutant {
    pub(super) rule: Rule,
    /// The line that is wrong, as it was and as it is.
    pub(super) change: String,
    /// Why it makes no difference, if it makes none.
    pub(super) equivalent: Option<&'static str>,
}

/// What may stand in the place of what.
const SWAPPED: &[(&str, &[&str])] = &[
    ("==", &["!="]),
    ("=", &["!="]),
    ("=~", &["!~"]),
    (">", &[">=", "<"]),
    ("<", &["<=", ">"]),
    (">=", &[">", "<="]),
    ("+", &["-"]),
    ("-", &["+"]),
    ("*", &["/"]),
    ("/", &["*"]),
    ("and", &["or", "unless"]),
    ("or", &["and", "unless"]),
    ("unless", &["and", "or"]),
    ("max", &["min"]),
    ("min", &["max"]),
    ("sum", &["max", "count"]),
    ("count", &["sum"]),
    ("floor", &["", "ceil"]),
    ("abs", &[""]),
    ("absent", &[""]),
    ("clamp_min", &["clamp_max"]),
    ("last_over_time", &["min_over_time", "max_over_time"]),
    ("max_over_time", &["min_over_time", "last_over_time"]),
    ("increase", &["max_over_time"]),
];

/// The severities.
pub(super) const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];

/// Every mistake that is made in a rule, one at a time.
pub(super) fn mutants(rule: &Rule) -> Vec<Mutant> {
    let mut mutants = in_expression(rule);
    if rule.is_alert() {
        let severity = rule.field("labels.severity");
        for field in ["for", "keep_firing_for"].into_iter().filter(|field| !rule.field(field).is_empty()) {
            mutants.extend(steps_of_time(rule.field(field)).map(|other| in_field(rule, field, &other)));
        }
        let others = SEVERITIES.into_iter().filter(|other| *other != severity);
        mutants.extend(others.map(|other| in_field(rule, "labels.severity", other)));
    }
    mutants
}

fn in_field(rule: &Rule, field: &str, other: &str) -> Mutant {
    let change = format!("- {field}: {}\n+ {field}: {other}", rule.field(field));
    Mutant { rule: rule.with(field, other), change, equivalent: None }
}

fn in_expression(rule: &Rule) -> Vec<Mutant> {
    let expression = rule.field("expr");
    let tokens = tokens(expression);
    let mut mutants = vec![];
    let mut mutant = |at: Range<usize>, other: &str, equivalent| {
        let mut changed = expression.to_owned();
        changed.replace_range(at.clone(), other);
        let line = expression[..at.start].matches('\n').count();
        let (was, is) = (expression.lines().nth(line).unwrap(), changed.lines().nth(line).unwrap());
        let change = format!("- {}\n+ {}", was.trim(), is.trim());
        mutants.push(Mutant { rule: rule.with("expr", &changed), change, equivalent });
    };
    for (number, token) in tokens.iter().enumerate() {
        let at = token.at.clone();
        let (at, others) = match token.kind {
            Kind::Number => (at, steps(token.text)),
            Kind::Duration => (at, halved_and_doubled(token.text).into()),
            Kind::Name if token.in_labels => (with_comma(&tokens, number), vec![String::new()]),
            Kind::Name if token.in_matchers => (with_comma_of_matcher(&tokens, number), vec![String::new()]),
            Kind::String if token.in_matchers => (at, others_of_string(token.text)),
            Kind::Name | Kind::Sign => (at, swapped(token.text)),
            Kind::String => continue,
        };
        for other in others {
            mutant(at.clone(), &other, equivalent(&tokens, number, &other));
        }
    }
    mutants
}

fn swapped(text: &str) -> Vec<String> {
    let others = SWAPPED.iter().find(|(one, _)| *one == text).map_or(&[][..], |(_, others)| others);
    others.iter().map(|other| (*other).to_owned()).collect()
}

/// Why a change of this token makes no difference. The value of each series of a `group` is 1.
fn equivalent(tokens: &[Token], number: usize, other: &str) -> Option<&'static str> {
    let text = |number: usize| tokens.get(number).map_or("", |token| token.text);
    match (text(number), other) {
        ("*", "/") if text(number - 1) == "0" && text(number + 1) == "group" => Some("0 / 1 is 0 * 1"),
        ("count", "sum") => {
            let labels_end = number + tokens[number..].iter().position(|token| token.text == ")")?;
            (text(labels_end + 2) == "group").then_some("a sum of ones is their count")
        }
        _ => None,
    }
}

/// A number, one less and one more in its last digit that is not 0.
fn steps(number: &str) -> Vec<String> {
    let zeros = if number.contains('.') { 0 } else { number.len() - number.trim_end_matches('0').len() };
    if zeros == number.len() {
        return vec!["1".to_owned()];
    }
    let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let step = 10f64.powi(i32::try_from(zeros).unwrap() - i32::try_from(decimals).unwrap());
    let value: f64 = number.parse().unwrap();
    [value - step, value + step].map(|other| format!("{other:.decimals$}")).into()
}

/// A time such as `5m`, one unit less and one more; for days and hours, the units are minutes and hours.
fn steps_of_time(time: &str) -> impl Iterator<Item = String> + use<> {
    let (number, unit) = split(time);
    let (number, unit) = match unit {
        "d" => (number * 24, "h"),
        "h" => (number * 60, "m"),
        _ => (number, "m"),
    };
    [number - 1, number + 1].into_iter().map(move |other| format!("{other}{unit}"))
}

fn halved_and_doubled(time: &str) -> [String; 2] {
    let (number, unit) = split(time);
    let seconds = number
        * match unit {
            "d" => 86_400,
            "h" => 3_600,
            _ => 60,
        };
    [seconds / 2, seconds * 2].map(|other| format!("{other}s"))
}

fn split(time: &str) -> (u64, &str) {
    let (number, unit) = time.split_at(time.len() - 1);
    assert!(["d", "h", "m"].contains(&unit), "{time}");
    (number.parse().unwrap(), unit)
}

/// A label of a list, and the comma that goes with it.
fn with_comma(tokens: &[Token], number: usize) -> Range<usize> {
    let (before, at, after) = (&tokens[number - 1], &tokens[number].at, &tokens[number + 1]);
    match (before.text, after.text) {
        (",", _) => before.at.start..at.end,
        (_, ",") => at.start..tokens[number + 2].at.start,
        _ => at.clone(),
    }
}

/// A matcher, which has three tokens, and the comma that goes with it.
fn with_comma_of_matcher(tokens: &[Token], number: usize) -> Range<usize> {
    let (start, after) = (tokens[number].at.start, &tokens[number + 3]);
    start..if after.text == "," { after.at.end } else { tokens[number + 2].at.end }
}

/// A longer one, and of a regular expression that has parts, one without each of them.
fn others_of_string(string: &str) -> Vec<String> {
    let mut others = vec![format!("{}x\"", &string[..string.len() - 1])];
    for part in string.trim_matches('"').split('|').filter(|_| string.contains('|')) {
        others.push(string.replacen(part, "none", 1));
    }
    if let Some(end) = string.find(")?") {
        let start = string.find('(').unwrap();
        others.push(format!("{}{}", &string[..start], &string[end + 2..]));
        others.push(string.replacen(")?", ")", 1));
    }
    if string.contains(".*") {
        others.push(string.replacen(".*", "", 1));
    }
    others
}

#[test]
fn numbers_go_a_step_up_and_down() {
    assert_eq!(steps("45"), ["44", "46"]);
    assert_eq!(steps("86400"), ["86300", "86500"]);
    assert_eq!(steps("0.05"), ["0.04", "0.06"]);
    assert_eq!(steps("0"), ["1"]);
    assert_eq!(steps_of_time("7d").collect::<Vec<_>>(), ["167h", "169h"]);
}

#[test]
fn changes_that_make_no_difference_are_known() {
    let reasons = |expression: &str| {
        let tokens = tokens(expression);
        let of = |number: usize| swapped(tokens[number].text).into_iter().map(move |other| (number, other));
        let all = (0..tokens.len()).flat_map(of);
        all.filter_map(|(number, other)| equivalent(&tokens, number, &other)).collect::<Vec<_>>()
    };
    assert_eq!(reasons("0 * group by (a) (b)"), ["0 / 1 is 0 * 1"]);
    assert_eq!(reasons("count by (a) (group by (a, b) (c))"), ["a sum of ones is their count"]);
    assert_eq!(reasons("0 * max by (a) (b) + count by (a) (c) * group by (a) (b)"), Vec::<&str>::new());
}
