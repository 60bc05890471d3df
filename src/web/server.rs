//! Accepts connections, and bounds what they may take.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::{
    Guard, Routes,
    http2::{self, UnderWay},
    patience::{HeadEnd, Patient},
};

/// The time for the head of a request.
const HEAD: Duration = Duration::from_secs(5);

/// How long a connection may idle: longer than scrape intervals are, so that Prometheus keeps its connection.
const IDLE: Duration = Duration::from_secs(150);

/// The most that the head of a request may be.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// The most connections at once. Further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 256;

/// The time that answers under way have left once the exporter stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long to wait when no connection can be accepted, as when the process is out of file descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// Serves `routes` on `listener`, to whom `guard` lets through, until told to stop; answers under way are finished, within
/// half a second.
pub async fn serve(listener: TcpListener, guard: Arc<Guard>, routes: Arc<Routes>, shutdown: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    error!(%error, "a connection's task died");
                }
                continue;
            }
        };
        if let Some((stream, slot)) = accepted {
            connections.spawn(connection(stream, slot, Arc::clone(&guard), Arc::clone(&routes), shutdown.clone()));
        }
    }
    drop(listener);
    let _ = timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await;
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) => {
            warn!(%error, "cannot accept a connection");
            sleep(BREATHER).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    _slot: OwnedSemaphorePermit,
    guard: Arc<Guard>,
    routes: Arc<Routes>,
    shutdown: CancellationToken,
) {
    // An answer is written in one go: waiting to fill a packet would only delay it.
    let _ = stream.set_nodelay(true);
    let stream = match timeout(HEAD, guard.secure(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return debug!(%error, "no handshake"),
        Err(_) => return debug!("a handshake took too long"),
    };
    let (head, under_way, is_http2) = (HeadEnd::default(), UnderWay::default(), stream.is_http2());
    let service = service_fn(|request: http::Request<Incoming>| {
        head.reached();
        let (guard, routes, under_way) = (Arc::clone(&guard), Arc::clone(&routes), under_way.begin());
        async move {
            let _under_way = under_way;
            Ok::<_, Infallible>(match guard.admit(request.headers()).await {
                Ok(headers) => {
                    let mut response = routes.answer(&request).await;
                    response.headers_mut().extend(headers);
                    response
                }
                Err(refusal) => refusal.into(),
            })
        }
    });
    if is_http2 {
        if let Err(error) = http2::serve(stream, service, under_way.clone(), (HEAD, IDLE), shutdown).await {
            debug!(%error, "a connection ended early");
        }
        return;
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(stream, HEAD, head.clone())), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}
