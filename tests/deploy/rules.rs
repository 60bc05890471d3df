//! The Prometheus rules, their tests and their runbooks.

mod file;
mod mutants;
mod mutation;
mod promql;

use std::{path::Path, process::Command};

/// Runs promtool in a folder. What it says is the error where it is not content.
fn promtool(arguments: &[&str], folder: &Path) -> Result<String, String> {
    let output = Command::new("promtool").args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if output.status.success() { Ok(said) } else { Err(said) }
}
