//! Asks about every user once, and serves nobody: a look at all accounts, rather than a watch over them.
//!
//! The pollers are those of the exporter, with its budget, its schedule and its retries.

use std::{collections::HashMap, fmt, pin::pin, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, mpsc},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{Error, NEWS, Surroundings, fleet::Fleet, tasks::Tasks};
use crate::{
    clock::Clock,
    config::{self, Config},
    inventory::{Account, AccountName, Inventory, Listing, User},
    metrics::Own,
    web::Readiness,
};

/// For how long a poll that failed is retried, where the failure may pass, and for how long the rest of an account is
/// asked about, where nothing of it has been answered and the fault is not a user's.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// How often is looked whether it is over.
const LOOK: Duration = Duration::from_millis(50);

/// A sweep that is ready to run.
pub struct Sweep {
    accounts: Vec<config::Account>,
    fleet: Fleet,
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
    joined: Arc<Notify>,
    stopping: CancellationToken,
}

/// What a sweep has found out.
#[derive(Debug)]
pub struct Swept {
    /// What is known of every user.
    pub inventory: Arc<Inventory>,
    /// Accounts of which it could not be found out who their users are, though that was asked for.
    pub unfound: Vec<AccountName>,
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

/// What an account is asked for beside its users' keys.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for or not, whatever the others are")]
struct Errands {
    caller: bool,
    users: bool,
    members: bool,
    last_uses: bool,
}

// === impl Sweep ===

impl Sweep {
    /// Over the users of `config`. Does nothing yet. The state file is another's, and left alone.
    ///
    /// # Errors
    /// See [`Error::Metrics`].
    pub fn build(config: Config, surroundings: Surroundings) -> Result<Self, Error> {
        let stopping = CancellationToken::new();
        let clock = Arc::clone(&surroundings.clock);
        let inventory = Arc::new(Inventory::new(vec![]));
        let own = Arc::new(Own::new()?);
        let readiness = Arc::new(Readiness::new(stopping.clone()));
        // There is nobody to hear news: the files that list users are read once.
        let (tell, _) = mpsc::channel(NEWS);
        let joined = Arc::new(Notify::new());
        let fleet = Fleet::new(
            surroundings,
            Arc::clone(&inventory),
            own,
            readiness,
            stopping.clone(),
            tell,
            Arc::clone(&joined),
        );
        Ok(Self { accounts: config.accounts, fleet, inventory, clock, joined, stopping })
    }

    /// Polls until every user has been answered about, or will not be, or until `shutdown`. Tells how far it is, again
    /// and again.
    ///
    /// # Errors
    /// A task died.
    pub async fn run(mut self, mut tell: impl FnMut(Step), shutdown: CancellationToken) -> Result<Swept, Error> {
        let mut tasks = Tasks::default();
        let errands: HashMap<AccountName, Errands> =
            self.accounts.iter().map(|account| (account.name.clone(), Errands::of(account))).collect();
        self.fleet.set_accounts(self.accounts, &mut tasks).await;
        self.fleet.poll(&mut tasks);
        let (inventory, clock) = (Arc::clone(&self.inventory), Arc::clone(&self.clock));
        let mut over = pin!(async {
            let mut ticks = interval(LOOK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut last = (Step::default(), clock.now());
            loop {
                ticks.tick().await;
                let now = clock.now();
                let step = Step::of(&inventory, &errands, now);
                tell(step);
                if step != last.0 {
                    last = (step, now);
                }
                let polled = step.done == step.users && !step.finding;
                // Of some keys nothing may ever be told.
                if polled && (step.uses_awaited == 0 || has_lasted(last.1, now)) {
                    return;
                }
            }
        });
        let is_whole = loop {
            tokio::select! {
                biased;
                // Before it is looked whether it is over: it is not for those who have just joined.
                () = self.joined.notified() => self.fleet.take_over_members(&mut tasks),
                () = &mut over => break true,
                () = shutdown.cancelled() => break false,
                error = tasks.first_to_end() => return Err(error),
            }
        };
        self.stopping.cancel();
        tasks.say_farewell().await;
        let accounts = self.inventory.accounts();
        let unfound = accounts.iter().filter(|account| {
            let listings = account.listings();
            Listing::ALL.iter().any(|listing| listing.finds_users() && listings.get(*listing).failure.is_some())
        });
        let unfound = unfound.map(|account| account.name().clone()).collect();
        Ok(Swept { inventory: self.inventory, unfound, at: self.clock.now(), is_whole })
    }
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep").finish_non_exhaustive()
    }
}

// === impl Step ===

impl Step {
    fn of(inventory: &Inventory, errands: &HashMap<AccountName, Errands>, local: Timestamp) -> Self {
        inventory.accounts().iter().fold(Self::default(), |before, account| {
            let step = Self::of_account(account, *errands.get(account.name()).unwrap_or(&Errands::OF_A_MEMBER), local);
            Self {
                done: before.done + step.done,
                failed: before.failed + step.failed,
                users: before.users + step.users,
                uses_awaited: before.uses_awaited + step.uses_awaited,
                finding: before.finding || step.finding,
            }
        })
    }

    fn of_account(account: &Account, errands: Errands, local: Timestamp) -> Self {
        let (now, listings) = (account.correct(local), account.listings());
        let (mut step, mut answered, mut down) = (Self::default(), false, false);
        let asks_uses = errands.last_uses && listings.get(Listing::LastUses).up() != Some(false);
        account.each_user(|_, user| {
            step.users += 1;
            answered |= user.answered.is_some();
            let failure = user.failure.as_ref();
            down |= failure.is_some_and(|failure| !failure.reason.is_the_user_s() && has_lasted(failure.since, now));
            step.done += usize::from(is_settled(user, now));
            step.failed += usize::from(user.keys.is_none() && user.failure.is_some());
            let keys = user.keys.as_deref().unwrap_or_default();
            step.uses_awaited += keys.iter().filter(|key| asks_uses && key.last_use.is_none()).count();
        });
        if down && !answered {
            step.done = step.users;
        }
        step.finding = (errands.caller && listings.get(Listing::Caller).up().is_none())
            || (errands.users && listings.get(Listing::Users).up().is_none())
            || (errands.members && listings.get(Listing::Members).up().is_none());
        step
    }
}

// === impl Errands ===

impl Errands {
    /// Those of a member of an organisation, which is not configured by itself.
    const OF_A_MEMBER: Self = Self { caller: false, users: true, members: false, last_uses: false };

    fn of(configured: &config::Account) -> Self {
        Self {
            caller: configured.include_self,
            users: configured.discover.is_some(),
            members: configured.organization.is_some(),
            last_uses: configured.poll.last_used.is_some(),
        }
    }
}

/// Whether the user need not be asked about any more.
fn is_settled(user: &User, now: Timestamp) -> bool {
    let given_up =
        user.failure.as_ref().is_some_and(|failure| !failure.reason.is_transient() || has_lasted(failure.since, now));
    user.keys.is_some() || given_up
}

fn has_lasted(since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since) >= PATIENCE
}
