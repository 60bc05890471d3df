//! Serves HTTP/2 on a connection that has agreed on it, within bounds.

use std::{sync::Arc, time::Duration};

use http_body::Body;
use hyper::{body::Incoming, server::conn::http2, service::HttpService};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Requests at once on a connection. Prometheus makes one.
const MAX_STREAMS: u32 = 16;

/// The most that the head of a request may be.
const MAX_HEAD_BYTES: u32 = 64 << 10;

/// What a client may send before it is read. No request has a body.
const WINDOW_BYTES: u32 = 64 << 10;

/// How often a silent client is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How long its answer to that may take.
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);

/// Counts the requests under way on a connection.
#[derive(Clone, Debug, Default)]
pub struct UnderWay(Arc<watch::Sender<usize>>);

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub struct Request(UnderWay);

/// Serves requests on `stream`, each counted in `under_way`, until it ends, no request has begun for `first` after the
/// handshake or for `idle` after another, or `shutdown`; then those under way are finished.
///
/// # Errors
/// The connection ends early.
pub async fn serve<T, S>(
    stream: T,
    service: S,
    under_way: UnderWay,
    (first, idle): (Duration, Duration),
    shutdown: CancellationToken,
) -> hyper::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: HttpService<
            Incoming,
            ResBody: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
        >,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_ANSWER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = under_way.none_for_long(first, idle) => Ok(()),
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

// === impl UnderWay ===

impl UnderWay {
    /// A request begins.
    #[must_use]
    pub fn begin(&self) -> Request {
        self.0.send_modify(|count| *count += 1);
        Request(self.clone())
    }

    async fn none_for_long(&self, first: Duration, idle: Duration) {
        let mut count = self.0.subscribe();
        let mut patience = first;
        while timeout(patience, count.wait_for(|count| *count > 0)).await.is_ok() {
            // The sender is `self`, so it is still there.
            let _ = count.wait_for(|count| *count == 0).await;
            patience = idle;
        }
    }
}

// === impl Request ===

impl Drop for Request {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const FIRST: Duration = Duration::from_secs(5);
    const IDLE: Duration = Duration::from_secs(150);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asks_nothing_is_waited_for_a_moment_and_one_that_has_asked_for_longer() {
        let started = Instant::now();
        UnderWay::default().none_for_long(FIRST, IDLE).await;
        assert_eq!(started.elapsed(), FIRST);

        let (started, under_way) = (Instant::now(), UnderWay::default());
        let asking = under_way.clone();
        let ask = tokio::spawn(async move {
            let two = (asking.begin(), asking.begin());
            sleep(Duration::from_mins(10)).await;
            drop(two);
        });
        under_way.none_for_long(FIRST, IDLE).await;
        assert_eq!(started.elapsed(), Duration::from_mins(10) + IDLE);
        ask.await.unwrap();
    }
}
