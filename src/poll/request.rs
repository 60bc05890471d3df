//! One request of a poller: what it asks, who signs it, and how it ended.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::time::Instant;

use super::{Plan, budget::Permit, last_use::Batch, schedule::Turn};
use crate::{
    credentials,
    metrics::ActionMetrics,
    tencent::{
        AccessKey, AccessKeyId, Answer, Caller, Connection, Credential, Error as ApiError, GetCallerIdentity,
        GetSecurityLastUsed, LastUse, ListAccessKeys, ListUsers, NamedUser, Reason, Uin,
    },
};

/// What a request is for.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A user's keys.
    Poll(Turn),
    /// Who asks.
    Caller,
    /// Who there is.
    Users,
    /// When these keys were last used.
    LastUse(Batch),
}

/// What a request was answered with.
#[derive(Debug)]
pub(super) enum Said {
    Keys(Vec<AccessKey>),
    Caller(Caller),
    Users(Vec<NamedUser>),
    LastUse(HashMap<AccessKeyId, LastUse>),
}

/// A user who asks, and what that user signs with.
#[derive(Clone, Debug)]
pub(super) struct KnownCaller {
    /// Nobody who has keys, where it is a role.
    pub(super) uin: Option<Uin>,
    pub(super) secret_id: SecretString,
}

/// A request to be sent.
pub(super) struct Request {
    pub(super) subject: Subject,
    pub(super) permit: Permit,
    pub(super) connection: Connection,
    pub(super) plan: Arc<Plan>,
    pub(super) metrics: ActionMetrics,
    /// Whose keys are listed without a name.
    pub(super) caller: Option<KnownCaller>,
    pub(super) now: Timestamp,
}

/// A request that has ended.
pub(super) struct Ended {
    pub(super) subject: Subject,
    pub(super) permit: Permit,
    pub(super) connection: Connection,
    pub(super) signed_at: Timestamp,
    /// Where there was a credential.
    pub(super) signer: Option<Signer>,
    /// Why the credential may be an old one.
    pub(super) credential_problem: Result<Option<credentials::Error>, NoCredential>,
    pub(super) outcome: Result<Answer<Said>, Failure>,
}

/// What a request was signed with, and where that came from.
pub(super) struct Signer {
    pub(super) credential: Credential,
    source: Arc<credentials::Source>,
}

/// There was none to sign with, as the outcome tells.
pub(super) struct NoCredential;

/// Why a request brought nothing.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    #[error(transparent)]
    Api(#[from] ApiError),
}

// === impl KnownCaller ===

impl KnownCaller {
    /// Whether it is the one that signs with `credential`.
    pub(super) fn signs_with(&self, secret_id: &SecretString) -> bool {
        self.secret_id.expose_secret() == secret_id.expose_secret()
    }
}

// === impl Request ===

impl Request {
    pub(super) async fn send(mut self) -> Ended {
        let asked = Instant::now();
        let fetched = self.plan.credentials.fetch(self.now).await;
        // The credential may have come late.
        self.now += asked.elapsed();
        let credential_problem = fetched.as_ref().map(|fetched| fetched.problem.clone()).map_err(|_| NoCredential);
        let signer = fetched.as_ref().ok().map(|fetched| fetched.credential.clone());
        let outcome = async {
            let credential = fetched?.credential;
            let started = Instant::now();
            let said = self.ask(&credential).await;
            self.metrics.request(started.elapsed());
            Ok(said?)
        };
        let outcome = outcome.await;
        let Self { subject, permit, connection, plan, now, .. } = self;
        let signer = signer.map(|credential| Signer { credential, source: Arc::clone(&plan.credentials) });
        Ended { subject, permit, connection, signed_at: now, signer, credential_problem, outcome }
    }

    async fn ask(&self, credential: &Credential) -> Result<Answer<Said>, ApiError> {
        let Self { plan, connection, now, .. } = self;
        let cam = &plan.client;
        Ok(match &self.subject {
            Subject::Poll(turn) => {
                let own = self
                    .caller
                    .as_ref()
                    .is_some_and(|caller| caller.uin == Some(turn.uin()) && caller.signs_with(&credential.secret_id));
                let action = if own { ListAccessKeys::own() } else { ListAccessKeys::of(turn.uin()) };
                cam.call(credential, &action, *connection, *now).await?.map(Said::Keys)
            }
            Subject::Caller => {
                plan.sts.call(credential, &GetCallerIdentity {}, *connection, *now).await?.map(Said::Caller)
            }
            Subject::Users => cam.call(credential, &ListUsers {}, *connection, *now).await?.map(Said::Users),
            Subject::LastUse(batch) => {
                let action = GetSecurityLastUsed::of(batch.iter().map(|(_, id)| id));
                cam.call(credential, &action, *connection, *now).await?.map(Said::LastUse)
            }
        })
    }
}

// === impl Failure ===

impl Failure {
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Credentials(_) => Reason::Credentials,
            Self::Api(error) => error.reason(),
        }
    }

    /// Whether the same request may well succeed in a moment.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Credentials(error) => error.is_transient(),
            Self::Api(error) => error.reason().is_transient(),
        }
    }

    /// After how long there may be another credential, where that of the request is no longer good.
    pub(super) fn another_credential(&self, signer: Option<&Signer>, now: Timestamp) -> Option<Duration> {
        let Self::Api(error) = self else { return None };
        let Signer { credential, source } = signer.filter(|_| error.disowns_the_credential())?;
        source.refused(credential, now)
    }
}
