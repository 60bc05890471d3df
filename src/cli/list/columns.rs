//! Which columns the table has, and how wide each is: all of everything where there is room, and less of what matters
//! least where there is not.
//!
//! Ids are there to be copied, and no row is broken in the middle of a word: names get shorter, then columns go that say
//! what others say as well. The verdicts of a key come in several lines only where nothing else is left.

use std::collections::BTreeSet;

use tencentcloud_api::{KeyStatus, LastUse};
use tencentcloud_cam_exporter::{
    inventory::assessment::Finding,
    language::{Language, key_status},
    report::{KeyReport, Report},
};

use crate::cli::text::{one_line, shortened_in_the_middle, width};

/// Columns of the terminal between two columns of the table.
pub(super) const GAP: usize = 2;

/// What part of the terminal's width a name has at most, or else how much of a pipe's lines.
const PART_OF_NAMES: usize = 4;
const NAMES_IN_A_PIPE: usize = 40;

/// How short names get before something else goes, and how short they get at all.
const SHORT_NAME: usize = 12;
const SHORTEST_NAME: usize = 5;
const SHORTEST_ACCOUNT: usize = 5;

/// The heads of the columns, without that of the last use, which is [`LastUsed::head`].
pub(super) fn heads(language: Language) -> [&'static str; 7] {
    language.choose(
        ["ACCOUNT", "USER", "NAME", "KEY", "STATUS", "AGE", "VERDICT"],
        ["账号", "用户", "用户名", "密钥", "状态", "时长", "结论"],
    )
}

/// The head of a narrow column of accounts.
pub(super) fn short_account(language: Language) -> &'static str {
    language.choose("ACCT", "账号")
}

/// What comes before the reason in the verdict of a user that failed.
pub(super) fn failed(language: Language) -> &'static str {
    language.choose("failed: ", "失败：")
}

/// The columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// How wide the account is; none where there is one account, and no room to repeat it.
    pub(super) account: Option<usize>,
    /// How wide the name is; none where none is known.
    pub(super) name: Option<usize>,
    /// Whether the status has a column: the verdict of a disabled key says as much.
    pub(super) status: bool,
    /// The last use; none where none is known.
    pub(super) last_used: Option<LastUsed>,
    /// Whether the verdict of one that failed is its reason alone.
    pub(super) has_short_failures: bool,
    /// How wide a line of verdicts may be.
    pub(super) verdict: usize,
}

/// The column of the last use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastUsed {
    /// Headed `LAST USED`, such as `5 d ago`.
    Long,
    /// Headed `USED`, such as `5 d`.
    Short,
}

/// How wide everything is that could be shown.
struct Widths {
    account: usize,
    /// The least at which no two accounts look the same.
    account_apart: usize,
    user: usize,
    name: usize,
    key: usize,
    status: usize,
    age: usize,
    last_used: [usize; 2],
    finding: usize,
    verdict: usize,
    failure: [usize; 2],
}

// === impl Columns ===

impl Columns {
    /// The columns of `report` in so many columns of a terminal, or without a limit.
    pub(super) fn of(language: Language, report: &Report, limit: Option<usize>) -> Self {
        let widths = Widths::of(language, report);
        let most = limit.map_or(NAMES_IN_A_PIPE, |limit| limit / PART_OF_NAMES).max(SHORT_NAME);
        let name = widths.name.min(most);
        let mut columns = Self {
            account: Some(widths.account),
            name: (widths.name > 0).then_some(name),
            status: true,
            last_used: report.knows_last_use.then_some(LastUsed::Long),
            has_short_failures: false,
            verdict: usize::MAX,
        };
        let Some(limit) = limit else { return columns };
        let says_all = report.keys.iter().all(|key| key.status != KeyStatus::Unknown);
        let steps: [&dyn Fn(&mut Self); 8] = [
            &|columns| columns.shrink_names(&widths, limit, SHORT_NAME),
            &|columns| columns.status &= !says_all,
            &|columns| columns.account = columns.account.filter(|_| report.accounts.len() > 1),
            &|columns| columns.last_used = columns.last_used.and(Some(LastUsed::Short)),
            &|columns| columns.has_short_failures = true,
            &|columns| columns.shrink_accounts(&widths, limit),
            &|columns| columns.shrink_names(&widths, limit, SHORTEST_NAME),
            &|columns| columns.name = None,
        ];
        for step in steps {
            if columns.total(&widths) > limit {
                step(&mut columns);
            }
        }
        let total = columns.total(&widths);
        // What the last step has left is the names'.
        columns.name = columns.name.map(|width| (width + limit.saturating_sub(total)).min(name));
        let excess = total.saturating_sub(limit);
        if excess > 0 {
            columns.verdict = columns.verdict_of(&widths).saturating_sub(excess).max(widths.finding);
        }
        columns
    }

    fn shrink_names(&mut self, widths: &Widths, limit: usize, least: usize) {
        let excess = self.total(widths).saturating_sub(limit);
        self.name = self.name.map(|width| width.saturating_sub(excess).max(least).min(width));
    }

    fn shrink_accounts(&mut self, widths: &Widths, limit: usize) {
        let excess = self.total(widths).saturating_sub(limit);
        let least = widths.account_apart.max(SHORTEST_ACCOUNT);
        self.account = self.account.map(|width| width.saturating_sub(excess).max(least).min(width));
    }

    /// How wide the table is.
    fn total(&self, widths: &Widths) -> usize {
        let columns = [
            self.account,
            Some(widths.user),
            self.name,
            Some(widths.key),
            self.status.then_some(widths.status),
            Some(widths.age),
            self.last_used.map(|last_used| widths.last_used[last_used as usize]),
            Some(self.verdict_of(widths)),
        ];
        let shown = columns.into_iter().flatten();
        shown.map(|width| width + GAP).sum::<usize>() - GAP
    }

    fn verdict_of(&self, widths: &Widths) -> usize {
        widths.verdict.max(widths.failure[usize::from(self.has_short_failures)])
    }
}

// === impl Widths ===

impl Widths {
    fn of(language: Language, report: &Report) -> Self {
        let [of_account, of_user, of_name, of_key, of_status, of_age, of_verdict] = heads(language);
        let accounts: BTreeSet<&str> = report.accounts.iter().map(|account| account.name.as_str()).collect();
        let names = report.keys.iter().map(|key| &key.user_name);
        let names = names.chain(report.failures.iter().map(|failure| &failure.user_name)).flatten();
        let users = report.keys.iter().map(|key| key.uin).chain(report.failures.iter().map(|failure| failure.uin));
        let keys = || report.keys.iter();
        let account = widest(of_account, accounts.iter().map(|name| width(name)));
        let is_apart = |columns: &usize| {
            let short: BTreeSet<String> = accounts.iter().map(|name| shortened_in_the_middle(name, *columns)).collect();
            short.len() == accounts.len()
        };
        let findings = |key: &KeyReport| words(key).map(|word| width(word.text(language)) + 2).sum::<usize>();
        let failures = |prefix: usize| report.failures.iter().map(move |failure| prefix + width(failure.why.label()));
        let names: Vec<usize> = names.map(|name| width(&one_line(name))).collect();
        Self {
            account,
            account_apart: (1..account).find(is_apart).unwrap_or(account),
            user: widest(of_user, users.map(|uin| uin.to_string().len())),
            name: if names.is_empty() { 0 } else { widest(of_name, names) },
            key: widest(of_key, keys().map(|key| width(&one_line(&key.label)))),
            status: widest(of_status, keys().map(|key| width(key_status(language, key.status)))),
            age: widest(of_age, keys().map(|key| width(&super::table::span(language, key.age)))),
            last_used: [LastUsed::Long, LastUsed::Short].map(|form| {
                widest(form.head(language), keys().map(|key| width(&form.text(language, key, report.made))))
            }),
            finding: widest(of_verdict, keys().flat_map(words).map(|word| width(word.text(language)) + 1)),
            verdict: widest(of_verdict, keys().map(|key| findings(key).saturating_sub(2))),
            failure: [widest("", failures(width(failed(language)))), widest("", failures(0))],
        }
    }
}

fn widest(head: &str, widths: impl IntoIterator<Item = usize>) -> usize {
    widths.into_iter().max().unwrap_or_default().max(width(head))
}

// === impl LastUsed ===

impl LastUsed {
    pub(super) fn head(self, language: Language) -> &'static str {
        match self {
            Self::Long => language.choose("LAST USED", "最近使用"),
            Self::Short => language.choose("USED", "使用"),
        }
    }

    /// When the key was last used, where it is `now`.
    pub(super) fn text(self, language: Language, key: &KeyReport, now: jiff::Timestamp) -> String {
        match key.last_used {
            None => "-".to_owned(),
            Some(LastUse::Never) => language.choose("never", "从未").to_owned(),
            // The API reports days.
            Some(LastUse::At(at)) => match (now.duration_since(at).as_hours() / 24, self) {
                (..=0, _) => language.choose("today", "今天").to_owned(),
                (days, Self::Long) => format!("{days} {}", language.choose("d ago", "天前")),
                (days, Self::Short) => format!("{days} {}", language.choose("d", "天")),
            },
        }
    }
}

/// What stands in the verdict of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Finding(Finding),
    /// There are findings that are not reported.
    Exempt,
}

/// What is to be said of the key, the worst first; nothing where all is well.
pub(super) fn words(key: &KeyReport) -> impl Iterator<Item = Word> {
    let exempt = (!key.exempt.is_empty()).then_some(Word::Exempt);
    key.findings.distinct().map(Word::Finding).chain(exempt)
}

// === impl Word ===

impl Word {
    pub(super) fn text(self, language: Language) -> &'static str {
        match self {
            Self::Finding(finding) => finding_text(language, finding),
            Self::Exempt => language.choose("exempt", "豁免"),
        }
    }
}

/// A finding as the table calls it.
pub(super) fn finding_text(language: Language, finding: Finding) -> &'static str {
    let (english, chinese) = match finding {
        Finding::AutoDisableSoon => ("expiring", "即将禁用"),
        Finding::VeryStale => ("very stale", "严重超期"),
        Finding::Stale => ("stale", "超期"),
        Finding::OverLimit => ("over limit", "数量超限"),
        Finding::Unused => ("unused", "闲置"),
        Finding::RotationUnfinished => ("rotating", "轮换未完成"),
        Finding::ConsoleLogin => ("console login", "可登录控制台"),
        Finding::AtLimit => ("at limit", "达到上限"),
        Finding::Inactive => ("inactive", "已禁用"),
    };
    language.choose(english, chinese)
}
