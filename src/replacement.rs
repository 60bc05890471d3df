//! Replaces a file: whenever the program or the machine stops, there is the old content or the new, each whole.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// What will stand in a file's place once it is whole. Nothing is left of it when it is dropped before that.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    /// Whether the temporary file is gone, as it has become the other.
    placed: bool,
}

// === impl Replacement ===

impl Replacement {
    /// Of the file at `path`, with these permissions whatever the umask says. Until it is whole it is at `temporary`,
    /// which must be in the same folder; what is there now is removed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn begin(path: &Path, temporary: PathBuf, mode: u32) -> io::Result<Self> {
        // A crash may have left one.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        let replacement = Self { file, temporary, path: path.to_owned(), placed: false };
        replacement.file.set_permissions(Permissions::from_mode(mode))?;
        Ok(replacement)
    }

    /// It is whole, and takes the file's place.
    ///
    /// # Errors
    /// Those of the file system. Unless it was the last step that failed, the old file is still there.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        self.placed = true;
        // Without this the old file may come back after a power failure.
        File::open(folder(&self.path))?.sync_all()
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.placed {
            // Above all where the disk is full. Nothing more can be done should it fail.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}
