//! A credential from files, which may be replaced at any time.
//!
//! They are checked before each request, so that a rotated secret needs no restart. While they are invalid, the last valid
//! credential stays in use.

use std::{
    fmt,
    path::{Path, PathBuf},
    str,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use exporter_toolkit::files::Watched;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tencentcloud_api::{Clock, Credential};
use tokio::{
    sync::Mutex as AsyncMutex,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{Error, Fault, Fetched, Place, secret};

/// Timeout of reading the files.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long after a rejection a new credential may still be being written.
const GRACE: Duration = Duration::from_secs(3);

/// Interval between retries meanwhile.
const AGAIN: Duration = Duration::from_secs(1);

/// More than any secret has. The tokens of temporary credentials have about 1,000 characters.
const MAX_BYTES: u64 = 64 << 10;

/// The paths of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The `SecretId`.
    pub secret_id: PathBuf,
    /// The `SecretKey`.
    pub secret_key: PathBuf,
    /// The token of a temporary credential.
    pub token: Option<PathBuf>,
}

/// Files that may be replaced, and their parsed content.
#[derive(Debug)]
pub struct File<C: Content> {
    content: C,
    clock: Arc<dyn Clock>,
    /// Locked by the thread that reads, so that a mount that hangs blocks only one thread.
    files: Arc<AsyncMutex<Watched<C::Value>>>,
    last: Mutex<Option<Found<C::Value>>>,
    refused: Mutex<Option<(Credential, Instant)>>,
    failures: AtomicU64,
}

/// How files are read.
pub trait Content: fmt::Debug + Send + Sync + 'static {
    /// Their parsed content.
    type Value: Clone + fmt::Debug + Send + 'static;

    /// The files.
    fn paths(&self) -> Vec<PathBuf>;

    /// Parses the contents of the files, which are in the order of [`Content::paths`].
    ///
    /// # Errors
    /// What is wrong with them.
    fn parse(&self, contents: &[SecretSlice<u8>]) -> Result<Self::Value, Error>;

    /// The credential in a value, if there is one.
    fn credential(value: &Self::Value) -> Option<&Credential>;
}

/// The content of the files, or the last valid one.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    /// Why they are invalid now.
    pub(super) problem: Option<Error>,
}

// === impl File ===

impl<C: Content> File<C> {
    /// The files of `content`. `clock` determines how long ago they were written.
    #[must_use]
    pub fn new(content: C, clock: Arc<dyn Clock>) -> Self {
        let paths = content.paths();
        Self {
            content,
            clock,
            files: Arc::new(AsyncMutex::new(Watched::new(paths, MAX_BYTES))),
            last: Mutex::default(),
            refused: Mutex::default(),
            failures: AtomicU64::default(),
        }
    }

    /// How often the files were invalid.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// See [`super::Source::refused`]. The old secret may be revoked at once in a rotation, but the new one applies only
    /// when its files have been unchanged for a second.
    pub(super) fn refused(&self, credential: &Credential) -> Option<Duration> {
        let is_it = |last: &Found<C::Value>| C::credential(&last.value).is_some_and(|last| last.is(credential));
        if self.last.lock().as_ref().is_some_and(|last| !is_it(last)) {
            return Some(Duration::ZERO);
        }
        let mut refused = self.refused.lock();
        match refused.as_ref() {
            Some((known, since)) if known.is(credential) => (since.elapsed() < GRACE).then_some(AGAIN),
            _ => {
                *refused = Some((credential.clone(), Instant::now()));
                Some(AGAIN)
            }
        }
    }

    /// How they are read.
    pub(super) fn content(&self) -> &C {
        &self.content
    }

    /// The content at the last check.
    pub(super) fn last(&self) -> Option<C::Value> {
        self.last.lock().as_ref().map(|last| last.value.clone())
    }

    /// Their parsed content.
    pub(super) async fn find(self: Arc<Self>) -> Result<Found<C::Value>, Error> {
        self.find_by(Self::look).await
    }

    async fn find_by(
        self: Arc<Self>,
        look: impl FnOnce(&Self, &mut Watched<C::Value>) -> Result<C::Value, Error> + Send + 'static,
    ) -> Result<Found<C::Value>, Error> {
        // While another request reads the files, their last content is used.
        if let Some(last) = self.last.lock().clone()
            && self.files.try_lock().is_err()
        {
            return Ok(last);
        }
        let this = Arc::clone(&self);
        let looked = async move {
            let mut files = Arc::clone(&this.files).lock_owned().await;
            // A mounted file may hang, so it is not read on the thread that serves scrapes.
            spawn_blocking(move || this.note(look(&this, &mut files))).await
        };
        match timeout(TIMEOUT, looked).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => self.note(Err(Error::Hanging)),
        }
    }

    fn look(&self, files: &mut Watched<C::Value>) -> Result<C::Value, Error> {
        files.look(self.clock.now(), |contents| self.content.parse(contents))
    }

    /// Keeps the result of reading; an error, together with the last valid value.
    fn note(&self, looked: Result<C::Value, Error>) -> Result<Found<C::Value>, Error> {
        if looked.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        let mut last = self.last.lock();
        let found = match (looked, last.take()) {
            (Ok(value), _) => Found { value, problem: None },
            (Err(problem), Some(last)) => Found { problem: Some(problem), ..last },
            (Err(problem), None) => return Err(problem),
        };
        *last = Some(found.clone());
        Ok(found)
    }
}

impl File<Paths> {
    pub(super) async fn fetch(self: Arc<Self>) -> Result<Fetched, Error> {
        let Found { value: credential, problem } = self.find().await?;
        Ok(Fetched { credential, problem })
    }
}

// === impl Paths ===

impl Paths {
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.secret_id, &self.secret_key].into_iter().chain(&self.token)
    }
}

impl Content for Paths {
    type Value = Credential;

    fn paths(&self) -> Vec<PathBuf> {
        self.all().cloned().collect()
    }

    /// Each file contains one secret and nothing else.
    fn parse(&self, contents: &[SecretSlice<u8>]) -> Result<Credential, Error> {
        let mut contents = contents.iter().map(ExposeSecret::expose_secret);
        let mut next = |path: &PathBuf| secret_in(contents.next().unwrap_or_default(), path);
        Ok(Credential {
            secret_id: next(&self.secret_id)?,
            secret_key: next(&self.secret_key)?,
            token: self.token.as_ref().map(next).transpose()?,
        })
    }

    fn credential(credential: &Credential) -> Option<&Credential> {
        Some(credential)
    }
}

fn secret_in(content: &[u8], path: &Path) -> Result<SecretString, Error> {
    let place = || Place::File(path.to_owned());
    let text = str::from_utf8(content).map_err(|_| Error::Unusable { place: place(), fault: Fault::Foreign })?;
    Ok(secret(text, place)?.into())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, sync::mpsc, thread};

    use jiff::{SignedDuration, Timestamp};
    use tempfile::TempDir;
    use tokio::{task::JoinSet, time::advance};

    use super::*;

    /// A mounted secret, and the clock of its readers.
    struct Mount {
        folder: TempDir,
        clock: Arc<HandClock>,
        file: Arc<File<Paths>>,
    }

    #[derive(Debug)]
    struct HandClock(Mutex<Timestamp>);

    impl Clock for HandClock {
        fn now(&self) -> Timestamp {
            *self.0.lock()
        }
    }

    impl Mount {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            let paths = Paths { secret_id: path("id"), secret_key: path("key"), token: Some(path("token")) };
            let clock = Arc::new(HandClock(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())));
            let file = Arc::new(File::new(paths, Arc::clone(&clock) as _));
            Self { folder, clock, file }
        }

        /// Writes in place, now.
        fn write(&self, name: &str, text: impl AsRef<[u8]>) {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            let now = self.clock.now().try_into().unwrap();
            fs::File::open(&path).unwrap().set_modified(now).unwrap();
        }

        fn write_all(&self, generation: &str) {
            for name in ["id", "key", "token"] {
                self.write(name, format!("{generation}-{name}\n"));
            }
        }

        /// Replaces all files as Kubernetes does: in a new directory, by replacing the link to it.
        fn swap(&self, generation: &str) {
            let path = |name: &str| self.folder.path().join(name);
            let folder = format!("..{generation}");
            fs::create_dir(path(&folder)).unwrap();
            for name in ["id", "key", "token"] {
                self.write(&format!("{folder}/{name}"), format!("{generation}-{name}"));
                if !path(name).is_symlink() {
                    symlink(format!("..data/{name}"), path(name)).unwrap();
                }
            }
            symlink(&folder, path("..data_tmp")).unwrap();
            fs::rename(path("..data_tmp"), path("..data")).unwrap();
        }

        fn pass(&self, milliseconds: i64) {
            *self.clock.0.lock() += SignedDuration::from_millis(milliseconds);
        }

        async fn fetch(&self) -> Result<(String, Option<Error>), Error> {
            let Fetched { credential, problem } = Arc::clone(&self.file).fetch().await?;
            Ok((generation(&credential), problem))
        }

        async fn brings(&self, generation: &str) {
            assert_eq!(self.fetch().await, Ok((generation.to_owned(), None)));
        }

        /// Returns the last valid credential, and what is wrong with the current one.
        async fn falls_back_to(&self, generation: &str) -> String {
            let (found, problem) = self.fetch().await.unwrap();
            assert_eq!(found, generation);
            problem.unwrap().to_string()
        }
    }

    /// The value of all three secrets.
    fn generation(credential: &Credential) -> String {
        let text = credential.secret_id.expose_secret();
        let generation = text.strip_suffix("-id").unwrap();
        assert_eq!(credential.secret_key.expose_secret(), format!("{generation}-key"));
        assert_eq!(credential.token.as_ref().unwrap().expose_secret(), format!("{generation}-token"));
        generation.to_owned()
    }

    #[tokio::test]
    async fn a_rotated_secret_is_used_once_it_is_unchanged_for_a_second() {
        let mount = Mount::new();
        mount.write_all("old");
        mount.brings("old").await;
        mount.pass(1_000);
        mount.brings("old").await;
        // A new id together with the old key would be rejected.
        mount.write("id", "new-id");
        mount.brings("old").await;
        mount.write("key", "new-k");
        mount.pass(500);
        mount.brings("old").await;
        mount.write_all("new");
        mount.pass(999);
        mount.brings("old").await;
        mount.pass(1);
        mount.brings("new").await;
    }

    #[tokio::test]
    async fn a_replaced_mount_is_used() {
        let mount = Mount::new();
        mount.swap("old");
        mount.brings("old").await;
        mount.pass(1_000);
        mount.swap("new");
        mount.brings("old").await;
        mount.pass(1_000);
        mount.brings("new").await;
    }

    #[tokio::test]
    async fn invalid_files_leave_the_last_valid_credential_in_use() {
        let mount = Mount::new();
        mount.write_all("good");
        mount.pass(1_000);
        mount.brings("good").await;
        for (content, expected) in [("", "/key is empty"), (" \n", "/key is empty"), ("a key", "/key holds a blank")] {
            mount.write("key", content);
            mount.brings("good").await;
            mount.pass(1_000);
            let problem = mount.falls_back_to("good").await;
            assert!(problem.contains(expected), "{problem}");
        }
        mount.write("key", b"\xff");
        mount.pass(1_000);
        assert!(mount.falls_back_to("good").await.contains("/key holds a blank"));
        fs::remove_file(mount.folder.path().join("key")).unwrap();
        let absent = mount.falls_back_to("good").await;
        assert!(
            absent.ends_with("/key: no such file or directory: check the path, the mount and the permissions"),
            "{absent}"
        );
        mount.write_all("mended");
        mount.pass(1_000);
        mount.brings("mended").await;
    }

    #[tokio::test]
    async fn errors_name_the_invalid_file_and_the_problem() {
        let mount = Mount::new();
        let absent = mount.fetch().await.unwrap_err().to_string();
        assert!(absent.contains("/id: no such file or directory: check the path"), "{absent}");
        mount.write_all("first");
        mount.write("id", " \n");
        let empty = mount.fetch().await.unwrap_err().to_string();
        assert!(empty.ends_with("/id is empty"), "{empty}");
        mount.write_all("first");
        mount.brings("first").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_credential_mixes_two_generations_of_files() {
        let mount = Mount::new();
        mount.swap("0");
        // Long after every write, so that only the replacement itself is tested.
        mount.pass(3_600_000);
        let mut requests = JoinSet::new();
        for _ in 0..8 {
            let file = Arc::clone(&mount.file);
            requests.spawn(async move {
                let mut last = 0;
                while last < 200 {
                    let credential = Arc::clone(&file).fetch().await.unwrap().credential;
                    let now: u32 = generation(&credential).parse().unwrap();
                    assert!(now >= last, "{now} after {last}");
                    last = now;
                    tokio::task::yield_now().await;
                }
            });
        }
        let writer = thread::spawn(move || {
            for generation in 1..=200 {
                mount.pass(-3_600_000);
                mount.swap(&generation.to_string());
                mount.pass(3_600_000);
            }
            mount
        });
        timeout(Duration::from_mins(1), requests.join_all()).await.unwrap();
        writer.join().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_hangs_delays_only_one_request() {
        let mount = Mount::new();
        mount.write_all("good");
        mount.brings("good").await;
        let (end, ended) = mpsc::channel::<()>();
        let hangs = tokio::spawn(Arc::clone(&mount.file).find_by(move |file, files| {
            let _ = ended.recv();
            file.look(files)
        }));
        tokio::task::yield_now().await;
        mount.brings("good").await;
        advance(TIMEOUT).await;
        assert_eq!(hangs.await.unwrap().unwrap().problem, Some(Error::Hanging));
        assert_eq!(mount.fetch().await, Ok(("good".to_owned(), Some(Error::Hanging))));
        drop(end);
        while mount.file.files.try_lock().is_err() {
            tokio::task::yield_now().await;
        }
        mount.brings("good").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_read_that_hangs_times_out() {
        let mount = Mount::new();
        let _hanging = mount.file.files.lock().await;
        assert_eq!(mount.fetch().await, Err(Error::Hanging));
    }
}
