//! The page as it is written: its frame, the numbers on top, and what needs attention.

use std::fmt;

use super::{
    lists::Lists,
    problems::{Gravity, Problem, problems},
    report::Report,
    style::STYLE,
    text::{Count, Escaped, Grouped, Span, Utc},
};
use crate::{inventory::assessment::Finding, web::TelemetryPath};

/// How often the page loads itself anew, in seconds.
const REFRESH: u32 = 15;

const NAME: &str = "Tencent Cloud CAM exporter";

/// A report, to be written as an HTML document.
#[derive(Debug)]
pub(super) struct Page<'a> {
    report: &'a Report,
    problems: Vec<Problem>,
    telemetry_path: &'a TelemetryPath,
    /// Whether it loads itself anew.
    refreshes: bool,
}

/// The state of all in a few words.
struct State {
    words: String,
    class: &'static str,
    /// The icon of the tab: a shape of SVG, as it stands in an address.
    icon: &'static str,
}

// === impl Page ===

impl<'a> Page<'a> {
    /// The page of `report`. It links to the metrics at `telemetry_path`.
    pub(super) fn of(report: &'a Report, telemetry_path: &'a TelemetryPath, refreshes: bool) -> Self {
        Self { report, problems: problems(report), telemetry_path, refreshes }
    }

    fn state(&self) -> State {
        let totals = &self.report.totals;
        let words = Count(self.problems.len(), "problem", "problems").to_string();
        match self.problems.first().map(|problem| problem.gravity) {
            Some(Gravity::Blind) => State {
                words,
                class: Gravity::Blind.class(),
                icon: "%3Crect width='16' height='16' fill='%23c62828'/%3E",
            },
            Some(Gravity::Act) => {
                State { words, class: Gravity::Act.class(), icon: "%3Cpath d='M8 1l8 14H0z' fill='%23e08a00'/%3E" }
            }
            None if totals.proven < totals.accounts => State {
                words: "Starting".to_owned(),
                class: "wait",
                icon: "%3Ccircle cx='8' cy='8' r='6' fill='none' stroke='%23808890' stroke-width='3'/%3E",
            },
            None => State {
                words: "All well".to_owned(),
                class: "good",
                icon: "%3Ccircle cx='8' cy='8' r='8' fill='%232e8b57'/%3E",
            },
        }
    }

    fn head(&self, f: &mut fmt::Formatter<'_>, state: &State) -> fmt::Result {
        let (words, icon) = (&state.words, state.icon);
        writeln!(f, "<!DOCTYPE html>")?;
        writeln!(f, r#"<html lang="en">"#)?;
        writeln!(f, "<head>")?;
        writeln!(f, r#"<meta charset="utf-8">"#)?;
        writeln!(f, r#"<meta name="viewport" content="width=device-width, initial-scale=1">"#)?;
        if self.refreshes {
            writeln!(f, r#"<meta http-equiv="refresh" content="{REFRESH}">"#)?;
        }
        writeln!(f, "<title>{words} – {NAME}</title>")?;
        writeln!(
            f,
            r#"<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E{icon}%3C/svg%3E">"#
        )?;
        writeln!(f, "<style>{STYLE}</style>")?;
        writeln!(f, "</head>")
    }

    fn header(&self, f: &mut fmt::Formatter<'_>, state: &State) -> fmt::Result {
        let State { words, class, .. } = state;
        writeln!(f, "<header>")?;
        writeln!(f, "<h1>{NAME}</h1>")?;
        writeln!(f, r#"<p class="{class}">{words}</p>"#)?;
        writeln!(
            f,
            r#"<nav aria-label="Endpoints"><a href="{}">Metrics</a> <a href="/-/healthy">Health</a> <a href="/-/ready">Readiness</a></nav>"#,
            Escaped(self.telemetry_path)
        )?;
        writeln!(f, "</header>")
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
        for Problem { gravity, text, part } in &self.problems {
            let (class, text) = (gravity.class(), Escaped(text));
            writeln!(f, r##"<li class="{class}"><a href="#{part}">{text}</a></li>"##)?;
        }
        writeln!(f, "</ul>\n</section>")
    }

    fn footer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (made, uptime) = (Utc(self.report.made), Span(self.report.uptime));
        write!(
            f,
            "<footer>Version {} ({}), up for {uptime}. Made at {made}",
            env!("CARGO_PKG_VERSION"),
            Escaped(env!("BUILD_REVISION"))
        )?;
        if self.refreshes {
            write!(f, r#", and again every {REFRESH} s: <a href="/?still">hold still</a>"#)?;
        } else {
            write!(f, r#", and held still: <a href="/">go on</a>"#)?;
        }
        writeln!(f, ".</footer>")
    }
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        self.head(f, &state)?;
        writeln!(f, "<body>")?;
        self.header(f, &state)?;
        writeln!(f, "<main>")?;
        self.numbers(f)?;
        self.attention(f)?;
        write!(f, "{}", Lists(self.report))?;
        writeln!(f, "</main>")?;
        self.footer(f)?;
        writeln!(f, "</body>\n</html>")
    }
}

// === impl Gravity ===

impl Gravity {
    /// The class that gives the colour and the shape.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Blind => "blind",
        }
    }
}
