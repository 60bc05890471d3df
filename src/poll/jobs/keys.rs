//! Polls each user's keys, as the [`Schedule`] says.

use std::{sync::Arc, time::Duration};

use futures_util::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use tencentcloud_api::{AccessKey, Credential, ListAccessKeys, Reason, later};
use tokio::{select, sync::watch, time::Instant};
use tracing::{debug, warn};

use super::{CallError, Class, Engine, Plan, caller::CallerIdentity, last_use::ListedKeys, until};
use crate::{
    inventory::Failure,
    poll::{
        admission::Admitted,
        failure_log::FailureLog,
        schedule::{Next, Schedule, Slot},
    },
};

/// The polls of one account.
pub(in crate::poll) struct Keys {
    engine: Arc<Engine>,
    plans: watch::Receiver<Arc<Plan>>,
    caller: Arc<CallerIdentity>,
    last_use: Arc<ListedKeys>,
    schedule: Schedule,
    /// The number of users in the schedule.
    users: usize,
    failures: FailureLog,
    in_flight: FuturesUnordered<BoxFuture<'static, Ended>>,
}

type Ended = (Slot, Result<Vec<AccessKey>, CallError>);

// === impl Keys ===

impl Keys {
    pub(in crate::poll) fn new(engine: &Arc<Engine>, caller: Arc<CallerIdentity>, last_use: Arc<ListedKeys>) -> Self {
        // Its count of requests is exposed from now on, at first as 0.
        let _ = engine.deps.metrics.action::<ListAccessKeys>();
        let (account, interval) = (engine.account().name().clone(), engine.plan().settings.interval.get());
        let mut keys = Self {
            engine: Arc::clone(engine),
            plans: engine.plans(),
            caller,
            last_use,
            schedule: Schedule::new(account.clone(), interval, engine.now()),
            users: 0,
            failures: FailureLog::of(account),
            in_flight: FuturesUnordered::new(),
        };
        keys.sync_users();
        keys.warn_if_short();
        keys
    }

    /// Does not end.
    pub(in crate::poll) async fn run(mut self) {
        loop {
            let due = match self.schedule.next_action() {
                Next::Now(_) => Some(Instant::now()),
                Next::At(at) => Some(at),
                Next::Idle => None,
            };
            self.report_progress();
            select! {
                biased;
                Ok(()) = self.plans.changed() => self.apply_plan(),
                () = self.engine.deps.users_changed.notified() => {
                    let before = self.users;
                    self.sync_users();
                    if self.users != before {
                        self.warn_if_short();
                    }
                }
                Some((slot, outcome)) = self.in_flight.next() => self.ended(slot, outcome),
                admitted = async {
                    until(due).await;
                    self.engine.admission.admit(Class::Poll).await
                } => self.start(admitted),
            }
        }
    }

    fn apply_plan(&mut self) {
        let interval = self.plans.borrow_and_update().settings.interval.get();
        self.schedule.set_interval(interval);
        self.sync_users();
        self.warn_if_short();
        self.schedule.reset_failures();
    }

    fn sync_users(&mut self) {
        let (now, users) = (self.engine.now(), self.engine.account().users());
        self.schedule.set_users(users.iter().map(|(uin, user)| {
            let ago = user
                .answered
                .get()
                .map(|answered| Duration::try_from(now.duration_since(answered)).unwrap_or_default());
            (*uin, ago)
        }));
        self.users = users.len();
        self.failures.retain(|uin| users.contains_key(&uin));
        self.last_use.retain(|uin| users.contains_key(&uin));
    }

    fn warn_if_short(&self) {
        let (users, plan) = (self.users, self.engine.plan());
        let interval = plan.settings.interval.get();
        #[expect(clippy::cast_precision_loss, reason = "numbers of users are far below 2^52")]
        let needed = Duration::from_secs_f64((users as f64 / plan.rate.get()).ceil());
        if needed > interval {
            warn!(
                account = %self.engine.account().name(),
                users,
                interval = %crate::duration::format(interval),
                would_fit = %crate::duration::format(needed),
                "the rate limit does not reach every user in an interval, so each is polled less often: raise poll.interval"
            );
        }
    }

    fn report_progress(&self) {
        let (next_due, sweep) = (self.schedule.next_due(), self.schedule.sweep());
        self.engine.account().note(|progress| {
            progress.next_due = next_due;
            progress.sweep = Some(sweep);
        });
    }

    /// Polls the user that is next now: another may have been when the wait began.
    fn start(&mut self, admitted: Admitted) {
        let Next::Now(slot) = self.schedule.next_action() else { return };
        let slot = self.schedule.begin(slot);
        let (engine, caller, uin) = (Arc::clone(&self.engine), Arc::clone(&self.caller), slot.uin());
        self.in_flight.push(Box::pin(async move {
            let action = |credential: &Credential| {
                if caller.is(uin, credential) { ListAccessKeys::own() } else { ListAccessKeys::of(uin) }
            };
            (slot, engine.call(admitted, |plan| &plan.client, action).await)
        }));
    }

    fn ended(&mut self, slot: Slot, outcome: Result<Vec<AccessKey>, CallError>) {
        match outcome {
            Ok(keys) => self.succeeded(slot, keys),
            Err(failed) if failed.reason == Reason::Throttled && !self.engine.deps.polls_once && self.defer(slot) => {
                let account = self.engine.account().name();
                debug!(%account, uin = %slot.uin(), error = %failed.error, "throttled");
                return;
            }
            Err(failed) => self.failed(slot, &failed),
        }
        (self.engine.deps.on_attempt)();
    }

    fn defer(&mut self, slot: Slot) -> bool {
        self.schedule.defer(slot, |postponed| self.engine.backoff(postponed))
    }

    fn succeeded(&mut self, slot: Slot, keys: Vec<AccessKey>) {
        self.note_sweep(slot);
        let (engine, uin) = (&self.engine, slot.uin());
        let is_first = engine.account().poll_succeeded(uin, &keys, engine.now());
        engine.dated(uin);
        engine.deps.metrics.poll_succeeded();
        self.failures.clear(uin);
        self.schedule.done(slot);
        if is_first {
            // Users that were refused during the outage would wait up to an hour more, and the outage with them.
            self.schedule.reset_failures();
        }
        // A user that was removed meanwhile has no keys.
        if engine.plan().settings.last_used.is_some() && engine.account().users().contains_key(&uin) {
            self.last_use.listed(uin, keys.into_iter().map(|key| key.id).collect());
        }
    }

    fn failed(&mut self, slot: Slot, CallError { reason, code, error, is_transient }: &CallError) {
        let (engine, uin) = (Arc::clone(&self.engine), slot.uin());
        engine.deps.metrics.poll_failed(*reason);
        // A user that was removed meanwhile is forgotten already.
        if engine.account().users().contains_key(&uin) {
            if *reason == Reason::UserNotFound {
                self.last_use.listed(uin, vec![]);
            }
            self.failures.record(uin, *reason, error);
        }
        self.note_sweep(slot);
        let next = if *is_transient {
            self.schedule.retry(slot, |retry| engine.backoff(retry))
        } else if reason.is_user_specific() {
            self.schedule.fail_permanently(slot)
        } else {
            self.schedule.done(slot)
        };
        let now = engine.now();
        let next_poll = next.map(|next| later(now, next.saturating_duration_since(Instant::now())));
        if !reason.is_user_specific() {
            engine.account().note(|progress| progress.failed_polls += 1);
        }
        engine.account().poll_failed(uin, Failure { next_poll, ..Failure::new(*reason, *code, error, now) });
    }

    fn note_sweep(&mut self, slot: Slot) {
        if let Some(took) = self.schedule.swept(slot) {
            self.engine.account().note(|progress| progress.last_sweep = Some(took));
        }
    }
}
