//! Exports the access keys of Tencent Cloud CAM users as Prometheus metrics.
//!
//! From a UIN to a sample; each module imports only those below it (ARCHITECTURE.md has the drawing):
//!
//! 1. [`config`] parses the configuration file and environment variables into types that cannot hold an invalid value.
//! 2. [`app`] starts everything, supervises the tasks, reloads and stops them.
//! 3. [`credentials`] provides a key pair, or a temporary credential that is renewed in time.
//! 4. [`poll`] decides which user to poll, and when: schedule, API budget, retries.
//! 5. [`tencentcloud_api`] is the client of the API: signing, transport, actions, error codes.
//! 6. [`inventory`] holds the data of every user, and its age.
//! 7. [`state`] saves the inventory to a file for the next start.
//! 8. [`metrics`] encodes the inventory and the exporter's own counters.
//! 9. [`web`] serves scrapes, probes and the status page.
//!
//! For `list`, `app` polls every user once, and [`report`] holds the result.
//!
//! Small modules: [`environment`] reads environment variables, [`duration`] parses and prints durations, [`pattern`] matches user
//! names, [`replacement`] replaces files atomically, [`backoff`] computes retry delays, [`advice`] says what to do about a failed
//! poll, [`language`] in which language. The time of day comes from [`tencentcloud_api::Clock`] only. [`tencentcloud_simulator`] simulates the API, for `demo` and
//! for tests.

pub mod advice;
pub mod allocator;
pub mod app;
pub mod backoff;
pub mod config;
pub mod credentials;
pub mod duration;
pub mod environment;
pub mod inventory;
pub mod language;
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
