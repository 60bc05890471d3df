//! Polls the users of one account, for as long as the account is there.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    Rate, Settings,
    budget::{Budget, Permit, Refusal},
    outages::Outages,
    schedule::{Next, Schedule, Turn},
};
use crate::{
    backoff,
    clock::Clock,
    credentials,
    inventory::{Account, ApiClock},
    metrics::{AccountMetrics, ActionMetrics},
    tencent::{AccessKey, Answer, Client, Connection, Credential, Error as ApiError, ListAccessKeys, Reason},
};

/// How often a poller shows that it is alive, at least.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long a poller waits at first. There may have been another for its account a moment ago, before a restart or a
/// reload, and what that sent still counts against the budget.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the `Date` of an accepted request may be from the time it was signed with. The API allows five minutes: what
/// is further off was not said by the API, or says nothing of the time.
const PLAUSIBLE: SignedDuration = SignedDuration::from_mins(6);

/// What a poller works with for as long as it lives.
pub struct Wiring {
    /// Where it writes what it learns.
    pub account: Arc<Account>,
    /// Where it counts what it does.
    pub metrics: AccountMetrics,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Jitters retries.
    pub random: fastrand::Rng,
    /// Told of each poll that has ended, well or not.
    pub on_attempt: Box<dyn Fn() + Send + Sync>,
}

/// What a reload may change. Each one that comes, even without a change, gives the users that fail for good a new chance.
#[derive(Debug)]
pub struct Plan {
    /// Who asks.
    pub credentials: Arc<credentials::Source>,
    /// Whom it asks.
    pub client: Client,
    /// How it asks.
    pub settings: Settings,
    /// How many requests a second it may make: the account's rate limit, or a shard's part of it.
    pub rate: Rate,
}

/// Polls one account. Requests under way are futures of its one task: when that stops, they stop.
pub struct Poller {
    wiring: Wiring,
    plans: watch::Receiver<Arc<Plan>>,
    plan: Arc<Plan>,
    schedule: Schedule,
    budget: Budget,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    listing: ActionMetrics,
    outages: Outages,
    skewed: bool,
    /// How often the credential's source had failed when that was last counted.
    credential_failures: u64,
    /// What is wrong with the credential's source, as it was last logged.
    credential_problem: Option<credentials::Error>,
}

/// A request that has ended.
struct Ended {
    turn: Turn,
    permit: Permit,
    connection: Connection,
    signed_at: Timestamp,
    /// What it was signed with, and where that came from.
    signer: Option<(Credential, Arc<credentials::Source>)>,
    /// Why the credential may be an old one.
    credential_problem: Result<Option<credentials::Error>, NoCredential>,
    outcome: Result<Answer<Vec<AccessKey>>, Failure>,
}

/// There was none to ask with, as the outcome tells.
struct NoCredential;

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
    /// A poller of the users that its account has, and of those that it will have with each further plan.
    #[must_use]
    pub fn new(wiring: Wiring, mut plans: watch::Receiver<Arc<Plan>>) -> Self {
        let plan = Arc::clone(&plans.borrow_and_update());
        let name = wiring.account.name().clone();
        let mut poller = Self {
            schedule: Schedule::new(name.clone(), plan.settings.interval.get(), wiring.clock.now()),
            budget: Budget::starting_after(plan.rate, PAUSE),
            listing: wiring.metrics.action::<ListAccessKeys>(),
            wiring,
            plans,
            plan,
            under_way: FuturesUnordered::new(),
            outages: Outages::of(name),
            skewed: false,
            credential_failures: 0,
            credential_problem: None,
        };
        // Others may have used the source before.
        poller.credential_failures = poller.plan.credentials.failures();
        poller.take_over_users();
        poller
    }

    /// Polls until told to stop. Requests under way are dropped then.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // One alarm, set anew only to another time: each setting to an earlier time wakes the timer itself first.
        let mut alarm = pin!(sleep_until(Instant::now()));
        let mut heartbeat = Instant::now();
        loop {
            let wake = self.start_what_may_start();
            self.note_progress();
            if heartbeat <= Instant::now() {
                heartbeat = Instant::now() + HEARTBEAT;
            }
            let wake = wake.map_or(heartbeat, |wake| wake.min(heartbeat));
            if alarm.deadline() != wake {
                alarm.as_mut().reset(wake);
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Ok(()) = self.plans.changed() => self.take_over_plan(),
                Some(ended) = self.under_way.next() => self.settle(ended),
                () = alarm.as_mut() => {}
            }
        }
    }

    fn take_over_plan(&mut self) {
        let before = std::mem::replace(&mut self.plan, Arc::clone(&self.plans.borrow_and_update()));
        if !Arc::ptr_eq(&before.credentials, &self.plan.credentials) {
            self.credential_failures = self.plan.credentials.failures();
        }
        self.schedule.set_interval(self.plan.settings.interval.get());
        self.budget.set_limit(self.plan.rate);
        self.take_over_users();
        self.schedule.forgive();
    }

    fn take_over_users(&mut self) {
        let (now, users) = (self.now(), self.wiring.account.users());
        self.schedule.set_users(users.iter().map(|(uin, user)| {
            let ago =
                user.answered.map(|answered| Duration::try_from(now.duration_since(answered)).unwrap_or_default());
            (*uin, ago)
        }));
        self.outages.retain(|uin| users.contains_key(&uin));
    }

    fn note_progress(&mut self) {
        let credentials = &self.plan.credentials;
        credentials.keep(self.now());
        let (credential_expires, failures) = (credentials.expires(), credentials.failures());
        self.wiring.metrics.credential_refresh_failed(failures.saturating_sub(self.credential_failures));
        self.credential_failures = failures;
        let (next_due, rate, rate_limit) = (self.schedule.next_due(), self.budget.rate(), self.plan.rate.get());
        self.wiring.account.note(|progress| {
            progress.heartbeat = Instant::now();
            progress.next_due = next_due;
            progress.rate = Some(rate);
            progress.rate_limit = Some(rate_limit);
            progress.credential_expires = credential_expires;
        });
    }

    /// Starts requests until a bound is met. Tells when there may be another; nothing if only the end of one under way
    /// can bring it.
    fn start_what_may_start(&mut self) -> Option<Instant> {
        while self.under_way.len() < self.plan.settings.max_in_flight.get() {
            let turn = match self.schedule.up_next() {
                Next::Now(turn) => turn,
                Next::At(at) => return Some(at),
                Next::Nobody => return None,
            };
            match self.budget.take() {
                Ok(permit) => {
                    let (turn, connection) = self.schedule.begin(turn);
                    self.start(turn, permit, connection);
                }
                Err(Refusal::Until(at)) => return Some(at),
                Err(Refusal::UntilOneEnds) => return None,
            }
        }
        None
    }

    fn start(&self, turn: Turn, permit: Permit, connection: Connection) {
        let (plan, metrics, now) = (Arc::clone(&self.plan), self.listing.clone(), self.now());
        let asked = Instant::now();
        self.under_way.push(Box::pin(async move {
            let fetched = plan.credentials.fetch(now).await;
            let credential_problem = fetched.as_ref().map(|fetched| fetched.problem.clone()).map_err(|_| NoCredential);
            let credential = fetched.as_ref().ok().map(|fetched| fetched.credential.clone());
            let source = Arc::clone(&plan.credentials);
            // The credential may have come late.
            let signed_at = now + asked.elapsed();
            let outcome = async {
                let credential = fetched?.credential;
                let started = Instant::now();
                let outcome =
                    plan.client.call(&credential, &ListAccessKeys::of(turn.uin()), connection, signed_at).await;
                metrics.request(started.elapsed());
                Ok(outcome?)
            };
            let outcome = outcome.await;
            Ended {
                turn,
                permit,
                connection,
                signed_at,
                signer: credential.map(|credential| (credential, source)),
                credential_problem,
                outcome,
            }
        }));
    }

    fn settle(&mut self, ended: Ended) {
        let Ended { turn, permit, connection, signed_at, signer, credential_problem, outcome } = ended;
        self.budget.give_back(permit);
        if let Ok(problem) = credential_problem {
            self.note_credential(problem);
        }
        match outcome {
            Ok(answer) => {
                if answer.server_time.is_some_and(|time| time.duration_since(signed_at).abs() < PLAUSIBLE) {
                    self.note_time(answer.server_time);
                }
                self.succeeded(turn, &answer.value);
            }
            Err(Failure::Api(ApiError::StaleConnection(cause))) if connection == Connection::Pooled => {
                debug!(account = %self.wiring.account.name(), %cause, "the API closed a kept connection: asking once more");
                self.schedule.again(turn);
                return;
            }
            Err(failure) => {
                if let Failure::Api(ApiError::Api { code, server_time, .. }) = &failure {
                    self.listing.error(code);
                    if failure.reason() == Reason::ClockSkew && self.note_time(*server_time) {
                        self.schedule.again(turn);
                        return;
                    }
                }
                if let Some(wait) = self.another_credential(&failure, signer) {
                    debug!(account = %self.wiring.account.name(), error = %failure, "the credential is no longer good: asking with the next");
                    self.schedule.later(turn, wait);
                    return;
                }
                if failure.reason() == Reason::Throttled {
                    self.budget.throttled();
                    let random = &mut self.wiring.random;
                    if self.schedule.postpone(turn, |retry| backoff::wait(retry, random)) {
                        debug!(account = %self.wiring.account.name(), uin = %turn.uin(), error = %failure, "throttled");
                        return;
                    }
                }
                self.failed(turn, &failure);
            }
        }
        (self.wiring.on_attempt)();
    }

    fn succeeded(&mut self, turn: Turn, keys: &[AccessKey]) {
        self.note_sweep(turn);
        self.wiring.account.listed(turn.uin(), keys, self.now());
        self.wiring.metrics.poll_succeeded();
        self.outages.over(turn.uin());
        self.schedule.done(turn);
    }

    fn failed(&mut self, turn: Turn, failure: &Failure) {
        let (uin, reason) = (turn.uin(), failure.reason());
        if reason == Reason::UserNotFound {
            self.wiring.account.not_found(uin, self.now());
        } else {
            self.wiring.account.failed(uin);
        }
        self.wiring.metrics.poll_failed(reason);
        self.outages.began(uin, reason, failure);
        self.note_sweep(turn);
        if failure.is_transient() {
            let random = &mut self.wiring.random;
            self.schedule.retry(turn, |retry| backoff::wait(retry, random));
        } else if reason.is_the_user_s() {
            self.schedule.failed_for_good(turn);
        } else {
            self.schedule.done(turn);
        }
    }

    /// After how long there may be another credential, where that of a request was refused.
    fn another_credential(
        &self,
        failure: &Failure,
        signer: Option<(Credential, Arc<credentials::Source>)>,
    ) -> Option<Duration> {
        let Failure::Api(error) = failure else { return None };
        let (credential, source) = signer.filter(|_| error.disowns_the_credential())?;
        source.refused(&credential, self.now())
    }

    fn note_credential(&mut self, problem: Option<credentials::Error>) {
        if problem == self.credential_problem {
            return;
        }
        let account = self.wiring.account.name();
        if let Some(error) = &problem {
            warn!(%account, %error, "the credential cannot be had anew: the last good one is used on");
        } else {
            info!(%account, "the credential can be had anew again");
        }
        self.credential_problem = problem;
    }

    fn note_sweep(&mut self, turn: Turn) {
        if let Some(took) = self.schedule.swept(turn) {
            self.wiring.account.note(|progress| progress.last_sweep = Some(took));
        }
    }

    /// The API's clock says so. Tells whether that changes the time we go by.
    fn note_time(&mut self, server_time: Option<Timestamp>) -> bool {
        let Some(server_time) = server_time else { return false };
        let local = self.wiring.clock.now();
        let before = self.wiring.account.correct(local);
        self.wiring.account.note(|progress| progress.api_clock = Some(ApiClock::reads(server_time)));
        let after = self.wiring.account.correct(local);
        let skewed = after != local;
        if skewed != self.skewed {
            self.skewed = skewed;
            let (account, seconds) = (self.wiring.account.name(), server_time.duration_since(local).as_secs());
            if skewed {
                warn!(%account, seconds, "this machine's clock is wrong: requests are signed, and ages told, by the API's");
            } else {
                info!(%account, "this machine's clock is right again");
            }
        }
        after.duration_since(before).abs() > SignedDuration::from_secs(30)
    }

    fn now(&self) -> Timestamp {
        self.wiring.account.correct(self.wiring.clock.now())
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("account", &self.wiring.account.name()).finish_non_exhaustive()
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

    /// Whether the same poll may well succeed in a moment.
    fn is_transient(&self) -> bool {
        match self {
            Self::Credentials(error) => error.is_transient(),
            Self::Api(error) => error.reason().is_transient(),
        }
    }
}
