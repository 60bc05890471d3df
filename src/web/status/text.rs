//! How numbers, times and our own text are written into the page.

use std::time::Duration;

use jiff::{Timestamp, tz::Offset};
use maud::{Markup, PreEscaped, html};

use crate::language::Language;

/// A constant that is written as it stands. Everything else in a page is escaped.
pub(super) fn verbatim(constant: &'static str) -> PreEscaped<&'static str> {
    PreEscaped(constant)
}

/// Our own text, in which backticks are around code.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (number, piece) in text.split('`').enumerate() {
            @if number % 2 == 0 { (piece) } @else { code { (piece) } }
        }
    }
}

/// A number, with commas between its thousands.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of things, with the name of one or of many of them; in Chinese, that is the same.
pub(super) fn count(language: Language, number: usize, one: &str, many: &str, chinese: &str) -> String {
    let english = if number == 1 { one } else { many };
    format!("{} {}", grouped(number), language.choose(english, chinese))
}

/// A number of accounts.
pub(super) fn accounts(language: Language, number: usize) -> String {
    count(language, number, "account", "accounts", "个账号")
}

/// A number of users.
pub(super) fn users(language: Language, number: usize) -> String {
    count(language, number, "user", "users", "个用户")
}

/// A rate a second, with one decimal place; with two if it is less than one.
pub(super) fn per_second(rate: f64) -> String {
    let precision = match rate {
        whole if whole.fract() == 0.0 => 0,
        small if small < 1.0 => 2,
        _ => 1,
    };
    format!("{rate:.precision$}")
}

/// A length of time, in the one or two units that matter.
pub(super) fn duration(language: Language, time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let [second, minute, hour, day] = language.choose(["s", "min", "h", "days"], ["秒", "分钟", "小时", "天"]);
    match (minutes, hours, days) {
        (0, ..) => format!("{seconds} {second}"),
        (1..10, ..) if !seconds.is_multiple_of(60) => format!("{minutes} {minute} {} {second}", seconds % 60),
        (_, 0, _) => format!("{minutes} {minute}"),
        (_, 1..48, _) if !minutes.is_multiple_of(60) => format!("{hours} {hour} {} {minute}", minutes % 60),
        (_, 1..48, _) => format!("{hours} {hour}"),
        _ => format!("{} {day}", grouped(usize::try_from(days).unwrap_or(usize::MAX))),
    }
}

/// How long ago `time` was; no time at all if it is still to come.
pub(super) fn elapsed(language: Language, time: Timestamp, now: Timestamp) -> String {
    duration(language, now.duration_since(time).try_into().unwrap_or_default())
}

/// A time, to the second.
pub(super) fn utc(time: Timestamp) -> Markup {
    let iso = jiff::fmt::temporal::DateTimePrinter::new().precision(Some(0)).timestamp_to_string(&time);
    html! { time datetime=(iso) { (iso.replace('T', " ").replace('Z', " UTC")) } }
}

/// A day, in UTC.
pub(super) fn day(time: Timestamp) -> String {
    Offset::UTC.to_datetime(time).date().to_string()
}

/// Since when something has been so, and for how long.
pub(super) fn since(language: Language, time: Timestamp, now: Timestamp) -> Markup {
    let elapsed = elapsed(language, time, now);
    language.choose(html! { "since " (utc(time)) ", " (elapsed) }, html! { "始于 " (utc(time)) "，已 " (elapsed) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_neither_markup_nor_the_end_of_an_attribute() {
        let foreign = r#"<script a="b" c='d'>&amp;é"#;
        let escaped = "&lt;script a=&quot;b&quot; c='d'&gt;&amp;amp;é";
        let written = html! { p title=(foreign) { (foreign) } };
        assert_eq!(written.into_string(), format!(r#"<p title="{escaped}">{escaped}</p>"#));
        assert_eq!(prose("a `<b>` & c").into_string(), "a <code>&lt;b&gt;</code> &amp; c");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let grouped = [0, 12, 999, 1_000, 20_000, 1_234_567].map(grouped);
        assert_eq!(grouped, ["0", "12", "999", "1,000", "20,000", "1,234,567"]);
        assert_eq!([0.0, 1.0 / 3.0, 3.64, 20.0].map(per_second), ["0", "0.33", "3.6", "20"]);
        assert_eq!(users(Language::English, 1), "1 user");
        assert_eq!(users(Language::English, 1_000), "1,000 users");
        assert_eq!(users(Language::Chinese, 1_000), "1,000 个用户");
    }

    #[test]
    fn times_are_as_exact_as_matters() {
        let spans = [0, 59, 60, 95, 600, 3_599, 3_600, 5_400, 172_799, 172_800, 191_376_000]
            .map(|seconds| duration(Language::English, Duration::from_secs(seconds)));
        assert_eq!(
            spans,
            [
                "0 s",
                "59 s",
                "1 min",
                "1 min 35 s",
                "10 min",
                "59 min",
                "1 h",
                "1 h 30 min",
                "47 h 59 min",
                "2 days",
                "2,215 days"
            ]
        );
        assert_eq!(duration(Language::Chinese, Duration::from_secs(95)), "1 分钟 35 秒");
        assert_eq!(elapsed(Language::English, Timestamp::from_second(3).unwrap(), Timestamp::UNIX_EPOCH), "0 s");
        let time = utc("2026-01-02T03:04:05.9Z".parse().unwrap()).into_string();
        assert_eq!(time, r#"<time datetime="2026-01-02T03:04:05Z">2026-01-02 03:04:05 UTC</time>"#);
    }
}
