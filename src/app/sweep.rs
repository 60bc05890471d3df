//! Polls every user once, for `list`. Nothing is served.
//!
//! The pollers are those of the exporter, with its budget, its schedule and its retries.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tencentcloud_api::{Clock, Reason, Uin};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{Dependencies, Error, MAX_PENDING_CHANGES, supervisor::Supervisor, tasks::Tasks};
use crate::{
    config::{self, Config},
    inventory::{Account, AccountName, Inventory, Listing, User},
    metrics::Own,
    web::Readiness,
};

/// For how long a failed request is retried, where the failure may pass, and how long an account may fail without a single
/// answer before it is given up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// The fewest failed requests without an answer in between after which an account is given up: where the rate limit is low,
/// there may be none other in [`GIVE_UP_AFTER`].
const GIVE_UP_FAILURES: u64 = 2;

/// How often is looked whether it is over.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// A sweep that is ready to run.
pub struct Sweep {
    accounts: Vec<config::Account>,
    supervisor: Supervisor,
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
    members_changed: Arc<Notify>,
    stopping: CancellationToken,
}

/// What a sweep has found out.
#[derive(Debug)]
pub struct Swept {
    /// What is known of every user.
    pub inventory: Arc<Inventory>,
    /// When it ended, by the machine's clock.
    pub at: Timestamp,
    /// Whether it came to its end, rather than being stopped before.
    pub is_whole: bool,
}

/// How far a sweep has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Users who need not be asked about any more.
    pub done: usize,
    /// Those of them who could not be polled.
    pub failed: usize,
    /// All users.
    pub users: usize,
    /// Keys of which it is asked when they were last used, and was not answered yet.
    pub uses_awaited: usize,
    /// Whether it is still being found out who the users are.
    pub finding: bool,
}

/// What an account was seen to do, from one look to the next.
#[derive(Debug, Default)]
struct Watch {
    /// Users that were given up: they failed for [`GIVE_UP_AFTER`], the latest retry included.
    given_up: HashSet<Uin>,
    /// Users and listings that were answered.
    answers: usize,
    /// Polls that failed for no fault of their user.
    failures: u64,
    /// Those of them that had failed at the last answer.
    failures_before: u64,
    /// When the first request failed after the last answer.
    failing_since: Option<Instant>,
}

// === impl Sweep ===

impl Sweep {
    /// Over the users of `config`. Does nothing yet. The state file is another's, and left alone.
    ///
    /// # Errors
    /// See [`Error::Metrics`].
    pub fn build(config: Config, dependencies: Dependencies) -> Result<Self, Error> {
        let stopping = CancellationToken::new();
        let clock = Arc::clone(&dependencies.clock);
        let inventory = Arc::new(Inventory::new(vec![]));
        let own = Arc::new(Own::new()?);
        let readiness = Arc::new(Readiness::new(stopping.clone()));
        // Changes are not received: the files that list users are read once.
        let (changes, _) = mpsc::channel(MAX_PENDING_CHANGES);
        let members_changed = Arc::new(Notify::new());
        let supervisor = Supervisor::new(
            dependencies,
            Arc::clone(&inventory),
            own,
            readiness,
            stopping.clone(),
            changes,
            Arc::clone(&members_changed),
        )
        .polling_once();
        Ok(Self { accounts: config.accounts, supervisor, inventory, clock, members_changed, stopping })
    }

    /// The same, by the exporter with this number among those that share the work, counted from 0.
    #[must_use]
    pub fn of_shard(self, ordinal: u32) -> Self {
        self.inventory.set_shard(ordinal);
        self
    }

    /// Polls until every user has been answered about, or will not be, or until `shutdown`. Calls `tell` with how far it
    /// is, again and again.
    ///
    /// # Errors
    /// A task died.
    pub async fn run(mut self, mut tell: impl FnMut(Step), shutdown: CancellationToken) -> Result<Swept, Error> {
        let mut tasks = Tasks::default();
        self.supervisor.set_accounts(self.accounts, &mut tasks).await;
        self.supervisor.sync_pollers(&mut tasks);
        let (inventory, clock) = (Arc::clone(&self.inventory), Arc::clone(&self.clock));
        let mut over = pin!(async {
            let mut ticks = interval(CHECK_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut watches = HashMap::new();
            let mut last = (Step::default(), Instant::now());
            loop {
                ticks.tick().await;
                let step = Step::of(&inventory, &mut watches, clock.now());
                tell(step);
                if step != last.0 {
                    last = (step, Instant::now());
                }
                let polled = step.done == step.users && !step.finding;
                // Of some keys the API may never say when they were last used.
                if polled && (step.uses_awaited == 0 || last.1.elapsed() >= GIVE_UP_AFTER) {
                    return;
                }
            }
        });
        let is_whole = loop {
            tokio::select! {
                biased;
                // Before it is looked whether it is over: it is not for those who have just joined.
                () = self.members_changed.notified() => self.supervisor.sync_members(&mut tasks),
                () = &mut over => break true,
                () = shutdown.cancelled() => break false,
                error = tasks.first_unexpected_end() => return Err(error),
            }
        };
        self.stopping.cancel();
        tasks.shut_down().await;
        Ok(Swept { inventory: self.inventory, at: self.clock.now(), is_whole })
    }
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep").finish_non_exhaustive()
    }
}

// === impl Step ===

impl Step {
    fn of(inventory: &Inventory, watches: &mut HashMap<AccountName, Watch>, local: Timestamp) -> Self {
        inventory.accounts().iter().fold(Self::default(), |before, account| {
            let step = Self::of_account(account, watches.entry(account.name().clone()).or_default(), local);
            Self {
                done: before.done + step.done,
                failed: before.failed + step.failed,
                users: before.users + step.users,
                uses_awaited: before.uses_awaited + step.uses_awaited,
                finding: before.finding || step.finding,
            }
        })
    }

    fn of_account(account: &Account, watch: &mut Watch, local: Timestamp) -> Self {
        let (now, listings, configured) = (account.correct(local), account.listings(), account.settings().listings);
        let is_listed = |listing: &Listing| listings.get(*listing).up() == Some(true);
        let is_given_up = |listing: Listing| {
            listings.get(listing).failure.as_ref().is_some_and(|failure| {
                !failure.reason.is_some_and(Reason::is_transient) || has_lasted(failure.since, now)
            })
        };
        // It succeeds for some keys before others.
        let awaits_uses = configured.contains(Listing::LastUses) && !is_given_up(Listing::LastUses);
        let mut answers = configured.iter().filter(is_listed).count();
        let mut step = Self::default();
        account.each_user(|uin, user| {
            step.users += 1;
            let is_settled = watch.has_settled(uin, user, now);
            answers += usize::from(
                user.failure.as_ref().map_or(user.keys.is_some(), |failure| failure.reason.is_user_specific()),
            );
            step.done += usize::from(is_settled);
            step.failed += usize::from(user.keys.is_none() && user.failure.is_some());
            let keys = user.keys.as_deref().unwrap_or_default();
            step.uses_awaited += keys.iter().filter(|key| awaits_uses && key.last_use.is_none()).count();
        });
        if watch.has_stalled(answers, account.progress().failed_polls) {
            step.done = step.users;
        }
        step.finding =
            configured.iter().any(|listing| listing.finds_users() && !is_listed(&listing) && !is_given_up(listing));
        step
    }
}

// === impl Watch ===

impl Watch {
    /// Whether the user need not be polled any more. What may pass is retried at least once, however long the retry waits
    /// for others.
    fn has_settled(&mut self, uin: Uin, user: &User, now: Timestamp) -> bool {
        if let Some(failure) = &user.failure {
            let awaits_retry = failure.next_poll.is_some_and(|next| next <= now);
            if !failure.reason.is_transient() || (has_lasted(failure.since, now) && !awaits_retry) {
                self.given_up.insert(uin);
            }
        }
        user.keys.is_some() || self.given_up.contains(&uin)
    }

    /// Whether the account has failed for [`GIVE_UP_AFTER`] without an answer, where so many of its users and listings were
    /// answered and so many requests have failed.
    fn has_stalled(&mut self, answers: usize, failures: u64) -> bool {
        if answers != self.answers {
            (self.answers, self.failures, self.failures_before, self.failing_since) =
                (answers, failures, failures, None);
        } else if failures > self.failures {
            self.failures = failures;
            self.failing_since.get_or_insert_with(Instant::now);
        }
        self.failures >= self.failures_before + GIVE_UP_FAILURES
            && self.failing_since.is_some_and(|since| since.elapsed() >= GIVE_UP_AFTER)
    }
}

fn has_lasted(since: Timestamp, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(since)).is_ok_and(|lasted| lasted >= GIVE_UP_AFTER)
}
