//! Reads a configuration, and says what is wrong with it.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use tencentcloud_cam_exporter::{
    clock::{Clock, SystemClock},
    config::Config,
    environment::Environment,
    web::Guard,
};

use super::{CheckFlags, ConfigFlags, WebConfigFlag, exporter};

/// Checks each of the two files that is given; without any, the usual configuration.
pub(super) fn run(flags: &CheckFlags) -> Result<()> {
    let mut checks = vec![];
    if flags.config.file.is_some() || flags.web_config.file().is_none() {
        checks.push(configuration(&flags.config));
    }
    checks.extend(web_configuration(&flags.web_config));
    let mut refused = vec![];
    for check in checks {
        match check {
            Ok(good) => println!("{good}"),
            Err(error) => refused.push(error.to_string()),
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(anyhow!(refused.join("\n"))) }
}

fn configuration(flags: &ConfigFlags) -> Result<String> {
    let (shard, file) = (flags.shard(), flags.file());
    let config = Config::check(file, &Environment::of_this_process(), SystemClock.now())
        .map_err(|faults| exporter::refused(file, &faults))?
        .shard(shard);
    let users: usize = config.accounts.iter().map(|account| account.uins.len()).sum();
    Ok(format!("{}: good: {} account(s), {users} user(s)", file.display(), config.accounts.len()))
}

fn web_configuration(flag: &WebConfigFlag) -> Option<Result<String>> {
    let file = flag.file()?;
    let guard = Guard::load(file, Arc::new(SystemClock)).map_err(|faults| exporter::refused_for_web(file, &faults));
    Some(guard.map(|guard| format!("{}: good: {}", file.display(), guard.summary())))
}
