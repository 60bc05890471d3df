//! Runs the daemon on the embedded simulator.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use secrecy::ExposeSecret;
use tencentcloud_cam_exporter::{
    app::{ConfigSource, Listeners},
    clock::{Clock, SystemClock},
    config::Config,
    environment::Environment,
    simulator::{self, Population, Simulator},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{ServeFlags, exporter, log};

pub(super) fn run(flags: &ServeFlags) -> Result<()> {
    log::start(&flags.log);
    exporter::in_runtime(async {
        let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen for the simulator")?;
        let endpoint = api.local_addr().context("cannot listen for the simulator")?;

        let clock = Arc::new(SystemClock);
        let population = Population::demo(clock.now());
        let text = config(&population, endpoint);
        let source = ConfigSource::new(move || Config::parse(&text, &Environment::default()));
        let app = exporter::build(source, environment(), flags)?;
        let shutdown = exporter::on_signals(&app.reloader())?;
        let listeners = exporter::bind(flags).await?;
        say_where_to_look(flags, &listeners, endpoint);

        let simulator = Arc::new(Simulator::new(clock, population));
        tokio::select! {
            outcome = exporter::serve(app, listeners, shutdown) => outcome,
            // It stops with the exporter, not before: a stop must look here as it does elsewhere.
            () = simulator::serve(api, simulator, CancellationToken::new()) => Err(anyhow!("the simulator ended")),
        }
    })
}

/// Users are found, but for the one who was deleted: somebody still lists it.
fn config(population: &Population, endpoint: SocketAddr) -> String {
    let gone = population.uins().pop().unwrap_or_default();
    format!(
        "accounts: [{{name: demo, discover: {{interval: 1m}}, uins: [{gone}], endpoint: 'http://{endpoint}', \
         credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 30s, rate_limit: 20, last_used: true}}\n"
    )
}

fn environment() -> Environment {
    let credential = Population::demo_credential();
    [("TENCENTCLOUD_SECRET_ID", &credential.secret_id), ("TENCENTCLOUD_SECRET_KEY", &credential.secret_key)]
        .map(|(name, secret)| (name, secret.expose_secret()))
        .into_iter()
        .collect()
}

fn say_where_to_look(flags: &ServeFlags, listeners: &Listeners, endpoint: SocketAddr) {
    println!("A simulated Tencent Cloud answers on http://{endpoint}: no account is needed, and none is asked.");
    for address in listeners.web.iter().filter_map(|listener| listener.local_addr().ok()) {
        let host = if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
        println!("  http://{host}:{}{}", address.port(), flags.telemetry_path);
    }
    println!("The first sweep over its users takes three seconds. Ctrl-C stops.");
}
