//! What `--web.config.file` asks for: TLS, HTTP/2, headers, users and a limit on requests, in the format of Prometheus's
//! exporter-toolkit, <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>.
//!
//! docs/web-configuration.md says what differs. A request meets, in this order:
//!
//! - [`guard`], which the server asks,
//! - `config_watcher`, which watches the file and the files that it names,
//! - `rate_limit`, `headers` and `basic_auth`; the latter gets the credentials from `authorization` and remembers results in
//!   `password_cache`. Password checks wait in a `line`, ordered by [`peer`]; responses to wrong passwords wait for the `pacer`.
//!
//! A TLS connection begins in `plain_http` and becomes a [`connection`]; `tls_acceptor` makes the TLS server configuration, and
//! `clients` verifies client certificates. `refusals` logs failed handshakes.
//! `schema`, `tls` and `users` read the file, with the words of `names` and `duration`.

mod authorization;
mod basic_auth;
mod clients;
mod config_watcher;
mod connection;
mod duration;
mod guard;
mod headers;
mod line;
mod names;
mod pacer;
mod password_cache;
mod peer;
mod plain_http;
mod rate_limit;
mod refusals;
mod schema;
mod tls;
mod tls_acceptor;
mod users;

pub use guard::Guard;

pub(crate) use connection::{SecuredStream, is_http2};
pub(crate) use peer::Peer;
