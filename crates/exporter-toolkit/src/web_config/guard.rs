//! Stands before the server: secures connections, and says who is answered.

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex as AsyncMutex,
    task::spawn_blocking,
    time::{Instant, timeout},
};
use tokio_util::either::Either;

use super::{
    authorization::BasicCredentials,
    basic_auth::{AuthResult, BasicAuth},
    config_watcher::{ConfigWatcher, WebSnapshot},
    connection::SecuredStream,
    peer::Peer,
    plain_http,
    rate_limit::Bucket,
    refusals::Refusals,
};
use crate::{
    Body,
    respond::plain,
    yaml::{Fault, Faults},
};

/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// How long a request waits for a look; a mounted file may hang.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// What `--web.config.file` asks of the server, as it is now. Without one, all is in the clear and everybody is answered.
#[derive(Debug)]
pub struct Guard(Option<Live>);

struct Live {
    /// Held by the one who looks.
    watcher: Arc<AsyncMutex<ConfigWatcher>>,
    view: Arc<Mutex<WebSnapshot>>,
    next_look: Mutex<Instant>,
    basic_auth: BasicAuth,
    bucket: Option<Bucket>,
    refusals: Refusals,
    /// Whether TLS is spoken.
    tls: bool,
}

/// The answer to a request that is not let through.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: &'static str,
    headers: HeaderMap,
}

// === impl Guard ===

impl Guard {
    /// One that lets everybody through.
    #[must_use]
    pub fn open() -> Self {
        Self(None)
    }

    /// One that follows the file at `path`; `now` tells the time of day. May block.
    ///
    /// # Errors
    /// All that is wrong with the file, and with those that it names.
    pub fn load(path: &Path, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Result<Self, Faults> {
        let (watcher, view) = ConfigWatcher::new(path, Box::new(now))?;
        let basic_auth =
            BasicAuth::new().map_err(|_| Faults::of_file("cannot be kept: the system gives no random bytes"))?;
        let tls = view.tls.is_some();
        let limit = view.config.as_ref().and_then(|config| config.rate_limit);
        Ok(Self(Some(Live {
            watcher: Arc::new(AsyncMutex::new(watcher)),
            view: Arc::new(Mutex::new(view)),
            next_look: Mutex::new(Instant::now() + LOOK),
            basic_auth,
            bucket: limit.map(Bucket::new),
            refusals: Refusals::default(),
            tls,
        })))
    }

    /// How URLs of the server begin.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.0.as_ref().is_some_and(|live| live.tls) { "https" } else { "http" }
    }

    /// What it asks for, in a few words.
    #[must_use]
    pub fn summary(&self) -> String {
        let config = self.0.as_ref().and_then(|live| live.view.lock().config.clone());
        let users = config.map_or(0, |config| config.users.len());
        let limit = if self.0.as_ref().is_some_and(|live| live.bucket.is_some()) { ", a rate limit" } else { "" };
        format!("{}, {users} user(s){limit}", self.scheme())
    }

    /// What the file says that is accepted and unwise.
    #[must_use]
    pub fn warnings(&self) -> Vec<Fault> {
        let config = self.0.as_ref().and_then(|live| live.view.lock().config.clone());
        config.map(|config| config.warnings()).unwrap_or_default()
    }

    /// `stream`, which is of `peer`, once it is ready for requests: at once, or after a handshake, which has no end of its own.
    ///
    /// # Errors
    /// The handshake fails, or the web configuration is invalid.
    pub(crate) async fn secure<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: T,
        peer: &Peer,
    ) -> io::Result<SecuredStream<T>> {
        let Some(live) = self.0.as_ref().filter(|live| live.tls) else { return Ok(Either::Right(stream)) };
        let secured = live.secure(stream).await;
        if let Err(error) = &secured {
            live.refusals.log(error, peer);
        }
        secured
    }

    /// Lets a request of `peer` with these `headers` through, or not. Tells the headers to add to its answer.
    ///
    /// # Errors
    /// In this order: the web configuration is invalid, there are too many requests, or the request has no credentials.
    pub(crate) async fn admit(&self, headers: &HeaderMap, peer: &Arc<Peer>) -> Result<HeaderMap, Refusal> {
        let Some(live) = &self.0 else { return Ok(HeaderMap::new()) };
        let Some(config) = live.view().await.config else { return Err(Refusal::broken()) };
        if live.bucket.as_ref().is_some_and(|bucket| !bucket.take()) {
            return Err(Refusal::too_many());
        }
        let added = config.http.headers.clone();
        if config.users.is_empty() {
            return Ok(added);
        }
        let result = match BasicCredentials::in_headers(headers) {
            Some(credentials) => live.basic_auth.judge(&config.users, credentials, peer).await,
            None => AuthResult::Rejected,
        };
        match result {
            AuthResult::Accepted => Ok(added),
            AuthResult::Rejected => Err(Refusal::unauthorized(added)),
            AuthResult::Overloaded => Err(Refusal::busy(added)),
        }
    }
}

// === impl Live ===

impl Live {
    async fn secure<T: AsyncRead + AsyncWrite + Unpin>(&self, stream: T) -> io::Result<SecuredStream<T>> {
        let hello = plain_http::start_handshake(stream).await?;
        // After the client has begun, so that one that waited with that gets no certificate of before.
        let view = self.view().await;
        let (Some(_), Some(tls)) = (view.config, view.tls) else {
            return Err(io::Error::other("invalid web configuration: TLS handshakes are refused"));
        };
        Ok(Either::Left(Box::new(hello.into_stream(tls).await?)))
    }

    /// The current configuration, read at most a second ago. A request does not wait for another's read.
    async fn view(&self) -> WebSnapshot {
        if let Ok(mut watcher) = Arc::clone(&self.watcher).try_lock_owned()
            && self.is_time_to_look()
        {
            let view = Arc::clone(&self.view);
            let look = spawn_blocking(move || *view.lock() = watcher.look());
            // A read that hangs continues in the background. No other read starts meanwhile.
            let _ = timeout(READ_TIMEOUT, look).await;
        }
        self.view.lock().clone()
    }

    fn is_time_to_look(&self) -> bool {
        let now = Instant::now();
        let mut next = self.next_look.lock();
        let is_time = *next <= now;
        if is_time {
            *next = now + LOOK;
        }
        is_time
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

// === impl Refusal ===

impl Refusal {
    fn new(status: StatusCode, text: &'static str, headers: HeaderMap) -> Self {
        Self { status, text, headers }
    }

    fn broken() -> Self {
        let text = "the web configuration cannot be used: see the log\n";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text, HeaderMap::new())
    }

    fn too_many() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests\n", HeaderMap::new())
    }

    fn busy(mut headers: HeaderMap) -> Self {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many passwords are being checked\n", headers)
    }

    fn unauthorized(mut headers: HeaderMap) -> Self {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized\n", headers)
    }
}

impl From<Refusal> for Response<Body> {
    fn from(refusal: Refusal) -> Self {
        let mut response = plain(refusal.status, refusal.text);
        response.headers_mut().extend(refusal.headers);
        response
    }
}
