//! When whom is asked: the schedule, the API budget and retries. Writes what it learns into the inventory.
//!
//! - [`settings`] are the values of the configuration.
//! - [`schedule`] says whose turn it is: every user once an interval, evenly spread; retries in between.
//! - [`budget`] says whether the account may ask now: no sliding second ever holds more than its rate.
//! - `congestion` is how much of that rate the others who share it leave to us.
//! - [`outages`] logs what fails, and when it is over.
//! - `periodic` is what is asked beside users' keys; [`discovery`] is who there is, of whom [`crate::pattern`]s choose, and
//!   `last_use` which keys are asked about; [`members`] is which accounts an organisation has.
//! - `request` is one request, of whatever kind, and `settle` what its end means.
//! - `time_keeper` is the time that an account goes by and signs with.
//! - [`poller`] brings them together, one task an account.

pub mod budget;
mod completion;
mod congestion;
pub mod discovery;
pub mod failure_log;
mod last_use;
pub mod members;
mod periodic;
pub mod poller;
mod request;
pub mod schedule;
pub mod settings;
mod time_keeper;

pub use discovery::Discovery;
pub use members::Organization;
pub use poller::{Plan, Poller, PollerDeps};
pub use request::Failure;
pub use settings::{Interval, MaxInFlight, OutOfRange, Rate, RateLimit, Settings, Timeout};
