//! The file: read whole, replaced whole, or put aside.

use std::{
    ffi::OsString,
    fs,
    io::{self, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use exporter_toolkit::files;
use parking_lot::Mutex;
use thiserror::Error;

use super::{
    State, Wanted,
    format::{self, Fault, MAX_BYTES, Unread},
};
use crate::replacement::Replacement;

/// What is read or written at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// Other users of the host must not read who has keys.
const MODE: u32 = 0o600;

/// A file that a state is kept in.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Held by the one who saves: the temporary file has one name.
    saving: Mutex<()>,
}

/// Why there is no state, though there is a file.
#[derive(Debug, Error)]
pub enum Refused {
    /// It cannot be read. It is where it was, and may be good: it should not be saved over.
    #[error("cannot read the state file {}: {error}: check the path, the mount and the permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What it holds is of no use. It has been put aside.
    #[error(
        "the state file {} {fault}. It is now {}. Starting without it: keys appear as they are polled",
        path.display(), aside.display()
    )]
    PutAside {
        /// Where it was.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
        /// Where it is.
        aside: PathBuf,
    },
    /// What it holds is of no use, and it could not be put aside.
    #[error(
        "the state file {} {fault}. It cannot be moved to {}: {error}. Starting without it: keys appear as they are \
        polled, and the file is replaced when they are saved",
        path.display(), aside.display()
    )]
    InTheWay {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
        /// Where it should be.
        aside: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

// === impl Refused ===

impl Refused {
    /// Reading the file at `path` takes longer than `limit`.
    #[must_use]
    pub fn hanging(path: PathBuf, limit: Duration) -> Self {
        let error =
            io::Error::new(io::ErrorKind::TimedOut, format!("reading it takes longer than {} s", limit.as_secs()));
        Self::Unreadable { path, error }
    }
}

// === impl StateFile ===

impl StateFile {
    /// At this path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, saving: Mutex::default() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state last saved, or nothing if there is no file. A file that holds no state is renamed to `<name>.unusable`,
    /// over an earlier one.
    ///
    /// # Errors
    /// Why there is no state, and what has become of the file.
    pub fn load(&self) -> Result<Option<State>, Refused> {
        self.load_wanted(&Wanted { user: &|_, _| true, members: &|_| true })
    }

    /// As [`Self::load`], and keeps only what is wanted.
    ///
    /// # Errors
    /// As there.
    pub fn load_wanted(&self, wanted: &Wanted<'_>) -> Result<Option<State>, Refused> {
        match self.read(wanted) {
            Ok(state) => Ok(Some(state)),
            Err(Unread::Fault(fault)) => Err(self.put_aside(fault)),
            Err(Unread::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(Unread::Io(error)) => Err(Refused::Unreadable { path: self.path.clone(), error }),
        }
    }

    /// Replaces the file: whenever the program or the machine stops, there is the old state or the new.
    ///
    /// # Errors
    /// Those of the file system, and that there is more than can be read again. Unless it was the last step that failed,
    /// the old file is still there.
    pub fn save(&self, state: &State) -> io::Result<()> {
        let _one = self.saving.lock();
        let mut replacement = Replacement::begin(&self.path, self.sibling(".", ".tmp"), MODE)?;
        let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, &mut replacement);
        format::write(state, &mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        replacement.finish()
    }

    fn read(&self, wanted: &Wanted<'_>) -> Result<State, Unread> {
        // A pipe would be waited for, and a device must not be put aside.
        let Some((file, metadata)) = files::open(&self.path)? else {
            return Err(io::Error::other("not a file").into());
        };
        let state = format::read(BufReader::with_capacity(BUFFER_BYTES, file), wanted);
        match state {
            Err(Unread::Fault(Fault::Damaged)) if metadata.len() > MAX_BYTES => Err(Fault::TooLarge.into()),
            other => other,
        }
    }

    fn put_aside(&self, fault: Fault) -> Refused {
        let (path, aside) = (self.path.clone(), self.sibling("", ".unusable"));
        match fs::rename(&path, &aside) {
            Ok(()) => Refused::PutAside { path, fault, aside },
            Err(error) => Refused::InTheWay { path, fault, aside, error },
        }
    }

    fn sibling(&self, before: &str, after: &str) -> PathBuf {
        let mut name = OsString::from(before);
        name.push(self.path.file_name().unwrap_or_default());
        name.push(after);
        self.path.with_file_name(name)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use jiff::Timestamp;
    use tempfile::TempDir;
    use tencentcloud_api::KeyStatus;

    use super::*;
    use crate::{
        inventory::{IdLabel, Key, User},
        state::Saved,
    };

    fn place() -> (TempDir, StateFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::new(folder.path().join("state"));
        (folder, file)
    }

    fn state(label: &str) -> State {
        let key =
            Key { label: label.into(), status: KeyStatus::Active, created: Timestamp::UNIX_EPOCH, last_use: None };
        let user = User {
            up: Some(true),
            answered: Timestamp::UNIX_EPOCH.into(),
            keys: Some([key].into()),
            ..User::default()
        };
        let mut state = State::default();
        state.insert(
            "a".parse().unwrap(),
            7.try_into().unwrap(),
            Saved { id_label: IdLabel::Full, user: user.into(), caller: false, typed: false },
        );
        state
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn absent_is_no_fault_and_the_last_save_is_what_is_there() {
        let (folder, file) = place();
        assert_eq!(file.load().unwrap(), None);
        for state in [state("a longer one"), state("b"), State::default()] {
            file.save(&state).unwrap();
            assert_eq!(file.load().unwrap(), Some(state));
        }
        assert_eq!(names(&folder), ["state"]);
    }

    #[test]
    fn whatever_bit_flips_and_wherever_it_is_cut_short_it_is_put_aside() {
        let (folder, file) = place();
        file.save(&state("k")).unwrap();
        let good = fs::read(file.path()).unwrap();
        let flips = (0..good.len() * 8).map(|bit| {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        });
        for bad in flips.chain((0..good.len()).map(|length| good[..length].to_vec())) {
            fs::write(file.path(), &bad).unwrap();
            let refused = file.load();
            assert!(matches!(refused, Err(Refused::PutAside { .. })), "{refused:?}: {}", bad.escape_ascii());
            assert_eq!(names(&folder), ["state.unusable"]);
            assert_eq!(fs::read(folder.path().join("state.unusable")).unwrap(), bad);
        }
    }

    #[test]
    fn says_what_was_wrong_and_where_the_file_is() {
        let (folder, file) = place();
        let folder_name = folder.path().display();
        let refused = |content: &str| {
            fs::write(file.path(), content).unwrap();
            file.load().unwrap_err().to_string()
        };
        assert_eq!(
            refused("groceries"),
            format!(
                "the state file {folder_name}/state is not a state file of this exporter. It is now \
                {folder_name}/state.unusable. Starting without it: keys appear as they are polled"
            )
        );
        let newer = refused("tencentcloud-cam-exporter state 6 and so on\n");
        assert!(newer.contains("was written by a newer version of this exporter, in format 6"), "{newer}");

        fs::remove_file(folder.path().join("state.unusable")).unwrap();
        fs::create_dir(folder.path().join("state.unusable")).unwrap();
        let stuck = refused("groceries");
        assert!(stuck.contains("It cannot be moved to") && stuck.contains("Is a directory"), "{stuck}");
        file.save(&state("k")).unwrap();
        assert_eq!(file.load().unwrap(), Some(state("k")));
    }

    #[test]
    fn a_large_file_is_judged_by_its_first_bytes() {
        let (folder, file) = place();
        for (head, what) in
            [("", "is not a state file"), ("tencentcloud-cam-exporter state 4 x\n", "is larger than 256 MiB")]
        {
            fs::write(file.path(), head).unwrap();
            let opened = fs::File::options().write(true).open(file.path()).unwrap();
            opened.set_len(MAX_BYTES + 1).unwrap();
            let refused = file.load().unwrap_err().to_string();
            assert!(refused.contains(what), "{refused}");
            fs::remove_file(folder.path().join("state.unusable")).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_read_stays_where_it_is() {
        let (folder, file) = place();
        let stays = || {
            let refused = file.load().unwrap_err();
            assert!(matches!(refused, Refused::Unreadable { .. }), "{refused}");
            assert_eq!(names(&folder), ["state"]);
        };
        fs::create_dir(file.path()).unwrap();
        stays();
        fs::remove_dir(file.path()).unwrap();
        symlink(file.path(), file.path()).unwrap();
        stays();
        fs::remove_file(file.path()).unwrap();
        symlink("/dev/null", file.path()).unwrap();
        stays();
        fs::remove_file(file.path()).unwrap();
        fs::write(file.path(), "foreign").unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(0o000)).unwrap();
        // Not for root, who may read everything.
        if fs::File::open(file.path()).is_err() {
            stays();
        }
    }

    #[test]
    fn what_a_crash_or_an_enemy_left_is_not_written_through() {
        let (folder, file) = place();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, file.path()).unwrap();
        symlink(&victim, folder.path().join(".state.tmp")).unwrap();
        file.save(&state("k")).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(file.load().unwrap(), Some(state("k")));
        assert_eq!(names(&folder), ["state", "victim"]);
    }

    #[test]
    fn a_save_that_fails_leaves_nothing_behind() {
        let (folder, file) = place();
        fs::create_dir_all(file.path().join("in the way")).unwrap();
        assert!(file.save(&state("k")).is_err());
        assert_eq!(names(&folder), ["state"]);
        assert!(StateFile::new(folder.path().join("no/such/folder")).save(&state("k")).is_err());
    }
}
