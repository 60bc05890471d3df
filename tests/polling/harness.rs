//! What the tests share: a clock, a transport and an exporter made with them.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use exporter_toolkit::Guard;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use jiff::Timestamp;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use tencentcloud_api::{Clock, Connection, Error, Transport};
use tencentcloud_cam_exporter::{
    app::{App, ConfigSource, Dependencies, Listeners, Options},
    config::Config,
    metrics::Families,
    web::Routes,
};
use tencentcloud_simulator::{Population, Reply, Simulator};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// A wall clock that goes with tokio's, which is paused.
#[derive(Debug)]
pub(crate) struct TestClock {
    start: Timestamp,
    since: Instant,
}

/// A wire to the simulator on which requests and answers take a `latency` each, at random.
pub(crate) struct Wire {
    simulator: Arc<Simulator>,
    latency: Range<Duration>,
}

/// An exporter that runs.
pub(crate) struct Running {
    routes: Arc<Routes>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

// === impl TestClock ===

impl TestClock {
    pub(crate) fn at(start: &str) -> Arc<Self> {
        Arc::new(Self { start: start.parse().unwrap(), since: Instant::now() })
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.start + self.since.elapsed()
    }
}

// === impl Wire ===

impl Wire {
    /// One on which they take up to `latency`.
    pub(crate) fn to(simulator: &Arc<Simulator>, latency: Duration) -> Arc<Self> {
        Self::taking(simulator, Duration::ZERO..latency)
    }

    pub(crate) fn taking(simulator: &Arc<Simulator>, latency: Range<Duration>) -> Arc<Self> {
        Arc::new(Self { simulator: Arc::clone(simulator), latency })
    }

    async fn trip(&self) {
        let Range { start, end } = self.latency;
        sleep(start + end.saturating_sub(start).mul_f64(fastrand::f64())).await;
    }
}

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>, _: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        Box::pin(async move {
            self.trip().await;
            let reply = match request.uri().host() {
                Some("metadata.tencentyun.com") => self.simulator.handle_metadata(&request),
                _ => self.simulator.handle(&request),
            };
            self.trip().await;
            match reply {
                Reply::Response(response) => Ok(response),
                Reply::Hang => std::future::pending().await,
                Reply::Truncated(_) | Reply::Flood { .. } | Reply::Reset | Reply::Close => {
                    panic!("no test here asks for {reply:?}")
                }
            }
        })
    }
}

/// What an exporter is surrounded by whose requests go over `wire`.
pub(crate) fn dependencies(clock: Arc<dyn Clock>, wire: Arc<dyn Transport>) -> Dependencies {
    let credential = Population::demo_credential();
    let secrets =
        [("TENCENTCLOUD_SECRET_ID", credential.secret_id), ("TENCENTCLOUD_SECRET_KEY", credential.secret_key)];
    let environment = secrets.iter().map(|(name, secret)| (*name, secret.expose_secret())).collect();
    Dependencies { clock, environment, transport: wire, random: Mutex::new(fastrand::Rng::new()) }
}

// === impl Running ===

impl Running {
    pub(crate) fn start(app: App) -> Self {
        let (routes, stop) = (app.routes(), CancellationToken::new());
        let running = app.run(Listeners::default(), stop.clone());
        Self { routes, stop, task: tokio::spawn(async move { running.await.unwrap() }) }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// What is known of keys, users and accounts.
    pub(crate) async fn scrape(&self) -> BTreeMap<String, f64> {
        let request = Request::get("/metrics").body(Empty::<Bytes>::new()).unwrap();
        let body = self.routes.answer(&request).await.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        let ours = text.lines().filter(|line| {
            ["access_key", "user_", "account_"]
                .iter()
                .any(|known| line.strip_prefix("tencentcloud_cam_").is_some_and(|line| line.starts_with(known)))
        });
        ours.map(|line| line.rsplit_once(' ').unwrap())
            .map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
            .collect()
    }
}

/// An exporter of that configuration whose requests go over `wire`.
pub(crate) fn exporter(config: &str, clock: Arc<dyn Clock>, wire: Arc<dyn Transport>) -> App {
    changing_exporter(&Arc::new(Mutex::new(config.to_owned())), clock, wire)
}

/// The same, of whatever `config` is at the start, and at each reload.
pub(crate) fn changing_exporter(config: &Arc<Mutex<String>>, clock: Arc<dyn Clock>, wire: Arc<dyn Transport>) -> App {
    let dependencies = dependencies(clock, wire);
    let (config, environment) = (Arc::clone(config), dependencies.environment.clone());
    let source = ConfigSource::new(move || Config::parse(&config.lock(), &environment));
    let guard = Arc::new(Guard::open());
    let options = Options {
        telemetry_path: "/metrics".parse().unwrap(),
        lifecycle: false,
        families: Families::default(),
        max_requests: 0,
        config_optional: false,
        guard,
        log_lines_dropped: None,
    };
    App::build(source, options, dependencies).unwrap_or_else(|error| panic!("{error}"))
}
