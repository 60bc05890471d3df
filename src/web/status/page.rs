//! The overview as it is written: the numbers on top, what needs attention, what is awaited, and the lists.

use exporter_toolkit::TelemetryPath;
use maud::{Markup, html};

use super::{
    frame::{self, Mark},
    lists::lists,
    note,
    problems::{Problem, Severity, names, problems},
    report::{Named, Report, Totals},
    text::{accounts, count, duration, grouped, prose, users, utc},
};
use crate::{inventory::assessment::Finding, language::Language};

/// How often the page loads itself again, in seconds.
const REFRESH: u32 = 15;

/// The most bytes that an error takes beside a problem.
const ERROR: usize = 700;

/// The state of all in a few words.
struct State {
    words: String,
    class: &'static str,
    mark: Mark,
}

/// The overview as a document. It links to the metrics at `telemetry_path`, and reloads itself unless it `is_still`.
pub(super) fn overview(report: &Report, telemetry_path: &TelemetryPath, is_still: bool) -> Markup {
    let (language, problems) = (report.language, problems(report));
    let State { words, class, mark } = state(language, &report.totals, &problems);
    let body = html! {
        (frame::header(language, Some((class, &words)), telemetry_path))
        main {
            (numbers(report))
            @if !problems.is_empty() { (attention(language, &problems)) }
            @if !report.awaited.is_empty() || report.unpolled.of > 0 { (awaited(report)) }
            (lists(report))
        }
        (footer(report, is_still))
    };
    frame::document(language, &words, mark, (!is_still).then_some(REFRESH), &body)
}

fn state(language: Language, totals: &Totals, problems: &[Problem]) -> State {
    let words = count(language, problems.len(), "problem", "problems", "个问题");
    let starting = language.choose("Starting", "正在启动");
    let all_well = language.choose("All well", "一切正常");
    match problems.first().map(|problem| problem.gravity) {
        Some(gravity) => State { words, class: gravity.class(), mark: gravity.mark() },
        None if totals.proven < totals.accounts => {
            State { words: starting.to_owned(), class: "wait", mark: Mark::Wait }
        }
        None => State { words: all_well.to_owned(), class: "good", mark: Mark::Good },
    }
}

fn numbers(report: &Report) -> Markup {
    let (language, Totals { accounts: of, users, keys, .. }) = (report.language, &report.totals);
    let of_users = match users.unknown {
        0 => format!("{}{}", language.choose("of ", "共 "), accounts(language, *of)),
        unknown => format!("{} {}", grouped(unknown), language.choose("not polled yet", "个尚未轮询")),
    };
    let allowed = match report.max_ages.first() {
        Some(max_age) if report.max_ages.len() == 1 => {
            format!("{} {}", language.choose("over", "超过"), duration(language, *max_age))
        }
        _ => language.choose("older than they may be", "创建时长超过最长期限").to_owned(),
    };
    let absent = match users.missing {
        0 => language.choose("and none that does not exist", "没有不存在的用户").to_owned(),
        absent => {
            let count = count(language, absent, "that does not exist", "that do not exist", "个不存在的用户");
            format!("{} {count}", language.choose("and", "另有"))
        }
    };
    let inactive = format!("{} {}", grouped(keys.with(Finding::Inactive)), language.choose("inactive", "个已禁用"));
    let over_limit = format!("{} {}", grouped(users.over_limit), language.choose("over it", "个超过上限"));
    let numbers = [
        (language.choose("Users", "用户"), users.total, "number", of_users),
        (language.choose("Keys", "密钥"), keys.total, "number", inactive),
        (language.choose("Stale keys", "超期的密钥"), keys.with(Finding::Stale), "number act", allowed),
        (language.choose("At key limit", "密钥数已达上限"), users.at_limit, "number", over_limit),
        (language.choose("Failing users", "轮询失败的用户"), users.failing, "number blind", absent),
    ];
    html! {
        dl {
            @for (name, number, class, note) in numbers {
                div {
                    dt { (name) }
                    dd class=(if number == 0 { "number" } else { class }) { (grouped(number)) }
                    dd { (note) }
                }
            }
        }
    }
}

fn attention(language: Language, problems: &[Problem]) -> Markup {
    html! {
        section aria-labelledby="attention" {
            h2 id="attention" { (language.choose("Needs attention", "需要处理")) }
            ul {
                @for Problem { gravity, text, href, note, runbook } in problems {
                    li class=(gravity.class()) {
                        a href=(href) { (prose(text)) }
                        @if let Some((account, note)) = note {
                            p {
                                @if let Some(account) = account { (account) (language.choose(": ", "：")) }
                                (note.html(language, ERROR)) " " (runbook.link(language))
                            }
                        } @else {
                            " " (runbook.link(language))
                        }
                    }
                }
            }
        }
    }
}

/// What has to come before it is proven that all is well.
fn awaited(report: &Report) -> Markup {
    let Report { language, awaited, unpolled, totals, .. } = report;
    let keys_of = users(*language, totals.users.unknown);
    let of = |named: &Named| {
        let (accounts, names) = (accounts(*language, named.of), names(*language, named));
        language.choose(format!(", in {accounts}: {names}"), format!("（{accounts}：{names}）"))
    };
    html! {
        section aria-labelledby="awaited" {
            h2 id="awaited" { (language.choose("Awaited from the API", "等待 API 的响应")) }
            ul {
                @for (listing, accounts) in awaited {
                    li.wait { (prose(note::awaited(*language, *listing))) (of(accounts)) }
                }
                @if unpolled.of > 0 {
                    li.wait {
                        (language.choose(format!("the keys of {keys_of}"), format!("{keys_of}的密钥"))) (of(unpolled))
                    }
                }
            }
            p {
                (prose(language.choose(
                    "A request that fails, or is not answered within `poll.timeout`, is shown here.",
                    "请求失败，或在 `poll.timeout` 之内没有响应时，会在此显示。",
                )))
            }
        }
    }
}

fn footer(report: &Report, is_still: bool) -> Markup {
    let (language, version, revision) = (report.language, env!("CARGO_PKG_VERSION"), env!("BUILD_REVISION"));
    let uptime = duration(language, report.uptime);
    html! {
        footer {
            (language.choose(
                format!("Version {version} ({revision}), up for {uptime}. Made at "),
                format!("版本 {version}（{revision}），已运行 {uptime}。生成于 "),
            ))
            (utc(report.made))
            @if is_still {
                (language.choose(", and held still: ", "，已停止刷新：")) a href="?" { (language.choose("go on", "恢复刷新")) }
            } @else {
                (language.choose(format!(", and again every {REFRESH} s: "), format!("，每 {REFRESH} 秒刷新：")))
                a href="?still" { (language.choose("hold still", "停止刷新")) }
            }
            (language.choose(".", "。"))
        }
    }
}

// === impl Severity ===

impl Severity {
    /// The class that gives the colour and the shape.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Blind => "blind",
        }
    }

    fn mark(self) -> Mark {
        match self {
            Self::Act => Mark::Act,
            Self::Blind => Mark::Blind,
        }
    }
}
