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
pub mod connection;
mod duration;
pub mod guard;
mod headers;
mod hello;
mod line;
mod lookout;
mod names;
mod pacer;
pub mod peer;
mod rate_limit;
mod refusals;
mod schema;
mod tls;
mod users;
mod verdicts;

pub use connection::Connection;
pub use guard::{Guard, Refusal};
pub use peer::Peer;

/// An answer to a yes-or-no question, in YAML 1.1's words, which the toolkit takes.
fn yes(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Ok(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => Ok(false),
        _ => Err("neither true nor false: expected one of them"),
    }
}
