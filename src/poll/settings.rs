//! How an account is polled: values that cannot be wrong.

use std::{num::NonZeroU32, time::Duration};

use thiserror::Error;

/// How often something is asked for, such as each user's keys: from a second to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(Duration);

/// Requests a second that an account may make: from 1 to 20.
///
/// `ListAccessKeys` answers 20 a second for each combination of action, access region and calling user; the consoles,
/// pipelines and tools that call as the same user share them.
/// Source: <https://cloud.tencent.com/document/product/1278/109059>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit(NonZeroU32);

/// Requests a second: at most 20, and above none. One of several who share a [`RateLimit`] may have a fraction of it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// Requests an account may have under way at once: from 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxInFlight(usize);

/// The time one request may take, connect to last byte: from a second to a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(Duration);

/// How an account is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often each user is polled.
    pub interval: Interval,
    /// The account's budget.
    pub rate_limit: RateLimit,
    /// The account's concurrency.
    pub max_in_flight: MaxInFlight,
    /// The time one request may take.
    pub timeout: Timeout,
    /// How often each key's last use is asked for, if it is.
    pub last_used: Option<Interval>,
}

/// A value outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("out of range: expected {allowed}")]
pub struct OutOfRange {
    allowed: &'static str,
}

macro_rules! refuse_unless {
    ($fits:expr, $allowed:literal) => {
        if !$fits {
            return Err(OutOfRange { allowed: $allowed });
        }
    };
}

// === impl Settings ===

impl Default for Settings {
    /// Every 5 minutes, 18 requests a second, 8 at once, 10 seconds each; last uses are not asked for.
    fn default() -> Self {
        Self {
            interval: Interval(Duration::from_mins(5)),
            rate_limit: RateLimit(const { NonZeroU32::new(18).unwrap() }),
            max_in_flight: MaxInFlight(8),
            timeout: Timeout(Duration::from_secs(10)),
            last_used: None,
        }
    }
}

// === impl OutOfRange ===

impl OutOfRange {
    /// A value other than these.
    #[must_use]
    pub fn expected(allowed: &'static str) -> Self {
        Self { allowed }
    }

    /// The values that are taken, in words.
    #[must_use]
    pub fn allowed(self) -> &'static str {
        self.allowed
    }
}

// === impl Interval ===

impl Interval {
    /// How often an account's users are listed, where nothing else is said.
    pub const OF_DISCOVERY: Self = Self(Duration::from_mins(10));
    /// How often an organisation's members are listed, where nothing else is said.
    pub const OF_ORGANIZATION: Self = Self(Duration::from_hours(1));
    /// How often a key's last use is asked for, where nothing else is said. The API tells days.
    pub const OF_LAST_USE: Self = Self(Duration::from_hours(1));

    /// The longest there is.
    pub const LONGEST: Self = Self(Duration::from_hours(24));

    /// # Errors
    /// Less than a second or more than a day.
    pub fn new(every: Duration) -> Result<Self, OutOfRange> {
        refuse_unless!((Duration::from_secs(1)..=Duration::from_hours(24)).contains(&every), "1s to 1d");
        Ok(Self(every))
    }

    /// The interval as a length of time.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }
}

// === impl RateLimit ===

impl RateLimit {
    /// # Errors
    /// 0, or more than the 20 that the API answers.
    pub fn new(requests_a_second: u32) -> Result<Self, OutOfRange> {
        const ALLOWED: &str = "1 to 20 requests a second, the most that the API answers";
        match NonZeroU32::new(requests_a_second) {
            Some(rate) if rate.get() <= 20 => Ok(Self(rate)),
            _ => Err(OutOfRange { allowed: ALLOWED }),
        }
    }

    /// Requests a second.
    #[must_use]
    pub fn get(self) -> NonZeroU32 {
        self.0
    }
}

// === impl Rate ===

impl Rate {
    /// The least there is, one a day: a share of less is rounded up to it.
    const LEAST: f64 = 1.0 / 86_400.0;

    /// What each of `sharers` has of it.
    #[must_use]
    pub fn share(self, sharers: NonZeroU32) -> Self {
        Self((self.0 / f64::from(sharers.get())).max(Self::LEAST))
    }

    /// Requests a second.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<RateLimit> for Rate {
    fn from(limit: RateLimit) -> Self {
        Self(limit.0.get().into())
    }
}

// === impl MaxInFlight ===

impl MaxInFlight {
    /// # Errors
    /// 0, or more than 64.
    pub fn new(requests: usize) -> Result<Self, OutOfRange> {
        refuse_unless!((1..=64).contains(&requests), "1 to 64 requests");
        Ok(Self(requests))
    }

    /// Requests at once.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

// === impl Timeout ===

impl Timeout {
    /// # Errors
    /// Less than a second or more than a minute.
    pub fn new(timeout: Duration) -> Result<Self, OutOfRange> {
        refuse_unless!((Duration::from_secs(1)..=Duration::from_mins(1)).contains(&timeout), "1s to 1m");
        Ok(Self(timeout))
    }

    /// The timeout as a length of time.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        let Settings { interval, rate_limit, max_in_flight, timeout, last_used } = Settings::default();
        assert_eq!(last_used, None);
        for interval in [Interval::OF_DISCOVERY, Interval::OF_ORGANIZATION, Interval::OF_LAST_USE] {
            assert_eq!(Interval::new(interval.get()), Ok(interval));
        }
        assert_eq!(Interval::new(interval.get()), Ok(interval));
        assert_eq!(RateLimit::new(rate_limit.get().get()), Ok(rate_limit));
        assert_eq!(MaxInFlight::new(max_in_flight.get()), Ok(max_in_flight));
        assert_eq!(Timeout::new(timeout.get()), Ok(timeout));
    }

    #[test]
    fn shares_of_a_limit_add_up_to_it_until_they_are_too_small() {
        let rate = Rate::from(RateLimit::new(20).unwrap());
        assert!((rate.share(NonZeroU32::new(3).unwrap()).get() * 3.0 - 20.0).abs() < 1e-9);
        assert!((rate.share(NonZeroU32::MAX).get() * 86_400.0 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn ranges_end_where_they_say() {
        let seconds = Duration::from_secs;
        assert!(Interval::new(seconds(1)).is_ok() && Interval::new(seconds(86_400)).is_ok());
        assert!(Interval::new(Duration::ZERO).is_err() && Interval::new(seconds(86_401)).is_err());
        assert!(RateLimit::new(1).is_ok() && RateLimit::new(20).is_ok());
        assert!(RateLimit::new(0).is_err() && RateLimit::new(21).is_err());
        assert!(MaxInFlight::new(1).is_ok() && MaxInFlight::new(64).is_ok());
        assert!(MaxInFlight::new(0).is_err() && MaxInFlight::new(65).is_err());
        assert!(Timeout::new(seconds(1)).is_ok() && Timeout::new(seconds(60)).is_ok());
        assert!(Timeout::new(Duration::from_millis(999)).is_err());
        assert!(Timeout::new(Duration::from_millis(60_001)).is_err());
    }
}
