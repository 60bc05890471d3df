//! The command line: what may be typed, and what it sets going.
//!
//! - [`exporter`] runs the daemon.
//! - [`demo`] runs it on the embedded simulator.
//! - [`check_config`] reads a configuration and says what is wrong with it.
//! - [`connect`] proves that the accounts of one can be polled.
//! - [`list`] looks once, and lists the keys.
//! - [`log`] sets up what all of them log.
//! - [`print`] writes to standard output and standard error.

mod check_config;
mod connect;
mod demo;
mod exporter;
mod list;
mod log;
pub(crate) mod print;
mod text;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

pub(crate) use log::finish as finish_log;

use anyhow::Result;
use clap::{Args, CommandFactory, Parser, Subcommand, error::ErrorKind};
use exporter_toolkit::{ListenAddress, TelemetryPath};
use tencentcloud_cam_exporter::config::Shard;

const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nrevision:  ",
    env!("BUILD_REVISION"),
    "\nrustc:     ",
    env!("BUILD_RUSTC_VERSION"),
    "\nplatform:  ",
    env!("BUILD_TARGET"),
);

const EXIT_CODES: &str = "\
Exit codes:
  0  stopped by SIGTERM or SIGINT, or the configuration is good
  1  the configuration is wrong, the exporter cannot start, a part of it died, or standard output cannot be written
  2  the command line is wrong
Those of list are its own: see there.";

/// Exports the access keys of Tencent Cloud CAM users as Prometheus metrics: counts, ages and status.
#[derive(Debug, Parser)]
#[command(version, long_version = LONG_VERSION, after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: ConfigFlags,
    /// Starts though the configuration is missing or wrong: says so, and polls once it is right.
    #[arg(long = "config.optional")]
    config_optional: bool,
    #[command(flatten)]
    serve: ServeFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the exporter on an embedded simulator of Tencent Cloud: no account needed.
    Demo(ServeFlags),
    /// Reads the configuration, and lists everything that is wrong with it.
    CheckConfig(CheckFlags),
    /// Polls every user once, and lists the access keys, the worst first.
    #[command(after_help = list::EXIT_CODES)]
    List(list::ListFlags),
}

#[derive(Args, Debug)]
struct ConfigFlags {
    #[arg(
        long = "config.file",
        value_name = "FILE",
        help = "The configuration; environment variables CAM_EXPORTER__... are laid over it [default: config.yaml]"
    )]
    file: Option<PathBuf>,
    /// Which of the exporters that share the work this is, counted from 0.
    #[arg(long = "shard", value_name = "N", default_value_t = 0)]
    shard: u32,
    #[arg(
        long = "total-shards",
        value_name = "N",
        default_value_t = 1,
        help = "How many exporters share the work; poll.shard_by says what is divided"
    )]
    total_shards: u32,
}

#[derive(Args, Debug)]
struct CheckFlags {
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    web_config: WebConfigFlag,
    /// Also asks each account's API for the keys of one user, to prove its credential and permission.
    #[arg(long = "connect")]
    connect: bool,
}

#[derive(Args, Debug)]
struct WebConfigFlag {
    #[arg(
        long = "web.config.file",
        value_name = "FILE",
        help = "TLS, users and more, in the file format of Prometheus's exporters; docs/web-configuration.md tells all"
    )]
    web_config_file: Option<OsString>,
}

#[derive(Args, Debug)]
struct ServeFlags {
    /// Where to listen; may be given several times.
    #[arg(long = "web.listen-address", value_name = "[HOST]:PORT", default_value = ":10047")]
    listen_addresses: Vec<ListenAddress>,
    /// Where the metrics are.
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics")]
    telemetry_path: TelemetryPath,
    /// Maximum number of concurrent scrapes; at the limit, the slowest reader makes room, else 503. 0 is no limit.
    #[arg(long = "web.max-requests", value_name = "N", default_value_t = 40)]
    max_requests: usize,
    #[command(flatten)]
    web_config: WebConfigFlag,
    /// Lets a POST to /-/reload reload the configuration.
    #[arg(long = "web.enable-lifecycle")]
    lifecycle: bool,
    /// Where to listen for probes alone, in plain HTTP; nowhere unless given.
    #[arg(long = "probe.listen-address", value_name = "[HOST]:PORT")]
    probe_address: Option<ListenAddress>,
    #[command(flatten)]
    log: log::Flags,
}

// === impl Arguments ===

impl Arguments {
    /// The command line, or the exit code once clap's help, version or error message has been written.
    pub(crate) fn parse_or_explain() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|message| match print::accept_closed_pipe(message.print()) {
            Err(error) if !message.use_stderr() => {
                print::error_line(format_args!("{}: cannot write to standard output: {error}", env!("CARGO_PKG_NAME")));
                ExitCode::FAILURE
            }
            _ => ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(2)),
        })
    }

    /// Does what was asked for, and tells the exit code.
    pub(crate) fn carry_out(&self) -> Result<ExitCode> {
        match &self.command {
            None => exporter::run(&self.config, self.config_optional, &self.serve)?,
            Some(Command::Demo(serve)) => demo::run(serve)?,
            Some(Command::CheckConfig(config)) => check_config::run(config)?,
            Some(Command::List(flags)) => return list::run(flags),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The exit code for what cannot be carried out.
    pub(crate) fn exit_code_of_errors(&self) -> ExitCode {
        match &self.command {
            // There 1 says that something was found.
            Some(Command::List(_)) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}

// === impl ConfigFlags ===

impl ConfigFlags {
    fn file(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new("config.yaml"))
    }

    /// The shard that this exporter is. Numbers that cannot be one end the program, as other wrong flags do.
    fn shard(&self) -> Shard {
        Shard::new(self.shard, self.total_shards)
            .unwrap_or_else(|error| Arguments::command().error(ErrorKind::ValueValidation, error).exit())
    }
}

// === impl WebConfigFlag ===

impl WebConfigFlag {
    /// The file; as elsewhere in the field, an empty name stands for none.
    fn file(&self) -> Option<&Path> {
        self.web_config_file.as_deref().map(Path::new).filter(|path| !path.as_os_str().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_does_not_contradict_itself() {
        Arguments::command().debug_assert();
    }
}
