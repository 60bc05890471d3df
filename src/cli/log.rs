//! What is logged, and how: to standard error, one line an event.
//!
//! - [`queue`] holds lines until standard error takes them.

mod queue;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, Write as _},
    panic,
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use prometheus::IntCounter;
use tencentcloud_cam_exporter::metrics;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use queue::{Queue, bounded};

#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Only log messages with the given severity or above.
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    level: Level,
    /// Output format of log messages.
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Logfmt,
    Json,
}

/// How long the end of the process waits for standard error.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(300);

/// How long a thread that panics waits for standard error.
const PANIC_FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// The crates of which everything is logged.
const OURS: [&str; 2] = ["tencentcloud_cam_exporter", "exporter_toolkit"];

static QUEUE: OnceLock<&'static Queue> = OnceLock::new();

/// Starts to log to standard error, for as long as the process lives. Returns the counter of dropped lines.
pub(super) fn start(flags: &Flags) -> Result<IntCounter> {
    let dropped = metrics::log_lines_dropped()?;
    let queue = Queue::start(dropped.clone()).context(super::exporter::NO_THREAD)?;
    let queue = *QUEUE.get_or_init(|| queue);
    panic::set_hook(Box::new(move |info| {
        let backtrace = Backtrace::capture();
        let text = if backtrace.status() == BacktraceStatus::Captured {
            format!("{info}\n{backtrace}\n")
        } else {
            format!("{info}\n")
        };
        queue.push(&bounded(text.as_bytes()));
        queue.flush(PANIC_FLUSH_TIMEOUT);
    }));
    start_to(flags, queue);
    Ok(dropped)
}

/// Writes what is left of the log, with `error` as its last line. Does not panic. The daemon waits only briefly for standard
/// error; other commands wait as long as it takes.
pub(crate) fn finish(error: Option<&str>) {
    let line = error.map(|error| format!("{error}\n")).unwrap_or_default();
    if let Some(queue) = QUEUE.get() {
        queue.push_last(line.as_bytes());
        queue.flush(FLUSH_TIMEOUT);
    } else {
        // There is nowhere left to report it.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

/// As [`start`], to where `writer` writes.
pub(super) fn start_to(flags: &Flags, writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    let layer = match flags.format {
        Format::Logfmt => tracing_logfmt::builder()
            .with_target(false)
            .with_span_name(false)
            .with_span_path(false)
            .layer()
            .with_writer(writer)
            .boxed(),
        Format::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(writer)
            .boxed(),
    };
    // The libraries' own logs are theirs to change, and say nothing that an error of ours would not.
    let filter =
        Targets::new().with_default(LevelFilter::ERROR).with_targets(OURS.map(|target| (target, flags.level.filter())));
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
}

// === impl Level ===

impl Level {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
        }
    }
}
