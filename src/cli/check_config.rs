//! Reads a configuration, and says what is wrong with it.

use anyhow::Result;
use tencentcloud_cam_exporter::{
    clock::{Clock, SystemClock},
    config::Config,
    environment::Environment,
};

use super::{ConfigFlags, exporter};

pub(super) fn run(flags: &ConfigFlags) -> Result<()> {
    let (shard, file) = (flags.shard(), &flags.file);
    let config = Config::check(file, &Environment::of_this_process(), SystemClock.now())
        .map_err(|faults| exporter::refused(file, &faults))?
        .shard(shard);
    let users: usize = config.accounts.iter().map(|account| account.uins.len()).sum();
    println!("{}: good: {} account(s), {users} user(s)", file.display(), config.accounts.len());
    Ok(())
}
