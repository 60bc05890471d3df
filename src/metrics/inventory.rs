//! The inventory, read afresh at each scrape: what has left it has left the exposition as well.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLockReadGuard;
use prometheus::{
    core::{self, Desc},
    proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType},
};
use tokio::time::Instant;

use crate::{
    clock::Clock,
    inventory::{Account, AccountName, Facts, Inventory, Key, Progress, User, Users},
    tencent::{KeyStatus, Uin},
};

/// Renders the inventory's families.
pub(super) struct Collector {
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
    families: Families,
}

struct Families {
    access_keys: Desc,
    access_keys_limit: Desc,
    access_key_max_age: Desc,
    access_key_created: Desc,
    access_key_age: Desc,
    access_key_status: Desc,
    user_up: Desc,
    user_last_success: Desc,
    account_up: Desc,
    account_users: Desc,
    account_poll_interval: Desc,
    account_shortest_poll_interval: Desc,
    account_rate_limit: Desc,
    account_schedule_lag: Desc,
    account_last_sweep: Desc,
    account_uins_file_up: Desc,
    clock_skew: Desc,
}

/// One account, held still while it is rendered.
struct View<'a> {
    name: &'a AccountName,
    facts: Facts,
    /// The time to go by, and how far the machine's clock is off.
    now: Timestamp,
    skew: Option<SignedDuration>,
    users: RwLockReadGuard<'a, Users>,
    progress: Progress,
}

/// A sample: the values of the family's labels, in their order, and its own.
type Sample = (Vec<String>, f64);

// === impl Collector ===

impl Collector {
    pub(super) fn new(inventory: Arc<Inventory>, clock: Arc<dyn Clock>) -> prometheus::Result<Self> {
        Ok(Self { inventory, clock, families: Families::new()? })
    }
}

impl core::Collector for Collector {
    fn desc(&self) -> Vec<&Desc> {
        self.families.all().to_vec()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (now, instant, accounts) = (self.clock.now(), Instant::now(), self.inventory.accounts());
        let views: Vec<View<'_>> = accounts.iter().map(|account| View::of(account, now)).collect();
        let families = &self.families;
        let rendered = [
            family(&families.access_keys, views.iter().flat_map(View::access_keys)),
            family(&families.access_keys_limit, views.iter().map(|view| view.sample(view.facts.key_limit.into()))),
            family(
                &families.access_key_max_age,
                views.iter().map(|view| view.sample(view.facts.key_max_age.as_secs_f64())),
            ),
            family(&families.access_key_created, views.iter().flat_map(|view| view.keys(|key| seconds(key.created)))),
            family(&families.access_key_age, views.iter().flat_map(|view| view.keys(|key| age(key, view.now)))),
            family(&families.access_key_status, views.iter().flat_map(View::statuses)),
            family(&families.user_up, views.iter().flat_map(|view| view.each_user(|user| user.up.map(truth)))),
            family(
                &families.user_last_success,
                views.iter().flat_map(|view| view.each_user(|user| user.answered.map(seconds))),
            ),
            family(&families.account_up, views.iter().filter_map(View::up)),
            family(&families.account_users, views.iter().map(|view| view.sample(count(view.users.len())))),
            family(
                &families.account_poll_interval,
                views.iter().map(|view| view.sample(view.facts.poll_interval.as_secs_f64())),
            ),
            family(&families.account_shortest_poll_interval, views.iter().filter_map(View::shortest_interval)),
            family(&families.account_rate_limit, views.iter().filter_map(View::rate)),
            family(&families.account_schedule_lag, views.iter().filter_map(|view| view.lag(instant))),
            family(&families.account_last_sweep, views.iter().filter_map(View::last_sweep)),
            family(&families.account_uins_file_up, views.iter().filter_map(View::uins_file_up)),
            family(&families.clock_skew, views.iter().filter_map(View::clock_skew)),
        ];
        rendered.into_iter().flatten().collect()
    }
}

// === impl Families ===

impl Families {
    fn new() -> prometheus::Result<Self> {
        const ACCOUNT: &[&str] = &["account"];
        const USER: &[&str] = &["account", "uin"];
        const KEY: &[&str] = &["account", "uin", "access_key_id"];
        let desc = |name: &str, help: &str, labels: &[&str]| {
            let labels = labels.iter().map(|&label| label.to_owned()).collect();
            Desc::new(format!("tencentcloud_cam_{name}"), help.to_owned(), labels, [].into())
        };
        Ok(Self {
            access_keys: desc(
                "access_keys",
                "Access keys of the user by status, as last answered by the API, which is polled once every poll interval.",
                &["account", "uin", "status"],
            )?,
            access_keys_limit: desc("access_keys_limit", "Access keys a user may have, as configured.", ACCOUNT)?,
            access_key_max_age: desc(
                "access_key_max_age_seconds",
                "Age from which an access key is called stale, as configured.",
                ACCOUNT,
            )?,
            access_key_created: desc(
                "access_key_created_timestamp_seconds",
                "Unix time at which the access key was created.",
                KEY,
            )?,
            access_key_age: desc(
                "access_key_age_seconds",
                "Age of the access key at the scrape, by the exporter's clock.",
                KEY,
            )?,
            access_key_status: desc(
                "access_key_status",
                "Status of the access key as last polled: 1 for the status it has, 0 for the others.",
                &["account", "uin", "access_key_id", "status"],
            )?,
            user_up: desc("user_up", "Whether the last poll brought the user's access keys.", USER)?,
            user_last_success: desc(
                "user_last_success_timestamp_seconds",
                "Unix time at which the API last answered about the user.",
                USER,
            )?,
            account_up: desc(
                "account_up",
                "Whether the last poll of at least one of the account's users succeeded.",
                ACCOUNT,
            )?,
            account_users: desc("account_users", "Users polled.", ACCOUNT)?,
            account_poll_interval: desc(
                "account_poll_interval_seconds",
                "Interval at which each user is polled, as configured.",
                ACCOUNT,
            )?,
            account_shortest_poll_interval: desc(
                "account_shortest_poll_interval_seconds",
                "Shortest interval at which each user can be polled within the rate limit.",
                ACCOUNT,
            )?,
            account_rate_limit: desc(
                "account_rate_limit_requests_per_second",
                "Requests a second that the account makes at most; less than configured after the API has throttled it.",
                ACCOUNT,
            )?,
            account_schedule_lag: desc(
                "account_schedule_lag_seconds",
                "Time that the poll which goes next is overdue at the scrape.",
                ACCOUNT,
            )?,
            account_last_sweep: desc(
                "account_last_sweep_duration_seconds",
                "Time that the last whole sweep over the users took, first poll to last.",
                ACCOUNT,
            )?,
            account_uins_file_up: desc(
                "account_uins_file_up",
                "Whether the file of the account's users was good when it was last looked at.",
                ACCOUNT,
            )?,
            clock_skew: desc(
                "clock_skew_seconds",
                "The API's clock less the exporter's, by the Date header of the last answer, to the second.",
                ACCOUNT,
            )?,
        })
    }

    fn all(&self) -> [&Desc; 17] {
        [
            &self.access_keys,
            &self.access_keys_limit,
            &self.access_key_max_age,
            &self.access_key_created,
            &self.access_key_age,
            &self.access_key_status,
            &self.user_up,
            &self.user_last_success,
            &self.account_up,
            &self.account_users,
            &self.account_poll_interval,
            &self.account_shortest_poll_interval,
            &self.account_rate_limit,
            &self.account_schedule_lag,
            &self.account_last_sweep,
            &self.account_uins_file_up,
            &self.clock_skew,
        ]
    }
}

// === impl View ===

impl<'a> View<'a> {
    fn of(account: &'a Account, local: Timestamp) -> Self {
        let (users, facts, progress) = (account.users(), account.facts(), account.progress());
        Self { name: account.name(), facts, now: progress.correct(local), skew: progress.skew(local), users, progress }
    }

    fn sample(&self, value: f64) -> Sample {
        (vec![self.name.to_string()], value)
    }

    fn labels(&self, uin: Uin) -> Vec<String> {
        vec![self.name.to_string(), uin.to_string()]
    }

    fn each_user(&self, value: impl Fn(&User) -> Option<f64>) -> impl Iterator<Item = Sample> {
        self.users.iter().filter_map(move |(uin, user)| Some((self.labels(*uin), value(user)?)))
    }

    fn each_key(&self) -> impl Iterator<Item = (Uin, &Key)> {
        self.users.iter().flat_map(|(uin, user)| user.keys.iter().flatten().map(|key| (*uin, key)))
    }

    fn keys(&self, value: impl Fn(&Key) -> f64) -> impl Iterator<Item = Sample> {
        self.each_key().map(move |(uin, key)| {
            let mut labels = self.labels(uin);
            labels.push(key.label.clone());
            (labels, value(key))
        })
    }

    fn statuses(&self) -> impl Iterator<Item = Sample> {
        self.each_key().flat_map(|(uin, key)| {
            KeyStatus::ALL.map(|status| {
                let mut labels = self.labels(uin);
                labels.extend([key.label.clone(), status.label().to_owned()]);
                (labels, truth(key.status == status))
            })
        })
    }

    fn access_keys(&self) -> impl Iterator<Item = Sample> {
        self.users.iter().filter_map(|(uin, user)| Some((uin, user.keys.as_ref()?))).flat_map(|(uin, keys)| {
            KeyStatus::ALL.map(|status| {
                let mut labels = self.labels(*uin);
                labels.push(status.label().to_owned());
                (labels, count(keys.iter().filter(|key| key.status == status).count()))
            })
        })
    }

    /// Nothing until the first poll has ended: unknown is not down.
    fn up(&self) -> Option<Sample> {
        let up = self.users.values().filter_map(|user| user.up).reduce(|any, up| any || up)?;
        Some(self.sample(truth(up)))
    }

    fn lag(&self, now: Instant) -> Option<Sample> {
        self.progress.rate?;
        let overdue = self.progress.next_due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
        Some(self.sample(overdue.as_secs_f64()))
    }

    fn last_sweep(&self) -> Option<Sample> {
        self.progress.last_sweep.map(|sweep: Duration| self.sample(sweep.as_secs_f64()))
    }

    fn rate(&self) -> Option<Sample> {
        self.progress.rate.map(|rate| self.sample(rate))
    }

    fn shortest_interval(&self) -> Option<Sample> {
        self.progress.rate_limit.map(|limit| self.sample(count(self.users.len()) / limit))
    }

    fn uins_file_up(&self) -> Option<Sample> {
        self.progress.uins_file_up.map(|up| self.sample(truth(up)))
    }

    fn clock_skew(&self) -> Option<Sample> {
        // The header is exact to the second, and half a second late on average.
        self.skew.map(|skew| self.sample(skew.as_secs_f64().round()))
    }
}

/// Nothing where there are no samples: a family without a series is no family.
fn family(desc: &Desc, samples: impl Iterator<Item = Sample>) -> Option<MetricFamily> {
    let metrics: Vec<Metric> = samples.map(|(labels, value)| metric(desc, labels, value)).collect();
    if metrics.is_empty() {
        return None;
    }
    let mut family = MetricFamily::default();
    family.set_name(desc.fq_name.clone());
    family.set_help(desc.help.clone());
    family.set_field_type(MetricType::GAUGE);
    family.set_metric(metrics);
    Some(family)
}

fn metric(desc: &Desc, labels: Vec<String>, value: f64) -> Metric {
    let labels = desc
        .variable_labels
        .iter()
        .zip(labels)
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.clone());
            pair.set_value(value);
            pair
        })
        .collect();
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_label(labels);
    metric.set_gauge(gauge);
    metric
}

/// In whole seconds, as exactly as the API tells creation times. A key may be answered as a little younger than our
/// clock; no key is younger than nothing.
#[expect(clippy::cast_precision_loss, reason = "ages are far below 2^52")]
fn age(key: &Key, now: Timestamp) -> f64 {
    now.duration_since(key.created).as_secs().max(0) as f64
}

/// To the second: that is how exactly the API tells creation times, and how exactly freshness is judged.
#[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
fn seconds(time: Timestamp) -> f64 {
    time.as_second() as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}

fn truth(fact: bool) -> f64 {
    f64::from(u8::from(fact))
}
