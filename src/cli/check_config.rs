//! Reads a configuration, and says what is wrong with it.

use std::path::Path;

use anyhow::Result;
use tencentcloud_cam_exporter::environment::Environment;

pub(super) fn run(file: &Path) -> Result<()> {
    let config = super::exporter::load(file, &Environment::of_this_process())?;
    let users: usize = config.accounts.iter().map(|account| account.uins.len()).sum();
    println!("{}: good: {} account(s), {users} user(s)", file.display(), config.accounts.len());
    Ok(())
}
