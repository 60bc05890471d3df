//! The fields of `overrides`: other settings for some users.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, civil::Date, tz::Offset};

use exporter_toolkit::yaml::{Fault, Fields, Node, Notes, Refused, fields, list, scalar, unknown_value};

use super::{
    Account,
    account::not_rounded,
    read::{duration, null_or, number},
    scalar::Unfit,
    settings::{age, limit},
};
use crate::{
    inventory::{
        Override,
        assessment::{Finding, Findings},
    },
    pattern::Pattern,
};

fields! {
    /// One of the `overrides`.
    pub(super) struct OverrideFields {
        users: Vec<Pattern> | commas, read users, required ADD_USERS;
        max_age: Duration, read duration(age), optional;
        limit: u32, read number(limit), optional;
        unused_after: Option<Duration> | null, read null_or(duration(age)), optional;
        rotation_grace: Option<Duration> | null, read null_or(duration(age)), optional;
        exempt: Findings | commas, read exempt, default Findings::default();
        until: Timestamp, read scalar(day_or_time), optional;
        reason: Arc<str>, read scalar(reason), optional;
    }
}

/// Maximum length of a reason, in characters.
const MAX_REASON_CHARS: usize = 200;

/// What to do about missing users.
const ADD_USERS: &str = "add patterns of their names or UINs, such as users: [\"svc-*\", 100013065917]";

pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Arc<[Override]>, Refused> {
    list(read_one)(node, notes).map(Arc::from)
}

fn read_one(node: &Node<'_>, notes: &mut Notes) -> Result<Override, Refused> {
    let fields = OverrideFields::read(node, notes)?;
    if fields.until.is_given() && !fields.exempt.is_given() {
        return Err(node.refuse(notes, "until without exempt: add exempt, such as exempt: [stale], or remove until"));
    }
    if !fields.changes_something() {
        let changes = "max_age, limit, unused_after, rotation_grace, exempt";
        return Err(node.refuse(notes, format_args!("changes nothing: add one of {changes}")));
    }
    Ok(Override {
        path: node.path().to_owned(),
        users: fields.users()?,
        limit: fields.limit()?,
        max_age: fields.max_age()?,
        unused_after: fields.unused_after()?,
        rotation_grace: fields.rotation_grace()?,
        exempt: fields.exempt()?,
        until: fields.until()?,
        reason: fields.reason()?,
    })
}

// === impl OverrideFields ===

impl OverrideFields {
    fn changes_something(&self) -> bool {
        self.max_age.is_given()
            || self.limit.is_given()
            || self.unused_after.is_given()
            || self.rotation_grace.is_given()
            || self.exempt.is_given()
    }
}

fn users(node: &Node<'_>, notes: &mut Notes) -> Result<Vec<Pattern>, Refused> {
    let users = list(|item, notes| {
        not_rounded(item, notes)?;
        item.parse(notes)
    })(node, notes)?;
    if users.is_empty() {
        return Err(node.refuse(notes, format_args!("no users: {ADD_USERS}")));
    }
    Ok(users)
}

/// The findings that users are exempt from. `stale` includes `very_stale`.
fn exempt(node: &Node<'_>, notes: &mut Notes) -> Result<Findings, Refused> {
    let findings = list(finding)(node, notes)?;
    if findings.is_empty() {
        return Err(node.refuse(notes, "no findings: add some, such as exempt: [stale, unused]"));
    }
    let implied = findings.contains(&Finding::Stale).then_some(Finding::VeryStale);
    Ok(findings.into_iter().chain(implied).collect())
}

fn finding(node: &Node<'_>, notes: &mut Notes) -> Result<Finding, Refused> {
    let text = node.text(notes)?;
    let found = Finding::ALL.into_iter().find(|finding| finding.label() == text);
    found.ok_or_else(|| node.refuse(notes, unknown_value(text, "finding", &Finding::ALL.map(Finding::label))))
}

/// See [`Config::warnings`](super::Config::warnings).
pub(super) fn warnings(accounts: &[Account], now: Timestamp) -> Vec<Fault> {
    // By path, because accounts may share an override.
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
