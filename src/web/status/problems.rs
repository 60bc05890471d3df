//! What needs attention, in a sentence each.

use std::cmp::Reverse;

use super::{
    note::Note,
    report::{CauseReport, Named, Report},
    runbook::Runbook,
    text::{self, count, grouped},
};
use crate::{
    advice::auto_disable_announcement,
    inventory::{
        AccountName, Listing,
        assessment::{Finding, ProblemKind},
    },
    language::Language,
};

/// Something that needs attention.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) gravity: Severity,
    /// What, in plain text.
    pub(super) text: String,
    /// The link to the details.
    pub(super) href: &'static str,
    /// What is to be said of one that has it: the name of the account, where it is one, and why.
    pub(super) note: Option<(Option<String>, Note)>,
    pub(super) runbook: Runbook,
}

/// Where the keys are that will soon be disabled.
const DISABLED_SOON: &str = "?show=keys&finding=auto_disable_soon";

/// What to do about them.
fn of_auto_disable(language: Language) -> &'static str {
    language.choose(
        "Delete keys that nobody needs, and use or replace the others before their day. If your accounts are not affected, \
         set `keys.auto_disable_after` to `null`.",
        "请删除不再需要的密钥，并在到期之前使用或更换其余密钥。如果您的账号不受影响，请把 `keys.auto_disable_after` 设为 `null`。",
    )
}

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// What is shown is true, and action is needed.
    Act,
    /// What is shown may no longer be true.
    Blind,
}

impl Severity {
    /// Of a problem of an account.
    pub(super) fn of(kind: ProblemKind) -> Self {
        match kind {
            ProblemKind::Silent | ProblemKind::Down | ProblemKind::Outage | ProblemKind::ListingFailed(_) => {
                Self::Blind
            }
            ProblemKind::CredentialNotRenewed
            | ProblemKind::ClockSkew
            | ProblemKind::Throttled
            | ProblemKind::IntervalTooShort => Self::Act,
        }
    }
}

/// What is said of so many accounts with a problem.
fn of_accounts(language: Language, kind: ProblemKind, number: usize) -> String {
    let (one, many, chinese) = match kind {
        ProblemKind::Silent => ("account is no longer polled", "accounts are no longer polled", "个账号已停止轮询"),
        ProblemKind::Down => ("account is down", "accounts are down", "个账号不可用"),
        ProblemKind::Outage => (
            "account was not answered for two intervals",
            "accounts were not answered for two intervals",
            "个账号在两个间隔内没有一次轮询成功",
        ),
        ProblemKind::ListingFailed(Listing::UinsFile) => (
            "account has a uins_file that cannot be used",
            "accounts have uins_files that cannot be used",
            "个账号的 `uins_file` 无法使用",
        ),
        ProblemKind::ListingFailed(Listing::Caller) => (
            "account cannot find the user that asks",
            "accounts cannot find the users that ask",
            "个账号无法确定调用者",
        ),
        ProblemKind::ListingFailed(Listing::Users) => {
            ("account cannot list its users", "accounts cannot list their users", "个账号无法列出用户")
        }
        ProblemKind::ListingFailed(Listing::TypedUsers) => (
            "account cannot list its users of other types",
            "accounts cannot list their users of other types",
            "个账号无法列出其他类型的用户",
        ),
        ProblemKind::ListingFailed(Listing::Members) => (
            "account cannot list its organization",
            "accounts cannot list their organizations",
            "个账号无法列出集团组织的成员账号",
        ),
        ProblemKind::ListingFailed(Listing::LastUses) => (
            "account cannot find when keys were last used",
            "accounts cannot find when keys were last used",
            "个账号无法获取密钥的最近使用时间",
        ),
        ProblemKind::CredentialNotRenewed => {
            ("account cannot renew its credential", "accounts cannot renew their credentials", "个账号无法刷新凭证")
        }
        ProblemKind::ClockSkew => (
            "account finds this machine's clock wrong",
            "accounts find this machine's clock wrong",
            "个账号发现本机的时钟不准确",
        ),
        ProblemKind::Throttled => ("account is throttled", "accounts are throttled", "个账号被限频"),
        ProblemKind::IntervalTooShort => (
            "account has too short an interval for its users",
            "accounts have too short intervals for their users",
            "个账号的轮询间隔对其用户数来说太短",
        ),
    };
    count(language, number, one, many, chinese)
}

/// Those of a report, the gravest first.
pub(super) fn problems(report: &Report) -> Vec<Problem> {
    let (language, totals) = (report.language, &report.totals);
    let (users, keys) = (&totals.users, &totals.keys);
    let of_users = [
        (
            Severity::Blind,
            users.failing,
            ["user cannot be polled", "users cannot be polled", "个用户无法轮询"],
            "#failing",
            Runbook::POLLS,
        ),
        (
            Severity::Blind,
            users.late,
            [
                "user was last answered for over three intervals ago",
                "users were last answered for over three intervals ago",
                "个用户的上次成功轮询距今超过三个间隔",
            ],
            "?show=users&state=late",
            Runbook::LATE,
        ),
        (
            Severity::Act,
            keys.with(Finding::AutoDisableSoon),
            [
                "key is not used and will soon be disabled by Tencent Cloud",
                "keys are not used and will soon be disabled by Tencent Cloud",
                "个密钥未被使用，即将被腾讯云禁用",
            ],
            DISABLED_SOON,
            Runbook::of_finding(Finding::AutoDisableSoon),
        ),
        (
            Severity::Act,
            keys.with(Finding::Stale),
            ["key is older than it may be", "keys are older than they may be", "个密钥的创建时长超过最长期限"],
            "#keys",
            Runbook::of_finding(Finding::Stale),
        ),
        (
            Severity::Act,
            users.over_limit,
            ["user has more keys than allowed", "users have more keys than allowed", "个用户的密钥数超过上限"],
            "#limit",
            Runbook::of_finding(Finding::OverLimit),
        ),
        (
            Severity::Act,
            users.exemption_ended,
            ["user has an exemption that has ended", "users have exemptions that have ended", "个用户的豁免已到期"],
            "?show=users&state=exemption_ended",
            Runbook::EXEMPTION,
        ),
        (
            Severity::Act,
            users.missing,
            ["user does not exist", "users do not exist", "个用户不存在"],
            "#absent",
            Runbook::POLLS,
        ),
    ];
    let of_accounts = report.problems.iter().map(|(kind, affected)| {
        let accounts = &affected.accounts;
        let first = accounts.names.first().map(ToString::to_string);
        let what = of_accounts(language, *kind, accounts.of);
        Problem {
            gravity: Severity::of(*kind),
            text: format!("{what}{}{}", language.choose(": ", "："), names(language, accounts)),
            href: "#accounts",
            note: Some((first, affected.note.clone())),
            runbook: Runbook::of_problem(*kind),
        }
    });
    let of_users = of_users.into_iter().filter(|(_, number, ..)| *number > 0).map(
        |(gravity, number, [one, many, chinese], href, runbook)| {
            let note = match (href, report.causes.first()) {
                ("#failing", Some(cause)) => Some(of_cause(language, cause, report.causes.len() > 1)),
                (DISABLED_SOON, _) => Some(Note::plain(auto_disable_announcement(language), of_auto_disable(language))),
                _ => None,
            };
            let note = note.map(|note| (None, note));
            Problem { gravity, text: count(language, number, one, many, chinese), href, note, runbook }
        },
    );
    let of_config = report.config_refused.then(|| Problem {
        gravity: Severity::Act,
        text: language
            .choose(
                "the configuration cannot be used: the log and `check-config` tell why",
                "配置无法使用：原因见日志和 `check-config`",
            )
            .to_owned(),
        href: "#accounts",
        note: None,
        runbook: Runbook::CONFIG,
    });
    let mut problems: Vec<Problem> = of_config.into_iter().chain(of_accounts).chain(of_users).collect();
    problems.sort_by_key(|problem| Reverse(problem.gravity));
    problems
}

/// Why polls of users fail: one cause, and the first error.
fn of_cause(language: Language, CauseReport { cause, users, since, error }: &CauseReport, are_others: bool) -> Note {
    let (reason, code) = cause.labels(language);
    let reason = code.map_or_else(|| reason.to_owned(), |code| format!("{reason} `{code}`"));
    let users = text::users(language, *users);
    let among = language.choose(format!("{reason} ({users})"), format!("{reason}（{users}）"));
    let what = if are_others { among } else { reason };
    Note { what, since: *since, error: error.clone(), advice: cause.advice(language).map(Into::into) }
}

/// The first few of `accounts`, and how many others there are.
pub(super) fn names(language: Language, accounts: &Named) -> String {
    let names: Vec<&str> = accounts.names.iter().map(AccountName::as_str).collect();
    let names = names.join(language.choose(", ", "、"));
    match accounts.of - accounts.names.len() {
        0 => names,
        others => {
            let others = grouped(others);
            language.choose(format!("{names} and {others} more"), format!("{names} 等，另有 {others} 个"))
        }
    }
}
