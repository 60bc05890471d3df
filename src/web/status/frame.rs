//! What all pages have: the head of the document, and the header.

use exporter_toolkit::TelemetryPath;
use maud::{DOCTYPE, Markup, html};

use super::{style::STYLE, text::verbatim};
use crate::language::Language;

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

/// What the exporter is called.
fn name(language: Language) -> &'static str {
    language.choose("Tencent Cloud CAM exporter", "腾讯云 CAM exporter")
}

/// The beginning of an icon, as an address.
const SVG: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E";

/// A document with that title, which reloads itself every so many seconds.
pub(super) fn document(language: Language, title: &str, mark: Mark, refresh: Option<u32>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // The sites that runbooks are on need not know where the page is.
                meta name="referrer" content="no-referrer";
                @if let Some(seconds) = refresh { meta http-equiv="refresh" content=(seconds); }
                title { (title) " – " (name(language)) }
                link rel="icon" href={ (SVG) (mark.icon()) "%3C/svg%3E" };
                style { (verbatim(STYLE)) }
            }
            body { (body) }
        }
    }
}

/// The header, with the state of all as a class and in words.
pub(super) fn header(language: Language, state: Option<(&str, &str)>, telemetry_path: &TelemetryPath) -> Markup {
    html! {
        header {
            h1 { (name(language)) }
            @if let Some((class, words)) = state { p class=(class) { (words) } }
            nav aria-label=(language.choose("Endpoints", "端点")) {
                // A path that begins with // would be another host's, were it not for the dot.
                a href={ "." (telemetry_path) } { (language.choose("Metrics", "指标")) } " "
                a href="./-/healthy" { (language.choose("Health", "健康状态")) } " "
                a href="./-/ready" { (language.choose("Readiness", "就绪状态")) }
            }
        }
    }
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
