//! Accepts connections, and serves them within their bounds.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc, time::Duration};

use http::StatusCode;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{HttpService, service_fn},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::{
    Body, Guard,
    answer::{Answer, AnswerBody},
    config::{Connection as Secured, Peer},
    connections::{Connection, Connections, Place},
    http2,
    observed::Observed,
    site::Site,
};
use crate::metrics::{HttpRefused, Own};

/// The most that the head of a request may be.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// The most connections at once, where nothing else is said.
pub const MAX_CONNECTIONS: usize = 256;

/// The time that answers under way have left once the exporter stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long to wait when no connection can be accepted, as when the process is out of file descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// What connections come to.
struct Front<S> {
    guard: Arc<Guard>,
    own: Arc<Own>,
    site: Arc<S>,
    shutdown: CancellationToken,
}

/// Serves `site` on `listener` to whom `guard` lets through, to `places` connections at once, until told to stop; answers
/// under way are finished, within half a second.
pub async fn serve<S: Site>(
    listener: TcpListener,
    guard: Arc<Guard>,
    own: Arc<Own>,
    site: Arc<S>,
    places: usize,
    shutdown: CancellationToken,
) {
    let connections = Connections::new(places);
    let front = Front { guard, own, site, shutdown: shutdown.clone() };
    let mut tasks = JoinSet::new();
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accept_all(&listener, &front, &connections, &mut tasks) => {}
        () = connections.cut_off_the_overdue() => {}
    }
    drop(listener);
    let _ = timeout(FAREWELL, async { while tasks.join_next().await.is_some() {} }).await;
}

/// Goes on for ever.
async fn accept_all<S: Site>(
    listener: &TcpListener,
    front: &Front<S>,
    connections: &Arc<Connections>,
    tasks: &mut JoinSet<()>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = accept(listener, connections) => accepted,
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended {
                    error!(%error, "a connection's task died");
                }
                continue;
            }
        };
        if let Some(stream) = accepted {
            let place = connections.admit().await;
            tasks.spawn(attend(stream, place, front.clone()));
        }
    }
}

async fn accept(listener: &TcpListener, connections: &Connections) -> Option<TcpStream> {
    connections.room().await;
    match listener.accept().await {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            warn!(%error, "cannot accept a connection");
            sleep(BREATHER).await;
            None
        }
    }
}

async fn attend<S: Site>(stream: TcpStream, place: Place, front: Front<S>) {
    // An answer is written in one go: waiting to fill a packet would only delay it.
    let _ = stream.set_nodelay(true);
    let of = place.connection();
    let peer = Peer::new(stream.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip()));
    let stream = Observed::new(stream, of.clone(), |stream| {
        let _ = stream.set_zero_linger();
    });
    of.until_cut_off(async {
        // A handshake is as good as a part of the first head, and has its time.
        match Box::pin(front.guard.secure(stream, &peer)).await {
            Ok(stream) => connection(stream, of.clone(), peer, front.clone()).await,
            Err(error) => {
                front.own.http_refused(HttpRefused::Handshake);
                debug!(%error, "no handshake");
            }
        }
    })
    .await;
    if of.is_cut_off() {
        debug!("a connection took too long, or made room for another");
    }
}

async fn connection<T, S>(stream: Secured<T>, of: Connection, peer: Arc<Peer>, front: Front<S>)
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Site,
{
    let shutdown = front.shutdown.clone();
    let is_http2 = stream.is_http2();
    if is_http2 {
        of.multiplex();
    }
    let service = service_fn(|request: http::Request<Incoming>| {
        let (answer, peer, front) = (of.answer(), Arc::clone(&peer), front.clone());
        async move {
            let response = front.respond(&request, &answer, &peer).await;
            Ok::<_, Infallible>(response.map(|body| AnswerBody::new(body, answer)))
        }
    });
    let ended =
        if is_http2 { http2::serve(stream, service, shutdown).await } else { http1(stream, service, shutdown).await };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}

async fn http1<T, S>(stream: T, service: S, shutdown: CancellationToken) -> hyper::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: HttpService<Incoming, ResBody = AnswerBody<Body>, Error = Infallible>,
{
    let connection = http1::Builder::new()
        // How long things may take is the connection's patience to say.
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD_BYTES)
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

// === impl Front ===

impl<S: Site> Front<S> {
    async fn respond(
        &self,
        request: &http::Request<Incoming>,
        answer: &Answer,
        peer: &Arc<Peer>,
    ) -> http::Response<Body> {
        match self.guard.admit(request.headers(), peer).await {
            Ok(headers) => {
                let mut response = self.site.respond(request, answer).await;
                response.headers_mut().extend(headers);
                response
            }
            Err(refusal) => {
                let response = http::Response::from(refusal);
                match response.status() {
                    StatusCode::SERVICE_UNAVAILABLE => self.own.http_refused(HttpRefused::Overload),
                    StatusCode::TOO_MANY_REQUESTS => self.own.http_refused(HttpRefused::Limit),
                    _ => {}
                }
                response
            }
        }
    }
}

impl<S> Clone for Front<S> {
    fn clone(&self) -> Self {
        Self {
            guard: Arc::clone(&self.guard),
            own: Arc::clone(&self.own),
            site: Arc::clone(&self.site),
            shutdown: self.shutdown.clone(),
        }
    }
}
