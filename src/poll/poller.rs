//! Polls one account, for as long as it is configured.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use parking_lot::Mutex;
use tencentcloud_api::{Client, Clock, Uin};
use tokio::{
    select,
    sync::{Notify, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    Discovery, Organization, Rate, Settings,
    engine::Engine,
    jobs::{
        Runner,
        caller::{CallerIdentity, CallerJob},
        keys::Keys,
        last_use::{LastUseJob, ListedKeys},
        members::MembersJob,
        typed_users::TypedUsersJob,
        users::UsersJob,
    },
};
use crate::{credentials, inventory::Account, metrics::AccountMetrics};

/// How often a poller shows that it is alive, at least.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What a poller works with for as long as it lives.
pub struct PollerDeps {
    /// Where results are written.
    pub account: Arc<Account>,
    /// Where polls and requests are counted.
    pub metrics: AccountMetrics,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Jitters retries.
    pub random: Mutex<fastrand::Rng>,
    /// Called after each poll, successful or not.
    pub on_attempt: Box<dyn Fn() + Send + Sync>,
    /// Notified when the account has other users, and nothing else of the plan has changed.
    pub users_changed: Arc<Notify>,
    /// Called when the account's organization may have other members.
    pub on_members: Box<dyn Fn() + Send + Sync>,
    /// Whether users are polled once, rather than every interval. A throttled poll then fails and is retried, rather than
    /// keeping its slot for an interval.
    pub polls_once: bool,
    /// A wait before the first request, beside that of every poller: many that start together do not all call at once.
    pub delay: Duration,
}

/// What a reload can change. With each plan, even without a change, users that failed permanently are polled again.
pub struct Plan {
    /// The source of the credential.
    pub credentials: Arc<credentials::Source>,
    /// The API of the account.
    pub client: Client,
    /// STS, for `GetCallerIdentity`.
    pub sts: Client,
    /// Interval, limits and timeouts.
    pub settings: Settings,
    /// Requests a second: the account's rate limit, or a shard's part of it.
    pub rate: Rate,
    /// Whether the calling user is polled too.
    pub include_self: bool,
    /// How users are discovered, if they are.
    pub discovery: Option<Discovery>,
    /// How members of the organization are listed, if they are.
    pub organization: Option<Organization>,
    /// Which discovered users are polled here, and not by another shard.
    pub owns: Box<dyn Fn(Uin) -> bool + Send + Sync>,
}

/// Polls one account. Its jobs are futures of one task: when that stops, they stop.
pub struct Poller {
    engine: Arc<Engine>,
    plans: watch::Receiver<Arc<Plan>>,
    jobs: FuturesUnordered<BoxFuture<'static, ()>>,
}

// === impl Poller ===

impl Poller {
    /// Polls the users that the account has now, and those that it has with each further plan.
    #[must_use]
    pub fn new(deps: PollerDeps, mut plans: watch::Receiver<Arc<Plan>>) -> Self {
        let engine = Engine::new(deps, Arc::clone(&plans.borrow_and_update()));
        let (caller, last_use) = <(Arc<CallerIdentity>, Arc<ListedKeys>)>::default();
        let jobs: [BoxFuture<'static, ()>; 6] = [
            Box::pin(Runner::new(&engine, CallerJob::new(&engine, &caller)).run()),
            Box::pin(Runner::new(&engine, UsersJob::default()).run()),
            Box::pin(Runner::new(&engine, TypedUsersJob::default()).run()),
            Box::pin(Runner::new(&engine, MembersJob::default()).run()),
            Box::pin(Runner::new(&engine, LastUseJob::new(&last_use)).run()),
            // Last, because the others may have changed the users.
            Box::pin(Keys::new(&engine, caller, last_use).run()),
        ];
        engine.account().begin();
        Self { engine, plans, jobs: jobs.into_iter().collect() }
    }

    /// Polls until `shutdown`. Requests in flight are dropped then.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            self.engine.report_progress();
            select! {
                biased;
                () = shutdown.cancelled() => return,
                Ok(()) = self.plans.changed() => {
                    let plan = Arc::clone(&self.plans.borrow_and_update());
                    self.engine.apply(plan);
                }
                // No job ends.
                Some(()) = self.jobs.next() => {}
                () = sleep(HEARTBEAT) => {}
            }
        }
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("account", &self.engine.account().name()).finish_non_exhaustive()
    }
}

// === impl Plan ===

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("client", &self.client).field("settings", &self.settings).finish_non_exhaustive()
    }
}
