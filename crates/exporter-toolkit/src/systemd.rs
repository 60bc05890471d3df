//! Notifies systemd, for units of `Type=notify`. Does nothing if systemd has not started the process.
//!
//! Source: <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>.

use std::{future::pending, time::Duration};

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// The shortest time between two watchdog notifications.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// The exporter serves, or has reloaded its configuration.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The exporter reloads its configuration. Call [`ready`] afterwards, even if the reload fails.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "cannot notify systemd"),
    }
}

/// The exporter stops.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Notifies the watchdog twice in each `WatchdogSec=`, if the unit has one. Never returns.
pub async fn keep_watchdog() {
    let Some(timeout) = sd_notify::watchdog_enabled() else { return pending().await };
    let mut ticks = interval((timeout / 2).max(MIN_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "cannot notify systemd");
    }
}
