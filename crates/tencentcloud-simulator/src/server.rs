//! The simulator on a socket.

use std::{
    convert::Infallible,
    error::Error as _,
    future::{self, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    future::BoxFuture,
    stream::{self, Stream},
};
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{self, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;

use crate::{Rejection, Reply, Reused, Simulator};

/// The documented limit of a POST.
const MAX_REQUEST_BYTES: usize = 10 << 20;

/// The wait when no connection can be taken: most likely this process has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a flood repeats.
static FLOOD: [u8; 64 << 10] = [b' '; 64 << 10];

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// How a connection ends without an answer. To hyper it is an error of ours: that makes it stop there and then.
#[derive(Debug, Error)]
enum Abort {
    #[error("the connection is to be closed")]
    Close,
    #[error("the connection is to be reset")]
    Reset,
}

/// Answers over HTTP/1.1 until `shutdown`, then drops every connection.
pub async fn serve(listener: TcpListener, simulator: Arc<Simulator>, shutdown: CancellationToken) {
    serve_with(listener, simulator, Simulator::handle, shutdown).await;
}

/// What answers a request.
pub(crate) type Handler = fn(&Simulator, &Request<Bytes>) -> Reply;

pub(crate) async fn serve_with(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    handler: Handler,
    shutdown: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, simulator.clone(), handler));
                }
                Err(_) => time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    connections.shutdown().await;
}

/// One connection, to its end.
async fn converse(stream: TcpStream, simulator: Arc<Simulator>, handler: Handler) {
    let served = AtomicBool::new(false);
    let service = service_fn(move |request| -> BoxFuture<'static, Result<Response<Body>, Abort>> {
        let reused = served.swap(true, Ordering::Relaxed);
        Box::pin(exchange(simulator.clone(), handler, request, reused))
    });
    let mut connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    let Err(error) = poll_fn(|cx| connection.poll_without_shutdown(cx)).await else {
        return;
    };
    if let Some(Abort::Reset) = error.source().and_then(|source| source.downcast_ref()) {
        // A socket that does not linger resets its connection as it is dropped, which is at the end of this line.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn exchange(
    simulator: Arc<Simulator>,
    handler: Handler,
    request: Request<Incoming>,
    reused: bool,
) -> Result<Response<Body>, Abort> {
    let (mut head, body) = request.into_parts();
    if reused {
        head.extensions.insert(Reused);
    }
    let body = match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let too_large = Rejection::new("RequestSizeLimitExceeded", "The request is larger than 10 MB.");
            return Ok(simulator.reject(too_large).map(whole));
        }
        Err(_) => return Err(Abort::Close),
    };
    trip(&simulator).await;
    let reply = handler(&simulator, &Request::from_parts(head, body));
    trip(&simulator).await;
    match reply {
        Reply::Response(response) => Ok(response.map(whole)),
        Reply::Truncated(response) => Ok(truncated(response)),
        Reply::Flood { bytes, chunked } => Ok(flood(bytes, chunked)),
        Reply::Reset => Err(Abort::Reset),
        Reply::Close => Err(Abort::Close),
        Reply::Hang => future::pending().await,
    }
}

/// The way from or to the client.
async fn trip(simulator: &Simulator) {
    let latency = simulator.latency();
    if !latency.is_zero() {
        time::sleep(latency).await;
    }
}

fn whole(body: Bytes) -> Body {
    Full::new(body).boxed_unsync()
}

fn truncated(response: Response<Bytes>) -> Response<Body> {
    let length = response.body().len();
    let mut response = response.map(|body| {
        streamed(stream::unfold(Some(body.slice(..length / 2)), async |half| {
            if half.is_none() {
                // What is buffered goes out meanwhile. hyper drops it when it finds that the body falls short.
                task::yield_now().await;
            }
            half.map(|half| (half, None))
        }))
    });
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn flood(bytes: u64, chunked: bool) -> Response<Body> {
    let mut response = Response::new(streamed(stream::unfold(bytes, async |left| {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(FLOOD.len());
        (size > 0).then(|| (Bytes::from_static(&FLOOD[..size]), left - size as u64))
    })));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !chunked {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    response
}

fn streamed(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk)))).boxed_unsync()
}
