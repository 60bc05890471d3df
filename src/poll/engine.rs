//! Makes an account's requests.
//!
//! A job waits until its request is admitted, then chooses what to request, then waits for [`Engine::call`].

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tencentcloud_api::{Action, Answer, Client, Connection, Credential, Error as ApiError, Reason, Uin};
use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

use super::{
    Plan, PollerDeps,
    admission::{Admission, Admitted},
    time_keeper::{Noted, TimeKeeper},
};
use crate::{
    backoff,
    credentials::{self, Fetched},
    inventory::{Account, ListingFailure, error_text},
};

/// No request is sent in the first second: another poller of the account may have sent some just before, in a process or a
/// configuration that has ended, and the API still counts them.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the `Date` of an accepted request may be from the time it was signed with. The API allows five minutes: a time
/// further off does not come from the API, or is wrong.
const PLAUSIBLE: SignedDuration = SignedDuration::from_mins(6);

/// What all requests of one account share.
pub(super) struct Engine {
    pub(super) deps: PollerDeps,
    plan: watch::Sender<Arc<Plan>>,
    pub(super) admission: Arc<Admission>,
    time: Mutex<TimeKeeper>,
    credential: Mutex<CredentialState>,
    /// The secret id that signed the request that ended last.
    signer: watch::Sender<Option<SecretString>>,
}

/// What was last reported of the credential's source.
struct CredentialState {
    failures: u64,
    problem: Option<credentials::Error>,
}

/// Why a request failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// There was no credential.
    #[error(transparent)]
    Credentials(credentials::Error),
    /// There was no answer, or one that is an error.
    #[error(transparent)]
    Api(ApiError),
}

/// How a call failed, after its retries, or why its answer was rejected.
#[derive(Debug)]
pub(super) struct CallError {
    pub(super) reason: Reason,
    /// The label of the API's code, if the API answered with one.
    pub(super) code: Option<&'static str>,
    /// With the endpoint, if the API itself did not answer.
    pub(super) error: String,
    /// Whether the same request may succeed in a moment.
    pub(super) is_transient: bool,
}

// === impl Engine ===

impl Engine {
    pub(super) fn new(deps: PollerDeps, plan: Arc<Plan>) -> Arc<Self> {
        // Other accounts may have used the source before.
        let credential = CredentialState { failures: plan.credentials.failures(), problem: None };
        Arc::new(Self {
            admission: Admission::new(plan.rate, plan.settings.max_in_flight.get(), PAUSE + deps.delay),
            plan: watch::Sender::new(plan),
            time: Mutex::default(),
            credential: Mutex::new(credential),
            signer: watch::Sender::new(None),
            deps,
        })
    }

    pub(super) fn account(&self) -> &Account {
        &self.deps.account
    }

    /// Sends the request, and sends it again where that may help. Each time, `client` is chosen by the current plan, and
    /// `action` by the credential that signs it.
    pub(super) async fn call<A: Action>(
        &self,
        mut admitted: Admitted,
        client: impl Fn(&Plan) -> &Client,
        action: impl Fn(&Credential) -> A,
    ) -> Result<A::Output, CallError> {
        let metrics = self.deps.metrics.action::<A>();
        let mut connection = Connection::Pooled;
        loop {
            let plan = self.plan();
            let client = client(&plan);
            self.account().note(|progress| progress.pace.request());
            let Fetched { credential, problem } = match plan.credentials.fetch(self.now()).await {
                Ok(fetched) => fetched,
                Err(error) => {
                    drop(admitted);
                    self.report_progress();
                    return Err(CallError::new(&Failure::Credentials(error), client));
                }
            };
            self.report_credential(problem);

            let signed_at = self.time.lock().signing(self.now());
            admitted.lost = true;
            let sent = Instant::now();
            let outcome = client.call(&credential, &action(&credential), connection, signed_at).await;
            metrics.request(sent.elapsed());
            admitted.lost = matches!(outcome, Err(ApiError::Timeout(_)));
            admitted.throttled = outcome.as_ref().is_err_and(|error| error.reason() == Reason::Throttled);
            let class = admitted.class;
            drop(admitted);
            self.report_signer(&credential);
            self.report_progress();

            let error = match outcome {
                Ok(Answer { value, server_time }) => {
                    let plausible = |time: &Timestamp| time.duration_since(signed_at).abs() < PLAUSIBLE;
                    if let Some(time) = server_time.filter(plausible) {
                        self.report_time(time);
                    }
                    return Ok(value);
                }
                Err(error) => error,
            };
            if let Some(code) = error.counts_as() {
                metrics.error(&code);
            }
            let Some((next, wait)) = self.retry(&error, connection, &plan.credentials, &credential, signed_at) else {
                return Err(CallError::new(&Failure::Api(error), client));
            };
            connection = next;
            if !wait.is_zero() {
                sleep(wait).await;
            }
            admitted = self.admission.admit(class).await;
        }
    }

    /// Over which connection, and after which wait, the request is sent again; `None` if that would not help.
    fn retry(
        &self,
        error: &ApiError,
        connection: Connection,
        source: &credentials::Source,
        credential: &Credential,
        signed_at: Timestamp,
    ) -> Option<(Connection, Duration)> {
        let account = self.account().name();
        if let ApiError::StaleConnection(cause) = error
            && connection == Connection::Pooled
        {
            debug!(%account, %cause, "the API closed a kept connection: retrying");
            return Some((Connection::Fresh, Duration::ZERO));
        }
        if let ApiError::Api { code, server_time: Some(time), .. } = error
            && code.reason() == Reason::ClockSkew
        {
            let mut keeper = self.time.lock();
            let has_a_chance = keeper.refused(*time, signed_at, self.deps.clock.now(), self.now());
            return has_a_chance.then_some((Connection::Pooled, Duration::ZERO));
        }
        if error.is_credential_error() {
            let wait = source.refused(credential, self.now())?;
            debug!(%account, %error, "credential rejected: retrying with the next one");
            return Some((Connection::Pooled, wait));
        }
        None
    }

    /// The current plan.
    pub(super) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.borrow())
    }

    /// The current plan and those that follow.
    pub(super) fn plans(&self) -> watch::Receiver<Arc<Plan>> {
        self.plan.subscribe()
    }

    pub(super) fn apply(&self, plan: Arc<Plan>) {
        if !Arc::ptr_eq(&self.plan().credentials, &plan.credentials) {
            self.credential.lock().failures = plan.credentials.failures();
        }
        self.admission.set_limits(plan.rate, plan.settings.max_in_flight.get());
        self.plan.send_replace(plan);
    }

    /// The secret id that signed the request that ended last.
    pub(super) fn signer(&self) -> watch::Receiver<Option<SecretString>> {
        self.signer.subscribe()
    }

    /// The API's clock if it is known, otherwise the machine's.
    pub(super) fn now(&self) -> Timestamp {
        self.account().correct(self.deps.clock.now())
    }

    /// The wait before this retry, the first being 0.
    pub(super) fn backoff(&self, retry: u32) -> Duration {
        backoff::wait(retry, &mut self.deps.random.lock())
    }

    /// A poll of the user was answered and is dated [`Self::now`].
    pub(super) fn dated(&self, uin: Uin) {
        self.time.lock().dated(uin);
    }

    /// Shows that the poller is alive, and refreshes the credential when it is time to.
    pub(super) fn report_progress(&self) {
        let plan = self.plan();
        plan.credentials.keep(self.now());
        let (credential_expires, failures) = (plan.credentials.expires(), plan.credentials.failures());
        let before = std::mem::replace(&mut self.credential.lock().failures, failures);
        self.deps.metrics.credential_refresh_failed(failures.saturating_sub(before));
        let (rate, rate_limit) = (self.admission.rate(), plan.rate.get());
        self.account().note(|progress| {
            progress.heartbeat = Instant::now();
            progress.rate = Some(rate);
            progress.rate_limit = Some(rate_limit);
            progress.credential_expires = credential_expires;
        });
    }

    fn report_credential(&self, problem: Option<credentials::Error>) {
        let mut state = self.credential.lock();
        if problem == state.problem {
            return;
        }
        self.account().set_credential_problem(problem.as_ref().map(error_text), self.now());
        let account = self.account().name();
        if let Some(error) = &problem {
            warn!(%account, %error, "credential refresh failed, keeping the current credential");
        } else {
            info!(%account, "credential refresh succeeds again");
        }
        state.problem = problem;
    }

    fn report_signer(&self, Credential { secret_id, .. }: &Credential) {
        self.signer.send_if_modified(|signer| {
            let is_new = signer.as_ref().is_none_or(|signer| signer.expose_secret() != secret_id.expose_secret());
            if is_new {
                *signer = Some(secret_id.clone());
            }
            is_new
        });
    }

    /// An accepted answer has this `Date`.
    fn report_time(&self, time: Timestamp) {
        let noted = self.time.lock().accepted(time, self.deps.clock.now(), self.account().name());
        let Noted { believed, corrected } = noted;
        self.account().note(|progress| progress.api_clock = believed);
        if let Some((uin, by)) = corrected {
            self.account().correct_answered(uin, by);
        }
    }
}

// === impl Failure ===

impl Failure {
    /// The kind it falls under.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Credentials(_) => Reason::Credentials,
            Self::Api(error) => error.reason(),
        }
    }

    /// The label of the API's code, if the API answered with one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Api(ApiError::Api { code, .. }) => Some(code.label()),
            Self::Api(_) | Self::Credentials(_) => None,
        }
    }

    /// Whether the same request may succeed in a moment.
    fn is_transient(&self) -> bool {
        match self {
            Self::Credentials(error) => error.is_transient(),
            Self::Api(error) => error.reason().is_transient(),
        }
    }
}

// === impl CallError ===

impl CallError {
    fn new(failure: &Failure, client: &Client) -> Self {
        let error = match failure {
            Failure::Api(ApiError::Api { .. }) | Failure::Credentials(_) => failure.to_string(),
            Failure::Api(error) => format!("{error} ({})", client.endpoint()),
        };
        Self { reason: failure.reason(), code: failure.code(), error, is_transient: failure.is_transient() }
    }

    /// The answer is not accepted.
    pub(super) fn rejected(error: &impl fmt::Display) -> Self {
        Self { reason: Reason::Malformed, code: None, error: error.to_string(), is_transient: false }
    }

    /// The failure of a listing, at that time.
    pub(super) fn of_listing(&self, at: Timestamp) -> ListingFailure {
        ListingFailure { reason: Some(self.reason), code: self.code, error: error_text(&self.error), since: at }
    }
}
