//! The field `overrides` of `keys`: what is expected of some users instead.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date, tz::Offset};

use exporter_toolkit::yaml::{Fault, Node, Notes, Refused, unknown_value};

use super::{
    Account,
    account::not_rounded,
    scalar::{Unfit, duration, number},
    settings::{NULLABLE, age, age_or_null, limit},
};
use crate::{
    inventory::{
        Override,
        assessment::{Finding, Findings},
    },
    pattern::Pattern,
};

/// The fields of one of the `overrides`.
pub(super) const OVERRIDE: &[&str] =
    &["users", "max_age", "limit", "unused_after", "rotation_grace", "exempt", "until", "reason"];

/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 200;

const NO_USERS: &str = "no users: add patterns of their names or UINs, such as users: [\"svc-*\", 100013065917]";

pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Arc<[Override]>, Refused> {
    let overrides: Vec<_> = node.items(notes)?.iter().map(|item| read_one(item, notes)).collect();
    overrides.into_iter().collect::<Result<Vec<Override>, Refused>>().map(Arc::from)
}

fn read_one(node: &Node<'_>, notes: &mut Notes) -> Result<Override, Refused> {
    let (mut read, mut whole) = (Override { path: node.path().to_owned(), ..Override::default() }, Ok(()));
    let mut names = vec![];
    node.each_field_or_null(&[OVERRIDE], NULLABLE, notes, |name, field, notes| {
        names.push(name.to_owned());
        let result = match name {
            "users" => users(&field, notes).map(|users| read.users = users),
            "max_age" => field.scalar(notes, |text| duration(text, age)).map(|max_age| read.max_age = Some(max_age)),
            "limit" => field.scalar(notes, |text| number(text, limit)).map(|limit| read.limit = Some(limit)),
            "unused_after" => age_or_null(&field, notes).map(|after| read.unused_after = Some(after)),
            "rotation_grace" => age_or_null(&field, notes).map(|grace| read.rotation_grace = Some(grace)),
            "exempt" => exempt(&field, notes).map(|exempt| read.exempt = exempt),
            "until" => field.scalar(notes, day_or_time).map(|until| read.until = Some(until)),
            _ => field.scalar(notes, reason).map(|reason| read.reason = Some(reason)),
        };
        whole = whole.and(result);
    })?;
    let has = |name: &str| names.iter().any(|other| other == name);
    if !has("users") {
        whole = Err(node.refuse(notes, NO_USERS));
    }
    if has("until") && !has("exempt") {
        whole = Err(node.refuse(notes, "until without exempt: add exempt, such as exempt: [stale], or remove until"));
    } else if !["max_age", "limit", "unused_after", "rotation_grace", "exempt"].into_iter().any(has) {
        whole =
            Err(node.refuse(notes, "changes nothing: add one of max_age, limit, unused_after, rotation_grace, exempt"));
    }
    whole.map(|()| read)
}

fn users(node: &Node<'_>, notes: &mut Notes) -> Result<Vec<Pattern>, Refused> {
    let items = node.items(notes)?;
    if items.is_empty() {
        return Err(node.refuse(notes, NO_USERS));
    }
    let patterns: Vec<_> = items.iter().map(|item| not_rounded(item, notes).and_then(|()| item.parse(notes))).collect();
    patterns.into_iter().collect()
}

/// What users are exempt from. What is stale may be very stale: who is exempt from the one is from the other.
fn exempt(node: &Node<'_>, notes: &mut Notes) -> Result<Findings, Refused> {
    let items = node.items(notes)?;
    if items.is_empty() {
        return Err(node.refuse(notes, "no findings: add some, such as exempt: [stale, unused]"));
    }
    let finding = |item: &Node<'_>, notes: &mut Notes| {
        let text = item.text(notes)?;
        let found = Finding::ALL.into_iter().find(|finding| finding.label() == text);
        found.ok_or_else(|| item.refuse(notes, unknown_value(text, "finding", &Finding::ALL.map(Finding::label))))
    };
    let findings: Vec<_> = items.iter().map(|item| finding(item, notes)).collect();
    let findings: Vec<Finding> = findings.into_iter().collect::<Result<_, _>>()?;
    let implied = findings.contains(&Finding::Stale).then_some(Finding::VeryStale);
    Ok(findings.into_iter().chain(implied).collect())
}

/// What is right by itself and yet probably not meant, where it is `now`.
pub(super) fn warnings(accounts: &[Account], now: Timestamp) -> Vec<Fault> {
    // By the way to each, for accounts may share one.
    let mut all: Vec<(&Override, Vec<bool>)> = vec![];
    for account in accounts {
        let may_have_others = account.discover.is_some() || account.include_self || account.organization.is_some();
        let uins: Vec<String> = account.uins.iter().map(ToString::to_string).collect();
        for change in &*account.keys.overrides {
            let is_for_some = |pattern: &Pattern| may_have_others || uins.iter().any(|uin| pattern.matches(uin));
            let matched = change.users.iter().map(is_for_some);
            match all.iter_mut().find(|(known, _)| known.path == change.path) {
                Some((_, before)) => before.iter_mut().zip(matched).for_each(|(one, other)| *one |= other),
                None => all.push((change, matched.collect())),
            }
        }
    }
    let mut warnings = vec![];
    for (change, matched) in all {
        let mut warn = |place: String, problem: String| {
            warnings.push(Fault { path: format!("{}.{place}", change.path), problem });
        };
        for (number, _) in matched.iter().enumerate().filter(|(_, is_matched)| !**is_matched) {
            warn(
                format!("users[{number}]"),
                "matches none of the UINs that are listed, and names are known with discover only".to_owned(),
            );
        }
        if let Some(until) = change.until.filter(|until| *until <= now) {
            let day = Offset::UTC.to_datetime(until).date();
            warn("until".to_owned(), format!("the exemption ended on {day}: remove it, or give it a later until"));
        }
    }
    warnings
}

/// A time, or the start of a day in UTC.
fn day_or_time(text: &str) -> Result<Timestamp, Unfit> {
    let start_of_day = |date: Date| Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok();
    match text.parse::<Date>() {
        Ok(date) if date.to_string() == text => start_of_day(date).ok_or(Unfit::NotADate),
        Ok(_) | Err(_) => text.parse().map_err(|_| Unfit::NotADate),
    }
}

fn reason(text: &str) -> Result<Arc<str>, Unfit> {
    let fits = (1..=MAX_REASON_CHARS).contains(&text.chars().count()) && !text.contains(char::is_control);
    if fits { Ok(text.into()) } else { Err(Unfit::NotAReason) }
}
