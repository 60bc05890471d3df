//! What is requested of an account, each in a file of its own.
//!
//! [`keys`] polls the users, many at a time. The others are [`Job`]s, with one request in flight each.

pub(super) mod caller;
pub(super) mod keys;
pub(super) mod last_use;
pub(super) mod members;
pub(super) mod typed_users;
pub(super) mod users;

use std::{sync::Arc, time::Duration};

use tencentcloud_api::{Action, Client, Reason};
use tokio::{select, sync::watch, time::Instant};
use tracing::{debug, info, warn};

use super::{
    Plan,
    admission::Class,
    engine::{CallError, Engine},
    until,
};
use crate::inventory::Listing;

/// Something that is requested periodically.
pub(super) trait Job: Send {
    type Action: Action<Output: Send> + Clone + Send;

    /// What fails, in log messages.
    const NAME: &'static str;
    /// Where failures are written, beside the log.
    const LISTING: Option<Listing> = None;

    /// The API that it is requested from.
    fn client(plan: &Plan) -> &Client {
        &plan.client
    }

    /// How often it is requested; `None` if it is switched off.
    fn interval(plan: &Plan) -> Option<Duration>;

    /// There is another plan, in which it is switched on. Returns whether to request it now.
    fn apply(&mut self, _engine: &Engine, _plan: &Plan) -> bool {
        true
    }

    /// There is another plan, in which it is switched off: what was listed is removed.
    fn clear(&mut self, engine: &Engine);

    /// Waits until it is time for the next request, which is due then; without a time, none is due.
    fn wait(&mut self, due: Option<Instant>) -> impl Future<Output = ()> + Send {
        until(due)
    }

    /// The next request; `None` if there is nothing to request after all.
    fn action(&mut self) -> Option<Self::Action>;

    /// Writes the answer into the inventory. Returns the wait before the next request; without one, [`Job::wait`] decides.
    ///
    /// # Errors
    /// Why the answer is rejected.
    fn answered(&mut self, answer: Answer<Self>, engine: &Engine, plan: &Plan) -> Result<Option<Duration>, CallError>;

    /// The request failed. Returns the wait before the next one; it is shorter after a transient failure.
    fn failed(&mut self, _error: &CallError, _plan: &Plan, interval: Duration) -> Duration {
        interval
    }
}

type Answer<J> = <<J as Job>::Action as Action>::Output;

/// Runs a [`Job`].
pub(super) struct Runner<J> {
    engine: Arc<Engine>,
    plans: watch::Receiver<Arc<Plan>>,
    job: J,
    due: Option<Instant>,
    retries: u32,
    /// Why it fails, as last logged.
    problem: Option<Reason>,
}

// === impl Runner ===

impl<J: Job> Runner<J> {
    pub(super) fn new(engine: &Arc<Engine>, job: J) -> Self {
        let mut runner =
            Self { engine: Arc::clone(engine), plans: engine.plans(), job, due: None, retries: 0, problem: None };
        runner.apply_plan();
        runner
    }

    /// Does not end.
    pub(super) async fn run(mut self) {
        loop {
            let admitted = select! {
                biased;
                Ok(()) = self.plans.changed() => {
                    self.apply_plan();
                    continue;
                }
                admitted = async {
                    self.job.wait(self.due).await;
                    // Whatever it waited for, it stays due if there is another plan before it is admitted.
                    self.due = Some(Instant::now());
                    self.engine.admission.admit(Class::Other).await
                } => admitted,
            };
            let Some(action) = self.job.action() else { continue };
            let engine = Arc::clone(&self.engine);
            let mut call = Box::pin(engine.call(admitted, J::client, |_| action.clone()));
            let outcome = loop {
                select! {
                    biased;
                    Ok(()) = self.plans.changed() => self.apply_plan(),
                    outcome = &mut call => break outcome,
                }
            };
            self.ended(outcome);
        }
    }

    fn apply_plan(&mut self) {
        let plan = Arc::clone(&self.plans.borrow_and_update());
        if J::interval(&plan).is_some() {
            // Its count of requests is exposed from now on, at first as 0.
            let _ = self.engine.deps.metrics.action::<J::Action>();
            if self.job.apply(&self.engine, &plan) {
                self.due = Some(Instant::now());
            }
        } else {
            (self.due, self.retries, self.problem) = (None, 0, None);
            self.job.clear(&self.engine);
            if let Some(listing) = J::LISTING {
                self.engine.account().forget_listing(listing);
            }
        }
    }

    fn ended(&mut self, outcome: Result<Answer<J>, CallError>) {
        self.due = None;
        let (plan, account) = (self.engine.plan(), self.engine.account());
        // It may have been switched off meanwhile.
        let Some(interval) = J::interval(&plan) else { return };
        match outcome.and_then(|answer| self.job.answered(answer, &self.engine, &plan)) {
            Ok(wait) => {
                self.due = wait.map(|wait| Instant::now() + wait);
                // A page is not yet a list.
                let still_fails = |listing| account.listings().get(listing).failure.is_some();
                if J::LISTING.is_some_and(still_fails) {
                    return;
                }
                self.retries = 0;
                if self.problem.take().is_some() {
                    info!(account = %account.name(), "{} succeeds again", J::NAME);
                }
            }
            Err(failed) => self.failed(&failed, &plan, interval),
        }
    }

    fn failed(&mut self, failed: &CallError, plan: &Plan, interval: Duration) {
        let CallError { reason, error, is_transient, .. } = failed;
        let account = self.engine.account();
        if let Some(listing) = J::LISTING {
            account.listing_failed(listing, failed.of_listing(self.engine.now()));
        }
        let mut wait = self.job.failed(failed, plan, interval);
        if *is_transient {
            wait = wait.min(self.engine.backoff(self.retries));
            self.retries += 1;
        }
        self.due = Some(Instant::now() + wait);
        if self.problem.replace(*reason) == Some(*reason) {
            debug!(account = %account.name(), reason = reason.label(), %error, "{} still fails", J::NAME);
        } else {
            warn!(account = %account.name(), reason = reason.label(), %error, "{} failed", J::NAME);
        }
    }
}
