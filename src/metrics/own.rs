//! What the exporter counts of its own doing.
//!
//! Every series is there from the start, at 0: all reasons, and all codes of each action that the account asks for.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use crate::{
    inventory::AccountName,
    tencent::{
        Action, Code, Reason,
        action::NAMES,
        code::{DOCUMENTED, OTHER},
    },
};

/// The exporter's own metrics.
#[derive(Clone, Debug)]
pub struct Own {
    polls: IntCounterVec,
    poll_failures: IntCounterVec,
    api_requests: IntCounterVec,
    api_errors: IntCounterVec,
    api_request_duration: HistogramVec,
    build_info: IntGaugeVec,
    config_last_reload_successful: Gauge,
    config_last_reload_success: Gauge,
    credential_refresh_failures: IntCounterVec,
    shard_ordinal: Gauge,
    total_shards: Gauge,
    http_refused: IntCounterVec,
    changes: Changes,
}

/// Why a connection or a request was refused by the HTTP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpRefused {
    /// The TLS handshake failed.
    Handshake,
    /// A limit was reached: `--web.max-requests`, the number of connections, or `rate_limit`.
    Limit,
    /// Too many passwords wait to be checked.
    Overload,
}

/// Those of one account.
#[derive(Clone, Debug)]
pub struct AccountMetrics {
    account: AccountName,
    polls: IntCounter,
    poll_failures: Arc<HashMap<Reason, IntCounter>>,
    credential_refresh_failures: IntCounter,
    own: Own,
}

/// Those of one action that an account asks for.
#[derive(Clone, Debug)]
pub struct ActionMetrics {
    requests: IntCounter,
    errors: Arc<HashMap<&'static str, IntCounter>>,
    duration: Histogram,
    changes: Changes,
}

/// Counts whatever changes a series.
#[derive(Clone, Debug, Default)]
struct Changes(Arc<AtomicU64>);

// === impl Own ===

impl Own {
    /// At 0, of an exporter that shares its work with no other and has loaded no configuration yet.
    ///
    /// # Errors
    /// A name that Prometheus does not allow.
    pub fn new() -> prometheus::Result<Self> {
        let counters = |name, help, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let own = Self {
            polls: counters(
                "tencentcloud_cam_polls_total",
                "Polls of users that ended, well or not; each retry is one.",
                &["account"],
            )?,
            poll_failures: counters(
                "tencentcloud_cam_poll_failures_total",
                "Polls of users that did not bring the user's access keys, by reason.",
                &["account", "reason"],
            )?,
            api_requests: counters(
                "tencentcloud_cam_api_requests_total",
                "Requests sent to the API, by action.",
                &["account", "action"],
            )?,
            api_errors: counters(
                "tencentcloud_cam_api_errors_total",
                "Error answers of the API, by action and error code.",
                &["account", "action", "code"],
            )?,
            api_request_duration: HistogramVec::new(
                HistogramOpts::new(
                    "tencentcloud_cam_api_request_duration_seconds",
                    "Time from sending a request to the API to the last byte of its answer, or to giving up.",
                )
                .buckets(vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
                &["action"],
            )?,
            credential_refresh_failures: counters(
                "tencentcloud_cam_credential_refresh_failures_total",
                "Times that an account's credential could not be read or renewed; the last good one is used on.",
                &["account"],
            )?,
            shard_ordinal: Gauge::new(
                "tencentcloud_cam_exporter_shard_ordinal",
                "Which of the exporters that share the work this is, counted from 0.",
            )?,
            total_shards: Gauge::new("tencentcloud_cam_exporter_total_shards", "How many exporters share the work.")?,
            build_info: IntGaugeVec::new(
                Opts::new("tencentcloud_cam_exporter_build_info", "What the exporter was built from; always 1."),
                &["version", "revision", "rustc_version", "target"],
            )?,
            config_last_reload_successful: Gauge::new(
                "tencentcloud_cam_exporter_config_last_reload_successful",
                "Whether the last attempt to load the configuration succeeded.",
            )?,
            config_last_reload_success: Gauge::new(
                "tencentcloud_cam_exporter_config_last_reload_success_timestamp_seconds",
                "Unix time at which the configuration was last loaded successfully.",
            )?,
            http_refused: counters(
                "tencentcloud_cam_exporter_http_refused_total",
                "Total number of connections and requests refused, by reason.",
                &["reason"],
            )?,
            changes: Changes::default(),
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
        self.changes.count();
    }

    /// The configuration has been loaded, at that time.
    pub fn config_loaded(&self, at: Timestamp) {
        self.config_last_reload_successful.set(1.0);
        #[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
        self.config_last_reload_success.set(at.as_second() as f64);
        self.changes.count();
    }

    /// The configuration could not be loaded, and the last good one stays.
    pub fn config_refused(&self) {
        self.config_last_reload_successful.set(0.0);
        self.changes.count();
    }

    /// Whether the configuration could not be used when it was last loaded.
    #[must_use]
    pub fn config_is_refused(&self) -> bool {
        self.config_last_reload_successful.get() == 0.0
    }

    /// The HTTP server refused a connection or a request.
    pub fn http_refused(&self, reason: HttpRefused) {
        self.http_refused.with_label_values(&[reason.label()]).inc();
        self.changes.count();
    }

    /// Those of `account`, all its series preset but for those of actions.
    #[must_use]
    pub fn account(&self, account: &AccountName) -> AccountMetrics {
        let (name, account) = (account, account.as_str());
        self.changes.count();
        AccountMetrics {
            account: name.clone(),
            credential_refresh_failures: self.credential_refresh_failures.with_label_values(&[account]),
            polls: self.polls.with_label_values(&[account]),
            poll_failures: Arc::new(
                Reason::ALL
                    .map(|reason| (reason, self.poll_failures.with_label_values(&[account, reason.label()])))
                    .into(),
            ),
            own: self.clone(),
        }
    }

    /// The account is gone, and its series with it. Those of [`Self::account`] count on, unseen.
    pub fn forget(&self, account: &AccountName) {
        let account = account.as_str();
        // Whatever is not there is as good as removed.
        let _ = self.polls.remove_label_values(&[account]);
        let _ = self.credential_refresh_failures.remove_label_values(&[account]);
        for reason in Reason::ALL {
            let _ = self.poll_failures.remove_label_values(&[account, reason.label()]);
        }
        for action in NAMES {
            let _ = self.api_requests.remove_label_values(&[account, action]);
            for code in codes() {
                let _ = self.api_errors.remove_label_values(&[account, action, code]);
            }
        }
        self.changes.count();
    }

    /// A number that is another one whenever a series has changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.0.load(Ordering::Acquire)
    }

    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.polls.clone()))?;
        registry.register(Box::new(self.poll_failures.clone()))?;
        registry.register(Box::new(self.api_requests.clone()))?;
        registry.register(Box::new(self.api_errors.clone()))?;
        registry.register(Box::new(self.api_request_duration.clone()))?;
        registry.register(Box::new(self.credential_refresh_failures.clone()))?;
        registry.register(Box::new(self.shard_ordinal.clone()))?;
        registry.register(Box::new(self.total_shards.clone()))?;
        registry.register(Box::new(self.http_refused.clone()))?;
        registry.register(Box::new(self.build_info.clone()))?;
        registry.register(Box::new(self.config_last_reload_successful.clone()))?;
        registry.register(Box::new(self.config_last_reload_success.clone()))
    }
}

// === impl HttpRefused ===

impl HttpRefused {
    const ALL: [Self; 3] = [Self::Handshake, Self::Limit, Self::Overload];

    fn label(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Limit => "limit",
            Self::Overload => "overload",
        }
    }
}

// === impl AccountMetrics ===

impl AccountMetrics {
    /// Those of the action `A`, all its series preset.
    #[must_use]
    pub fn action<A: Action>(&self) -> ActionMetrics {
        let (account, own) = (self.account.as_str(), &self.own);
        own.changes.count();
        ActionMetrics {
            requests: own.api_requests.with_label_values(&[account, A::NAME]),
            errors: Arc::new(
                codes().map(|code| (code, own.api_errors.with_label_values(&[account, A::NAME, code]))).collect(),
            ),
            duration: own.api_request_duration.with_label_values(&[A::NAME]),
            changes: own.changes.clone(),
        }
    }

    /// A poll ended well.
    pub fn poll_succeeded(&self) {
        self.polls.inc();
        self.own.changes.count();
    }

    /// A poll ended otherwise.
    pub fn poll_failed(&self, reason: Reason) {
        self.polls.inc();
        if let Some(counter) = self.poll_failures.get(&reason) {
            counter.inc();
        }
        self.own.changes.count();
    }

    /// The credential could not be had anew, so many times.
    pub fn credential_refresh_failed(&self, times: u64) {
        if times > 0 {
            self.credential_refresh_failures.inc_by(times);
            self.own.changes.count();
        }
    }
}

// === impl ActionMetrics ===

impl ActionMetrics {
    /// A request has been sent, and has been answered or given up after `duration`.
    pub fn request(&self, duration: Duration) {
        self.requests.inc();
        self.duration.observe(duration.as_secs_f64());
        self.changes.count();
    }

    /// The API answered with an error.
    pub fn error(&self, code: &Code) {
        if let Some(counter) = self.errors.get(code.label()) {
            counter.inc();
        }
        self.changes.count();
    }
}

// === impl Changes ===

impl Changes {
    /// Something has changed: to be called after that.
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Every value of the label `code`.
fn codes() -> impl Iterator<Item = &'static str> {
    DOCUMENTED.iter().map(|(code, _)| *code).chain([OTHER])
}
