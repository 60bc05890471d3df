//! What the exporter counts and says of itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use exporter_toolkit::{HttpRefused, Observer};
use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, core::Collector,
    process_collector::ProcessCollector,
};
use tencentcloud_api::{Action, Code, Reason};

use super::counters::{Counter, Counters, Counts};
use crate::inventory::AccountName;

/// The exporter's own metrics: those of the process, and the counters of each account.
#[derive(Clone, Debug)]
pub struct Own {
    accounts: Arc<Mutex<BTreeMap<AccountName, Counters>>>,
    api_request_duration: HistogramVec,
    build_info: IntGaugeVec,
    config_last_reload_successful: Gauge,
    config_last_reload_success: Gauge,
    shard_ordinal: Gauge,
    total_shards: Gauge,
    http_refused: IntCounterVec,
    log_lines_dropped: IntCounter,
}

/// Those of one account.
#[derive(Clone, Debug)]
pub struct AccountMetrics {
    counters: Counters,
    api_request_duration: HistogramVec,
}

/// Those of one action that an account requests.
#[derive(Clone, Debug)]
pub struct ActionMetrics {
    counters: Counters,
    action: u8,
    duration: Histogram,
}

/// The counter of log lines that standard error could not take, at 0.
///
/// # Errors
/// A name that Prometheus does not allow.
pub fn log_lines_dropped() -> prometheus::Result<IntCounter> {
    IntCounter::new(
        "tencentcloud_cam_exporter_log_lines_dropped_total",
        "Total number of log lines dropped because standard error could not take them.",
    )
}

// === impl Own ===

impl Own {
    /// At 0, of an exporter that shares its work with no other and has loaded no configuration yet.
    ///
    /// # Errors
    /// A name that Prometheus does not allow.
    pub fn new() -> prometheus::Result<Self> {
        Self::with_log_lines_dropped(None)
    }

    /// As [`Self::new`], with the counter of dropped log lines where there is one already.
    ///
    /// # Errors
    /// A name that Prometheus does not allow.
    pub fn with_log_lines_dropped(log_lines_dropped: Option<IntCounter>) -> prometheus::Result<Self> {
        let own = Self {
            accounts: Arc::default(),
            api_request_duration: HistogramVec::new(
                HistogramOpts::new(
                    "tencentcloud_cam_api_request_duration_seconds",
                    "Duration of requests to the API, from sending to the last byte of the response or the failure.",
                )
                .buckets(vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
                &["action"],
            )?,
            shard_ordinal: Gauge::new("tencentcloud_cam_exporter_shard_ordinal", "Zero-based ordinal of this shard.")?,
            total_shards: Gauge::new("tencentcloud_cam_exporter_total_shards", "Total number of shards.")?,
            build_info: IntGaugeVec::new(
                Opts::new("tencentcloud_cam_exporter_build_info", "Build information about the exporter. Always 1."),
                &["version", "revision", "rustc_version", "target"],
            )?,
            config_last_reload_successful: Gauge::new(
                "tencentcloud_cam_exporter_config_last_reload_successful",
                "Whether the last configuration reload attempt was successful (1) or not (0).",
            )?,
            config_last_reload_success: Gauge::new(
                "tencentcloud_cam_exporter_config_last_reload_success_timestamp_seconds",
                "Unix time of the last successful configuration reload.",
            )?,
            http_refused: IntCounterVec::new(
                Opts::new(
                    "tencentcloud_cam_exporter_http_refused_total",
                    "Total number of connections and requests refused, by reason.",
                ),
                &["reason"],
            )?,
            log_lines_dropped: log_lines_dropped.map_or_else(self::log_lines_dropped, Ok)?,
        };
        for reason in HttpRefused::ALL {
            own.http_refused.with_label_values(&[reason.label()]);
        }
        own.build_info
            .with_label_values(&[
                env!("CARGO_PKG_VERSION"),
                env!("BUILD_REVISION"),
                env!("BUILD_RUSTC_VERSION"),
                env!("BUILD_TARGET"),
            ])
            .set(1);
        own.sharded(0, 1);
        Ok(own)
    }

    /// This exporter is number `ordinal`, counted from 0, of `total` that share the work.
    pub fn sharded(&self, ordinal: u32, total: u32) {
        self.shard_ordinal.set(ordinal.into());
        self.total_shards.set(total.into());
    }

    /// The configuration has been loaded, at that time.
    pub fn config_loaded(&self, at: Timestamp) {
        self.config_last_reload_successful.set(1.0);
        #[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
        self.config_last_reload_success.set(at.as_second() as f64);
    }

    /// The configuration could not be loaded, and the last good one stays.
    pub fn config_refused(&self) {
        self.config_last_reload_successful.set(0.0);
    }

    /// Whether the configuration could not be used when it was last loaded.
    #[must_use]
    pub fn config_is_refused(&self) -> bool {
        self.config_last_reload_successful.get() == 0.0
    }

    /// Those of `account`.
    #[must_use]
    pub fn account(&self, account: &AccountName) -> AccountMetrics {
        let counters = self.accounts.lock().entry(account.clone()).or_default().clone();
        AccountMetrics { counters, api_request_duration: self.api_request_duration.clone() }
    }

    /// The account is gone, and its series with it. Those of [`Self::account`] count on, unseen.
    pub fn forget(&self, account: &AccountName) {
        self.accounts.lock().remove(account);
    }

    /// The counters of each account.
    pub(super) fn counts(&self) -> Vec<(AccountName, Counts)> {
        self.accounts.lock().iter().map(|(account, counters)| (account.clone(), counters.snapshot())).collect()
    }

    /// The families that the library gathers.
    pub(super) fn collectors(&self) -> [Box<dyn Collector>; 9] {
        [
            Box::new(self.api_request_duration.clone()),
            Box::new(self.shard_ordinal.clone()),
            Box::new(self.total_shards.clone()),
            Box::new(self.http_refused.clone()),
            Box::new(self.build_info.clone()),
            Box::new(self.config_last_reload_successful.clone()),
            Box::new(self.config_last_reload_success.clone()),
            Box::new(self.log_lines_dropped.clone()),
            Box::new(ProcessCollector::for_self()),
        ]
    }
}

impl Observer for Own {
    fn http_refused(&self, reason: HttpRefused) {
        self.http_refused.with_label_values(&[reason.label()]).inc();
    }
}

// === impl AccountMetrics ===

impl AccountMetrics {
    /// Those of the action `A`, whose count of requests is there from now on.
    #[must_use]
    pub fn action<A: Action>(&self) -> ActionMetrics {
        let action = Counter::action(A::NAME);
        self.counters.add(Counter::ApiRequests { action }, 0);
        let duration = self.api_request_duration.with_label_values(&[A::NAME]);
        ActionMetrics { counters: self.counters.clone(), action, duration }
    }

    /// A poll ended well.
    pub fn poll_succeeded(&self) {
        self.counters.add(Counter::Polls, 1);
    }

    /// A poll ended otherwise.
    pub fn poll_failed(&self, reason: Reason) {
        self.counters.add(Counter::Polls, 1);
        self.counters.add(Counter::poll_failure(reason), 1);
    }

    /// The credential could not be read or renewed, so many times.
    pub fn credential_refresh_failed(&self, times: u64) {
        self.counters.add(Counter::CredentialRefreshFailures, times);
    }
}

// === impl ActionMetrics ===

impl ActionMetrics {
    /// A request has been sent, and has been answered or given up after `duration`.
    pub fn request(&self, duration: Duration) {
        self.counters.add(Counter::ApiRequests { action: self.action }, 1);
        self.duration.observe(duration.as_secs_f64());
    }

    /// The API answered with an error.
    pub fn error(&self, code: &Code) {
        self.counters.add(Counter::api_error(self.action, code), 1);
    }
}
