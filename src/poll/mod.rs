//! When whom is asked: the schedule, the API budget and retries. Writes what it learns into the inventory.
//!
//! - [`settings`] are the values of the configuration.
//! - [`schedule`] says whose turn it is: every user once an interval, evenly spread; retries in between.
//! - [`budget`] says whether the account may ask now: no sliding second ever holds more than its rate.
//! - `congestion` is how much of that rate the others who share it leave to us.
//! - [`outages`] logs what fails, and when it is over.
//! - [`poller`] brings them together, one task an account.

pub mod budget;
mod congestion;
pub mod outages;
pub mod poller;
pub mod schedule;
pub mod settings;

pub use poller::{Plan, Poller, Wiring};
pub use settings::{Interval, MaxInFlight, OutOfRange, Rate, RateLimit, Settings, Timeout};
