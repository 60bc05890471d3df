//! Accepts connections, and serves them within limits.
//!
//! What happens to a connection:
//!
//! 1. [`Acceptor`] accepts it, and [`Connections::admit`] gives it a place, which may be that of another connection.
//! 2. [`Guard::secure`] does the TLS handshake, if TLS is configured.
//! 3. [`http1`] or [`http2`] reads its requests. For each, [`ConnectionContext::respond`] checks the `Host` header, asks the
//!    guard, and calls the [`Handler`].
//! 4. Once HTTP has ended, [`wait_for_peer`] waits until the peer has closed its side.
//!
//! Meanwhile, [`InstrumentedStream`] reports each read and write to the [`Connection`], whose timers decide when
//! [`Connections::close_expired`] closes it.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header::CONNECTION};
use hyper::{body::Incoming, service::service_fn};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_util::{either::Either, sync::CancellationToken};
use tracing::{debug, error};

use super::{
    Body, Guard,
    accept::Acceptor,
    connections::{Connection, Connections, Place},
    handler::Handler,
    host, http1, http2,
    instrumented_stream::InstrumentedStream,
    respond,
    response::{ResponseGuard, TrackedBody},
    web_config::{self, Peer},
};
use crate::observer::{HttpRefused, Observer};

/// The limit for the head of a request. Those of Prometheus are about 1 kB.
pub(super) const MAX_HEAD_BYTES: usize = 16 << 10;

/// The default limit for connections at once.
pub const MAX_CONNECTIONS: usize = 256;

/// What is encrypted ahead of a reader.
const TLS_BUFFER_BYTES: usize = 16 << 10;

/// How much of what a peer sends behind its last request is read and discarded.
const MAX_DISCARDED_BYTES: usize = 1 << 20;

/// The time that responses under way have left once the exporter stops.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// What every connection of a listener is served with.
struct ConnectionContext<S> {
    guard: Arc<Guard>,
    observer: Arc<dyn Observer>,
    handler: Arc<S>,
    shutdown: CancellationToken,
}

/// Serves `handler` on `listener` to clients that `guard` admits, on at most `max_connections`, until `shutdown`; responses
/// under way are finished, within half a second. What is refused is counted in `observer`.
pub async fn serve<S: Handler>(
    listener: TcpListener,
    guard: Arc<Guard>,
    observer: Arc<dyn Observer>,
    handler: Arc<S>,
    max_connections: usize,
    shutdown: CancellationToken,
) {
    let connections = Connections::new(max_connections, Arc::clone(&observer));
    let context = ConnectionContext { guard, observer, handler, shutdown: shutdown.clone() };
    let mut tasks = JoinSet::new();
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accept_all(listener, &context, &connections, &mut tasks) => {}
        () = connections.close_expired() => {}
    }
    let _ = timeout(SHUTDOWN_GRACE, async { while tasks.join_next().await.is_some() {} }).await;
}

/// Never returns.
async fn accept_all<S: Handler>(
    listener: TcpListener,
    context: &ConnectionContext<S>,
    connections: &Arc<Connections>,
    tasks: &mut JoinSet<()>,
) {
    let mut acceptor = Acceptor::new(listener);
    loop {
        let stream = tokio::select! {
            stream = acceptor.accept(connections) => stream,
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended {
                    error!(%error, "connection task panicked");
                }
                continue;
            }
        };
        let place = connections.admit().await;
        tasks.spawn(serve_connection(stream, place, context.clone()));
    }
}

async fn serve_connection<S: Handler>(stream: TcpStream, place: Place, context: ConnectionContext<S>) {
    // A response is written in one go: waiting to fill a packet would only delay it.
    let _ = stream.set_nodelay(true);
    let connection = place.connection();
    let peer = Peer::new(stream.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip()));
    let stream = InstrumentedStream::new(stream, connection.clone(), |stream| {
        let _ = stream.set_zero_linger();
    });
    connection
        .until_closed(async {
            // A handshake is a part of the first head, and has its time.
            match Box::pin(context.guard.secure(stream, &peer)).await {
                Ok(stream) => Box::pin(serve_http(stream, connection.clone(), peer, context.clone())).await,
                Err(error) => {
                    context.observer.http_refused(HttpRefused::Handshake);
                    debug!(%error, "TLS handshake failed");
                }
            }
        })
        .await;
    if connection.is_closed() {
        debug!("closed a connection that was too slow or had to make room");
    }
}

async fn serve_http<T, S>(
    mut stream: web_config::SecuredStream<T>,
    connection: Connection,
    peer: Arc<Peer>,
    context: ConnectionContext<S>,
) where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Handler,
{
    if let Either::Left(tls) = &mut stream {
        tls.get_mut().1.set_buffer_limit(Some(TLS_BUFFER_BYTES));
    }
    let shutdown = context.shutdown.clone();
    let is_http2 = web_config::is_http2(&stream);
    if is_http2 {
        connection.multiplex();
    }
    let service = service_fn(|request: http::Request<Incoming>| {
        let (under_way, peer, context) = (connection.on_request(), Arc::clone(&peer), context.clone());
        async move {
            let mut response = context.respond(&request, &under_way, &peer).await;
            if under_way.is_pipelined() {
                // Pipelining is not needed, and would let a client that reads nothing send more requests.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| TrackedBody::new(body, under_way)))
        }
    });
    let ended = if is_http2 {
        http2::serve(&mut stream, service, shutdown.clone()).await
    } else {
        http1::serve(&mut stream, service, shutdown.clone()).await
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended early");
    }
    connection.on_end();
    shutdown.run_until_cancelled(wait_for_peer(stream)).await;
}

/// Closes our side, and waits until the peer has closed its own. Then it has read everything, or does not want it: were the
/// stream dropped before, the system would discard the last response if more had come from the peer, and otherwise hold it
/// for a peer that reads nothing.
async fn wait_for_peer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = stream.shutdown().await;
    let mut buffer = [0; 4 << 10];
    let mut discarded = 0;
    while discarded < MAX_DISCARDED_BYTES {
        match stream.read(&mut buffer).await {
            Ok(bytes @ 1..) => discarded += bytes,
            _ => break,
        }
    }
}

// === impl ConnectionContext ===

impl<S: Handler> ConnectionContext<S> {
    async fn respond(
        &self,
        request: &http::Request<Incoming>,
        under_way: &ResponseGuard,
        peer: &Arc<Peer>,
    ) -> http::Response<Body> {
        if let Err(text) = host::check(request) {
            return respond::plain(StatusCode::BAD_REQUEST, text);
        }
        match self.guard.admit(request.headers(), peer).await {
            Ok(headers) => {
                let mut response = self.handler.respond(request, under_way).await;
                response.headers_mut().extend(headers);
                response
            }
            Err(refusal) => {
                let response = http::Response::from(refusal);
                match response.status() {
                    StatusCode::SERVICE_UNAVAILABLE => self.observer.http_refused(HttpRefused::Overload),
                    StatusCode::TOO_MANY_REQUESTS => self.observer.http_refused(HttpRefused::Limit),
                    _ => {}
                }
                response
            }
        }
    }
}

impl<S> Clone for ConnectionContext<S> {
    fn clone(&self) -> Self {
        Self {
            guard: Arc::clone(&self.guard),
            observer: Arc::clone(&self.observer),
            handler: Arc::clone(&self.handler),
            shutdown: self.shutdown.clone(),
        }
    }
}
