//! Serves HTTP/1 on a connection, within limits.

use std::convert::Infallible;

use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::HttpService};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::server::MAX_HEAD_BYTES;

/// What is read ahead, and how much of a response is buffered before it is written. More than a head: one that is a little
/// too long is read to its end, so that the client reads its answer.
const MAX_BUFFER_BYTES: usize = MAX_HEAD_BYTES + (4 << 10);

/// Serves requests on `stream` until it ends, or `shutdown`; then the one under way is finished.
///
/// # Errors
/// The connection ends early.
pub(crate) async fn serve<T, S>(stream: T, service: S, shutdown: CancellationToken) -> hyper::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: HttpService<
            Incoming,
            ResBody: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static,
            Error = Infallible,
        >,
{
    let connection = http1::Builder::new()
        // The connection's timers see to it.
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_BUFFER_BYTES)
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
