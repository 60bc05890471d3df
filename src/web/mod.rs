//! What the exporter shows over HTTP. The `exporter-toolkit` serves it, within its limits:
//!
//! | path | answer |
//! |---|---|
//! | `/metrics`, or `--web.telemetry-path` | 200 and the exposition, whatever the API does; 503 beyond `--web.max-requests` |
//! | `/` | 200 and the status page, in the language of `Accept-Language`; with `?still` one that does not load itself again; with `?show=users` and the like a page of a whole list; 400 for any other query |
//! | `/-/healthy` | 200 while the process serves and every poller is alive, however the API fares; otherwise 503 |
//! | `/-/ready` | 200 from the first poll attempt on, or 10 s after the start; 503 before that and while stopping |
//! | `/-/reload` | to a `POST` or `PUT`: 200 once the configuration is reloaded, 500 and all faults if it stays as it was; 403 without `--web.enable-lifecycle` |
//! | anything else | 404 |
//!
//! Nothing here asks the API: a scrape reads memory. `--probe.listen-address` has `/-/healthy` and `/-/ready` alone.
//!
//! | what a client may take | limit | beyond it |
//! |---|---|---|
//! | status pages in the making | 1 | requests wait for it, and those in its language share it within a second |
//! | pages of lists in the making | 1, 20 a second | requests wait, and share the same page within a second |
//!
//! - [`exporter`] hands the toolkit what it serves.
//! - [`status`] is the page at `/`.
//! - [`readiness`] is the latch behind `/-/ready`.

pub mod exporter;
pub mod readiness;
pub mod status;

pub use exporter::{CamExporter, Routes};
pub use readiness::Readiness;
pub use status::Status;
