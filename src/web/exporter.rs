//! What the toolkit serves of the exporter.

use std::{error::Error, sync::Arc};

use exporter_toolkit::{Body, Exporter, Format, Names, Pieces, accepted_languages, html, plain};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tokio::time::Instant;
use tracing::error;

use super::{Readiness, Status, status::query::Query};
use crate::{inventory::Inventory, language::Language, metrics::Metrics};

/// The exporter, as it is served.
#[derive(Debug)]
pub struct CamExporter {
    metrics: Arc<Metrics>,
    inventory: Arc<Inventory>,
    readiness: Arc<Readiness>,
    status: Arc<Status>,
}

/// What is answered at each path.
pub type Routes = exporter_toolkit::Routes<CamExporter>;

// === impl CamExporter ===

impl CamExporter {
    /// Serves `metrics` and the page of `status`, and says whether the accounts of `inventory` are polled and whether
    /// `readiness` has come.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, inventory: Arc<Inventory>, readiness: Arc<Readiness>, status: Status) -> Self {
        Self { metrics, inventory, readiness, status: Arc::new(status) }
    }
}

impl Exporter for CamExporter {
    const FORMATS: &'static [Format] = &[Format::Text, Format::OpenMetrics, Format::Protobuf];

    fn exposition(&self, format: Format, names: &Names) -> Result<Box<dyn Pieces>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(self.metrics.scrape(format, names)?))
    }

    fn health(&self) -> Result<(), String> {
        let (accounts, now) = (self.inventory.accounts(), Instant::now());
        match accounts.iter().find(|account| account.progress().is_silent(now)) {
            None => Ok(()),
            Some(silent) => Err(format!("the poller of account {} shows no life", silent.name())),
        }
    }

    fn is_ready(&self) -> bool {
        self.readiness.is_ready()
    }

    async fn page(&self, query: Option<&str>, headers: &HeaderMap) -> Option<Response<Body>> {
        let language = language(headers);
        let page = match Query::parse(query) {
            Ok(Query::Overview { is_still }) => self.status.shared_overview(language, is_still).await.map(Some),
            Ok(Query::List(list)) => self.status.shared_list(language, list).await,
            Err(error) => return Some(plain(StatusCode::BAD_REQUEST, format!("{error}\n"))),
        };
        Some(match page {
            Ok(None) => plain(StatusCode::NOT_FOUND, "there is no account of that name\n"),
            Ok(Some(page)) => {
                let mut response = html(StatusCode::OK, page);
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_SECURITY_POLICY, self.status.policy());
                headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
                // A cache must not give one reader's language to another.
                headers.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
                response
            }
            Err(error) => {
                error!(%error, "cannot render the status page");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot render the status page: see the log\n")
            }
        })
    }
}

/// The language of the pages for a request with these `headers`: of those that it accepts, the one that weighs most.
fn language(headers: &HeaderMap) -> Language {
    accepted_languages(headers).iter().find_map(|tag| Language::of_tag(tag)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use exporter_toolkit::{Incomplete, TelemetryPath};
    use http::Request;
    use http_body_util::{BodyExt, Empty};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        inventory::{Account, AccountSettings, Policy},
        metrics::{Families, Own},
    };
    use tencentcloud_api::SystemClock;

    /// The routes to an account with so many users.
    fn routes(users: u64) -> (Routes, Arc<Account>) {
        let policy = Policy { max_age: Duration::ZERO, ..Policy::default() }.into();
        let settings = AccountSettings { policy, poll_interval: Duration::from_secs(1), ..AccountSettings::default() };
        let uins = (1..=users).map(|uin| uin.try_into().unwrap());
        let account = Arc::new(Account::new("prod".parse().unwrap(), settings, uins));
        let inventory = Arc::new(Inventory::new(vec![Arc::clone(&account)]));
        let own = Arc::new(Own::new().unwrap());
        let clock = Arc::new(SystemClock);
        let metrics =
            Arc::new(Metrics::new(Arc::clone(&inventory), &own, Arc::clone(&clock) as _, Families::default()).unwrap());
        let readiness = Arc::new(Readiness::new(CancellationToken::new()));
        let telemetry_path: TelemetryPath = "/metrics".parse().unwrap();
        let status = Status::new(Arc::clone(&inventory), Arc::clone(&own), clock, telemetry_path.clone());
        let exporter = CamExporter::new(metrics, inventory, readiness, status);
        (Routes::new(exporter, telemetry_path, None), account)
    }

    #[tokio::test(start_paused = true)]
    async fn a_poller_that_shows_no_life_is_not_healthy() {
        let (routes, account) = routes(0);
        let healthy = Request::get("/-/healthy").body(Empty::<Bytes>::new()).unwrap();
        tokio::time::advance(crate::inventory::SILENCE).await;
        assert_eq!(routes.answer(&healthy).await.status(), StatusCode::OK);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(routes.answer(&healthy).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        account.note(|progress| progress.heartbeat = tokio::time::Instant::now());
        assert_eq!(routes.answer(&healthy).await.status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_is_written_for_no_longer_than_its_reader_waits() {
        let scrape = || {
            Request::get("/metrics")
                .header("x-prometheus-scrape-timeout-seconds", "1")
                .body(Empty::<Bytes>::new())
                .unwrap()
        };
        let (large, account) = routes(5_000);
        for uin in 1..=5_000_u64 {
            account.poll_succeeded(uin.try_into().unwrap(), &[], jiff::Timestamp::UNIX_EPOCH);
        }
        let mut body = large.answer(&scrape()).await.into_body();
        assert!(body.frame().await.unwrap().is_ok());
        tokio::time::advance(Duration::from_millis(899)).await;
        assert!(body.frame().await.unwrap().is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(matches!(body.frame().await, Some(Err(Incomplete::Late))), "what is cut short must not look whole");

        let (small, _) = routes(1);
        let mut body = small.answer(&scrape()).await.into_body();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(body.frame().await.unwrap().is_ok() && body.frame().await.is_none());
    }
}
