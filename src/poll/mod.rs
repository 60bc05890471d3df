//! Decides which user to poll, and when: the schedule, the API budget and retries. Writes the results into the inventory.
//!
//! - [`poller`] runs one task for each account, in which each of the `jobs` is a future.
//! - `jobs` has a file for each thing that is requested: the keys of users, the calling user, the lists of users and of
//!   an organization's members, the last use of keys.
//! - `engine` makes a request: it fetches the credential, signs, sends, counts and retries.
//! - `admission` decides which request is sent next.
//! - [`budget`] keeps the rate limit: no sliding second ever holds more than the account's rate.
//! - `congestion` estimates how much of that rate other clients leave.
//! - [`schedule`] picks the next user: every user once per interval, evenly spread; retries in between.
//! - [`failure_log`] logs failed polls, and when they succeed again.
//! - `time_keeper` has the account's time, and the time for signatures.
//! - [`settings`] are the types of the configuration's values.

mod admission;
pub mod budget;
mod congestion;
mod engine;
pub mod failure_log;
mod jobs;
pub mod poller;
pub mod schedule;
pub mod settings;
mod time_keeper;

use std::future::pending;

use tokio::time::{Instant, sleep_until};

pub use engine::Failure;
pub use jobs::{members::Organization, users::Discovery};
pub use poller::{Plan, Poller, PollerDeps};
pub use settings::{Interval, MaxInFlight, OutOfRange, Rate, RateLimit, Settings, Timeout};

/// Waits until this time; without a time, for ever.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) if at <= Instant::now() => {}
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
