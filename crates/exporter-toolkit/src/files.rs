//! Reads files that may be written at the same time.
//!
//! Kubernetes swaps all files of a mounted Secret at once, by a symbolic link. Others write in place, and a reader may
//! find a half, or the files of two sets. So content counts only if a second reading agrees with it, and who has a
//! good value keeps it until the new content has been left alone for a second.
//!
//! Every file that a user names is opened here, by `open` or `read_once`: neither waits for a pipe.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretSlice};
use thiserror::Error;

/// How often files are read, at most, until two readings agree.
const ATTEMPTS: usize = 5;

/// A file last written longer ago than this is complete.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(1);

/// How long files may keep changing before that is reported: a rotation takes a moment, and is not an error.
const REPORT_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// How long a pipe may take until its writer has finished: this many waits of that length.
const PIPE_WAITS: u32 = 500;
const PIPE_WAIT: Duration = Duration::from_millis(10);

/// What a file holds, be it a regular one or not.
#[derive(Debug)]
pub struct Content {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Whether it is a regular file, which can be read again.
    pub is_regular: bool,
}

/// A value read from files, and read again when they change.
#[derive(Debug)]
pub struct Watched<T> {
    paths: Vec<PathBuf>,
    max_bytes: u64,
    taken: Option<Taken<T>>,
    /// Since when there is something new that cannot be taken yet.
    changing_since: Option<Timestamp>,
}

/// Why files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}: {}: check the path, the mount and the permissions", path.display(), cause(*kind))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// A directory, a pipe or a device, which may have no end.
    #[error("cannot read {}: not a file: check the path", path.display())]
    NotAFile {
        /// What is no file.
        path: PathBuf,
    },
    /// A pipe without a writer, or whose writer keeps it open.
    #[error("cannot read {}: nothing has written it to its end within 5 s: check the program that writes the pipe, or name a file", path.display())]
    SlowPipe {
        /// The pipe.
        path: PathBuf,
    },
    /// The file holds more than what it is for would ever need.
    #[error("{} is larger than {} KiB: check the path", path.display(), max_bytes >> 10)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        max_bytes: u64,
    },
    /// No two readings agree, or the files are written again and again.
    #[error("{} is never left alone for a second: write it less often, or replace it as a whole", path.display())]
    Unsettled {
        /// The file, or the first of several.
        path: PathBuf,
    },
}

#[derive(Debug)]
struct Taken<T> {
    value: T,
    /// What it was read from. Nothing if that was just written: the next write may come within the same tick of the
    /// file system's clock, and would not be noticed.
    versions: Option<Vec<Version>>,
}

/// What tells the content of a path from an earlier one, without reading it.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    length: u64,
    modified: Option<Timestamp>,
    /// Goes on where a writer sets the time of modification back, as `cp -p` does.
    changed: (i64, i64),
}

struct Reading {
    versions: Vec<Version>,
    contents: Vec<SecretSlice<u8>>,
}

// === impl Content ===

impl Content {
    /// What relative paths in it are relative to: where the file at `path` is, or where the program runs if it is not a
    /// file.
    #[must_use]
    pub fn folder<'a>(&self, path: &'a Path) -> &'a Path {
        path.parent().filter(|_| self.is_regular).unwrap_or(Path::new(""))
    }
}

// === impl Watched ===

impl<T: Clone> Watched<T> {
    /// Of these files, which make one value together. Does nothing yet.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>, max_bytes: u64) -> Self {
        Self { paths, max_bytes, taken: None, changing_since: None }
    }

    /// The value as of `now`; `parse` makes it from the content of each file, if that has changed. May block.
    ///
    /// Where there is no value yet, new files are taken at once. Later on they must have been left alone for a second;
    /// until then, the last value holds.
    ///
    /// # Errors
    /// The files as they are now cannot be used. The last value is still as good as it was, and is the caller's to keep.
    pub fn look<E: From<Error>>(
        &mut self,
        now: Timestamp,
        parse: impl FnOnce(&[SecretSlice<u8>]) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Some(Taken { value, versions: Some(versions) }) = &self.taken
            && *versions == self.versions()?
        {
            self.changing_since = None;
            return Ok(value.clone());
        }
        let reading = match (self.read(), &self.taken) {
            (Ok(reading), None) => reading,
            (Ok(reading), Some(_)) if reading.left_alone(now) => reading,
            (Ok(_) | Err(Error::Unsettled { .. }), Some(taken)) => {
                let since = *self.changing_since.get_or_insert(now);
                return if now.duration_since(since) < REPORT_AFTER {
                    Ok(taken.value.clone())
                } else {
                    Err(self.unsettled().into())
                };
            }
            (Err(error), _) => return Err(error.into()),
        };
        let value = parse(&reading.contents)?;
        let versions = reading.left_alone(now).then_some(reading.versions);
        self.taken = Some(Taken { value: value.clone(), versions });
        self.changing_since = None;
        Ok(value)
    }

    fn versions(&self) -> Result<Vec<Version>, Error> {
        self.paths.iter().map(|path| Ok(Version::of(&fs::metadata(path).map_err(unreadable(path))?))).collect()
    }

    /// What two readings in a row agree on.
    fn read(&self) -> Result<Reading, Error> {
        let mut last = self.read_once()?;
        for _ in 1..ATTEMPTS {
            let again = self.read_once()?;
            if again.agrees_with(&last) {
                return Ok(again);
            }
            last = again;
        }
        Err(self.unsettled())
    }

    fn read_once(&self) -> Result<Reading, Error> {
        let mut reading = Reading { versions: vec![], contents: vec![] };
        for path in &self.paths {
            let (version, content) = read(path, self.max_bytes)?;
            reading.versions.push(version);
            reading.contents.push(content);
        }
        Ok(reading)
    }

    fn unsettled(&self) -> Error {
        Error::Unsettled { path: self.paths.first().cloned().unwrap_or_default() }
    }
}

// === impl Version ===

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: metadata.modified().ok().and_then(|time| time.try_into().ok()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

// === impl Reading ===

impl Reading {
    fn agrees_with(&self, other: &Self) -> bool {
        self.versions == other.versions && self.contents().eq(other.contents())
    }

    fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.contents.iter().map(ExposeSecret::expose_secret)
    }

    /// Whether the file was not written within the last second. A time in the future is ignored: the clock was set back.
    fn left_alone(&self, now: Timestamp) -> bool {
        let mut ages = self.versions.iter().filter_map(|version| Some(now.duration_since(version.modified?)));
        ages.all(|age| !(SignedDuration::ZERO..LEFT_ALONE).contains(&age))
    }
}

/// Opens the regular file at `path`. Anything else is refused, before it is opened and again afterwards: to open a device
/// may change it, and what the path leads to may be replaced in between.
///
/// # Errors
/// Those of the system.
pub fn open(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = open_without_waiting(path)?;
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata)))
}

/// Reads a regular file, or once what is not one: the pipe of a process substitution, `/dev/stdin` or `/dev/null`.
///
/// # Errors
/// See [`enum@Error`].
pub fn read_once(path: &Path, max_bytes: u64) -> Result<Content, Error> {
    let mut file = open_without_waiting(path).map_err(unreadable(path))?;
    let kind = file.metadata().map_err(unreadable(path))?.file_type();
    let mut bytes = Vec::new();
    for _ in 0..=PIPE_WAITS {
        match (&mut file).take(max_bytes + 1 - bytes.len() as u64).read_to_end(&mut bytes) {
            _ if bytes.len() as u64 > max_bytes => {
                return Err(Error::TooLarge { path: path.to_owned(), max_bytes });
            }
            // It has not been written yet.
            Ok(_) if bytes.is_empty() && kind.is_fifo() => thread::sleep(PIPE_WAIT),
            Ok(_) => return Ok(Content { bytes, is_regular: kind.is_file() }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PIPE_WAIT),
            Err(error) => return Err(unreadable(path)(error)),
        }
    }
    Err(Error::SlowPipe { path: path.to_owned() })
}

/// A pipe without a writer is opened at once, and read as empty.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

fn read(path: &Path, max_bytes: u64) -> Result<(Version, SecretSlice<u8>), Error> {
    let Some((file, metadata)) = open(path).map_err(unreadable(path))? else {
        return Err(Error::NotAFile { path: path.to_owned() });
    };
    let mut content = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut content).map_err(unreadable(path))?;
    if content.len() as u64 > max_bytes {
        return Err(Error::TooLarge { path: path.to_owned(), max_bytes });
    }
    Ok((Version::of(&metadata), content.into()))
}

/// What went wrong, as the system words it: Rust calls a file that is not there an entity.
#[must_use]
pub fn cause(kind: io::ErrorKind) -> String {
    if kind == io::ErrorKind::NotFound { "no such file or directory".to_owned() } else { kind.to_string() }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::Unreadable { path: path.to_owned(), kind: error.kind() }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, process::Command};

    use tempfile::TempDir;

    use super::*;

    /// A file, and the clock of those who look at it.
    struct Scene {
        folder: TempDir,
        now: Timestamp,
        watched: Watched<String>,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let watched = Watched::new(vec![folder.path().join("file")], 1 << 10);
            Self { folder, now: "2026-01-01T00:00:00Z".parse().unwrap(), watched }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("file")
        }

        /// Writes in place, now.
        fn write(&self, text: &str) {
            fs::write(self.path(), text).unwrap();
            self.touch(&self.path());
        }

        fn touch(&self, path: &Path) {
            File::open(path).unwrap().set_modified(self.now.try_into().unwrap()).unwrap();
        }

        fn pass(&mut self, milliseconds: i64) {
            self.now += SignedDuration::from_millis(milliseconds);
        }

        fn look(&mut self) -> Result<String, Error> {
            self.watched.look(self.now, |contents| Ok(String::from_utf8(contents[0].expose_secret().to_vec()).unwrap()))
        }

        fn sees(&mut self, text: &str) {
            assert_eq!(self.look().as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_first_value_is_taken_at_once_and_the_next_when_it_is_left_alone() {
        let mut scene = Scene::new();
        scene.write("old");
        scene.sees("old");
        scene.pass(5_000);
        scene.sees("old");
        scene.write("n");
        scene.sees("old");
        scene.pass(600);
        scene.write("new");
        scene.pass(999);
        scene.sees("old");
        scene.pass(1);
        scene.sees("new");
    }

    #[test]
    fn a_first_value_that_was_half_written_does_not_stay() {
        let mut scene = Scene::new();
        scene.write("hal");
        scene.sees("hal");
        // In the same tick, and of the same length.
        scene.write("who");
        scene.sees("hal");
        scene.pass(1_000);
        scene.sees("who");
    }

    #[test]
    fn unchanged_files_are_not_read_again() {
        let mut scene = Scene::new();
        scene.write("text");
        scene.pass(1_000);
        scene.sees("text");
        let again = scene.watched.look(scene.now, |_| -> Result<_, Error> { panic!("read again") });
        assert_eq!(again.as_deref(), Ok("text"));
    }

    #[test]
    fn a_writer_that_hides_is_noticed() {
        let mut scene = Scene::new();
        scene.write("text");
        scene.pass(1_000);
        scene.sees("text");
        let modified = fs::metadata(scene.path()).unwrap().modified().unwrap();
        // Not within the same tick of the file system.
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(scene.path(), "TEXT").unwrap();
        File::open(scene.path()).unwrap().set_modified(modified).unwrap();
        scene.sees("TEXT");
    }

    #[test]
    fn a_time_in_the_future_does_not_hold_a_file_back() {
        let mut scene = Scene::new();
        scene.write("old");
        scene.pass(1_000);
        scene.sees("old");
        scene.pass(3_600_000);
        scene.write("new");
        scene.pass(-3_600_000);
        scene.sees("new");
    }

    #[test]
    fn a_file_that_is_never_left_alone_is_reported_after_a_while() {
        let mut scene = Scene::new();
        scene.write("0");
        scene.sees("0");
        for _ in 0..20 {
            scene.write("1");
            scene.sees("0");
            scene.pass(500);
        }
        scene.write("1");
        assert_eq!(scene.look(), Err(Error::Unsettled { path: scene.path() }));
        scene.pass(1_000);
        scene.sees("1");
        scene.write("2");
        scene.sees("1");
    }

    #[test]
    fn a_link_is_followed_to_where_it_leads_now() {
        let mut scene = Scene::new();
        let file = |name: &str| scene.folder.path().join(name);
        let (old, new, next) = (file("old"), file("new"), file("next"));
        for (path, text) in [(&old, "old"), (&new, "new")] {
            fs::write(path, text).unwrap();
            scene.touch(path);
        }
        symlink(&old, scene.path()).unwrap();
        scene.pass(1_000);
        scene.sees("old");
        symlink(&new, &next).unwrap();
        fs::rename(&next, scene.path()).unwrap();
        scene.sees("new");
        fs::remove_file(&new).unwrap();
        let kind = io::ErrorKind::NotFound;
        assert_eq!(scene.look(), Err(Error::Unreadable { path: scene.path(), kind }));
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [folder.path(), &pipe, Path::new("/dev/zero")] {
            let refused = Watched::new(vec![path.to_owned()], 8).look(Timestamp::UNIX_EPOCH, |_| Ok::<_, Error>(()));
            assert_eq!(refused, Err(Error::NotAFile { path: path.to_owned() }));
        }
    }

    #[test]
    fn no_more_is_read_than_may_be() {
        let mut scene = Scene::new();
        scene.write(&"x".repeat(1 << 10));
        assert!(scene.look().is_ok());
        scene.write(&"x".repeat((1 << 10) + 1));
        let error = scene.look().unwrap_err();
        assert_eq!(error, Error::TooLarge { path: scene.path(), max_bytes: 1 << 10 });
        assert!(error.to_string().ends_with("/file is larger than 1 KiB: check the path"), "{error}");
    }
}
