//! What the simulated services can be asked for, an action a module.
//!
//! An action is an entry of [`ACTIONS`]: where it is served, how often a caller may ask, which parameters it takes, and
//! what it answers. Whatever is not listed does not exist.

mod assume_role;
mod assume_role_with_web_identity;
mod describe_organization_members;
mod get_caller_identity;
mod get_security_last_used;
mod list_access_keys;
mod list_accounts;
mod list_users;

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{LastUsedRows, Member, Population, Rejection, request::Parameters, roles::Roles, signature::Signer};

/// The fields of an answer.
pub(super) type Fields = Map<String, Value>;

/// An action of a service.
pub(super) struct Action {
    /// The service, as a signature's scope names it.
    pub(super) service: &'static str,
    /// `X-TC-Version`.
    pub(super) version: &'static str,
    /// `X-TC-Action`.
    pub(super) name: &'static str,
    /// The requests that one caller may make in any one second.
    pub(super) limit: usize,
    /// Whether a request must be signed; otherwise its `Authorization` is `SKIP`.
    pub(super) signed: bool,
    /// Whether a request must name a region.
    pub(super) regional: bool,
    /// Whether a role needs a permission for it.
    pub(super) guarded: bool,
    /// Every parameter there is.
    pub(super) parameters: &'static [Parameter],
    /// Answers a request that is well formed, signed and permitted.
    pub(super) answer: fn(&mut Call<'_>) -> Result<Fields, Rejection>,
}

/// A parameter that an action takes.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number, 0 or more.
    Integer,
    Text,
    List,
}

/// A request that is to be answered.
pub(super) struct Call<'a> {
    /// The caller; none if the action is not signed.
    pub(super) signer: Option<&'a Signer>,
    /// What is asked, each of its type.
    pub(super) parameters: Parameters,
    pub(super) population: &'a mut Population,
    pub(super) roles: &'a mut Roles,
    pub(super) organization: &'a [Member],
    /// How often each user was asked about.
    pub(super) asked: &'a mut HashMap<u64, u64>,
    /// Which rows an answer about last uses has.
    pub(super) last_used_rows: LastUsedRows,
    pub(super) now: Timestamp,
    pub(super) request_id: &'a str,
}

/// Everything that can be asked.
pub(super) static ACTIONS: &[Action] = &[
    list_access_keys::ACTION,
    list_users::ACTION,
    list_accounts::ACTION,
    get_security_last_used::ACTION,
    assume_role::ACTION,
    assume_role_with_web_identity::ACTION,
    get_caller_identity::ACTION,
    describe_organization_members::ACTION,
];

/// The limit of requests for what does not exist.
pub(super) const LIMIT_OF_NOTHING: usize = 20;

// === impl Call ===

impl Call<'_> {
    /// The member of the organisation whose account it is about; nothing if it is the account of everybody else.
    pub(super) fn member(&self) -> Option<u64> {
        let account = self.roles.by_id(self.signer?.caller)?.account;
        self.organization.iter().any(|member| member.uin == account).then_some(account)
    }
}

// === impl Action ===

impl Action {
    /// The action that is called `name`, in that version of the service.
    pub(super) fn of(service: &str, version: &str, name: &str) -> Result<&'static Self, Rejection> {
        let of_service = || ACTIONS.iter().filter(|action| action.service == service);
        if of_service().next().is_some() && !of_service().any(|action| action.version == version) {
            return Err(Rejection::new("NoSuchVersion", format!("The version `{version}` does not exist.")));
        }
        of_service()
            .find(|action| action.version == version && action.name == name)
            .ok_or_else(|| Rejection::new("InvalidAction", format!("The action `{name}` does not exist.")))
    }

    /// The action of that name which anybody may ask for.
    pub(super) fn unsigned(name: &str) -> Option<&'static Self> {
        ACTIONS.iter().find(|action| !action.signed && action.name == name)
    }

    /// As policies call it.
    pub(super) fn permission(&self) -> String {
        format!("{}:{}", self.service, self.name)
    }
}

// === impl Parameter ===

impl Parameter {
    pub(super) const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: true }
    }

    pub(super) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false }
    }
}
