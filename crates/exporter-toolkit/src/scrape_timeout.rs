//! How long a scrape may take: what `X-Prometheus-Scrape-Timeout-Seconds` says.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// The header in which Prometheus says after how many seconds it gives up.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// The most time that is left for the way back. The blackbox exporter leaves as much.
const WAY_BACK: Duration = Duration::from_millis(500);

/// The most that is believed.
const LONGEST: Duration = Duration::from_mins(10);

/// How long a scrape may be written for its reader to still wait for it: nine tenths of the time that the headers give, or
/// half a second less than that. `None` if they give none, or one that is no time.
#[must_use]
pub(crate) fn of(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(HEADER)?.to_str().ok()?.trim().parse().ok()?;
    let given = seconds.is_finite() && seconds > 0.0;
    let timeout = Duration::from_secs_f64(given.then_some(seconds)?.min(LONGEST.as_secs_f64()));
    Some(timeout.saturating_sub(WAY_BACK.min(timeout / 10)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of_value(value: impl AsRef<[u8]>) -> Option<Duration> {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        of(&HeaderMap::from_iter([(HEADER, value)]))
    }

    #[test]
    fn a_little_is_left_for_the_way_back() {
        for (value, milliseconds) in
            [("10", 9_500), ("10.000000", 9_500), ("5", 4_500), ("1", 900), ("0.1", 90), ("1e1", 9_500), (" 2 ", 1_800)]
        {
            assert_eq!(of_value(value), Some(Duration::from_millis(milliseconds)), "{value:?}");
        }
        for value in ["601", "1e300", "179769313486231570000"] {
            assert_eq!(of_value(value), Some(Duration::from_millis(599_500)), "{value:?}");
        }
        assert_eq!(of_value("1e-300"), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_no_time_is_ignored() {
        assert_eq!(of(&HeaderMap::new()), None);
        for value in
            ["", " ", "0", "-0", "-1", "NaN", "inf", "-inf", "infinity", "1e309", "10s", "1,5", "0x10", "ten", "1 2"]
        {
            assert_eq!(of_value(value), None, "{value:?}");
        }
        assert_eq!(of_value([0xff, 0xfe]), None);
        assert_eq!(of_value("1".repeat(60_000)), None);
    }
}
