//! Runs the daemon on the embedded simulator.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use exporter_toolkit::Guard;
use secrecy::ExposeSecret;
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_cam_exporter::{
    app::{App, ConfigSource, Listeners},
    config::Config,
    environment::Environment,
};
use tencentcloud_simulator::{Population, Simulator};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{ServeFlags, exporter, log, print};

/// A simulated Tencent Cloud on a port of this machine, and the way to it.
pub(super) struct Stage {
    listener: TcpListener,
    endpoint: SocketAddr,
    clock: Arc<dyn Clock>,
    population: Population,
}

pub(super) fn run(flags: &ServeFlags) -> Result<()> {
    let sockets = exporter::systemd_sockets(flags)?;
    let log_lines_dropped = log::start(&flags.log)?;
    exporter::in_runtime(async {
        let stage = Stage::set().await?;
        let text = stage.config();
        let source = ConfigSource::new(move || Config::parse(&text, &Environment::default()));
        let guard = exporter::guard(flags)?;
        let app = App::build(
            source,
            exporter::options(flags, Arc::clone(&guard), log_lines_dropped),
            exporter::dependencies(Stage::environment())?,
        )?;
        let shutdown = exporter::on_signals(&app.reloader())?;
        let listeners = exporter::bind(flags, sockets).await?;
        say_where_to_look(flags, &guard, &listeners, stage.endpoint);
        tokio::select! {
            outcome = exporter::serve(app, listeners, shutdown) => outcome,
            () = stage.play() => Err(anyhow!("the simulator ended")),
        }
    })
}

/// An exemption, and one that has ended.
const OVERRIDES: &str = "{users: [image-sync], exempt: [stale, unused, auto_disable_soon], reason: used in emergencies}, \
                         {users: [legacy-api], exempt: [stale], until: 2020-01-01, reason: to be shut down by then}";

// === impl Stage ===

impl Stage {
    /// Listens. Nothing is answered yet.
    pub(super) async fn set() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen for the simulator")?;
        let endpoint = listener.local_addr().context("cannot listen for the simulator")?;
        let clock = Arc::new(SystemClock);
        let population = Population::demo(clock.now());
        Ok(Self { listener, endpoint, clock, population })
    }

    /// The configuration that polls it. Users are found, but for the one who was deleted: somebody still lists it.
    pub(super) fn config(&self) -> String {
        let (gone, endpoint) = (self.population.uins().pop().unwrap_or_default(), self.endpoint);
        format!(
            "accounts: [{{name: demo, discover: {{interval: 1m}}, uins: [{gone}], endpoint: 'http://{endpoint}', \
             credentials: {{env: {{}}}}}}]\n\
             poll: {{interval: 30s, rate_limit: 20, last_used: true}}\n\
             keys: {{overrides: [{OVERRIDES}]}}\n"
        )
    }

    /// The environment that has the credential for it.
    pub(super) fn environment() -> Environment {
        let credential = Population::demo_credential();
        [("TENCENTCLOUD_SECRET_ID", &credential.secret_id), ("TENCENTCLOUD_SECRET_KEY", &credential.secret_key)]
            .map(|(name, secret)| (name, secret.expose_secret()))
            .into_iter()
            .collect()
    }

    /// Serves. It stops after its client, the exporter, so that a shutdown behaves as it does with the real API.
    pub(super) async fn play(self) {
        let simulator = Arc::new(Simulator::new(self.clock, self.population));
        tencentcloud_simulator::serve(self.listener, simulator, CancellationToken::new()).await;
    }
}

fn say_where_to_look(flags: &ServeFlags, guard: &Guard, listeners: &Listeners, endpoint: SocketAddr) {
    let mut text =
        format!("A simulated Tencent Cloud answers on http://{endpoint}: no account is needed, and none is asked.\n");
    for address in listeners.web.iter().filter_map(|listener| listener.local_addr().ok()) {
        let host = if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
        let (scheme, port) = (guard.scheme(), address.port());
        let url = format!("{scheme}://{host}:{port}");
        let _ =
            writeln!(text, "  {url}/ shows how it stands\n  {url}{} is what Prometheus reads", flags.telemetry_path);
    }
    text.push_str("The first sweep over its users takes three seconds. Ctrl-C stops.\n");
    // The demo serves even if standard output is closed.
    let _ = print::stdout(text.as_bytes());
}
