//! Polls the users of one account, for as long as the account is there.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use tencentcloud_api::{
    Client, Clock, Connection, DescribeOrganizationMembers, GetCallerIdentity, GetSecurityLastUsed, ListAccessKeys,
    ListUsers, Uin,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Discovery, Organization, Rate, Settings,
    budget::{Budget, Permit, Refusal},
    discovery::LastListing,
    failure_log::FailureLog,
    last_use::LastUseQueue,
    members::Pages,
    periodic::PeriodicRequest,
    request::{CallerIdentity, Completed, Request, RequestKind},
    schedule::{Next, Schedule},
    time_keeper::TimeKeeper,
};
use crate::{
    credentials,
    inventory::{Account, Found, Listing},
    metrics::{AccountMetrics, ActionMetrics},
};

/// How often a poller shows that it is alive, at least.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long a poller waits at first. There may have been another for its account a moment ago, before a restart or a
/// reload, and what that sent still counts against the budget.
const PAUSE: Duration = Duration::from_secs(1);

/// How many polls go before another request that is no poll, while both wait. So each side is sure of its part of the
/// budget, and neither starves the other.
const POLLS_BETWEEN: u32 = 9;

/// What a poller works with for as long as it lives.
pub struct PollerDeps {
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
    /// Told when the account has come to know other members of its organisation.
    pub on_members: Box<dyn Fn() + Send + Sync>,
    /// Whether users are polled once, rather than every interval. A throttled poll then fails like any other and is
    /// retried, instead of keeping its turn for an interval.
    pub polls_once: bool,
    /// How long it waits at first, beside what every poller waits: many that start together take turns.
    pub delay: Duration,
}

/// What a reload may change. Each one that comes, even without a change, gives whatever fails for good a new chance.
pub struct Plan {
    /// Who asks.
    pub credentials: Arc<credentials::Source>,
    /// Whom it asks.
    pub client: Client,
    /// Whom it asks who it is itself.
    pub sts: Client,
    /// How it asks.
    pub settings: Settings,
    /// How many requests a second it may make: the account's rate limit, or a shard's part of it.
    pub rate: Rate,
    /// Whether the calling user is polled too.
    pub include_self: bool,
    /// How further users are found, if they are.
    pub discovery: Option<Discovery>,
    /// How members of an organisation are found, if they are.
    pub organization: Option<Organization>,
    /// Which of the users that are found are polled here, and not by another shard.
    pub owns: Box<dyn Fn(Uin) -> bool + Send + Sync>,
}

/// Polls one account. Requests under way are futures of its one task: when that stops, they stop.
pub struct Poller {
    pub(super) deps: PollerDeps,
    plans: watch::Receiver<Arc<Plan>>,
    pub(super) plan: Arc<Plan>,
    pub(super) schedule: Schedule,
    pub(super) budget: Budget,
    under_way: FuturesUnordered<BoxFuture<'static, Completed>>,
    listing: ActionMetrics,
    pub(super) outages: FailureLog,
    pub(super) time: TimeKeeper,
    /// How often the credential's source had failed when that was last counted.
    credential_failures: u64,
    /// What is wrong with the credential's source, as it was last logged.
    pub(super) credential_problem: Option<credentials::Error>,
    pub(super) asks_caller: PeriodicRequest,
    pub(super) caller: Option<CallerIdentity>,
    pub(super) asks_users: PeriodicRequest,
    pub(super) last_list: LastListing,
    pub(super) asks_members: PeriodicRequest,
    pub(super) pages: Pages,
    pub(super) last_members: LastListing,
    pub(super) asks_last_use: PeriodicRequest,
    pub(super) last_use: LastUseQueue,
    /// Polls since the last request that was none.
    polls: u32,
}

/// What goes next.
enum NextAction {
    Now(RequestKind),
    At(Option<Instant>),
}

// === impl Poller ===

impl Poller {
    /// A poller of the users that its account has, and of those that it will have with each further plan.
    #[must_use]
    pub fn new(deps: PollerDeps, mut plans: watch::Receiver<Arc<Plan>>) -> Self {
        let plan = Arc::clone(&plans.borrow_and_update());
        let name = deps.account.name().clone();
        let periodic = |what| PeriodicRequest::new(name.clone(), what);
        let mut poller = Self {
            schedule: Schedule::new(name.clone(), plan.settings.interval.get(), deps.clock.now()),
            budget: Budget::starting_after(plan.rate, PAUSE + deps.delay),
            listing: deps.metrics.action::<ListAccessKeys>(),
            asks_caller: periodic("asking who the caller is"),
            caller: None,
            asks_users: periodic("listing users"),
            last_list: LastListing::default(),
            asks_members: periodic("listing the organization's members"),
            pages: Pages::default(),
            last_members: LastListing::default(),
            asks_last_use: periodic("asking when keys were last used"),
            last_use: LastUseQueue::default(),
            polls: POLLS_BETWEEN,
            deps,
            plans,
            plan,
            under_way: FuturesUnordered::new(),
            outages: FailureLog::of(name),
            time: TimeKeeper::default(),
            credential_failures: 0,
            credential_problem: None,
        };
        // Others may have used the source before.
        poller.credential_failures = poller.plan.credentials.failures();
        poller.take_over_features();
        poller.take_over_users();
        poller.warn_if_short();
        poller.deps.account.begin();
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
        self.take_over_features();
        self.take_over_users();
        self.warn_if_short();
        self.schedule.reset_failures();
    }

    /// What is switched on is asked for at once, and what is switched off is forgotten.
    fn take_over_features(&mut self) {
        let (account, metrics) = (Arc::clone(&self.deps.account), self.deps.metrics.clone());
        if self.plan.include_self {
            let _preset = metrics.action::<GetCallerIdentity>();
            // One that is known stays so for as long as it signs.
            if self.caller.as_ref().is_none_or(|caller| caller.uin.is_none()) {
                self.asks_caller.now();
            }
        } else {
            self.asks_caller.stop();
            self.caller = None;
            account.set_caller(None);
            account.forget_listing(Listing::Caller);
        }
        if self.plan.discovery.is_some() {
            let _preset = metrics.action::<ListUsers>();
            self.asks_users.now();
            self.take_over_found();
        } else {
            self.asks_users.stop();
            self.last_list = LastListing::default();
            account.set_found(Found::new());
            account.forget_listing(Listing::Users);
        }
        if self.plan.organization.is_some() {
            let _preset = metrics.action::<DescribeOrganizationMembers>();
            self.asks_members.now();
            self.take_over_members();
        } else {
            self.asks_members.stop();
            (self.pages, self.last_members) = (Pages::default(), LastListing::default());
            account.set_members(None);
            account.forget_listing(Listing::Members);
        }
        if self.plan.settings.last_used.is_some() {
            let _preset = metrics.action::<GetSecurityLastUsed>();
            self.asks_last_use.now();
        } else {
            self.asks_last_use.stop();
            self.last_use = LastUseQueue::default();
            account.forget_last_use();
            account.forget_listing(Listing::LastUses);
        }
    }

    /// Whoever of the last list is wanted is a user.
    pub(super) fn take_over_found(&self) {
        let Plan { discovery, owns, .. } = &*self.plan;
        let wanted =
            |uin, name: &str| owns(uin) && discovery.as_ref().is_some_and(|discovery| discovery.admits(uin, name));
        let account = &self.deps.account;
        account.set_found(self.last_list.wanted(account.sources().found, wanted));
    }

    /// Whoever of the last list is wanted is a member.
    pub(super) fn take_over_members(&self) {
        let Some(Organization { members, .. }) = &self.plan.organization else { return };
        let account = &self.deps.account;
        let before = account.members();
        let wanted = self
            .last_members
            .wanted(before.as_deref().cloned().unwrap_or_default(), |uin, name| members.admits(uin, name));
        // As long as there has been no list, nobody is a member, which is not to be believed.
        if before.is_some() || self.last_members.is_known() {
            account.set_members(Some(wanted));
            (self.deps.on_members)();
        }
    }

    pub(super) fn take_over_users(&mut self) {
        let (now, users) = (self.now(), self.deps.account.users());
        self.schedule.set_users(users.iter().map(|(uin, user)| {
            let ago =
                user.answered.map(|answered| Duration::try_from(now.duration_since(answered)).unwrap_or_default());
            (*uin, ago)
        }));
        self.outages.retain(|uin| users.contains_key(&uin));
        self.last_use.retain(|uin| users.contains_key(&uin));
    }

    pub(super) fn warn_if_short(&self) {
        let (users, interval) = (self.deps.account.users().len(), self.plan.settings.interval.get());
        #[expect(clippy::cast_precision_loss, reason = "numbers of users are far below 2^52")]
        let needed = Duration::from_secs_f64((users as f64 / self.plan.rate.get()).ceil());
        if needed > interval {
            warn!(
                account = %self.deps.account.name(),
                users,
                interval = %crate::duration::format(interval),
                would_fit = %crate::duration::format(needed),
                "the rate limit does not reach every user in an interval, so each is polled less often: raise poll.interval"
            );
        }
    }

    fn note_progress(&mut self) {
        let credentials = &self.plan.credentials;
        credentials.keep(self.now());
        let (credential_expires, failures) = (credentials.expires(), credentials.failures());
        self.deps.metrics.credential_refresh_failed(failures.saturating_sub(self.credential_failures));
        self.credential_failures = failures;
        let (next_due, sweep) = (self.schedule.next_due(), self.schedule.sweep());
        let (rate, rate_limit) = (self.budget.rate(), self.plan.rate.get());
        self.deps.account.note(|progress| {
            progress.heartbeat = Instant::now();
            progress.next_due = next_due;
            progress.sweep = Some(sweep);
            progress.rate = Some(rate);
            progress.rate_limit = Some(rate_limit);
            progress.credential_expires = credential_expires;
        });
    }

    /// Starts requests until a bound is met. Tells when there may be another; nothing if only the end of one under way
    /// can bring it.
    fn start_what_may_start(&mut self) -> Option<Instant> {
        while self.under_way.len() < self.plan.settings.max_in_flight.get() {
            let subject = match self.next_action() {
                NextAction::Now(subject) => subject,
                NextAction::At(at) => return at,
            };
            match self.budget.take() {
                Ok(permit) => self.start(subject, permit),
                Err(Refusal::Until(at)) => return Some(at),
                Err(Refusal::UntilOneEnds) => return None,
            }
        }
        None
    }

    /// What goes next: a poll, or one of the few others when none waits, or when enough have gone.
    fn next_action(&mut self) -> NextAction {
        let now = Instant::now();
        let last_use = self.asks_last_use.due().and_then(|due| Some(due.max(self.last_use.due()?)));
        let dues = [self.asks_caller.due(), self.asks_users.due(), self.asks_members.due(), last_use];
        let other = dues.iter().position(|due| due.is_some_and(|due| due <= now));
        let turn = self.schedule.next_action();
        match (other, turn) {
            (Some(which), turn) if self.polls >= POLLS_BETWEEN || !matches!(turn, Next::Now(_)) => {
                NextAction::Now(match which {
                    0 => RequestKind::Caller,
                    1 => RequestKind::Users,
                    2 => RequestKind::Members(self.pages.next()),
                    _ => RequestKind::LastUse(self.last_use.batch()),
                })
            }
            (_, Next::Now(turn)) => NextAction::Now(RequestKind::Poll(turn)),
            (_, Next::At(at)) => NextAction::At(dues.into_iter().flatten().chain([at]).min()),
            (_, Next::Idle) => NextAction::At(dues.into_iter().flatten().min()),
        }
    }

    fn start(&mut self, subject: RequestKind, permit: Permit) {
        let (subject, connection) = self.begin(subject);
        let metrics = self.metrics_of(&subject);
        self.deps.account.note(|progress| progress.pace.request());
        let (plan, caller) = (Arc::clone(&self.plan), self.caller.clone());
        let now = self.now();
        let signing = self.time.signing(now);
        let request = Request { subject, permit, connection, plan, metrics, caller, now, signing };
        self.under_way.push(Box::pin(request.send()));
    }

    /// Where requests of that kind are counted.
    pub(super) fn metrics_of(&self, subject: &RequestKind) -> ActionMetrics {
        let metrics = &self.deps.metrics;
        match subject {
            RequestKind::Poll(_) => self.listing.clone(),
            RequestKind::Caller => metrics.action::<GetCallerIdentity>(),
            RequestKind::Users => metrics.action::<ListUsers>(),
            RequestKind::Members(_) => metrics.action::<DescribeOrganizationMembers>(),
            RequestKind::LastUse(_) => metrics.action::<GetSecurityLastUsed>(),
        }
    }

    fn begin(&mut self, subject: RequestKind) -> (RequestKind, Connection) {
        let periodic = match &subject {
            RequestKind::Poll(turn) => {
                self.polls = self.polls.saturating_add(1);
                let (turn, connection) = self.schedule.begin(*turn);
                return (RequestKind::Poll(turn), connection);
            }
            RequestKind::Caller => &mut self.asks_caller,
            RequestKind::Users => &mut self.asks_users,
            RequestKind::Members(_) => &mut self.asks_members,
            RequestKind::LastUse(_) => &mut self.asks_last_use,
        };
        self.polls = 0;
        let connection = periodic.begin();
        (subject, connection)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.deps.account.correct(self.deps.clock.now())
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("account", &self.deps.account.name()).finish_non_exhaustive()
    }
}

// === impl Plan ===

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("client", &self.client).field("settings", &self.settings).finish_non_exhaustive()
    }
}
