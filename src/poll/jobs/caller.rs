//! Requests which user the credential belongs to, for `include_self`.

use std::{future::pending, sync::Arc, time::Duration};

use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tencentcloud_api::{Caller, Client, Credential, GetCallerIdentity, Reason, Uin};
use tokio::{select, sync::watch, time::Instant};

use super::{CallError, Engine, Job, Plan, until};
use crate::inventory::Listing;

const A_ROLE: &str = "the caller is a role, which has no keys of its own: leave include_self out";

/// The calling user as last answered.
#[derive(Default)]
pub(in crate::poll) struct CallerIdentity(Mutex<Option<Identity>>);

struct Identity {
    /// `None` if it is a role.
    uin: Option<Uin>,
    secret_id: SecretString,
}

/// See [`Listing::Caller`].
pub(in crate::poll) struct CallerJob {
    identity: Arc<CallerIdentity>,
    /// The secret id that signed the request that ended last.
    signer: watch::Receiver<Option<SecretString>>,
}

// === impl CallerIdentity ===

impl CallerIdentity {
    /// Whether a request that is signed with this credential is made by this user.
    pub(in crate::poll) fn is(&self, uin: Uin, credential: &Credential) -> bool {
        self.0
            .lock()
            .as_ref()
            .is_some_and(|identity| identity.uin == Some(uin) && identity.signs_with(&credential.secret_id))
    }
}

impl Identity {
    fn signs_with(&self, secret_id: &SecretString) -> bool {
        self.secret_id.expose_secret() == secret_id.expose_secret()
    }
}

// === impl CallerJob ===

impl CallerJob {
    pub(in crate::poll) fn new(engine: &Engine, identity: &Arc<CallerIdentity>) -> Self {
        Self { identity: Arc::clone(identity), signer: engine.signer() }
    }

    fn write(&self, identity: Option<Identity>, engine: &Engine) {
        let uin = identity.as_ref().and_then(|identity| identity.uin);
        *self.identity.0.lock() = identity;
        engine.account().set_caller(uin.filter(|uin| (engine.plan().owns)(*uin)));
        engine.deps.users_changed.notify_one();
    }

    /// Waits until requests are signed with another secret id than that of the known caller.
    async fn signer_changed(&mut self) {
        while self.signer.changed().await.is_ok() {
            let signer = self.signer.borrow_and_update();
            let identity = self.identity.0.lock();
            if identity.as_ref().zip(signer.as_ref()).is_some_and(|(known, signer)| !known.signs_with(signer)) {
                return;
            }
        }
        pending::<()>().await;
    }
}

impl Job for CallerJob {
    type Action = GetCallerIdentity;

    const NAME: &'static str = "asking who the caller is";
    const LISTING: Option<Listing> = Some(Listing::Caller);

    fn client(plan: &Plan) -> &Client {
        &plan.sts
    }

    /// Only after failures: a known caller is requested again when the credential changes.
    fn interval(plan: &Plan) -> Option<Duration> {
        plan.include_self.then(|| plan.settings.interval.get())
    }

    fn apply(&mut self, _engine: &Engine, _plan: &Plan) -> bool {
        self.identity.0.lock().as_ref().is_none_or(|identity| identity.uin.is_none())
    }

    fn clear(&mut self, engine: &Engine) {
        self.write(None, engine);
    }

    async fn wait(&mut self, due: Option<Instant>) {
        select! {
            () = until(due) => {}
            () = self.signer_changed() => {}
        }
    }

    fn action(&mut self) -> Option<GetCallerIdentity> {
        Some(GetCallerIdentity {})
    }

    fn answered(&mut self, caller: Caller, engine: &Engine, _plan: &Plan) -> Result<Option<Duration>, CallError> {
        let uin = match caller {
            Caller::User(uin) => Some(uin),
            Caller::Role => None,
        };
        // The request that ended last is the one that was answered.
        let signer = self.signer.borrow().clone();
        self.write(signer.map(|secret_id| Identity { uin, secret_id }), engine);
        if uin.is_some() {
            engine.account().listing_succeeded(Listing::Caller, engine.now());
            Ok(None)
        } else {
            Err(CallError { reason: Reason::Denied, code: None, error: A_ROLE.to_owned(), is_transient: false })
        }
    }
}
