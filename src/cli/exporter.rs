//! Runs the daemon.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Error, Result, anyhow};
use tencentcloud_cam_exporter::{
    app::{App, Surroundings},
    clock::SystemClock,
    config::{Config, Faults},
    environment::Environment,
    tencent::HttpTransport,
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{ConfigFlags, ServeFlags, log};

/// The exporter waits for the network nearly all the time, and shares its machine with an application.
const WORKERS: usize = 2;

/// What a thread that hangs in a system call may delay the exit.
const FAREWELL: Duration = Duration::from_millis(100);

pub(super) fn run(config: &ConfigFlags, flags: &ServeFlags) -> Result<()> {
    let shard = config.shard();
    log::start(&flags.log);
    let environment = Environment::of_this_process();
    let config = load(&config.file, &environment)?.shard(shard);
    in_runtime(async {
        let shutdown = on_signal()?;
        let listeners = bind(flags).await?;
        serve(config, environment, flags, listeners, shutdown).await
    })
}

/// The configuration in `file`, or everything that is wrong with it.
fn load(file: &Path, environment: &Environment) -> Result<Config> {
    Config::load(file, environment).map_err(|faults| unusable(file, &faults))
}

/// Everything that is wrong with the configuration in `file`.
pub(super) fn unusable(file: &Path, faults: &Faults) -> Error {
    anyhow!("the configuration {} cannot be used:\n{faults}", file.display())
}

/// Runs `main` to its end on a runtime of its own.
pub(super) fn in_runtime(main: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime: Runtime =
        Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().context("cannot start")?;
    let outcome = runtime.block_on(main);
    runtime.shutdown_timeout(FAREWELL);
    outcome
}

/// Cancelled by SIGTERM and SIGINT.
pub(super) fn on_signal() -> Result<CancellationToken> {
    let token = CancellationToken::new();
    for (name, kind) in [("SIGTERM", SignalKind::terminate()), ("SIGINT", SignalKind::interrupt())] {
        let mut signals = signal(kind).with_context(|| format!("cannot wait for {name}"))?;
        let token = token.clone();
        tokio::spawn(async move {
            signals.recv().await;
            info!(signal = name, "stopping");
            token.cancel();
        });
    }
    Ok(token)
}

/// Listens where `flags` say.
pub(super) async fn bind(flags: &ServeFlags) -> Result<Vec<TcpListener>> {
    let mut listeners = vec![];
    for address in &flags.listen_addresses {
        let listener = address
            .bind()
            .await
            .with_context(|| format!("cannot listen on {address}: choose another with --web.listen-address"))?;
        let bound = listener.local_addr().with_context(|| format!("cannot listen on {address}"))?;
        info!(address = %bound, "listening");
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Polls and serves until `shutdown`.
pub(super) async fn serve(
    config: Config,
    environment: Environment,
    flags: &ServeFlags,
    listeners: Vec<TcpListener>,
    shutdown: CancellationToken,
) -> Result<()> {
    let endpoints = config.accounts.iter().map(|account| &account.endpoint);
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        environment,
        transport: Arc::new(HttpTransport::to(endpoints).context(
            "cannot set up TLS: install the certificate authorities (package ca-certificates) or set SSL_CERT_FILE",
        )?),
        random: fastrand::Rng::new(),
    };
    let app = App::build(config, flags.telemetry_path.clone(), surroundings)?;
    info!(version = env!("CARGO_PKG_VERSION"), revision = env!("BUILD_REVISION"), "started");
    app.run(listeners, shutdown).await?;
    info!("stopped");
    Ok(())
}
