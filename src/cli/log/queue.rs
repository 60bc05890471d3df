//! A bounded queue of log lines in front of standard error, and the thread that writes them.
//!
//! `tracing-appender`'s `non_blocking` bounds the number of lines but not their bytes, and waits up to 1.1 s at exit.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fs::File,
    io::{self, ErrorKind, Write},
    os::fd::AsFd,
    thread::{self, ThreadId},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use prometheus::IntCounter;
use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

/// The most lines that wait.
const MAX_LINES: usize = 1_024;

/// The most bytes that wait.
const MAX_BYTES: usize = 512 * 1_024;

/// The longest line, with its end.
const MAX_LINE_BYTES: usize = 16 * 1_024;

/// Ends a line that is cut.
const CUT: &str = " [cut]\n";

/// The pause before the next try where standard error is non-blocking and full.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Log lines on their way to standard error. No caller waits for standard error.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Notified when a line waits.
    filled: Condvar,
    /// Notified when no line waits and none is being written.
    drained: Condvar,
    dropped: IntCounter,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    is_writing: bool,
    /// Lines dropped since the last line that said how many.
    unreported: u64,
    writer: Option<ThreadId>,
}

// === impl Queue ===

impl Queue {
    fn new(dropped: IntCounter) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), drained: Condvar::new(), dropped }
    }

    /// A queue that counts the lines it drops in `dropped`, and the thread that writes them to standard error.
    ///
    /// # Errors
    /// Standard error cannot be duplicated, or no thread can be started.
    pub(super) fn start(dropped: IntCounter) -> io::Result<&'static Self> {
        let queue: &Self = Box::leak(Box::new(Self::new(dropped)));
        // A file of our own has neither a lock nor a buffer that a stalled write could hold.
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        thread::Builder::new().name("log".to_owned()).spawn(move || queue.write_to(stderr))?;
        Ok(queue)
    }

    /// Adds a line, or drops it if the queue is full.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state.lock();
        // The writer's own line says how many were dropped, and must not be dropped itself.
        let is_full = state.lines.len() >= MAX_LINES || state.bytes + line.len() > MAX_BYTES;
        if is_full && state.writer != Some(thread::current().id()) {
            state.unreported += 1;
            self.dropped.inc();
            return;
        }
        self.add(&mut state, line);
    }

    /// Adds the last line of the process, even if the queue is full.
    pub(super) fn push_last(&self, line: &[u8]) {
        self.add(&mut self.state.lock(), line);
    }

    fn add(&self, state: &mut State, line: &[u8]) {
        state.bytes += line.len();
        state.lines.push_back(line.into());
        self.filled.notify_one();
    }

    /// Waits until every line is written, or for `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        let mut state = self.state.lock();
        // Whether that came about does not matter: the process ends.
        let _ = self.drained.wait_while_for(&mut state, |state| state.is_writing || !state.lines.is_empty(), timeout);
    }

    fn write_to(&self, mut output: impl Write) {
        self.state.lock().writer = Some(thread::current().id());
        loop {
            let line = self.next();
            if write_line(&mut output, &line).is_ok() {
                self.report_dropped();
            } else {
                // Nothing reads: each line is dropped until something does.
                self.state.lock().unreported += 1;
                self.dropped.inc();
            }
        }
    }

    /// Waits for the next line.
    fn next(&self) -> Box<[u8]> {
        let mut state = self.state.lock();
        state.is_writing = false;
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                state.is_writing = true;
                return line;
            }
            self.drained.notify_all();
            self.filled.wait(&mut state);
        }
    }

    fn report_dropped(&self) {
        let lines = std::mem::take(&mut self.state.lock().unreported);
        if lines > 0 {
            warn!(lines, "dropped log lines because standard error was blocked");
        }
    }
}

impl Write for &'static Queue {
    /// One call is one line: subscribers format a line whole before they write it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(&bounded(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for &'static Queue {
    type Writer = &'static Queue;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}

/// `line`, cut between two characters if it is longer than [`MAX_LINE_BYTES`]. A JSON line stays JSON.
pub(super) fn bounded(line: &[u8]) -> Cow<'_, [u8]> {
    if line.len() <= MAX_LINE_BYTES {
        return line.into();
    }
    let is_json = line.starts_with(b"{");
    // Quotes and backslashes take two bytes each when they are escaped once more.
    let length = if is_json { MAX_LINE_BYTES / 2 - 256 } else { MAX_LINE_BYTES - CUT.len() };
    let begin = line.get(..length).unwrap_or_default();
    let begin = begin.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    if is_json {
        let cut =
            serde_json::json!({"level": "WARN", "message": "a log line was too long and is cut", "cut_line": begin});
        return format!("{cut}\n").into_bytes().into();
    }
    format!("{begin}{CUT}").into_bytes().into()
}

fn write_line(output: &mut impl Write, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match output.write(line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => line = line.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another process has made the same pipe non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_between_characters() {
        let whole = [b"a".repeat(MAX_LINE_BYTES - 1), b"\n".to_vec()].concat();
        assert_eq!(*bounded(&whole), whole);
        for shift in 0..4 {
            let long = "a".repeat(shift) + &"\u{1f511}".repeat(MAX_LINE_BYTES);
            let cut = bounded(long.as_bytes());
            let text = std::str::from_utf8(&cut).unwrap().strip_suffix(CUT).unwrap();
            assert!(long.starts_with(text) && cut.len() <= MAX_LINE_BYTES && cut.len() > MAX_LINE_BYTES - 4);
        }
    }

    #[test]
    fn long_json_lines_stay_json() {
        let long = serde_json::json!({"message": "\"\\\u{1f511}".repeat(MAX_LINE_BYTES)}).to_string();
        let cut = bounded(long.as_bytes());
        assert!(cut.len() <= MAX_LINE_BYTES, "{}", cut.len());
        let cut: serde_json::Value = serde_json::from_slice(&cut).unwrap();
        assert!(long.starts_with(cut["cut_line"].as_str().unwrap()));
    }

    #[test]
    fn lines_and_bytes_are_bounded() {
        for (line, kept) in [(&b"a\n"[..], MAX_LINES), (&[b'a'; MAX_LINE_BYTES][..], MAX_BYTES / MAX_LINE_BYTES)] {
            let queue = Queue::new(IntCounter::new("a", "A.").unwrap());
            (0..kept + 7).for_each(|_| queue.push(line));
            assert_eq!((queue.state.lock().lines.len(), queue.dropped.get()), (kept, 7));
        }
    }
}
