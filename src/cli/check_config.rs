//! Reads a configuration, and says what is wrong with it.

use anyhow::{Result, anyhow};
use exporter_toolkit::Guard;
use tencentcloud_api::{Clock, Proxies, SystemClock};
use tencentcloud_cam_exporter::{config::Config, environment::Environment};

use super::{CheckFlags, ConfigFlags, WebConfigFlag, connect, exporter, print};

/// Checks each of the two files that is given; without any, the usual configuration. A good one may be tried out, too.
pub(super) fn run(flags: &CheckFlags) -> Result<()> {
    let mut refused = vec![];
    if flags.config.file.is_some() || flags.connect || flags.web_config.file().is_none() {
        refused.extend(configuration(&flags.config, flags.connect).err());
    }
    refused.extend(web_configuration(&flags.web_config).err());
    let refused: Vec<String> = refused.iter().map(|error| format!("{error:#}")).collect();
    if refused.is_empty() { Ok(()) } else { Err(anyhow!(refused.join("\n"))) }
}

fn configuration(flags: &ConfigFlags, connects: bool) -> Result<()> {
    let (shard, file, environment) = (flags.shard(), flags.file(), Environment::of_this_process());
    let now = SystemClock.now();
    let config = Config::check(file, &environment, now).map_err(|faults| exporter::refused(file, &faults));
    let config = match (config, Proxies::from_variables(|name| environment.var(name))) {
        (Ok(config), Ok(_)) => config,
        (Ok(_), Err(error)) => return Err(error.into()),
        (Err(error), Ok(_)) => return Err(error),
        (Err(error), Err(proxy)) => return Err(anyhow!("{error:#}\n{proxy}")),
    };
    let warnings = config.warnings(now);
    let config = config.shard(shard);
    let users: usize = config.accounts.iter().map(|account| account.uins.len()).sum();
    print::line(format_args!("{}: good: {} account(s), {users} user(s)", file.display(), config.accounts.len()))?;
    for warning in warnings {
        print::line(format_args!("{}: warning: {warning}", file.display()))?;
    }
    if connects { connect::run(&config, environment) } else { Ok(()) }
}

fn web_configuration(flag: &WebConfigFlag) -> Result<()> {
    let Some(file) = flag.file() else { return Ok(()) };
    let guard = Guard::load(file, || SystemClock.now()).map_err(|faults| exporter::refused_for_web(file, &faults))?;
    print::line(format_args!("{}: good: {}", file.display(), guard.summary()))?;
    for warning in guard.warnings() {
        print::line(format_args!("{}: warning: {warning}", file.display()))?;
    }
    Ok(())
}
