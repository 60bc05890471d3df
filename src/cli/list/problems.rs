//! What failed, and what to do about it: once for all users of an account with the same failure. Then what is to be said
//! of keys beside their verdicts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jiff::{Timestamp, civil::Date, tz::Offset};
use tencentcloud_cam_exporter::{
    advice::auto_disable_announcement,
    inventory::{AccountName, Listing, assessment::Finding},
    language::Language,
    report::{EndedExemption, FailedListing, Failure, KeyReport, Report},
};

use super::{columns::finding_text, table::Look};
use crate::cli::text::{Count, one_line};

/// The reason of a listing that failed before an API was asked.
const FAILED: &str = "failed";

/// What to do about an exemption that has ended.
fn of_ended(language: Language) -> &'static str {
    language.choose(
        "The finding is reported again: remove the exemption from keys.overrides, or give it a later until.",
        "该风险项重新报告：请从 keys.overrides 中删除豁免，或改为更晚的 until。",
    )
}

/// The most keys and exemptions that are named one by one.
const NAMED: usize = 20;

/// An exemption of users of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Exempted<'a> {
    account: &'a AccountName,
    until: Option<Timestamp>,
    reason: Option<&'a str>,
}

/// Everything that failed, the listings first.
pub(super) fn text(report: &Report, look: Look) -> String {
    let (language, mut text) = (look.language, String::new());
    let colon = language.choose(": ", "：");
    for failed in &report.failed_listings {
        let FailedListing { account, listing, failure } = failed;
        let reason = failed.reason().unwrap_or(language.choose(FAILED, "失败"));
        let head = format!("{reason}{colon}{account}{colon}{}", name(language, *listing));
        let advice = failed.advice(language);
        paragraph(&head, [Some(&*failure.error), advice.as_deref()], look, &mut text);
    }
    let mut causes: Vec<Vec<&Failure>> = vec![];
    for failure in &report.failures {
        let is_alike = |other: &&Failure| (&other.account, other.why) == (&failure.account, failure.why);
        match causes.iter_mut().find(|cause| cause.first().is_some_and(is_alike)) {
            Some(cause) => cause.push(failure),
            None => causes.push(vec![failure]),
        }
    }
    for failures in causes {
        let Some(first @ Failure { account, why, error, .. }) = failures.first() else { continue };
        let users = match failures.len() {
            1 => format!("{} {}", language.choose("user", "用户"), first.uin),
            number => language.choose(
                format!("{number} users, such as {}", first.uin),
                format!("{number} 个用户，例如 {}", first.uin),
            ),
        };
        let head = format!("{}{colon}{account}{colon}{users}", why.label());
        paragraph(&head, [error.as_deref(), why.advice(language)], look, &mut text);
    }
    text
}

/// Which keys will be disabled, what is exempt, and which exemptions have ended.
pub(super) fn notes(report: &Report, look: Look) -> String {
    let (language, mut text) = (look.language, String::new());
    let (colon, comma) = language.choose((": ", ", "), ("：", "、"));
    let names = |findings: &[Finding]| {
        findings.iter().map(|finding| finding_text(language, *finding)).collect::<Vec<_>>().join(comma)
    };
    let soon: Vec<&KeyReport> =
        report.keys.iter().filter(|key| key.findings.contains(Finding::AutoDisableSoon)).collect();
    if !soon.is_empty() {
        let mut lines: Vec<String> = soon.iter().take(NAMED).map(|key| disabled(language, key, report.made)).collect();
        if soon.len() > NAMED {
            let others = soon.len() - NAMED;
            lines.push(language.choose(format!("and {others} more"), format!("另有 {others} 个")));
        }
        let announcement = auto_disable_announcement(language);
        let head = format!("{}{colon}{announcement}", finding_text(language, Finding::AutoDisableSoon));
        paragraph(&head, lines.iter().map(|line| Some(&**line)), look, &mut text);
    }
    for (Exempted { account, until, reason }, (findings, keys)) in exempt(report) {
        let findings = names(&findings.into_iter().collect::<Vec<_>>());
        let of_until = language.choose(" until ", "，至 ");
        let until = until.map(|until| format!("{of_until}{}", day(until))).unwrap_or_default();
        let head = language.choose(
            format!("exempt: {account}: {} from {findings}{until}", Count(keys, "key", "keys")),
            format!("豁免：{account}：{keys} 个密钥，{findings}{until}"),
        );
        paragraph(&head, [reason], look, &mut text);
    }
    let is_alike = |one: &EndedExemption, other: &EndedExemption| {
        let of = |ended: &EndedExemption| (ended.account.clone(), ended.uin, ended.exemption.until);
        of(one) == of(other) && one.exemption.reason == other.exemption.reason
    };
    let ended: Vec<&[EndedExemption]> = report.ended_exemptions.chunk_by(is_alike).collect();
    for of_user in ended.iter().take(NAMED) {
        let Some(EndedExemption { account, uin, user_name, exemption }) = of_user.first() else { continue };
        let findings = names(&of_user.iter().map(|ended| ended.exemption.finding).collect::<Vec<_>>());
        let name = user_name.as_deref().map(one_line);
        let name = name.map(|name| language.choose(format!(" ({name})"), format!("（{name}）"))).unwrap_or_default();
        let until = exemption.until.map(day);
        let until = until.map(|day| language.choose(format!(" ended on {day}"), format!("，已于 {day} 到期")));
        let until = until.unwrap_or_default();
        let head = language.choose(
            format!("exemption: {account}: user {uin}{name}: from {findings}{until}"),
            format!("豁免已到期：{account}：用户 {uin}{name}：{findings}{until}"),
        );
        paragraph(&head, [exemption.reason.as_deref(), Some(of_ended(language))], look, &mut text);
    }
    if ended.len() > NAMED {
        let others = ended.len() - NAMED;
        let head = language
            .choose(format!("and {others} more exemptions that have ended"), format!("另有 {others} 项豁免已到期"));
        paragraph(&head, [Some(of_ended(language))], look, &mut text);
    }
    text
}

/// When the key will be disabled, where the time is `now`.
fn disabled(language: Language, key: &KeyReport, now: Timestamp) -> String {
    let KeyReport { account, uin, label, auto_disabled_at, .. } = key;
    let is_ahead = auto_disabled_at.is_some_and(|time| time > now);
    let when = match auto_disabled_at.map(day) {
        Some(day) if is_ahead => language.choose(format!("will be disabled on {day}"), format!("将于 {day} 被禁用")),
        Some(day) => {
            language.choose(format!("may be disabled any day since {day}"), format!("自 {day} 起随时可能被禁用"))
        }
        None => language.choose("will be disabled", "将被禁用").to_owned(),
    };
    language
        .choose(format!("{account}: {label} of user {uin} {when}"), format!("{account}：用户 {uin} 的 {label} {when}"))
}

/// The exemptions that hide findings of keys that are listed: what they hide, and of how many keys.
fn exempt(report: &Report) -> BTreeMap<Exempted<'_>, (BTreeSet<Finding>, usize)> {
    let mut all: BTreeMap<Exempted<'_>, (BTreeSet<Finding>, usize)> = BTreeMap::new();
    for key in &report.keys {
        let mut of_key: BTreeMap<Exempted<'_>, BTreeSet<Finding>> = BTreeMap::new();
        for exemption in &key.exempt {
            let (account, reason) = (&key.account, exemption.reason.as_deref());
            of_key.entry(Exempted { account, until: exemption.until, reason }).or_default().insert(exemption.finding);
        }
        for (exempted, findings) in of_key {
            let (all, keys) = all.entry(exempted).or_default();
            all.extend(findings);
            *keys += 1;
        }
    }
    all
}

/// The day of `time`, UTC.
fn day(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}

fn paragraph<'a>(head: &str, lines: impl IntoIterator<Item = Option<&'a str>>, look: Look, text: &mut String) {
    // Writing to a string does not fail.
    for line in look.wrapped(head).lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for said in lines.into_iter().flatten() {
        for line in look.wrapped(&one_line(said)).lines() {
            let _ = writeln!(text, "  {}", line.trim());
        }
    }
    text.push('\n');
}

/// Everything that failed, in one line; nothing where nothing did.
pub(super) fn summary(report: &Report) -> Option<String> {
    let mut parts = vec![];
    if !report.failures.is_empty() {
        parts.push(format!("{} of {} user(s) could not be polled", report.failures.len(), report.users()));
    }
    parts.extend(failed_listings(report));
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The listings that failed, in one line; nothing where none did.
pub(super) fn failed_listings(report: &Report) -> Option<String> {
    let failed = report.failed_listings.iter().map(|failed| {
        let reason = failed.reason().unwrap_or(FAILED);
        format!("{} of {} ({reason})", failed.listing.label(), failed.account)
    });
    let failed: Vec<String> = failed.collect();
    let number = Count(failed.len(), "listing", "listings");
    (!failed.is_empty()).then(|| format!("{number} failed: {}", failed.join(", ")))
}

fn name(language: Language, listing: Listing) -> String {
    let (english, chinese) = match listing {
        Listing::UinsFile => ("the file of users", "用户文件"),
        Listing::Caller => ("the calling user", "调用者"),
        Listing::Users => ("the list of users", "用户列表"),
        Listing::TypedUsers => ("the list of users of other types", "其他类型的用户列表"),
        Listing::Members => ("the list of the organization's members", "集团组织的成员列表"),
        Listing::LastUses => ("when keys were last used", "密钥的最近使用时间"),
    };
    let label = listing.label();
    language.choose(format!("{english} ({label})"), format!("{chinese}（{label}）"))
}
