//! Lengths of time as Go writes them.

use std::time::Duration;

use thiserror::Error;

/// Text that is not a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a duration: expected a number and a unit (ms, s, m or h), such as 500ms, or 0")]
pub(super) struct NotADuration;

/// `text` as Go's `time.ParseDuration` reads it, but for what is below zero.
pub(super) fn parse(text: &str) -> Result<Duration, NotADuration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = Duration::ZERO;
    match rest {
        "" => return Err(NotADuration),
        "0" => return Ok(total),
        _ => {}
    }
    let is_number = |character: char| character.is_ascii_digit() || character == '.';
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|character| !is_number(character)).ok_or(NotADuration)?);
        let (unit, next) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let number: f64 = number.parse().map_err(|_| NotADuration)?;
        let seconds = number * seconds(unit).ok_or(NotADuration)?;
        let part = Duration::try_from_secs_f64(seconds).map_err(|_| NotADuration)?;
        total = total.checked_add(part).ok_or(NotADuration)?;
        rest = next;
    }
    Ok(total)
}

fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_reads() {
        for (text, milliseconds) in
            [("0", 0), ("0s", 0), ("1s", 1_000), ("1h2m3.5s", 3_723_500), (".5s", 500), ("250ms", 250), ("+1m", 60_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for wrong in ["", "+", "1", "s", "-1s", "1 s", "1d", "1.2.3s", "1s2", "1e3s", ".s", "99999999999999999999h"] {
            assert_eq!(parse(wrong), Err(NotADuration), "{wrong:?}");
        }
    }
}
