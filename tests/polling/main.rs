//! The whole exporter in this process, on a clock that the test holds, with the simulator behind a transport of its own.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]

mod accounts;
mod contention;
mod days;
mod discovery;
mod documented_example;
mod findings;
mod harness;
mod late_requests;
mod month;
mod one_look;
mod organization;
mod renewal;
mod short_budget;
mod stale_connections;
mod sweeps;
mod throttled;
