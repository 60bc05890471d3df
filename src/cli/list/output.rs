//! Where the list goes: to standard output, or into a file that it replaces.

use std::{
    ffi::OsString,
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anstream::{AutoStream, ColorChoice};
use anyhow::{Context, Result, bail};
use console::Term;
use tencentcloud_cam_exporter::{language::Language, replacement::Replacement};

use super::{super::print, table::Look};

/// The collector of the file rarely runs as the user who writes it.
const MODE: u32 = 0o644;

#[derive(Debug)]
pub(super) enum Target {
    Stdout,
    File {
        path: PathBuf,
        /// Where it is until it is whole. No two processes have one of a name.
        temporary: PathBuf,
    },
}

// === impl Target ===

impl Target {
    /// The file at `path`, or else standard output. A file that cannot be is refused before the work is done.
    pub(super) fn new(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Stdout) };
        // A link stays one.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            bail!("--output-file: {} is not a file: leave it out to write to standard output", path.display());
        }
        let Some(name) = path.file_name() else { bail!("--output-file: {} names no file", path.display()) };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{:016x}.tmp", fastrand::u64(..)));
        let target = Self::File { temporary: path.with_file_name(hidden), path };
        // What cannot be created now cannot be created later.
        target.begin().map(drop)?;
        Ok(target)
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// How it is drawn there: piped text is plain, and as wide as it is.
    pub(super) fn look(&self, language: Language) -> Look {
        if self.is_file() {
            return Look { language, ..Look::default() };
        }
        let columns = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        Look {
            language,
            has_colours: AutoStream::choice(&io::stdout()) != ColorChoice::Never,
            // A terminal that does not know how wide it is says 0.
            columns: columns.filter(|columns| *columns > 0),
        }
    }

    /// Writes `bytes` there. The reader of standard output may stop at any time.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        if let Some(mut replacement) = self.begin()? {
            let written = replacement.write_all(bytes).and_then(|()| replacement.finish());
            return written.with_context(|| format!("cannot write {self}"));
        }
        print::stdout(bytes)
    }

    fn begin(&self) -> Result<Option<Replacement>> {
        let Self::File { path, temporary } = self else { return Ok(None) };
        let begun = Replacement::begin(path, temporary.clone(), MODE);
        begun
            .map(Some)
            .with_context(|| format!("cannot write {self}: check that its folder is there and can be written"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::File { path, .. } => path.display().fmt(f),
        }
    }
}
