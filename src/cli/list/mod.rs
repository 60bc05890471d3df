//! Asks about every user once, and lists their keys.
//!
//! - `rendered` chooses the format: the table here, JSON and CSV in `report`, metrics in `metrics`.
//! - [`table`] draws them for people, in the [`columns`] that fit, and under it the [`problems`].
//! - [`progress`] shows how far the sweep is.
//! - [`output`] brings them where they are wanted.

mod columns;
#[cfg(test)]
mod faces;
mod output;
mod problems;
mod progress;
mod table;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};
use secrecy::ExposeSecret;
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_cam_exporter::{
    app::{Sweep, Swept},
    config::{Config, Shard},
    environment::Environment,
    inventory::assessment::Finding,
    language::Language,
    metrics,
    report::{Order, Report, csv, json},
};

use self::{output::Target, progress::Progress, table::Look};
use super::{ConfigFlags, demo::Stage, exporter, log};

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  every user was polled, and nothing was found that --fail-on names
  1  something was found that --fail-on names
  2  the command line or the configuration is wrong, a user could not be polled, a listing of users failed, or the list
     cannot be written";

#[derive(Args, Debug)]
#[command(mut_arg("level", |level| level.default_value("error")))]
pub(super) struct ListFlags {
    #[command(flatten)]
    config: ConfigFlags,
    /// List the account of an embedded simulator instead; needs no account.
    #[arg(long = "demo", conflicts_with_all = ["file", "shard", "total_shards"])]
    demo: bool,
    /// Output format.
    #[arg(long = "output", value_name = "FORMAT", default_value = "table")]
    output: Format,
    /// File to write instead of standard output; it is replaced only if nothing failed.
    #[arg(long = "output-file", value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Replace the output file even if something failed and keys are missing.
    #[arg(long = "allow-incomplete", requires = "output_file")]
    allow_incomplete: bool,
    /// Order of the keys.
    #[arg(long = "sort", value_name = "ORDER", default_value = "worst")]
    sort: Sort,
    /// Which keys to list; all by default. Failures are always listed.
    #[arg(long = "only", value_name = "KEYS")]
    only: Option<Only>,
    /// Findings for which the exit code is 1, separated by commas.
    #[arg(long = "fail-on", value_name = "FINDING", value_delimiter = ',')]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    log: log::Flags,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people: the worst first.
    Table,
    /// For programs; docs/list.md describes it.
    Json,
    /// For spreadsheets; docs/list.md describes it.
    Csv,
    /// Prometheus's text format, for the textfile collector of its `node_exporter`.
    Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// The gravest finding first.
    Worst,
    /// The oldest first.
    Age,
    /// The longest unused first.
    LastUsed,
    /// By account.
    Account,
    /// By the user's UIN.
    User,
    /// By the user's name.
    Name,
    /// By the key's id.
    Key,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Only {
    /// Keys with findings.
    Findings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A key older than `keys.max_age`.
    Stale,
    /// A key older than twice `keys.max_age`.
    VeryStale,
    /// A user with more keys than `keys.limit`.
    OverLimit,
    /// A key that has not been used for `keys.unused_after`.
    Unused,
    /// A key that Tencent Cloud will disable within 15 days, as it is not used.
    AutoDisableSoon,
    /// An old key that is still active a while after the new one was made: `keys.rotation_grace`.
    RotationUnfinished,
    /// A key of a user who may log in to the console.
    ConsoleLogin,
}

/// Lists. The exit code is 1 where something is found that was asked for, and 2 where something failed.
pub(super) fn run(flags: &ListFlags) -> Result<ExitCode> {
    let (progress, language) = (Progress::new(), language(&Environment::of_this_process()));
    log::start_to(&flags.log, progress.clone());
    if matches!(flags.output, Format::Metrics) && (flags.sort != Sort::Worst || flags.only.is_some()) {
        bail!("--output=metrics: metrics have no order and are never a part: leave out --sort and --only");
    }
    let target = Target::new(flags.output_file.as_deref())?;
    let swept = exporter::in_runtime(async {
        if flags.demo { of_demo(&progress).await } else { of_config(&flags.config, &progress).await }
    });
    progress.clear();
    let swept = swept?;
    let mut report = Report::of(&swept);
    report.sort(flags.sort.order());
    match flags.only {
        None => {}
        Some(Only::Findings) => report.retain_findings(),
    }
    let failed = failed(&report);
    if let Some(failed) = &failed
        && target.is_file()
        && !(report.is_complete() || (report.is_whole && flags.allow_incomplete))
    {
        // An error is not an answer: the previous file is worth more than one without these keys.
        let problems = problems::text(&report, target.look(language));
        bail!("{failed}: {target} is left as it was\n\n{}", problems.trim_end());
    }
    target.write(&rendered(flags.output, &swept, &report, target.look(language))?)?;
    if let Some(failed) = failed {
        bail!("{failed}");
    }
    let of_last_uses = [(FailOn::Unused, "unused"), (FailOn::AutoDisableSoon, "auto-disable-soon")];
    let asked = of_last_uses.into_iter().find(|(fail_on, _)| flags.fail_on.contains(fail_on));
    if let Some((_, name)) = asked
        && report.key_count() > 0
        && !report.knows_last_use
    {
        bail!("--fail-on={name}: it is not known when keys were last used: set poll.last_used");
    }
    let is_found = flags.fail_on.iter().any(|fail_on| report.count(fail_on.finding()) > 0);
    Ok(if is_found { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The language of the table, by the locale: the first of its variables that is set and not empty, as POSIX says.
fn language(environment: &Environment) -> Language {
    let variables = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| environment.get(name));
    let mut locales = variables.map(ExposeSecret::expose_secret).filter(|locale| !locale.is_empty());
    locales.next().map(Language::of_locale).unwrap_or_default()
}

/// What failed, in one line.
fn failed(report: &Report) -> Option<String> {
    if report.is_whole {
        return problems::summary(report);
    }
    let (users, failed) = (report.users(), report.failures.len());
    let stopped = format!("stopped when {} of {users} user(s) had been polled", users - failed);
    let listings = problems::failed_listings(report);
    Some(listings.map_or(stopped.clone(), |listings| format!("{stopped}; {listings}")))
}

async fn of_config(flags: &ConfigFlags, progress: &Progress) -> Result<Swept> {
    let (file, environment) = (flags.file(), Environment::of_this_process());
    let mut config = Config::check(file, &environment, SystemClock.now())
        .map_err(|faults| exporter::refused(file, &faults))?
        .shard(flags.shard());
    for account in &mut config.accounts {
        // Its users are among the others now.
        account.uins_file = None;
    }
    sweep(config, flags.shard(), environment, progress).await
}

async fn of_demo(progress: &Progress) -> Result<Swept> {
    let stage = Stage::set().await?;
    let config = Config::parse(&stage.config(), &Environment::default())?;
    let sweep = sweep(config, Shard::WHOLE, Stage::environment(), progress);
    tokio::select! {
        swept = sweep => swept,
        () = stage.play() => Err(anyhow!("the simulator ended")),
    }
}

async fn sweep(config: Config, shard: Shard, environment: Environment, progress: &Progress) -> Result<Swept> {
    let sweep = Sweep::build(config, exporter::dependencies(environment)?)?.of_shard(shard.ordinal());
    let shutdown = exporter::stop_on_signals()?;
    Ok(sweep.run(|step| progress.show(step), shutdown).await?)
}

fn rendered(format: Format, swept: &Swept, report: &Report, look: Look) -> Result<Vec<u8>> {
    Ok(match format {
        Format::Table => table::draw(report, look).into_bytes(),
        Format::Json => json::write(report)?,
        Format::Csv => csv::write(report)?,
        Format::Metrics => metrics::of_inventory(&swept.inventory, swept.at),
    })
}

// === impl FailOn ===

impl FailOn {
    fn finding(self) -> Finding {
        match self {
            Self::Stale => Finding::Stale,
            Self::VeryStale => Finding::VeryStale,
            Self::OverLimit => Finding::OverLimit,
            Self::Unused => Finding::Unused,
            Self::AutoDisableSoon => Finding::AutoDisableSoon,
            Self::RotationUnfinished => Finding::RotationUnfinished,
            Self::ConsoleLogin => Finding::ConsoleLogin,
        }
    }
}

// === impl Sort ===

impl Sort {
    fn order(self) -> Order {
        match self {
            Self::Worst => Order::Worst,
            Self::Age => Order::Age,
            Self::LastUsed => Order::LastUsed,
            Self::Account => Order::Account,
            Self::User => Order::User,
            Self::Name => Order::Name,
            Self::Key => Order::Key,
        }
    }
}
