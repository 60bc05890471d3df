//! Accepts connections, though the process may be out of file descriptors.

use std::{io, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use tracing::{info, warn};

use super::connections::Connections;

/// How long to wait after the first failure. Twice as long after each that follows.
const FIRST_BACKOFF: Duration = Duration::from_millis(10);

const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// How long nothing must have failed for failures to be over: one connection that is accepted between two that are not is no
/// news.
const QUIET_PERIOD: Duration = Duration::from_secs(10);

/// Accepts the connections of a listener.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: TcpListener,
    failures: Failures,
}

/// Failures to accept.
#[derive(Debug, Default)]
struct Failures {
    last: Option<Instant>,
    backoff: Duration,
}

// === impl Acceptor ===

impl Acceptor {
    /// Accepts those of `listener`.
    #[must_use]
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, failures: Failures::default() }
    }

    /// The next connection. If the system cannot provide one, it evicts one of `connections` and tries again: that frees a
    /// file descriptor.
    pub(crate) async fn accept(&mut self, connections: &Connections) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if self.failures.accepted(Instant::now()) {
                        info!("accepting connections again");
                    }
                    return stream;
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    if self.failures.failed(Instant::now()) {
                        warn!(%error, "cannot accept connections, retrying");
                    }
                    connections.evict();
                    sleep(self.failures.backoff).await;
                }
            }
        }
    }
}

/// Whether the connection had failed before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

// === impl Failures ===

impl Failures {
    /// One more. Returns whether they begin.
    fn failed(&mut self, now: Instant) -> bool {
        self.backoff = (self.backoff * 2).clamp(FIRST_BACKOFF, MAX_BACKOFF);
        self.last.replace(now).is_none()
    }

    /// A connection has been accepted. Returns whether failures are over.
    fn accepted(&mut self, now: Instant) -> bool {
        self.backoff = Duration::ZERO;
        self.last.take_if(|last| now.duration_since(*last) >= QUIET_PERIOD).is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_are_logged_when_they_begin_and_when_they_are_over() {
        let mut failures = Failures::default();
        assert!(!failures.accepted(Instant::now()), "none yet");
        assert!(failures.failed(Instant::now()));
        for _ in 0..20 {
            assert!(!failures.failed(Instant::now()));
        }
        assert_eq!(failures.backoff, MAX_BACKOFF);
        assert!(!failures.accepted(Instant::now()), "too early to tell");
        assert!(!failures.failed(Instant::now()));
        assert_eq!(failures.backoff, FIRST_BACKOFF);
        advance(QUIET_PERIOD).await;
        assert!(failures.accepted(Instant::now()));
        assert!(!failures.accepted(Instant::now()));
        assert!(failures.failed(Instant::now()), "others begin");
    }
}
