//! Reads a configuration, and says what is wrong with it.

use std::path::Path;

use anyhow::Result;
use tencentcloud_cam_exporter::{config::Config, environment::Environment};

pub(super) fn run(file: &Path) -> Result<()> {
    let config = Config::load(file, &Environment::of_this_process())
        .map_err(|faults| super::exporter::refused(file, &faults))?;
    let users: usize = config.accounts.iter().map(|account| account.uins.len()).sum();
    println!("{}: good: {} account(s), {users} user(s)", file.display(), config.accounts.len());
    Ok(())
}
