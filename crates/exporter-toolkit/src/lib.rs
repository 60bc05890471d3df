//! Serves the metrics of a Prometheus exporter, as Prometheus' exporter-toolkit and promhttp do for exporters in Go.
//!
//! ```no_run
//! # use std::{error::Error, path::Path, sync::Arc};
//! # use exporter_toolkit::{Exporter, Format, Guard, ListenAddress, MAX_CONNECTIONS, Names, Pieces, Routes, Scrapes, serve};
//! struct Answer;
//!
//! impl Exporter for Answer {
//!     const FORMATS: &'static [Format] = &[Format::Text];
//!
//!     fn exposition(&self, _: Format, _: &Names) -> Result<Box<dyn Pieces>, Box<dyn Error + Send + Sync>> {
//!         Ok(Box::new(bytes::Bytes::from("# TYPE answer gauge\nanswer 42\n")))
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn Error>> {
//! let listener = ":9999".parse::<ListenAddress>()?.bind().await?;
//! let guard = Arc::new(Guard::load(Path::new("web.yml"), jiff::Timestamp::now)?);
//! let routes = Arc::new(Routes::new(Answer, "/metrics".parse()?, None));
//! let scrapes = Arc::new(Scrapes::new(routes, 40, Arc::new(())));
//! let shutdown = tokio_util::sync::CancellationToken::new();
//! serve(listener, guard, Arc::new(()), scrapes, MAX_CONNECTIONS, shutdown).await;
//! # Ok(())
//! # }
//! ```
//!
//! | path | response |
//! |---|---|
//! | `/metrics`, or another [`TelemetryPath`] | 200 and the exposition, of the families in `name[]` only if the query has any; 503 beyond the limit of [`Scrapes`] |
//! | `/` | the page of the [`Exporter`], or one with a link to the metrics |
//! | `/-/healthy` | 200 while the exporter is healthy; otherwise 503 |
//! | `/-/ready` | 200 while the exporter is ready; otherwise 503 |
//! | `/-/reload` | to a `POST` or `PUT`: 200 once the configuration is reloaded, 500 and all faults if it stays as it was; 403 without a [`Reloader`] |
//! | anything else | 404 |
//!
//! Elsewhere `GET` and `HEAD` only, and no request has a body. [`Probes`] have `/-/healthy` and `/-/ready` alone.
//!
//! | what a client may take | limit | beyond it |
//! |---|---|---|
//! | the head of a request | 5 s, 16 KiB, 100 headers | the connection is closed; 431 |
//! | a body | none | 413 |
//! | requests sent before the response is read | 1 | the connection is closed after the second response |
//! | an idle connection | 150 s | it is closed |
//! | a response | 10 s without a byte read; 30 s of waiting, and a second more for each 64 KiB read | the connection is closed |
//! | connections | [`MAX_CONNECTIONS`] a listener, [`MAX_PROBE_CONNECTIONS`] for probes | the one that has kept us waiting longest is closed |
//! | scrapes under way | the limit of [`Scrapes`] | the one with the slowest reader is closed; 503 if no reader keeps us waiting |
//! | what the system holds for a connection | 32 KiB to read, 32 KiB unsent | it is not read, not written |
//!
//! - An [`Exporter`] hands over its exposition as [`Pieces`], in the negotiated [`Format`]. [`Routes`] answer with it, and
//!   [`serve`] serves them on a listener, which a [`ListenAddress`] binds.
//! - [`exposition`] writes families of metrics in each format.
//! - A [`Guard`] follows a web configuration file: TLS, users and more.
//! - An [`Observer`] counts what is refused.
//! - [`files`] and [`yaml`] read files that others may be writing, and configurations, for an exporter's own as well.
//! - [`systemd`] notifies systemd of the start, reloads and the stop, and takes the sockets of a socket unit.

mod accept;
mod address;
mod body;
mod connections;
mod exporter;
pub mod exposition;
pub mod files;
mod format;
mod handler;
mod host;
mod http1;
mod http2;
mod instrumented_stream;
mod names;
mod negotiation;
mod observer;
mod probes;
mod reload;
mod respond;
mod response;
mod routes;
mod scrape;
mod scrape_timeout;
mod scrapes;
mod server;
pub mod systemd;
mod telemetry_path;
mod timeouts;
mod web_config;
pub mod yaml;

pub use address::{ListenAddress, NotAListenAddress};
pub use body::{Body, Incomplete};
pub use exporter::Exporter;
pub use format::Format;
pub use handler::Handler;
pub use names::Names;
pub use negotiation::accepted_languages;
pub use observer::{HttpRefused, Observer};
pub use probes::{MAX_PROBE_CONNECTIONS, Probes};
pub use reload::{NotReloaded, Outcome, Reloader, Reloads};
pub use respond::{html, plain};
pub use response::ResponseGuard;
pub use routes::Routes;
pub use scrape::{Compressor, NotCompressed, PIECE, Pieces, Scrape};
pub use scrapes::Scrapes;
pub use server::{MAX_CONNECTIONS, serve};
pub use telemetry_path::{NotATelemetryPath, TelemetryPath};
pub use web_config::Guard;
