//! The wire: what is asked of Tencent Cloud, how it is signed, sent and answered. Knows no metrics and no schedule.
//!
//! - [`sign`] makes the `Authorization` header, TC3-HMAC-SHA256.
//! - [`transport`] carries a signed request there and the answer's bytes back; tests put a simulator in its place.
//! - [`proxy`] reads the proxy variables, and picks the proxy of a request.
//! - [`client`] makes the request, reads the answer, and sorts whatever goes wrong.
//! - [`action`] is what can be asked; [`list_access_keys`], [`list_users`], [`get_security_last_used`],
//!   [`get_caller_identity`] and [`describe_organization_members`] are such actions: the request, and the answer.
//! - [`sts`] takes on roles, and [`metadata`] asks a virtual machine for its own: where temporary credentials come from.
//! - `rows` is a list in an answer, bounded in length; `text` is text of an answer, whatever is in it.
//! - [`error`] is everything that goes wrong; [`code`] the API's own codes; [`reason`] the few kinds they fall into.
//! - [`credential`], [`uin`], [`endpoint`] and [`region`] are the values that requests are made of.

pub mod action;
pub mod client;
pub mod code;
pub mod credential;
pub mod describe_organization_members;
pub mod endpoint;
pub mod error;
pub mod get_caller_identity;
pub mod get_security_last_used;
pub mod list_access_keys;
pub mod list_users;
pub mod metadata;
pub mod proxy;
pub mod reason;
pub mod region;
mod rows;
pub mod sign;
pub mod sts;
mod text;
pub mod transport;
pub mod uin;

pub use action::{Action, Context};
pub use client::{Answer, Client};
pub use code::Code;
pub use credential::{Credential, Temporary};
pub use describe_organization_members::{DescribeOrganizationMembers, MembersPage};
pub use endpoint::{Endpoint, NotAnEndpoint};
pub use error::Error;
pub use get_caller_identity::{Caller, GetCallerIdentity};
pub use get_security_last_used::{GetSecurityLastUsed, LastUse};
pub use list_access_keys::{AccessKey, AccessKeyId, KeyStatus, ListAccessKeys};
pub use list_users::{ListUsers, NamedUser};
pub use proxy::Proxies;
pub use reason::Reason;
pub use region::{NotARegion, Region};
pub use transport::{Connection, HttpTransport, Transport};
pub use uin::{NotAUin, Uin};
