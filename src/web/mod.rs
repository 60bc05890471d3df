//! The listening side: what is answered to whom.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics`, or `--web.telemetry-path` | 200 and the exposition, whatever the API does; 503 beyond `--web.max-requests` |
//! | `/` | 200 and the status page; with `?still` one that does not load itself again; with `?show=users` and the like a page of a whole list; 400 for any other query |
//! | `/-/healthy` | 200 while the process serves and every poller is alive, however the API fares; otherwise 503 |
//! | `/-/ready` | 200 from the first poll attempt on, or 10 s after the start; 503 before that and while stopping |
//! | `/-/reload` | to a `POST` or `PUT`: 200 once the configuration is reloaded, 500 and all faults if it stays as it was; 403 without `--web.enable-lifecycle` |
//! | anything else | 404 |
//!
//! Elsewhere `GET` and `HEAD` only, and no request has a body. Nothing here asks the API: a scrape reads memory.
//! `--probe.listen-address` has `/-/healthy` and `/-/ready` alone.
//!
//! | what a client may take | limit | beyond it |
//! |---|---|---|
//! | the head of a request | 5 s, 16 KiB, 100 headers | the connection is closed; 431 |
//! | a body | none | 413 |
//! | requests sent before the response is read | 1 | the connection is closed after the second response |
//! | an idle connection | 150 s | it is closed |
//! | a response | 10 s without a byte read; 30 s of waiting, and a second more for each 64 KiB read | the connection is closed |
//! | connections | 256 a listener, 32 for probes | the one that has kept us waiting longest is closed |
//! | scrapes under way | `--web.max-requests` | the one with the slowest reader is closed; 503 if no reader keeps us waiting |
//! | status pages in the making | 1 | requests wait for it, and share it within a second |
//! | pages of lists in the making | 1, 20 a second | requests wait, and share the same page within a second |
//! | what the system holds for a connection | 32 KiB to read, 32 KiB unsent | it is not read, not written |
//!
//! - [`routes`] answers a request, [`scrapes`] limits how many scrapes are under way, [`probes`] has the probes alone;
//!   [`handler`] is what they are to a server. [`host`] checks the `Host` header.
//! - [`status`] is the page at `/`.
//! - [`accept`] accepts connections, and [`server`] serves them, by [`http1`] or [`http2`].
//! - [`connections`] limits how many there may be, and closes them; [`timeouts`] how long each may take over what it does,
//!   and which goes first. [`instrumented_stream`] and [`response`] report to them.
//! - [`negotiation`] says in which format and encoding the metrics are wanted, [`scrape_timeout`] within which time.
//! - [`body`] is the body of an answer.
//! - [`reload`] is the way from `/-/reload` to whoever reloads.
//! - [`readiness`] is the latch behind `/-/ready`.
//! - [`config`] is what `--web.config.file` asks for: TLS, users and more.
//! - [`address`] and [`telemetry_path`] are what the flags of the same names may say.

pub mod accept;
pub mod address;
pub mod body;
pub mod config;
pub mod connections;
pub mod handler;
pub mod host;
pub mod http1;
pub mod http2;
pub mod instrumented_stream;
pub mod negotiation;
pub mod probes;
pub mod readiness;
pub mod reload;
pub mod response;
pub mod routes;
pub mod scrape_timeout;
pub mod scrapes;
pub mod server;
pub mod status;
pub mod telemetry_path;
pub mod timeouts;

pub use address::{ListenAddress, NotAListenAddress};
pub use body::Body;
pub use config::Guard;
pub use probes::Probes;
pub use readiness::Readiness;
pub use reload::{NotReloaded, Reloader, Reloads};
pub use routes::Routes;
pub use scrapes::Scrapes;
pub use server::serve;
pub use status::Status;
pub use telemetry_path::{NotATelemetryPath, TelemetryPath};
