//! Shows the progress of the sweep on a terminal.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};
use tencentcloud_cam_exporter::app::sweep::Step;
use tracing_subscriber::fmt::MakeWriter;

/// A progress bar on standard error, if that is a terminal. Log lines go above it.
#[derive(Clone, Debug)]
pub(super) struct Progress(ProgressBar);

/// Writes a log line.
#[derive(Debug)]
pub(super) struct Above<'a>(&'a ProgressBar);

// === impl Progress ===

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::no_length();
        let style = ProgressStyle::with_template("{spinner} {bar:30} {pos} of {len} users{msg}  {elapsed}");
        bar.set_style(
            style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("##-").tick_chars("|/-\\ "),
        );
        Self(bar)
    }

    pub(super) fn show(&self, step: Step) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.0.update(|bar| {
            bar.set_len(count(step.users));
            bar.set_pos(count(step.done));
        });
        if step.failed > 0 {
            self.0.set_message(format!(", {} could not be polled", step.failed));
        }
        // Not by a steady tick: that needs a thread, and indicatif panics if there can be no other.
        self.0.tick();
    }

    /// Leaves no trace of it.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl<'a> MakeWriter<'a> for Progress {
    type Writer = Above<'a>;

    fn make_writer(&'a self) -> Above<'a> {
        Above(&self.0)
    }
}

// === impl Above ===

impl Write for Above<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
