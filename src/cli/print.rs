//! Writes to standard output and standard error without a panic, which is what the standard library's macros do when a
//! write fails. Clippy bans those macros.

use std::{
    fmt,
    io::{self, Write as _},
};

use anyhow::{Context, Result};

/// Writes a line to standard output.
///
/// # Errors
/// See [`stdout`].
pub(super) fn line(text: impl fmt::Display) -> Result<()> {
    stdout(format!("{text}\n").as_bytes())
}

/// Writes `bytes` to standard output. A reader that has stopped reading, such as `head`, is not an error.
///
/// # Errors
/// The output cannot be written, for example because the disk is full.
pub(super) fn stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    accept_closed_pipe(stdout.write_all(bytes).and_then(|()| stdout.flush())).context("cannot write to standard output")
}

/// Writes a line to standard error. There is nowhere to report a failure, so it is ignored.
pub(crate) fn error_line(text: impl fmt::Display) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// `written`, where a reader that has stopped reading counts as success.
pub(super) fn accept_closed_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
