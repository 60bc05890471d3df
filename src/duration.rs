//! Lengths of time as the configuration has them, such as `90s`, `1h30m` and `90d`.

use std::{fmt::Write as _, time::Duration};

/// The units, the larger first, in seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads a duration by the rules of Prometheus: whole numbers and units, the larger unit first, each once. A `3M` or a
/// `5 min` is nothing, rather than what another program takes it for.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let (mut rest, mut units, mut seconds) = (text, UNITS.iter(), 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let (number, after) = rest.split_at(digits);
        let (unit, each) = units.find(|(unit, _)| after.starts_with(*unit))?;
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(*each)?)?;
        rest = &after[unit.len_utf8()..];
    }
    (!text.is_empty()).then(|| Duration::from_secs(seconds))
}

/// Writes a duration, in whole seconds, as [`parse`] reads it.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut text = String::new();
    for (unit, each) in UNITS {
        if rest >= each {
            let _ = write!(text, "{}{unit}", rest / each);
            rest %= each;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_it_is_written() {
        for (text, seconds) in
            [("0s", 0), ("59s", 59), ("1m", 60), ("1h30m", 5_400), ("90d", 7_776_000), ("1d1s", 86_401)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
            assert_eq!(parse(&format(Duration::from_secs(seconds))), parse(text), "{text}");
        }
        assert_eq!(format(Duration::from_mins(90)), "1h30m");
        assert_eq!(format(Duration::ZERO), "0s");
    }

    #[test]
    fn what_other_programs_read_otherwise_is_refused() {
        for wrong in [
            "",
            "m",
            "5",
            "-5m",
            "+5m",
            "5 minutes ago",
            "3M",
            "5min",
            "1w",
            "1y",
            "500ms",
            "1.5h",
            "1h 30m",
            "30m1h",
            "1m1m",
            "5m3",
            " 5m",
            "5m ",
            "5µs",
            "1H",
            "213503982334602d",
            "99999999999999999999d",
        ] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
