//! Serves HTTP/2 on a connection that has agreed on it, within limits.

use std::time::Duration;

use http_body::Body;
use hyper::{body::Incoming, server::conn::http2, service::HttpService};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::server::MAX_HEAD_BYTES;

/// Requests at once on a connection. Prometheus makes one.
const MAX_STREAMS: u32 = 4;

/// What a client may send before it is read. No request has a body, so it is the smallest that the protocol begins with.
const WINDOW_BYTES: u32 = (64 << 10) - 1;

/// What of a response is buffered before it is written.
const MAX_SEND_BUFFER_BYTES: usize = 64 << 10;

/// Faulty streams of a client before its connection is closed.
const MAX_RESET_STREAMS: usize = 32;

/// How often a silent client is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How long its answer to that may take.
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);

/// Serves requests on `stream` until it ends, or `shutdown`; then those under way are finished.
///
/// # Errors
/// The connection ends early.
pub(crate) async fn serve<T, S>(stream: T, service: S, shutdown: CancellationToken) -> hyper::Result<()>
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
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .max_send_buf_size(MAX_SEND_BUFFER_BYTES)
        .max_local_error_reset_streams(MAX_RESET_STREAMS)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_ANSWER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}
