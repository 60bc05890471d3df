#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! - [`Client`] makes a request, reads the answer, and sorts whatever goes wrong into an [`Error`] with a [`Code`] and one
//!   of a few [`Reason`]s.
//! - An [`Action`] is a request and its response, in a module of its own: see [`GetCallerIdentity`], the shortest.
//!   [`RawAction`] is any other.
//! - [`Transport`] carries a signed request there and the answer's bytes back; tests put a simulator in place of
//!   [`HttpTransport`], which goes through [`Proxies`].
//! - [`sign`] makes the `Authorization` header, TC3-HMAC-SHA256.
//! - [`sts`] takes on roles, and [`metadata`] asks a virtual machine for its own: where temporary credentials come from.
//! - [`ApiClock`], [`ApiTime`] and [`SigningClock`] are the API's clock, as its answers tell it.
//!
//! The time of day is handed in: see [`Clock`].

mod action;
mod api_clock;
mod client;
mod clock;
mod code;
mod credential;
mod describe_organization_members;
mod endpoint;
mod error;
mod get_caller_identity;
mod get_security_last_used;
mod list_access_keys;
mod list_accounts;
mod list_users;
pub mod metadata;
mod program;
mod proxy;
mod raw_action;
mod reason;
mod region;
mod rows;
pub mod sign;
pub mod sts;
mod text;
mod transport;
mod uin;

pub use action::{Action, Context};
pub use api_clock::{ApiClock, ApiTime, SigningClock};
pub use client::{Answer, Client};
pub use clock::{Clock, SystemClock, later};
pub use code::Code;
pub use credential::{Credential, Temporary};
pub use describe_organization_members::{DescribeOrganizationMembers, MembersPage};
pub use endpoint::{Endpoint, NotAnEndpoint};
pub use error::Error;
pub use get_caller_identity::{Caller, GetCallerIdentity};
pub use get_security_last_used::{GetSecurityLastUsed, LastUse};
pub use list_access_keys::{AccessKey, AccessKeyId, KeyStatus, ListAccessKeys};
pub use list_accounts::{AccountsPage, ListAccounts, UserType};
pub use list_users::{ListUsers, NamedUser};
pub use program::Program;
pub use proxy::{Proxies, WrongVariable};
pub use raw_action::{NotAnAction, RawAction};
pub use reason::Reason;
pub use region::{NotARegion, Region};
pub use transport::{Connection, HttpTransport, MAX_TRANSIT, Transport};
pub use uin::{NotAUin, Uin};
