//! Reads a configuration, and says what is wrong with it.

use anyhow::Result;
use tencentcloud_cam_exporter::{
    clock::{Clock, SystemClock},
    config::Config,
    environment::Environment,
};

use super::{CheckFlags, connect, exporter};

pub(super) fn run(flags: &CheckFlags) -> Result<()> {
    let (shard, file) = (flags.config.shard(), &flags.config.file);
    let environment = Environment::of_this_process();
    let config = Config::check(file, &environment, SystemClock.now())
        .map_err(|faults| exporter::refused(file, &faults))?
        .shard(shard);
    let users: usize = config.accounts.iter().map(|account| account.uins.len()).sum();
    println!("{}: good: {} account(s), {users} user(s)", file.display(), config.accounts.len());
    if flags.connect { connect::run(&config, environment) } else { Ok(()) }
}
