//! The listening side: what is answered to whom.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics`, or `--web.telemetry-path` | 200 and the exposition, whatever the API does; 503 beyond `--web.max-requests` |
//! | `/` | 200 and the status page; with `?still` one that does not load itself anew |
//! | `/-/healthy` | 200 while the process serves and every poller is alive, however the API fares; otherwise 503 |
//! | `/-/ready` | 200 from the first poll attempt on, or 10 s after the start; 503 before that and while stopping |
//! | `/-/reload` | to a `POST` or `PUT`: 200 once the configuration is reloaded, 500 and all faults if it stays as it was; 403 without `--web.enable-lifecycle` |
//! | anything else | 404 |
//!
//! Elsewhere `GET` and `HEAD` only, and no request has a body. Nothing here asks the API: a scrape reads memory.
//! `--probe.listen-address` has `/-/healthy` and `/-/ready` alone.
//!
//! | what a client may take | bound | beyond it |
//! |---|---|---|
//! | the head of a request | 5 s, 64 KiB | the connection ends; 431, or 414 |
//! | a body | none | 413 |
//! | an idle connection | 150 s | it ends |
//! | an answer | 10 s without a byte taken; 30 s of waiting, and a second more for each 64 KiB taken | the connection ends |
//! | connections | 256 a listener, 32 for probes | the longest idle ends, or the longest unfinished head; answers are waited for |
//! | scrapes under way, but for those whose reader takes nothing | `--web.max-requests` | 503 |
//!
//! - [`routes`] answers a request, [`scrapes`] bounds how many scrapes are under way, [`probes`] has the probes alone;
//!   [`site`] is what they are to a server.
//! - [`status`] is the page at `/`.
//! - [`server`] accepts connections, and serves them.
//! - [`http2`] serves connections that have agreed on HTTP/2.
//! - [`connections`] says how many there may be, and ends them; [`patience`] how long each may take over what it does;
//!   [`observed`] and [`answer`] tell of that.
//! - [`negotiation`] says in which format and encoding the metrics are wanted, [`scrape_timeout`] within which time.
//! - [`body`] is the body of an answer.
//! - [`reload`] is the way from `/-/reload` to whoever reloads.
//! - [`readiness`] is the latch behind `/-/ready`.
//! - [`config`] is what `--web.config.file` asks for: TLS, users and more.
//! - [`address`] and [`telemetry_path`] are what the flags of the same names may say.

pub mod address;
pub mod answer;
pub mod body;
pub mod config;
pub mod connections;
pub mod http2;
pub mod negotiation;
pub mod observed;
pub mod patience;
pub mod probes;
pub mod readiness;
pub mod reload;
pub mod routes;
pub mod scrape_timeout;
pub mod scrapes;
pub mod server;
pub mod site;
pub mod status;
pub mod telemetry_path;

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
