//! The overview as it is written: the numbers on top, what needs attention, what is awaited, and the lists.

use std::fmt;

use exporter_toolkit::TelemetryPath;

use super::{
    frame::{self, Mark},
    lists::Lists,
    note::awaited,
    problems::{Problem, Severity, names, problems},
    report::Report,
    text::{Count, Escaped, Grouped, Prose, Span, Utc},
};
use crate::inventory::assessment::Finding;

/// How often the page loads itself again, in seconds.
const REFRESH: u32 = 15;

/// The most bytes that an error takes beside a problem.
const ERROR: usize = 700;

/// A report, to be written as an HTML document.
#[derive(Debug)]
pub(super) struct Page<'a> {
    report: &'a Report,
    problems: Vec<Problem>,
    telemetry_path: &'a TelemetryPath,
    /// Whether it does not load itself again.
    is_still: bool,
}

/// The state of all in a few words.
struct State {
    words: String,
    class: &'static str,
    mark: Mark,
}

// === impl Page ===

impl<'a> Page<'a> {
    /// The page of `report`. It links to the metrics at `telemetry_path`.
    pub(super) fn of(report: &'a Report, telemetry_path: &'a TelemetryPath, is_still: bool) -> Self {
        Self { report, problems: problems(report), telemetry_path, is_still }
    }

    fn state(&self) -> State {
        let totals = &self.report.totals;
        let words = Count(self.problems.len(), "problem", "problems").to_string();
        match self.problems.first().map(|problem| problem.gravity) {
            Some(gravity) => State { words, class: gravity.class(), mark: gravity.mark() },
            None if totals.proven < totals.accounts => {
                State { words: "Starting".to_owned(), class: "wait", mark: Mark::Wait }
            }
            None => State { words: "All well".to_owned(), class: "good", mark: Mark::Good },
        }
    }

    fn numbers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = &self.report.totals;
        let of_users = match totals.users.unknown {
            0 => format!("of {}", Count(totals.accounts, "account", "accounts")),
            unknown => format!("{} not polled yet", Grouped(unknown)),
        };
        let allowed = match self.report.max_ages.first() {
            Some(max_age) if self.report.max_ages.len() == 1 => format!("over {}", Span(*max_age)),
            _ => "older than they may be".to_owned(),
        };
        let absent = match totals.users.missing {
            0 => "and none that does not exist".to_owned(),
            absent => format!("and {}", Count(absent, "that does not exist", "that do not exist")),
        };
        let numbers = [
            ("Users", totals.users.total, "", of_users),
            ("Keys", totals.keys.total, "", format!("{} inactive", Grouped(totals.keys.with(Finding::Inactive)))),
            ("Stale keys", totals.keys.with(Finding::Stale), " act", allowed),
            ("At key limit", totals.users.at_limit, "", format!("{} over it", Grouped(totals.users.over_limit))),
            ("Failing users", totals.users.failing, " blind", absent),
        ];
        writeln!(f, "<dl>")?;
        for (name, number, class, note) in numbers {
            let class = if number == 0 { "" } else { class };
            let number = Grouped(number);
            writeln!(f, r#"<div><dt>{name}</dt><dd class="number{class}">{number}</dd><dd>{note}</dd></div>"#)?;
        }
        writeln!(f, "</dl>")
    }

    fn attention(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problems.is_empty() {
            return Ok(());
        }
        writeln!(f, r#"<section aria-labelledby="attention">"#)?;
        writeln!(f, r#"<h2 id="attention">Needs attention</h2>"#)?;
        writeln!(f, "<ul>")?;
        for Problem { gravity, text, href, note, runbook } in &self.problems {
            let class = gravity.class();
            write!(f, r#"<li class="{class}"><a href="{href}">{}</a>"#, Prose(text))?;
            match note {
                Some((account, note)) => {
                    write!(f, "<p>")?;
                    if let Some(account) = account {
                        write!(f, "{}: ", Escaped(account))?;
                    }
                    writeln!(f, "{} {runbook}</p></li>", note.html(ERROR))?;
                }
                None => writeln!(f, " {runbook}</li>")?,
            }
        }
        writeln!(f, "</ul>\n</section>")
    }

    /// What has to come before it is proven that all is well.
    fn awaited(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { awaited: listings, unpolled, totals, .. } = self.report;
        if listings.is_empty() && unpolled.of == 0 {
            return Ok(());
        }
        writeln!(f, r#"<section aria-labelledby="awaited">"#)?;
        writeln!(f, r#"<h2 id="awaited">Awaited from the API</h2>"#)?;
        writeln!(f, "<ul>")?;
        for (listing, accounts) in listings {
            let (what, names) = (Prose(awaited(*listing)), names(accounts));
            writeln!(f, r#"<li class="wait">{what}, in {}: {}</li>"#, of_accounts(accounts.of), Escaped(names))?;
        }
        if unpolled.of > 0 {
            let users = Count(totals.users.unknown, "user", "users");
            let (accounts, names) = (of_accounts(unpolled.of), names(unpolled));
            writeln!(f, r#"<li class="wait">the keys of {users}, in {accounts}: {}</li>"#, Escaped(names))?;
        }
        writeln!(f, "</ul>")?;
        writeln!(
            f,
            "<p>A request that fails, or is not answered within <code>poll.timeout</code>, is shown here.</p>"
        )?;
        writeln!(f, "</section>")
    }

    fn footer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (made, uptime) = (Utc(self.report.made), Span(self.report.uptime));
        write!(
            f,
            "<footer>Version {} ({}), up for {uptime}. Made at {made}",
            env!("CARGO_PKG_VERSION"),
            Escaped(env!("BUILD_REVISION"))
        )?;
        if self.is_still {
            write!(f, r#", and held still: <a href="?">go on</a>"#)?;
        } else {
            write!(f, r#", and again every {REFRESH} s: <a href="?still">hold still</a>"#)?;
        }
        writeln!(f, ".</footer>")
    }
}

fn of_accounts(number: usize) -> Count<'static> {
    Count(number, "account", "accounts")
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { words, class, mark } = self.state();
        frame::head(f, &words, mark, (!self.is_still).then_some(REFRESH))?;
        writeln!(f, "<body>")?;
        frame::header(f, Some((class, &words)), self.telemetry_path)?;
        writeln!(f, "<main>")?;
        self.numbers(f)?;
        self.attention(f)?;
        self.awaited(f)?;
        write!(f, "{}", Lists(self.report))?;
        writeln!(f, "</main>")?;
        self.footer(f)?;
        writeln!(f, "</body>\n</html>")
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
