//! The command line: what may be typed, and what it sets going.
//!
//! - [`exporter`] runs the daemon.
//! - [`demo`] runs it on the embedded simulator.
//! - [`check_config`] reads a configuration and says what is wrong with it.
//! - [`connect`] proves that the accounts of one can be polled.
//! - [`list`] looks once, and lists the keys.
//! - [`healthcheck`] asks a running exporter whether it is healthy.
//! - [`log`] sets up what all of them log.
//! - [`print`] writes to standard output and standard error.

mod check_config;
mod connect;
mod demo;
mod exporter;
#[cfg(test)]
mod generated;
mod healthcheck;
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
use tencentcloud_cam_exporter::{
    config::Shard,
    metrics::{self, Families},
    pattern::Pattern,
};

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
  0  stopped by SIGTERM or SIGINT, or the configuration is valid
  1  the configuration is invalid, the exporter cannot start, one of its tasks failed, or standard output cannot be written
  2  invalid command line
list has exit codes of its own: see list --help.";

/// Exports the access keys of Tencent Cloud CAM users as Prometheus metrics: counts, ages and status.
#[derive(Debug, Parser)]
#[command(version, long_version = LONG_VERSION, after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: ConfigFlags,
    /// Start even if the configuration is missing or invalid, and poll once it is valid.
    #[arg(long = "config.optional")]
    config_optional: bool,
    #[command(flatten)]
    serve: ServeFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the exporter against an embedded simulator of Tencent Cloud; needs no account.
    Demo(ServeFlags),
    /// Validate the configuration and report every error.
    CheckConfig(CheckFlags),
    /// Poll every user once and list the access keys, the worst first.
    #[command(after_help = list::EXIT_CODES)]
    List(list::ListFlags),
    /// Check that a running exporter is healthy or ready, for images without curl.
    Healthcheck(healthcheck::HealthcheckFlags),
}

#[derive(Args, Debug)]
struct ConfigFlags {
    #[arg(
        long = "config.file",
        value_name = "FILE",
        help = "Path to the configuration file; environment variables CAM_EXPORTER__... override it [default: config.yaml]"
    )]
    file: Option<PathBuf>,
    /// Zero-based ordinal of this shard.
    #[arg(long = "shard", value_name = "N", default_value_t = 0)]
    shard: u32,
    #[arg(
        long = "total-shards",
        value_name = "N",
        default_value_t = 1,
        help = "Total number of shards; poll.shard_by says what is divided among them"
    )]
    total_shards: u32,
}

#[derive(Args, Debug)]
struct CheckFlags {
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    web_config: WebConfigFlag,
    /// Also ask each account's API for the keys of one user, to check its credential and permissions.
    #[arg(long = "connect")]
    connect: bool,
}

#[derive(Args, Debug)]
struct WebConfigFlag {
    #[arg(
        long = "web.config.file",
        value_name = "FILE",
        help = "Path to a configuration file that enables TLS or authentication; see docs/web-configuration.md"
    )]
    web_config_file: Option<OsString>,
}

#[derive(Args, Debug)]
struct ServeFlags {
    /// Address on which to expose metrics and the status page; repeatable.
    #[arg(long = "web.listen-address", value_name = "[HOST]:PORT", default_value = ":10047")]
    listen_addresses: Vec<ListenAddress>,
    /// Listen on the sockets that a systemd socket unit passes, instead of on --web.listen-address.
    #[arg(long = "web.systemd-socket", conflicts_with = "listen_addresses")]
    systemd_socket: bool,
    /// Path under which to expose metrics.
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics")]
    telemetry_path: TelemetryPath,
    /// Maximum number of parallel scrapes; at the limit, the slowest reader is closed or the request gets 503. 0 disables the limit.
    #[arg(long = "web.max-requests", value_name = "N", default_value_t = 40)]
    max_requests: usize,
    /// Expose only these families of metrics. In a name, * stands for any characters. Comma-separated.
    #[arg(long = "metric-allowlist", value_name = "NAMES", value_delimiter = ',', conflicts_with = "metric_denylist")]
    metric_allowlist: Vec<Pattern>,
    /// Do not expose these families of metrics. In a name, * stands for any characters. Comma-separated.
    #[arg(long = "metric-denylist", value_name = "NAMES", value_delimiter = ',')]
    metric_denylist: Vec<Pattern>,
    #[command(flatten)]
    web_config: WebConfigFlag,
    /// Enable reloading by POST to /-/reload.
    #[arg(long = "web.enable-lifecycle")]
    lifecycle: bool,
    /// Additional plain-HTTP address that serves only /-/healthy and /-/ready.
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

    /// Runs the subcommand. Returns the exit code.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match &self.command {
            None => exporter::run(&self.config, self.config_optional, &self.serve)?,
            Some(Command::Demo(serve)) => demo::run(serve)?,
            Some(Command::CheckConfig(config)) => check_config::run(config)?,
            Some(Command::List(flags)) => return list::run(flags),
            Some(Command::Healthcheck(flags)) => healthcheck::run(flags)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The exit code for what cannot be carried out.
    pub(crate) fn exit_code_of_errors(&self) -> ExitCode {
        match &self.command {
            // There 1 says that something was found.
            Some(Command::List(_)) => ExitCode::from(2),
            Some(Command::Demo(_) | Command::CheckConfig(_) | Command::Healthcheck(_)) | None => ExitCode::FAILURE,
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

// === impl ServeFlags ===

impl ServeFlags {
    /// Which families are exposed. A pattern that matches none ends the program, as other wrong flags do.
    fn families(&self) -> Families {
        let families = Families { allowed: self.metric_allowlist.clone(), denied: self.metric_denylist.clone() };
        let patterns: Vec<&Pattern> = families.allowed.iter().chain(&families.denied).collect();
        if patterns.is_empty() {
            return families;
        }
        let names = metrics::family_names().unwrap_or_default();
        for pattern in patterns {
            if !names.iter().any(|name| pattern.matches(name)) {
                let error = format!("no family of metrics matches {pattern}: see docs/metrics.md\n");
                Arguments::command().error(ErrorKind::ValueValidation, error).exit();
            }
        }
        families
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
