//! Polls the users of one account, for as long as the program runs.

use std::{collections::HashMap, fmt, sync::Arc};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use thiserror::Error;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    Settings, backoff,
    budget::{Budget, Permit, Refusal},
    schedule::{Next, Schedule, Slot},
};
use crate::{
    clock::Clock,
    credentials,
    inventory::Account,
    metrics::AccountMetrics,
    tencent::{AccessKey, Answer, Client, Connection, Error as ApiError, Reason},
};

/// What a poller works with.
pub struct Wiring {
    /// Who asks.
    pub credentials: credentials::Source,
    /// Whom it asks.
    pub client: Client,
    /// Where it writes what it learns.
    pub account: Arc<Account>,
    /// Where it counts what it does.
    pub metrics: AccountMetrics,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Told of each poll that has ended, well or not.
    pub on_attempt: Box<dyn Fn() + Send + Sync>,
}

/// Polls one account. Requests under way are futures of its one task: when that stops, they stop.
pub struct Poller {
    wiring: Arc<Wiring>,
    max_in_flight: usize,
    schedule: Schedule,
    budget: Budget,
    random: fastrand::Rng,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// Why each user that is down is so, as it was last logged.
    down: HashMap<Slot, Reason>,
}

/// A request that has ended.
struct Ended {
    slot: Slot,
    permit: Permit,
    connection: Connection,
    outcome: Result<Answer<Vec<AccessKey>>, Failure>,
}

/// Why a poll brought no keys.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    #[error(transparent)]
    Api(#[from] ApiError),
}

// === impl Poller ===

impl Poller {
    /// A poller of the account in `wiring`, to whose users `settings` apply; `random` jitters its retries.
    #[must_use]
    pub fn new(wiring: Wiring, settings: &Settings, random: fastrand::Rng) -> Self {
        let uins: Vec<_> = wiring.account.users().keys().copied().collect();
        Self {
            wiring: Arc::new(wiring),
            max_in_flight: settings.max_in_flight.get(),
            schedule: Schedule::new(uins, settings.interval.get()),
            budget: Budget::new(settings.rate_limit.into()),
            random,
            under_way: FuturesUnordered::new(),
            down: HashMap::new(),
        }
    }

    /// Polls until told to stop. Requests under way are dropped then.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let wake = self.start_what_may_start();
            let earliest_due = self.schedule.earliest_due();
            self.wiring.account.note(|progress| progress.earliest_due = earliest_due);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(ended) = self.under_way.next() => self.settle(ended),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    /// Starts requests until a bound is met. Tells when there may be another; nothing if only the end of one under way
    /// can bring it.
    fn start_what_may_start(&mut self) -> Option<Instant> {
        while self.under_way.len() < self.max_in_flight {
            let slot = match self.schedule.next() {
                Next::Now(slot) => slot,
                Next::At(at) => return Some(at),
                Next::Nobody => return None,
            };
            match self.budget.take() {
                Ok(permit) => {
                    let connection = self.schedule.begin(slot);
                    self.start(slot, permit, connection);
                }
                Err(Refusal::Until(at)) => return Some(at),
                Err(Refusal::UntilOneEnds) => return None,
            }
        }
        None
    }

    fn start(&self, slot: Slot, permit: Permit, connection: Connection) {
        let (wiring, uin) = (Arc::clone(&self.wiring), self.schedule.uin(slot));
        self.under_way.push(Box::pin(async move {
            let outcome = async {
                let credential = wiring.credentials.credential().await?;
                let started = Instant::now();
                let outcome = wiring.client.list_access_keys(&credential, uin, connection).await;
                wiring.metrics.api_request(started.elapsed());
                Ok(outcome?)
            };
            Ended { slot, permit, connection, outcome: outcome.await }
        }));
    }

    fn settle(&mut self, ended: Ended) {
        let Ended { slot, permit, connection, outcome } = ended;
        self.budget.give_back(permit);
        match outcome {
            Err(Failure::Api(ApiError::StaleConnection(cause))) if connection == Connection::Pooled => {
                debug!(account = %self.wiring.account.facts().name, %cause, "the API closed a kept connection: asking once more");
                self.schedule.again(slot);
                return;
            }
            Ok(answer) => self.succeeded(slot, &answer),
            Err(failure) => self.failed(slot, &failure),
        }
        if let Some(took) = self.schedule.swept(slot) {
            self.wiring.account.note(|progress| progress.last_sweep = Some(took));
        }
        (self.wiring.on_attempt)();
    }

    fn succeeded(&mut self, slot: Slot, answer: &Answer<Vec<AccessKey>>) {
        let (account, uin, now) = (&self.wiring.account, self.schedule.uin(slot), self.wiring.clock.now());
        account.listed(uin, &answer.value, now);
        self.wiring.metrics.poll_succeeded();
        self.note_skew(answer.server_time);
        if self.down.remove(&slot).is_some() {
            info!(account = %account.facts().name, %uin, "polling the user succeeds again");
        }
        self.schedule.done(slot);
    }

    fn failed(&mut self, slot: Slot, failure: &Failure) {
        let (account, uin, reason) = (&self.wiring.account, self.schedule.uin(slot), failure.reason());
        if let Failure::Api(ApiError::Api { code, server_time, .. }) = failure {
            self.wiring.metrics.api_error(code);
            self.note_skew(*server_time);
        }
        if reason == Reason::Throttled {
            self.budget.throttled();
        }
        if reason == Reason::UserNotFound {
            account.not_found(uin, self.wiring.clock.now());
        } else {
            account.failed(uin);
        }
        self.wiring.metrics.poll_failed(reason);
        let (name, label) = (&account.facts().name, reason.label());
        if self.down.insert(slot, reason) == Some(reason) {
            debug!(account = %name, %uin, reason = label, error = %failure, "polling the user still fails");
        } else {
            warn!(account = %name, %uin, reason = label, error = %failure, "polling the user failed");
        }
        if reason.is_transient() {
            self.schedule.retry(slot, |retry| backoff::wait(retry, &mut self.random));
        } else {
            self.schedule.done(slot);
        }
    }

    fn note_skew(&self, server_time: Option<jiff::Timestamp>) {
        if let Some(server_time) = server_time {
            let skew = server_time.as_second() - self.wiring.clock.now().as_second();
            self.wiring.account.note(|progress| progress.clock_skew = Some(skew));
        }
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("account", &self.wiring.account.facts().name).finish_non_exhaustive()
    }
}

// === impl Failure ===

impl Failure {
    fn reason(&self) -> Reason {
        match self {
            Self::Credentials(_) => Reason::Credentials,
            Self::Api(error) => error.reason(),
        }
    }
}
