//! The fields of `poll` and `keys`, which an account can have as well.

use std::{sync::Arc, time::Duration};

use jiff::tz::Offset;

use exporter_toolkit::yaml::{Node, Notes, Refused, fields, scalar};

use super::{
    Keys, ShardBy, overrides,
    read::{duration, null_or, number, switch},
    scalar::time_zone,
};
use crate::{
    inventory::{IdLabel, Override, Policy},
    poll::{self, Interval, MaxInFlight, OutOfRange, RateLimit, Timeout},
};

fields! {
    /// `poll`. An account can have the same fields.
    pub(super) struct PollFields {
        interval: Interval, read duration(Interval::new), default poll::Settings::default().interval;
        rate_limit: RateLimit, read number(RateLimit::new), default poll::Settings::default().rate_limit;
        max_in_flight: MaxInFlight, read number(max_in_flight), default poll::Settings::default().max_in_flight;
        // The default depends on the interval.
        timeout: Timeout, read duration(Timeout::new), optional;
        last_used: Option<Interval>, read switch(LastUsedFields::interval), default poll::Settings::default().last_used;
        shard_by: ShardBy, read Node::parse, default ShardBy::default();
    }
}

fields! {
    /// `last_used`.
    struct LastUsedFields {
        interval: Interval, read duration(Interval::new), default Interval::OF_LAST_USE;
    }
}

fields! {
    /// `keys`. An account can have the same fields.
    pub(super) struct KeysFields {
        limit: u32, read number(limit), default Policy::default().limit;
        max_age: Duration, read duration(age), default Policy::default().max_age;
        unused_after: Option<Duration> | null, read null_or(duration(age)), default Policy::default().unused_after;
        auto_disable_after: Option<Duration> | null, read null_or(duration(auto_disable_after)),
            default Policy::default().auto_disable_after;
        rotation_grace: Option<Duration> | null, read null_or(duration(age)), default Policy::default().rotation_grace;
        overrides: Arc<[Override]>, read overrides::read, default Arc::default();
        // China.
        time_zone: Offset, read scalar(time_zone), default Offset::constant(8);
        id_label: IdLabel, read Node::parse, default IdLabel::Masked;
    }
}

// === impl PollFields ===

impl PollFields {
    /// Whether the interval or the timeout is given.
    pub(super) fn has_times(&self) -> bool {
        self.interval.is_given() || self.timeout.is_given()
    }

    /// Notes a timeout that is longer than the interval. `path` is that of their table.
    pub(super) fn check_times(&self, path: &str, notes: &mut Notes) {
        let Ok(poll::Settings { interval, timeout, .. }) = self.settings() else {
            return;
        };
        if timeout.get() > interval.get() {
            let [timeout, interval] = [timeout.get(), interval.get()].map(crate::duration::format);
            let problem =
                format!("timeout {timeout} is longer than interval {interval}: shorten it, or poll less often");
            notes.add(path, problem);
        }
    }

    /// How to poll.
    pub(super) fn settings(&self) -> Result<poll::Settings, Refused> {
        let interval = self.interval()?;
        Ok(poll::Settings {
            interval,
            rate_limit: self.rate_limit()?,
            max_in_flight: self.max_in_flight()?,
            timeout: self.timeout()?.unwrap_or_else(|| default_timeout(interval)),
            last_used: self.last_used()?,
        })
    }
}

// === impl KeysFields ===

impl KeysFields {
    /// How to evaluate keys.
    pub(super) fn keys(&self) -> Result<Keys, Refused> {
        let policy = Policy {
            limit: self.limit()?,
            max_age: self.max_age()?,
            unused_after: self.unused_after()?,
            auto_disable_after: self.auto_disable_after()?,
            rotation_grace: self.rotation_grace()?,
            exemptions: vec![],
        };
        Ok(Keys {
            policy: policy.into(),
            overrides: self.overrides()?,
            time_zone: self.time_zone()?,
            id_label: self.id_label()?,
        })
    }
}

/// As in Prometheus, a request may not take longer than a short interval.
fn default_timeout(interval: Interval) -> Timeout {
    let default = poll::Settings::default().timeout;
    match Timeout::new(interval.get()) {
        Ok(longest) if longest.get() < default.get() => longest,
        Ok(_) | Err(_) => default,
    }
}

fn max_in_flight(requests: u32) -> Result<MaxInFlight, OutOfRange> {
    MaxInFlight::new(usize::try_from(requests).unwrap_or(usize::MAX))
}

pub(super) fn limit(keys: u32) -> Result<u32, OutOfRange> {
    if (1..=1000).contains(&keys) { Ok(keys) } else { Err(OutOfRange::expected("1 to 1000 keys")) }
}

pub(super) fn age(age: Duration) -> Result<Duration, OutOfRange> {
    let allowed = Duration::from_hours(1)..=Duration::from_hours(3650 * 24);
    if allowed.contains(&age) { Ok(age) } else { Err(OutOfRange::expected("1h to 3650d")) }
}

/// Longer than the day by which it is reported early.
fn auto_disable_after(time: Duration) -> Result<Duration, OutOfRange> {
    let allowed = Duration::from_hours(2 * 24)..=Duration::from_hours(3650 * 24);
    if allowed.contains(&time) { Ok(time) } else { Err(OutOfRange::expected("2d to 3650d")) }
}
