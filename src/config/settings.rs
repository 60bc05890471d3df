//! The fields of `poll` and `keys`, which an account may have too.

use std::{fmt, sync::Arc, time::Duration};

use jiff::tz::Offset;

use exporter_toolkit::yaml::{Node, Notes, Refused};

use super::{
    Keys, ShardBy, overrides,
    scalar::{duration, number, time_zone, yes},
};
use crate::{
    inventory::{IdLabel, Override, Policy},
    poll::{self, Interval, MaxInFlight, OutOfRange, RateLimit, Timeout},
};

/// The fields of `poll`.
pub(super) const POLL: &[&str] = &["interval", "rate_limit", "max_in_flight", "timeout", "last_used", "shard_by"];

/// The fields of `keys`.
pub(super) const KEYS: &[&str] =
    &["limit", "max_age", "unused_after", "auto_disable_after", "rotation_grace", "overrides", "time_zone", "id_label"];

/// Those of the fields that null switches off. Others count as not given.
pub(super) const NULLABLE: &[&str] = &["unused_after", "auto_disable_after", "rotation_grace"];

/// The fields of `last_used`.
pub(super) const LAST_USED: &[&str] = &["interval"];

type Field<T> = Option<Result<T, Refused>>;

/// The fields that are given, right or wrong.
#[derive(Clone, Default)]
pub(super) struct PartialSettings {
    interval: Field<Interval>,
    rate_limit: Field<RateLimit>,
    max_in_flight: Field<MaxInFlight>,
    timeout: Field<Timeout>,
    last_used: Field<Option<Interval>>,
    shard_by: Field<ShardBy>,
    limit: Field<u32>,
    max_age: Field<Duration>,
    unused_after: Field<Option<Duration>>,
    auto_disable_after: Field<Option<Duration>>,
    rotation_grace: Field<Option<Duration>>,
    overrides: Field<Arc<[Override]>>,
    time_zone: Field<Offset>,
    id_label: Field<IdLabel>,
}

// === impl PartialSettings ===

impl PartialSettings {
    /// Takes the field called `name`.
    pub(super) fn take(&mut self, name: &str, field: &Node<'_>, notes: &mut Notes) {
        match name {
            "interval" => self.interval = Some(field.scalar(notes, |text| duration(text, Interval::new))),
            "rate_limit" => self.rate_limit = Some(field.scalar(notes, |text| number(text, RateLimit::new))),
            "max_in_flight" => {
                let new = |requests| MaxInFlight::new(usize::try_from(requests).unwrap_or(usize::MAX));
                self.max_in_flight = Some(field.scalar(notes, |text| number(text, new)));
            }
            "timeout" => self.timeout = Some(field.scalar(notes, |text| duration(text, Timeout::new))),
            "shard_by" => self.shard_by = Some(field.parse(notes)),
            "last_used" => self.last_used = Some(last_used(field, notes)),
            "limit" => self.limit = Some(field.scalar(notes, |text| number(text, limit))),
            "max_age" => self.max_age = Some(field.scalar(notes, |text| duration(text, age))),
            "unused_after" => self.unused_after = Some(age_or_null(field, notes)),
            "auto_disable_after" => {
                self.auto_disable_after = Some(or_null(field, notes, |text| duration(text, auto_disable_after)));
            }
            "rotation_grace" => self.rotation_grace = Some(age_or_null(field, notes)),
            "overrides" => self.overrides = Some(overrides::read(field, notes)),
            "time_zone" => self.time_zone = Some(field.scalar(notes, time_zone)),
            "id_label" => self.id_label = Some(field.parse(notes)),
            _ => {}
        }
    }

    /// These fields, and those of `defaults` where they are not given.
    pub(super) fn over(self, defaults: &Self) -> Self {
        Self {
            interval: self.interval.or(defaults.interval),
            rate_limit: self.rate_limit.or(defaults.rate_limit),
            max_in_flight: self.max_in_flight.or(defaults.max_in_flight),
            timeout: self.timeout.or(defaults.timeout),
            last_used: self.last_used.or(defaults.last_used),
            shard_by: self.shard_by.or(defaults.shard_by),
            limit: self.limit.or(defaults.limit),
            max_age: self.max_age.or(defaults.max_age),
            unused_after: self.unused_after.or(defaults.unused_after),
            auto_disable_after: self.auto_disable_after.or(defaults.auto_disable_after),
            rotation_grace: self.rotation_grace.or(defaults.rotation_grace),
            overrides: self.overrides.or_else(|| defaults.overrides.clone()),
            time_zone: self.time_zone.or(defaults.time_zone),
            id_label: self.id_label.or(defaults.id_label),
        }
    }

    /// Whether the interval or the timeout is given.
    pub(super) fn has_times(&self) -> bool {
        self.interval.is_some() || self.timeout.is_some()
    }

    /// Notes a timeout longer than the interval, as fields of what `path` leads to.
    pub(super) fn check_times(&self, path: &str, notes: &mut Notes) {
        let Ok(poll::Settings { interval, timeout, .. }) = self.poll() else {
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
    pub(super) fn poll(&self) -> Result<poll::Settings, Refused> {
        let defaults = poll::Settings::default();
        let interval = self.interval.unwrap_or(Ok(defaults.interval))?;
        // Where none is given, as in Prometheus, a request may take no longer than a short interval.
        let default_timeout = match Timeout::new(interval.get()) {
            Ok(most) if most.get() < defaults.timeout.get() => most,
            _ => defaults.timeout,
        };
        Ok(poll::Settings {
            interval,
            rate_limit: self.rate_limit.unwrap_or(Ok(defaults.rate_limit))?,
            max_in_flight: self.max_in_flight.unwrap_or(Ok(defaults.max_in_flight))?,
            timeout: self.timeout.unwrap_or(Ok(default_timeout))?,
            last_used: self.last_used.unwrap_or(Ok(defaults.last_used))?,
        })
    }

    /// What to divide between shards.
    pub(super) fn shard_by(&self) -> Result<ShardBy, Refused> {
        self.shard_by.unwrap_or(Ok(ShardBy::default()))
    }

    /// What to expect of keys.
    pub(super) fn keys(&self) -> Result<Keys, Refused> {
        let (defaults, policy) = (Keys::default(), Policy::default());
        let policy = Policy {
            limit: self.limit.unwrap_or(Ok(policy.limit))?,
            max_age: self.max_age.unwrap_or(Ok(policy.max_age))?,
            unused_after: self.unused_after.unwrap_or(Ok(policy.unused_after))?,
            auto_disable_after: self.auto_disable_after.unwrap_or(Ok(policy.auto_disable_after))?,
            rotation_grace: self.rotation_grace.unwrap_or(Ok(policy.rotation_grace))?,
            exemptions: vec![],
        };
        Ok(Keys {
            policy: policy.into(),
            overrides: self.overrides.clone().unwrap_or(Ok(defaults.overrides))?,
            time_zone: self.time_zone.unwrap_or(Ok(defaults.time_zone))?,
            id_label: self.id_label.unwrap_or(Ok(defaults.id_label))?,
        })
    }
}

// === impl Keys ===

impl Default for Keys {
    /// As the default policy has it for all users, made in China, and shown by their ends.
    fn default() -> Self {
        Self {
            policy: Arc::default(),
            overrides: Arc::default(),
            time_zone: Offset::constant(8),
            id_label: IdLabel::Masked,
        }
    }
}

/// A yes or no, or how.
fn last_used(node: &Node<'_>, notes: &mut Notes) -> Result<Option<Interval>, Refused> {
    if !node.is_table() {
        return Ok(node.scalar(notes, yes)?.then_some(Interval::OF_LAST_USE));
    }
    let mut interval = Ok(Interval::OF_LAST_USE);
    node.each_field(&[LAST_USED], notes, |_, field, notes| {
        interval = field.scalar(notes, |text| duration(text, Interval::new));
    })?;
    interval.map(Some)
}

/// A length of time, or nothing.
fn or_null<T, E: fmt::Display>(
    node: &Node<'_>,
    notes: &mut Notes,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Refused> {
    if node.is_null() { Ok(None) } else { node.scalar(notes, parse).map(Some) }
}

/// A length of time that a key may have, or nothing.
pub(super) fn age_or_null(node: &Node<'_>, notes: &mut Notes) -> Result<Option<Duration>, Refused> {
    or_null(node, notes, |text| duration(text, age))
}

pub(super) fn limit(keys: u32) -> Result<u32, OutOfRange> {
    if (1..=1000).contains(&keys) { Ok(keys) } else { Err(OutOfRange::expected("1 to 1000 keys")) }
}

pub(super) fn age(age: Duration) -> Result<Duration, OutOfRange> {
    let allowed = Duration::from_hours(1)..=Duration::from_hours(3650 * 24);
    if allowed.contains(&age) { Ok(age) } else { Err(OutOfRange::expected("1h to 3650d")) }
}

/// More than the day by which the time is told early.
fn auto_disable_after(time: Duration) -> Result<Duration, OutOfRange> {
    let allowed = Duration::from_hours(2 * 24)..=Duration::from_hours(3650 * 24);
    if allowed.contains(&time) { Ok(time) } else { Err(OutOfRange::expected("2d to 3650d")) }
}
