//! Runs the daemon.

use std::{net, path::Path, sync::Arc, thread, time::Duration};

use anyhow::{Context, Result, anyhow, ensure};
use exporter_toolkit::{Guard, ListenAddress, Reloader, systemd};
use parking_lot::Mutex;
use prometheus::IntCounter;
use tencentcloud_api::{Clock as _, HttpTransport, Proxies, SystemClock};
use tencentcloud_cam_exporter::{
    PROGRAM, allocator,
    app::{App, ConfigSource, Dependencies, Error, Listeners, Options},
    config::Faults,
    environment::Environment,
};
use tokio::{
    net::TcpListener,
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{ConfigFlags, ServeFlags, log};

/// What a thread that hangs in a system call may delay the exit.
const THREADS_TIMEOUT: Duration = Duration::from_millis(100);

/// How long an idle thread of the blocking pool lives: longer than the process.
const KEEP_ALIVE: Duration = Duration::from_hours(24 * 365);

/// Why there is no thread where the system refuses one.
pub(super) const NO_THREAD: &str =
    "cannot start a thread: raise the limit on processes (ulimit -u, TasksMax, pids.max)";

pub(super) fn run(config: &ConfigFlags, optional: bool, flags: &ServeFlags) -> Result<()> {
    let shard = config.shard();
    let sockets = systemd_sockets(flags)?;
    let log_lines_dropped = log::start(&flags.log)?;
    let environment = Environment::of_this_process();
    let file = config.file();
    let source = ConfigSource::file(file.to_owned(), environment.clone(), shard);
    in_runtime(async {
        let options = Options { config_optional: optional, ..options(flags, guard(flags)?, log_lines_dropped) };
        let app = App::build(source, options, dependencies(environment)?)
            .map_err(|error| if let Error::Config(faults) = &error { refused(file, faults) } else { error.into() })?;
        let shutdown = on_signals(&app.reloader())?;
        let listeners = bind(flags, sockets).await?;
        serve(app, listeners, shutdown).await
    })
}

/// The error for a configuration file that is wrong.
pub(super) fn refused(file: &Path, faults: &Faults) -> anyhow::Error {
    anyhow!("the configuration {} cannot be used:\n{faults}", file.display())
}

/// The error for a web configuration file that is wrong.
pub(super) fn refused_for_web(file: &Path, faults: &Faults) -> anyhow::Error {
    anyhow!("the web configuration {} cannot be used:\n{faults}", file.display())
}

/// Who stands before the server.
pub(super) fn guard(flags: &ServeFlags) -> Result<Arc<Guard>> {
    let Some(file) = flags.web_config.file() else { return Ok(Arc::new(Guard::open())) };
    let guard = Guard::load(file, || SystemClock.now()).map_err(|faults| refused_for_web(file, &faults))?;
    info!(file = %file.display(), serves = guard.summary(), "loaded web configuration");
    Ok(Arc::new(guard))
}

/// Runs `main` to its end on a runtime of its own. One thread does: the exporter waits for the network nearly all the
/// time, shares its machine with an application, and what it computes at length goes to threads of its own.
///
/// # Errors
/// Those of `main`, and that the system allows no other thread.
pub(super) fn in_runtime<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    allocator::limit_arenas();
    // The pool of blocking threads panics where it has no thread and the system allows none. So the first is started where
    // a failure can be reported, and no thread of the pool ends while the process lives.
    let possible = thread::Builder::new().spawn(|| {}).map(|thread| thread.join().is_ok());
    possible.context(NO_THREAD)?;
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().thread_keep_alive(KEEP_ALIVE).build().context("cannot start")?;
    drop(runtime.spawn_blocking(|| {}));
    let outcome = runtime.block_on(main);
    runtime.shutdown_timeout(THREADS_TIMEOUT);
    outcome
}

/// Cancelled by SIGTERM and SIGINT. SIGHUP reloads.
pub(super) fn on_signals(reloader: &Reloader) -> Result<CancellationToken> {
    let token = stop_on_signals()?;
    let mut hangups = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    let reloader = reloader.clone();
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            info!(signal = "SIGHUP", "reloading");
            // How it went is logged where it is done.
            let _ = reloader.reload().await;
        }
    });
    Ok(token)
}

/// Cancelled by SIGTERM and SIGINT.
pub(super) fn stop_on_signals() -> Result<CancellationToken> {
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

/// The sockets of systemd, if `flags` ask for them. Call it while the process has one thread.
pub(super) fn systemd_sockets(flags: &ServeFlags) -> Result<Vec<net::TcpListener>> {
    if !flags.systemd_socket {
        return Ok(vec![]);
    }
    let sockets = systemd::listeners().context("cannot use the sockets of systemd")?;
    ensure!(!sockets.is_empty(), "systemd passes no socket: start the .socket unit, or omit --web.systemd-socket");
    Ok(sockets)
}

/// Listens on `sockets`, otherwise where `flags` say.
pub(super) async fn bind(flags: &ServeFlags, sockets: Vec<net::TcpListener>) -> Result<Listeners> {
    let mut listeners = Listeners::default();
    let addresses = if sockets.is_empty() { flags.listen_addresses.as_slice() } else { &[] };
    for socket in sockets {
        let listener = TcpListener::from_std(socket).context("cannot use a socket of systemd")?;
        info!(address = %listener.local_addr().context("cannot use a socket of systemd")?, "listening on a socket of systemd");
        listeners.web.push(listener);
    }
    for address in addresses {
        listeners.web.push(listen(address, "--web.listen-address", "listening").await?);
    }
    if let Some(address) = &flags.probe_address {
        listeners.probes = Some(listen(address, "--probe.listen-address", "listening for probes").await?);
    }
    Ok(listeners)
}

async fn listen(address: &ListenAddress, flag: &str, message: &str) -> Result<TcpListener> {
    let listener =
        address.bind().await.with_context(|| format!("cannot listen on {address}: choose another with {flag}"))?;
    let bound = listener.local_addr().with_context(|| format!("cannot listen on {address}"))?;
    info!(address = %bound, "{message}");
    Ok(listener)
}

/// What `flags` say of serving, behind `guard`.
pub(super) fn options(flags: &ServeFlags, guard: Arc<Guard>, log_lines_dropped: IntCounter) -> Options {
    Options {
        telemetry_path: flags.telemetry_path.clone(),
        lifecycle: flags.lifecycle,
        families: flags.families(),
        max_requests: flags.max_requests,
        config_optional: false,
        guard,
        log_lines_dropped: Some(log_lines_dropped),
    }
}

/// This machine, with that environment.
///
/// # Errors
/// A proxy variable cannot be read.
pub(super) fn dependencies(environment: Environment) -> Result<Dependencies> {
    let transport =
        HttpTransport::new(PROGRAM, Proxies::from_variables(|name| environment.var(name))?).map_err(Error::from)?;
    Ok(Dependencies {
        clock: Arc::new(SystemClock),
        environment,
        transport: Arc::new(transport),
        random: Mutex::new(fastrand::Rng::new()),
    })
}

/// Polls and serves until `shutdown`.
pub(super) async fn serve(app: App, listeners: Listeners, shutdown: CancellationToken) -> Result<()> {
    app.run(listeners, shutdown).await?;
    info!("stopped");
    Ok(())
}
