//! What stands in deploy/, judged by the tools that read it in the field.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]

mod dashboard;
mod helm;
mod image;
mod kubernetes;
mod packages;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../../crates/exporter-toolkit/tests/support/pki.rs"]
mod pki;
mod policies;
mod rules;
mod systemd;
mod workflows;
