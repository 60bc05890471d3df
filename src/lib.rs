//! Exports the access keys of Tencent Cloud CAM users as Prometheus metrics.
//!
//! The way of a UIN, from the configuration to the exposition; no arrow runs back up:
//!
//! 1. [`config`] turns a file and the environment into values that cannot be wrong.
//! 2. [`app`] wires the parts, supervises their tasks, and stops them.
//! 3. [`credentials`] says who asks: a key pair, or a temporary credential that is renewed in time.
//! 4. [`poll`] says when whom is asked: the schedule, the API budget, retries.
//! 5. [`tencentcloud_api`] is the wire: signing, transport, and what answers and errors mean.
//! 6. [`inventory`] holds what is known of every user, and how fresh it is.
//! 7. [`state`] keeps that in a file over a restart.
//! 8. [`metrics`] writes the inventory down, beside the exporter's own counters.
//! 9. [`web`] answers scrapes and probes, and whoever wants to look.
//!
//! Or, rather than watch, `app` looks once, and [`report`] says what it has seen.
//!
//! Beside the way: [`tencentcloud_api::Clock`] and [`environment`] are the only doors to the time of day and to the environment variables,
//! [`duration`] reads and writes lengths of time, [`pattern`] matches names of users, [`replacement`] writes what somebody may be reading, [`backoff`] says how long a
//! retry waits, [`advice`] what to do about a poll that failed, and [`tencentcloud_simulator`] is a fake of the API, for the demo and for tests.

pub mod advice;
mod allocator;
pub mod app;
pub mod backoff;
pub mod config;
pub mod credentials;
pub mod duration;
pub mod environment;
pub mod inventory;
pub mod metrics;
pub mod pattern;
pub mod poll;
pub mod replacement;
pub mod report;
pub mod state;
pub mod web;

use tencentcloud_api::Program;

/// The name of the exporter in requests, and in the sessions of roles.
pub const PROGRAM: Program = Program { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
