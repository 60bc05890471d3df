//! One request of a poller: what it asks, who signs it, and how it ended.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tencentcloud_api::{
    AccessKey, AccessKeyId, Answer, Caller, Connection, Credential, DescribeOrganizationMembers, Error as ApiError,
    GetCallerIdentity, GetSecurityLastUsed, LastUse, ListAccessKeys, ListUsers, MembersPage, NamedUser, Reason, Uin,
    later,
};
use thiserror::Error;
use tokio::time::Instant;

use super::{Plan, budget::Permit, last_use::Batch, schedule::Slot};
use crate::{credentials, metrics::ActionMetrics};

/// What a request is for.
#[derive(Clone, Debug)]
pub(super) enum RequestKind {
    /// A user's keys.
    Poll(Slot),
    /// Who asks.
    Caller,
    /// Who there is.
    Users,
    /// A page of the organisation's members, by its number.
    Members(u64),
    /// When these keys were last used.
    LastUse(Batch),
}

/// What a request was answered with.
#[derive(Debug)]
pub(super) enum Response {
    Keys(Vec<AccessKey>),
    Caller(Caller),
    Users(Vec<NamedUser>),
    Members(MembersPage),
    LastUse(HashMap<AccessKeyId, LastUse>),
}

/// A user who asks, and what that user signs with.
#[derive(Clone, Debug)]
pub(super) struct CallerIdentity {
    /// Idle who has keys, where it is a role.
    pub(super) uin: Option<Uin>,
    pub(super) secret_id: SecretString,
}

/// A request to be sent.
pub(super) struct Request {
    pub(super) subject: RequestKind,
    pub(super) permit: Permit,
    pub(super) connection: Connection,
    pub(super) plan: Arc<Plan>,
    pub(super) metrics: ActionMetrics,
    /// Whose keys are listed without a name.
    pub(super) caller: Option<CallerIdentity>,
    pub(super) now: Timestamp,
    /// What it is signed with: the API may have refused another time.
    pub(super) signing: Timestamp,
}

/// A request that has ended.
pub(super) struct Completed {
    pub(super) subject: RequestKind,
    pub(super) permit: Permit,
    pub(super) connection: Connection,
    pub(super) signed_at: Timestamp,
    /// What it was signed with, and where that came from.
    pub(super) signer: Option<SigningIdentity>,
    /// Why the credential may be an old one.
    pub(super) credential_problem: Result<Option<credentials::Error>, NoCredential>,
    pub(super) outcome: Result<Answer<Response>, Failure>,
}

/// A credential, and where it came from.
pub(super) struct SigningIdentity {
    pub(super) credential: Credential,
    pub(super) source: Arc<credentials::Source>,
}

/// There was none to ask with, as the outcome tells.
pub(super) struct NoCredential;

/// Why a request brought nothing.
#[derive(Debug, Error)]
pub enum Failure {
    /// There was no credential.
    #[error(transparent)]
    Credentials(credentials::Error),
    /// There was no answer, or one that is an error.
    #[error(transparent)]
    Api(ApiError),
}

// === impl CallerIdentity ===

impl CallerIdentity {
    /// Whether it is the one that signs with `credential`.
    pub(super) fn signs_with(&self, secret_id: &SecretString) -> bool {
        self.secret_id.expose_secret() == secret_id.expose_secret()
    }
}

// === impl Request ===

impl Request {
    pub(super) async fn send(self) -> Completed {
        let asked = Instant::now();
        let source = Arc::clone(&self.plan.credentials);
        let fetched = source.fetch(self.now).await;
        let credential_problem = fetched.as_ref().map(|fetched| fetched.problem.clone()).map_err(|_| NoCredential);
        // The credential may have come late.
        let signed_at = later(self.signing, asked.elapsed());
        let (signer, outcome) = match fetched {
            Ok(fetched) => {
                let started = Instant::now();
                let said = self.ask(&fetched.credential, signed_at).await;
                self.metrics.request(started.elapsed());
                (Some(SigningIdentity { credential: fetched.credential, source }), said.map_err(Failure::Api))
            }
            Err(error) => (None, Err(Failure::Credentials(error))),
        };
        let Self { subject, permit, connection, .. } = self;
        Completed { subject, permit, connection, signed_at, signer, credential_problem, outcome }
    }

    async fn ask(&self, credential: &Credential, now: Timestamp) -> Result<Answer<Response>, ApiError> {
        let Self { plan, connection, .. } = self;
        let cam = &plan.client;
        Ok(match &self.subject {
            RequestKind::Poll(turn) => {
                let own = self
                    .caller
                    .as_ref()
                    .is_some_and(|caller| caller.uin == Some(turn.uin()) && caller.signs_with(&credential.secret_id));
                let action = if own { ListAccessKeys::own() } else { ListAccessKeys::of(turn.uin()) };
                cam.call(credential, &action, *connection, now).await?.map(Response::Keys)
            }
            RequestKind::Caller => {
                plan.sts.call(credential, &GetCallerIdentity {}, *connection, now).await?.map(Response::Caller)
            }
            RequestKind::Users => cam.call(credential, &ListUsers {}, *connection, now).await?.map(Response::Users),
            RequestKind::Members(page) => {
                let client = plan.organization.as_ref().map_or(cam, |organization| &organization.client);
                let action = DescribeOrganizationMembers::page(*page);
                client.call(credential, &action, *connection, now).await?.map(Response::Members)
            }
            RequestKind::LastUse(batch) => {
                let action = GetSecurityLastUsed::of(batch.iter().map(|(_, id)| id));
                cam.call(credential, &action, *connection, now).await?.map(Response::LastUse)
            }
        })
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

    /// The label of the API's code, where the API answered with one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Api(ApiError::Api { code, .. }) => Some(code.label()),
            Self::Api(_) | Self::Credentials(_) => None,
        }
    }

    /// Whether the same request may well succeed in a moment.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Credentials(error) => error.is_transient(),
            Self::Api(error) => error.reason().is_transient(),
        }
    }
}
