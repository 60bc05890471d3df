//! What is logged, and how: to standard error, one line an event.

use std::io;

use clap::{Args, ValueEnum};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The least that is logged.
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    level: Level,
    /// The form of a log line.
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

/// Starts to log to standard error, for as long as the process lives.
pub(super) fn start(flags: &Flags) {
    start_to(flags, io::stderr);
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
        Targets::new().with_default(LevelFilter::ERROR).with_target("tencentcloud_cam_exporter", flags.level.filter());
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
