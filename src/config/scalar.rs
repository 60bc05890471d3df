//! Parses numbers, durations, time zones and booleans.

use std::time::Duration;

use exporter_toolkit::yaml;
use jiff::tz::Offset;
use thiserror::Error;

use crate::{duration, poll::OutOfRange};

/// Why a text is not a valid value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Unfit {
    #[error("not a whole number: expected {0}")]
    NotANumber(&'static str),
    #[error("without a unit: expected a number and a unit, such as {0}s for seconds (s, m, h or d)")]
    WithoutUnit(String),
    #[error("not a duration: expected a number and a unit (s, m, h or d), such as 5m or 1h30m")]
    NotADuration,
    #[error("not a time zone: expected the distance from UTC, -12:00 to +14:00, such as \"+08:00\", or UTC")]
    NotATimeZone,
    #[error("neither true nor false: expected one of them")]
    NotABool,
    #[error("not a date: expected year-month-day, such as 2027-03-01, or a time such as 2027-03-01T18:00:00+08:00")]
    NotADate,
    #[error("not a reason: expected 1 to 200 characters in one line")]
    NotAReason,
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// A number for `new`, which refuses 0: no number in the configuration may be 0.
pub(super) fn number<T>(text: &str, new: impl Fn(u32) -> Result<T, OutOfRange>) -> Result<T, Unfit> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Unfit::NotANumber(new(0).err().map_or("one", OutOfRange::allowed)));
    }
    // A number that is too large for the type is out of any range.
    Ok(new(if text.starts_with('-') { 0 } else { text.parse().unwrap_or(u32::MAX) })?)
}

/// A duration for `new`.
pub(super) fn duration<T>(text: &str, new: impl FnOnce(Duration) -> Result<T, OutOfRange>) -> Result<T, Unfit> {
    if (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Unfit::WithoutUnit(text.to_owned()));
    }
    Ok(new(duration::parse(text).ok_or(Unfit::NotADuration)?)?)
}

pub(super) fn time_zone(text: &str) -> Result<Offset, Unfit> {
    if matches!(text, "Z" | "UTC") {
        return Ok(Offset::UTC);
    }
    let seconds = seconds_from_utc(text).filter(|seconds| (-12 * 3600..=14 * 3600).contains(seconds));
    seconds.and_then(|seconds| Offset::from_seconds(seconds).ok()).ok_or(Unfit::NotATimeZone)
}

/// A boolean in any spelling of YAML 1.1 and 1.2, because other programs read and write these files too.
pub(super) fn yes(text: &str) -> Result<bool, Unfit> {
    yaml::yes(text).map_err(|_| Unfit::NotABool)
}

fn seconds_from_utc(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':')?;
    let two_digits = |text: &str| {
        let fits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| fits && *number < 60)
    };
    Some(sign * (two_digits(hours)? * 3600 + two_digits(minutes)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::RateLimit;

    #[test]
    fn numbers_are_whole_and_within_their_range() {
        assert_eq!(number("18", RateLimit::new).unwrap().get().get(), 18);
        for (text, problem) in
            [("21", "out"), ("-1", "out"), ("9999999999", "out"), ("1.5", "not"), ("", "not"), ("-", "not")]
        {
            let error = number(text, RateLimit::new).unwrap_err().to_string();
            assert!(error.starts_with(problem) && error.contains("expected 1 to 20 requests"), "{text:?}: {error}");
        }
    }

    #[test]
    fn durations_have_units() {
        let parse = |text| duration(text, Ok::<_, OutOfRange>);
        assert_eq!(parse("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(parse("90d"), Ok(Duration::from_hours(90 * 24)));
        assert_eq!(parse("300"), Err(Unfit::WithoutUnit("300".into())));
        for wrong in ["", "m", "-5m", "5 minutes ago", "3M", "99999999999999999999d"] {
            assert_eq!(parse(wrong), Err(Unfit::NotADuration), "{wrong:?}");
        }
    }

    #[test]
    fn both_versions_of_yaml_say_yes_and_no() {
        for (yes_text, no_text) in
            [("true", "false"), ("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ("On", "Off"), ("y", "N")]
        {
            assert_eq!((yes(yes_text), yes(no_text)), (Ok(true), Ok(false)));
        }
        for wrong in ["", "1", "0", "tRUE", "yes!", "enabled", "null"] {
            assert_eq!(yes(wrong), Err(Unfit::NotABool), "{wrong}");
        }
    }

    #[test]
    fn time_zones_are_those_in_use() {
        for (text, seconds) in [("+08:00", 28_800), ("-03:30", -12_600), ("+14:00", 50_400), ("Z", 0), ("UTC", 0)] {
            assert_eq!(time_zone(text).unwrap().seconds(), seconds, "{text}");
        }
        for wrong in
            ["", "8", "+8", "+8:00", "08:00", "+0800", "+08:60", "+14:01", "-12:01", "+99:00", "+-8:00", "é8:00"]
        {
            assert_eq!(time_zone(wrong), Err(Unfit::NotATimeZone), "{wrong:?}");
        }
    }
}
