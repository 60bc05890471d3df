//! The built binary, over the wire, against the simulator.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]

mod attacks;
mod budget;
mod clock;
mod command_line;
mod credentials;
mod demo;
mod discovery;
mod documentation;
mod exposition;
mod faults;
mod last_used;
mod lifecycle;
mod negotiation;
mod organization;
mod probes;
mod reload;
mod secrets;
mod shards;
mod state;
mod web;
mod world;
