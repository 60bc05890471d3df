//! Tells the program what it was built from.

use std::{env, process::Command};

#[expect(clippy::disallowed_methods, reason = "a build script is told everything through its environment")]
fn main() {
    // A new commit moves HEAD's log; a tree that is no checkout has none, and is built as "unknown".
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    println!("cargo:rerun-if-env-changed=BUILD_REVISION");
    let revision = env::var("BUILD_REVISION").ok().or_else(|| output("git", &["rev-parse", "--short=12", "HEAD"]));
    let rustc = env::var("RUSTC").ok().and_then(|rustc| output(&rustc, &["--version"]));
    let rustc_version = rustc.and_then(|line| line.split_whitespace().nth(1).map(str::to_owned));
    for (name, value) in [
        ("BUILD_REVISION", revision),
        ("BUILD_RUSTC_VERSION", rustc_version),
        ("BUILD_TARGET", env::var("TARGET").ok()),
    ] {
        println!("cargo:rustc-env={name}={}", value.as_deref().unwrap_or("unknown"));
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
