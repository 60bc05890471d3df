//! Notifies systemd, for units of `Type=notify`, and takes the sockets of its socket units. The notifications do nothing if
//! systemd has not started the process.
//!
//! Sources: <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>,
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>.

use std::{future::pending, io, net::TcpListener, time::Duration};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use socket2::Socket;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::address::limit_buffers;

/// The shortest time between two watchdog notifications.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// The sockets on which systemd listens for this process, in the order of the socket unit; none if it has none. Call it
/// once, and before the process has a second thread, because it removes variables from the environment.
///
/// # Errors
/// The variables are wrong, or one of the sockets does not listen for TCP connections.
pub fn listeners() -> io::Result<Vec<TcpListener>> {
    // That they are meant for this process is checked by one crate, and that they are sockets by the other.
    let count = sd_notify::listen_fds()?.len();
    let mut sockets = ListenFd::from_env();
    let mut listeners = vec![];
    for index in 0..count {
        listeners.extend(sockets.take_tcp_listener(index)?.map(adopt).transpose()?);
    }
    Ok(listeners)
}

/// Makes a listener of systemd like one of ours.
fn adopt(listener: TcpListener) -> io::Result<TcpListener> {
    let socket = Socket::from(listener);
    if !socket.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a socket does not listen: expected Accept=no"));
    }
    socket.set_nonblocking(true)?;
    limit_buffers(&socket)?;
    Ok(socket.into())
}

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
