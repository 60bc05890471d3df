//! A clock that `.ci/times` sets for all processes.

use std::env;

/// What `.ci/times` sets for the clock of a process, and of those that it starts.
pub(crate) fn clock_variables() -> impl Iterator<Item = (String, String)> {
    env::vars().filter(|(name, _)| {
        ["LD_PRELOAD", "TZ", "DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"].contains(&name.as_str())
            || name.starts_with("FAKETIME")
    })
}
