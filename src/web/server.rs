//! Accepts connections, and serves them within their bounds.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
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
    answer::AnswerBody,
    connections::{Connection, Connections, Place},
    observed::Observed,
    site::Site,
};

/// The most that the head of a request may be.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// The most connections at once, where nothing else is said.
pub const MAX_CONNECTIONS: usize = 256;

/// The time that answers under way have left once the exporter stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long to wait when no connection can be accepted, as when the process is out of file descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// Serves `site` on `listener`, to `places` connections at once, until told to stop; answers under way are finished,
/// within half a second.
pub async fn serve<S: Site>(listener: TcpListener, site: Arc<S>, places: usize, shutdown: CancellationToken) {
    let connections = Connections::new(places);
    let mut tasks = JoinSet::new();
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accept_all(&listener, &site, &connections, &mut tasks, &shutdown) => {}
        () = connections.cut_off_the_overdue() => {}
    }
    drop(listener);
    let _ = timeout(FAREWELL, async { while tasks.join_next().await.is_some() {} }).await;
}

/// Goes on for ever.
async fn accept_all<S: Site>(
    listener: &TcpListener,
    site: &Arc<S>,
    connections: &Arc<Connections>,
    tasks: &mut JoinSet<()>,
    shutdown: &CancellationToken,
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
            tasks.spawn(attend(stream, place, Arc::clone(site), shutdown.clone()));
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

async fn attend<S: Site>(stream: TcpStream, place: Place, site: Arc<S>, shutdown: CancellationToken) {
    // An answer is written in one go: waiting to fill a packet would only delay it.
    let _ = stream.set_nodelay(true);
    let of = place.connection();
    let stream = Observed::new(stream, of.clone(), |stream| {
        let _ = stream.set_zero_linger();
    });
    of.until_cut_off(connection(stream, of.clone(), site, shutdown)).await;
    if of.is_cut_off() {
        debug!("a connection took too long, or made room for another");
    }
}

async fn connection<T, S>(stream: T, of: Connection, site: Arc<S>, shutdown: CancellationToken)
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Site,
{
    let service = service_fn(|request: http::Request<Incoming>| {
        let (answer, site) = (of.answer(), Arc::clone(&site));
        async move {
            let response = site.respond(&request, &answer).await;
            Ok::<_, Infallible>(response.map(|body| AnswerBody::new(body, answer)))
        }
    });
    let connection = http1::Builder::new()
        // How long things may take is the connection's patience to say.
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
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
