//! What `--web.config.file` asks for: TLS, HTTP/2, headers, users and a limit on requests, in the format of Prometheus's
//! exporter-toolkit, <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>.
//!
//! docs/web-configuration.md says what differs. A request meets, in this order:
//!
//! - [`guard`], which the server asks,
//! - `lookout`, which follows the file and those that it names,
//! - `rate_limit`, `headers` and `basic_auth`; the latter asks `authorization` who is presented, and remembers `verdicts`.
//!   Passwords wait in a `line`, of which the order goes by the [`peer`], and answers to wrong ones for the `pacer`.
//!
//! A handshake begins with `hello` and ends in a [`connection`]; `acceptor` makes what shakes hands, and `clients` judges
//! clients' certificates. `refusals` logs the handshakes that fail.
//! The file is read by `schema`, `tls` and `users`, in the words of `names` and `duration`.

mod acceptor;
mod authorization;
mod basic_auth;
mod clients;
mod connection;
mod duration;
mod guard;
mod headers;
mod hello;
mod line;
mod lookout;
mod names;
mod pacer;
mod peer;
mod rate_limit;
mod refusals;
mod schema;
mod tls;
mod users;
mod verdicts;

pub use guard::Guard;

pub(crate) use connection::Connection;
pub(crate) use peer::Peer;
