//! The listening side: what is answered to whom.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics`, or `--web.telemetry-path` | 200 and the exposition, whatever the API does |
//! | `/` | 200 and a page that says what this is and where to look |
//! | `/-/healthy` | 200 while the process serves and every poller is alive, however the API fares; otherwise 503 |
//! | `/-/ready` | 200 from the first poll attempt on, or 10 s after the start; 503 before that and while stopping |
//! | `/-/reload` | to a `POST` or `PUT`: 200 once the configuration is reloaded, 500 and all faults if it stays as it was; 403 without `--web.enable-lifecycle` |
//! | anything else | 404 |
//!
//! Elsewhere `GET` and `HEAD` only, and no request has a body. Nothing here asks the API: a scrape reads memory.
//!
//! - [`routes`] answers a request.
//! - [`server`] accepts connections, and bounds what they may take.
//! - [`http2`] serves connections that have agreed on HTTP/2.
//! - [`patience`] times the head of a request.
//! - [`reload`] is the way from `/-/reload` to whoever reloads.
//! - [`readiness`] is the latch behind `/-/ready`.
//! - [`config`] is what `--web.config.file` asks for: TLS, users and more.
//! - [`address`] and [`telemetry_path`] are what the flags of the same names may say.

pub mod address;
pub mod config;
pub mod http2;
pub mod patience;
pub mod readiness;
pub mod reload;
pub mod routes;
pub mod server;
pub mod telemetry_path;

pub use address::{ListenAddress, NotAListenAddress};
pub use config::Guard;
pub use readiness::Readiness;
pub use reload::{NotReloaded, Reloader, Reloads};
pub use routes::Routes;
pub use server::serve;
pub use telemetry_path::{NotATelemetryPath, TelemetryPath};
