//! Decides which user to poll, and when: the schedule, the API budget and retries. Writes the results into the inventory.
//!
//! - [`settings`] are the types of the configuration's values.
//! - [`schedule`] picks the next user: every user once per interval, evenly spread; retries in between.
//! - [`budget`] admits requests: no sliding second ever holds more than the account's rate.
//! - `congestion` estimates how much of that rate other clients leave.
//! - [`failure_log`] logs failures, and when they end.
//! - `periodic` schedules the other requests: [`discovery`] lists users, which [`crate::pattern`]s select; `last_use` asks when
//!   keys were used; [`members`] lists the members of an organization.
//! - `request` sends one request of any kind, and `completion` handles its result.
//! - `time_keeper` has the account's time, and the time for signatures.
//! - [`poller`] combines them in one task for each account.

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
