//! What all pages have: the head of the document, and the header.

use std::fmt;

use exporter_toolkit::TelemetryPath;

use super::{style::STYLE, text::Escaped};

/// The icon of the tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Blind,
    Act,
    Wait,
    Good,
    /// Of a page without a state.
    Plain,
}

const NAME: &str = "Tencent Cloud CAM exporter";

/// The head of a document with that title, which is loaded again every so many seconds.
pub(super) fn head(f: &mut fmt::Formatter<'_>, title: &str, mark: Mark, refresh: Option<u32>) -> fmt::Result {
    let icon = mark.icon();
    writeln!(f, "<!DOCTYPE html>")?;
    writeln!(f, r#"<html lang="en">"#)?;
    writeln!(f, "<head>")?;
    writeln!(f, r#"<meta charset="utf-8">"#)?;
    writeln!(f, r#"<meta name="viewport" content="width=device-width, initial-scale=1">"#)?;
    // The sites that runbooks are on need not know where the page is.
    writeln!(f, r#"<meta name="referrer" content="no-referrer">"#)?;
    if let Some(seconds) = refresh {
        writeln!(f, r#"<meta http-equiv="refresh" content="{seconds}">"#)?;
    }
    writeln!(f, "<title>{title} – {NAME}</title>")?;
    writeln!(
        f,
        r#"<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E{icon}%3C/svg%3E">"#
    )?;
    writeln!(f, "<style>{STYLE}</style>")?;
    writeln!(f, "</head>")
}

/// The header, with the state of all as a class and in words.
pub(super) fn header(
    f: &mut fmt::Formatter<'_>,
    state: Option<(&str, &str)>,
    telemetry_path: &TelemetryPath,
) -> fmt::Result {
    writeln!(f, "<header>")?;
    writeln!(f, "<h1>{NAME}</h1>")?;
    if let Some((class, words)) = state {
        writeln!(f, r#"<p class="{class}">{words}</p>"#)?;
    }
    // A path that begins with // would be another host's, were it not for the dot.
    writeln!(
        f,
        r#"<nav aria-label="Endpoints"><a href=".{}">Metrics</a> <a href="./-/healthy">Health</a> <a href="./-/ready">Readiness</a></nav>"#,
        Escaped(telemetry_path)
    )?;
    writeln!(f, "</header>")
}

// === impl Mark ===

impl Mark {
    /// A shape of SVG, as it stands in an address.
    fn icon(self) -> &'static str {
        match self {
            Self::Blind => "%3Crect width='16' height='16' fill='%23c62828'/%3E",
            Self::Act => "%3Cpath d='M8 1l8 14H0z' fill='%23e08a00'/%3E",
            Self::Wait => "%3Ccircle cx='8' cy='8' r='6' fill='none' stroke='%23808890' stroke-width='3'/%3E",
            Self::Good => "%3Ccircle cx='8' cy='8' r='8' fill='%232e8b57'/%3E",
            Self::Plain => "%3Cpath d='M1 2h14v3H1zM1 7h14v3H1zM1 12h14v3H1z' fill='%23808890'/%3E",
        }
    }
}
