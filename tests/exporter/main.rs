//! The built binary, over the wire, against the simulator.

mod command_line;
mod demo;
mod documentation;
mod exposition;
mod faults;
mod lifecycle;
mod secrets;
mod web;
mod world;
