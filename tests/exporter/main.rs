//! The built binary, over the wire, against the simulator.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]
#![allow(clippy::print_stdout, reason = "clippy knows test functions, but not what they share")]

mod alerting;
mod attacks;
mod blind;
mod budget;
mod chain;
mod chromium;
mod clock;
mod command_line;
mod connect;
mod connect_agrees;
mod credentials;
mod dashboard;
mod demo;
mod discovery;
mod documentation;
mod error_answers;
mod exposition;
#[path = "../support/faketime.rs"]
mod faketime;
mod families;
mod faults;
mod findings;
mod healthcheck;
mod languages;
mod last_used;
mod lifecycle;
mod list;
mod negotiation;
mod organization;
#[path = "../../crates/exporter-toolkit/tests/support/pki.rs"]
mod pki;
mod printing;
mod probes;
mod prometheus;
mod proxies;
mod reload;
mod secrets;
mod shards;
mod slow_readers;
mod stalled_log;
mod state;
mod status_lists;
mod status_page;
mod stories;
mod systemd;
mod tccli_profiles;
mod terminal;
mod tls_client;
mod user_types;
mod web;
mod web_config;
mod world;
