//! What several fuzz targets share.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use tempfile::TempDir;
use tencentcloud_api::{Connection, Credential, Error, Transport};
use tokio::runtime::{Builder, Runtime};

/// The first second of 2026: results must not depend on the time of day.
pub const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// A byte that stands for [`SECRET`] in an input, so that the fuzzer need not find the whole of it.
pub const PLACEHOLDER: u8 = 1;

/// A secret, as long as a real one.
pub const SECRET: &str = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";

/// In memory, where that is possible. It is removed when the process ends normally.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("fuzz").tempdir_in(parent).expect("a folder for files")
});

/// A response to every request.
pub struct Answering(pub StatusCode, pub Option<String>, pub Bytes);

/// A folder of this process.
#[must_use]
pub fn folder() -> PathBuf {
    FOLDER.path().to_owned()
}

/// The path of a new file with this content.
#[must_use]
pub fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, content).expect("a file is written");
    path
}

/// `data` with [`SECRET`] in place of each [`PLACEHOLDER`].
#[must_use]
pub fn with_secret(data: &[u8]) -> Vec<u8> {
    data.split(|byte| *byte == PLACEHOLDER).collect::<Vec<_>>().join(SECRET.as_bytes())
}

/// Panics if `text` has the secret.
pub fn assert_no_secret(text: &str) {
    assert!(!text.contains(SECRET), "the secret is repeated: {text}");
}

/// Panics unless `work` ends in time.
pub fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    assert!(began.elapsed() < limit, "it took {:?}", began.elapsed());
    result
}

/// A runtime whose clock moves only when nothing else can.
#[must_use]
pub fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

impl Transport for Answering {
    fn send(&self, _: Request<Bytes>, _: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        let Self(status, date, body) = self;
        let mut response = Response::new(body.clone());
        *response.status_mut() = *status;
        if let Some(date) = date.as_deref().and_then(|date| date.parse().ok()) {
            response.headers_mut().insert("date", date);
        }
        std::future::ready(Ok(response)).boxed()
    }
}

/// A credential with [`SECRET`] in all its parts.
#[must_use]
pub fn credential() -> Credential {
    Credential { secret_id: SECRET.into(), secret_key: SECRET.into(), token: Some(SECRET.into()) }
}
