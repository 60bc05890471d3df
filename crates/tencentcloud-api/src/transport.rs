//! Carries a signed request to the API and brings the answer's bytes back.

use std::{cell::Cell, error::Error as StdError, io, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use reqwest::redirect;
use tokio::{
    sync::{Mutex, OnceCell},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};
use tower::util::MapRequestLayer;

use crate::{Error, Program, Proxies};

/// The most bytes that are read of an answer, unless the request says otherwise.
pub(crate) const MAX_RESPONSE_BYTES: usize = 4 << 20;

/// How long a connection may idle in our pool. Tencent Cloud closes idle connections without a word, so we part first;
/// its own Go SDK does so after 30 s.
const IDLE: Duration = Duration::from_secs(20);

/// The time for a connection. The client times the whole request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the peer's system may leave data unacknowledged. Without a limit the kernel would send a request again for minutes after
/// its timeout, and it would arrive when the network is back, among requests that the caller takes to be the only ones.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long after it was sent a request may arrive, even if it was given up earlier: a connection takes up to 5 s, and then, on
/// Linux, data may stay unacknowledged for 5 s.
pub const MAX_TRANSIT: Duration = CONNECT_TIMEOUT.saturating_add(ACKNOWLEDGE_TIMEOUT);

/// The time for the certificate authorities, so that a request has some left.
const AUTHORITIES_TIMEOUT: Duration = Duration::from_secs(3);

/// Which connection a request goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// One that an earlier request left open, where there is one.
    Pooled,
    /// A new one.
    Fresh,
}

/// Among a request's extensions: the most bytes that are read of its answer, in place of [`MAX_RESPONSE_BYTES`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseLimit(pub(crate) usize);

/// Something that carries requests. Tests put the simulator here.
pub trait Transport: Send + Sync {
    /// Sends `request`, once, and brings the whole answer.
    ///
    /// # Errors
    /// Whatever keeps the answer from being whole. Only here arises [`Error::StaleConnection`].
    fn send(&self, request: Request<Bytes>, connection: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>>;
}

/// The real transport: HTTP/1.1 over TLS or, to this machine only, in the clear.
#[derive(Debug)]
pub struct HttpTransport {
    /// To this machine and the metadata service, so never through a proxy.
    cleartext: Clients,
    program: Program,
    proxies: Proxies,
    /// Made when an endpoint first wants it: it needs certificate authorities, which a machine may lack.
    secure: OnceCell<Clients>,
    /// Reads the authorities, which may take for ever. No second thread waits for them.
    loading: Mutex<Option<JoinHandle<reqwest::Result<Clients>>>>,
}

#[derive(Clone, Debug)]
struct Clients {
    pooled: reqwest::Client,
    fresh: reqwest::Client,
}

tokio::task_local! {
    /// Set when the request under way opens a connection of its own.
    static CONNECTED: Cell<bool>;
}

// === impl HttpTransport ===

impl HttpTransport {
    /// A transport of the requests of `program`. Over TLS it trusts the system's certificate authorities and goes through
    /// `proxies`.
    ///
    /// # Errors
    /// None that is known.
    pub fn new(program: Program, proxies: Proxies) -> Result<Self, Error> {
        let cleartext = Clients::new(program, |builder| builder.tls_certs_only([]));
        let cleartext = cleartext.map_err(|error| Error::Connect(innermost(&error)))?;
        Ok(Self { cleartext, program, proxies, secure: OnceCell::new(), loading: Mutex::default() })
    }

    async fn secure(&self) -> Result<&Clients, Error> {
        self.secure.get_or_try_init(|| self.load()).await
    }

    async fn load(&self) -> Result<Clients, Error> {
        let mut loading = self.loading.lock().await;
        let load = loading.get_or_insert_with(|| {
            let (program, proxies) = (self.program, self.proxies.clone());
            spawn_blocking(move || Clients::secure(program, &proxies))
        });
        let loaded = timeout(AUTHORITIES_TIMEOUT, load).await.map_err(|_| {
            let fix = "check SSL_CERT_FILE, SSL_CERT_DIR and their mounts";
            Error::Tls(format!("reading the certificate authorities takes longer than 3 s: {fix}"))
        })?;
        *loading = None;
        let clients = loaded.map_err(|error| Error::Tls(error.to_string()))?;
        clients.map_err(|error| {
            let fix = "install the certificate authorities (package ca-certificates) or set SSL_CERT_FILE";
            Error::Tls(format!("{}: {fix}", innermost(&error)))
        })
    }

    async fn exchange(&self, request: Request<Bytes>, connection: Connection) -> Result<Response<Bytes>, Error> {
        let clients = match request.uri().scheme_str() {
            Some("http") => &self.cleartext,
            _ => self.secure().await?,
        };
        let client = match connection {
            Connection::Pooled => &clients.pooled,
            Connection::Fresh => &clients.fresh,
        };
        let max_bytes = request.extensions().get().map_or(MAX_RESPONSE_BYTES, |ResponseLimit(bytes)| *bytes);
        let request = request.try_into().map_err(|error: reqwest::Error| Error::Connect(innermost(&error)))?;
        let (sent, reused) = CONNECTED
            .scope(Cell::new(false), async {
                let sent = client.execute(request).await;
                (sent, !CONNECTED.with(Cell::get))
            })
            .await;
        let answer = sent.map_err(|error| classify(&error, reused))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = read_bounded(answer, max_bytes).await?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

// === impl Clients ===

impl Clients {
    fn secure(program: Program, proxies: &Proxies) -> reqwest::Result<Self> {
        Self::new(program, |builder| {
            let builder = builder.https_only(true);
            if !proxies.is_any() {
                return builder;
            }
            let proxies = proxies.clone();
            builder.proxy(reqwest::Proxy::custom(move |url| proxies.proxy_for(url)))
        })
    }

    fn new(program: Program, kind: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> reqwest::Result<Self> {
        let builder = || {
            let marks_a_new_connection = MapRequestLayer::new(|request| {
                // Outside of a request there is no receiver.
                let _ = CONNECTED.try_with(|connected| connected.set(true));
                request
            });
            let client = reqwest::Client::builder()
                .user_agent(program.user_agent())
                // It would read the environment itself.
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE)
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .connector_layer(marks_a_new_connection);
            #[cfg(target_os = "linux")]
            let client = client.tcp_user_timeout(ACKNOWLEDGE_TIMEOUT);
            kind(client)
        };
        Ok(Self { pooled: builder().build()?, fresh: builder().pool_max_idle_per_host(0).build()? })
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request<Bytes>, connection: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        Box::pin(self.exchange(request, connection))
    }
}

async fn read_bounded(mut answer: reqwest::Response, max_bytes: usize) -> Result<Bytes, Error> {
    let length = answer.content_length().map_or(Ok(0), usize::try_from).unwrap_or(usize::MAX);
    if length > max_bytes {
        return Err(Error::TooLarge(max_bytes));
    }
    let mut body = BytesMut::with_capacity(length);
    while let Some(chunk) = answer.chunk().await.map_err(|error| classify(&error, false))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(Error::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Sorts reqwest's errors. It wraps those of hyper, of rustls and of the system, and tells them apart in part only.
fn classify(error: &reqwest::Error, reused: bool) -> Error {
    let text = innermost(error);
    if error.is_timeout() && !error.is_connect() {
        // Only the connect timeout is left to reqwest; the rest is timed by the caller.
        return Error::Connection(text);
    }
    if chain(error).any(is_tls) {
        return Error::Tls(text);
    }
    if error.is_connect() {
        return Error::Connect(text);
    }
    if reused && chain(error).any(is_closed) {
        return Error::StaleConnection(text);
    }
    Error::Connection(text)
}

/// An `io::Error` hides what it wraps from `source`, and may wrap another.
fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|wrapped| is_tls(wrapped))
}

fn is_closed(error: &(dyn StdError + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    let by_hyper = error
        .downcast_ref::<hyper::Error>()
        .is_some_and(|error| error.is_incomplete_message() || error.is_canceled() || error.is_closed());
    let by_system = error.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
    });
    by_hyper || by_system
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (**error).source())
}

/// The cause at the bottom: those above it only repeat that a request failed, and where to.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}
