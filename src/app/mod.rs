//! Wires the parts together, supervises their tasks, reloads and stops them.
//!
//! - [`ConfigSource`] loads the configuration.
//! - `supervisor` starts, changes and stops the accounts' pollers.
//! - `config_watcher` follows the files of the configuration, `uins_file_watcher` each `uins_file`.
//! - [`sweep`] polls every user once, with the same pollers and without the rest.
//! - [`connect`] checks the connection to each account's API.
//! - `credential_cache` makes the credential sources, one for all accounts with the same configuration.
//! - `persistence` saves and restores the inventory.
//! - `tasks` detects a task that ends unexpectedly.

mod config_source;
mod config_watcher;
pub mod connect;
mod credential_cache;
mod persistence;
mod supervisor;
pub mod sweep;
mod tasks;
mod uins_file_watcher;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use exporter_toolkit::{
    Guard, Handler, MAX_CONNECTIONS, MAX_PROBE_CONNECTIONS, NotReloaded, Outcome, Probes, Reloader, Reloads, Scrapes,
    TelemetryPath, serve, systemd,
};
use parking_lot::Mutex;
use prometheus::IntCounter;
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc, watch},
    task::{JoinError, JoinHandle, spawn_blocking},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

pub use config_source::ConfigSource;
pub use sweep::{Sweep, Swept};
use tencentcloud_api::{Clock, Transport};

use self::{supervisor::Supervisor, tasks::Tasks, uins_file_watcher::UinsFileChange};
use crate::{
    allocator,
    config::{self, Config, Faults},
    environment::Environment,
    inventory::Inventory,
    metrics::{Families, Metrics, Own},
    state::{Refused, State},
    web::{CamExporter, Readiness, Routes, Status},
};

/// How long a start, a reload or a look waits for a file. A mount that hangs must not hang the exporter.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the state file may take to be read: a large one takes some seconds.
const STATE_TIMEOUT: Duration = Duration::from_secs(30);

const HANGS: &str = "reading the file takes longer than 5 s: check the mount";

/// How often files are looked at for a change.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Changes of users' files that may wait for their turn.
const MAX_PENDING_CHANGES: usize = 16;

/// What the exporter takes from its dependencies. Tests hand in their own.
pub struct Dependencies {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The environment variables.
    pub environment: Environment,
    /// What carries requests to the APIs.
    pub transport: Arc<dyn Transport>,
    /// Jitters retries.
    pub random: Mutex<fastrand::Rng>,
}

/// How the exporter is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Path under which to expose metrics.
    pub telemetry_path: TelemetryPath,
    /// Whether a request may reload.
    pub lifecycle: bool,
    /// Which families are exposed.
    pub families: Families,
    /// How many scrapes may be under way at once; 0 is no limit.
    pub max_requests: usize,
    /// Whether it starts without a configuration that can be used, and waits for one.
    pub config_optional: bool,
    /// The web configuration: TLS, authentication and rate limit.
    pub guard: Arc<Guard>,
    /// Counts the log lines that were dropped, where the log can drop any.
    pub log_lines_dropped: Option<IntCounter>,
}

/// Where the exporter is served.
#[derive(Debug, Default)]
pub struct Listeners {
    /// What everything is served on.
    pub web: Vec<TcpListener>,
    /// What the probes alone are served on.
    pub probes: Option<TcpListener>,
}

/// An exporter that is ready to run.
pub struct App {
    /// The configuration to start with; `None` if it is invalid and optional.
    config: Option<Config>,
    /// Whether the pollers run: not before there is a valid configuration.
    is_polling: bool,
    source: Arc<ConfigSource>,
    /// A read of the configuration that a reload has not waited for.
    loading: Option<JoinHandle<Result<Config, Faults>>>,
    supervisor: Supervisor,
    inventory: Arc<Inventory>,
    state_file: watch::Sender<Option<PathBuf>>,
    uins_file_changes: mpsc::Receiver<UinsFileChange>,
    members_changed: Arc<Notify>,
    routes: Arc<Routes>,
    max_requests: usize,
    guard: Arc<Guard>,
    own: Arc<Own>,
    clock: Arc<dyn Clock>,
    reloader: Reloader,
    reloads: Reloads,
    /// Also cancelled when a task has ended unexpectedly.
    stopping: CancellationToken,
}

/// Why an exporter cannot start, or has stopped by itself.
#[derive(Debug, Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error("the configuration cannot be used:\n{0}")]
    Config(Faults),
    /// The state file cannot be read, and may be good.
    #[error("repair the state file, move it away, or set another state_file")]
    State(#[from] Refused),
    /// Two metrics of one name: a fault of ours.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Transport(#[from] tencentcloud_api::Error),
    /// A task that has no end ended.
    #[error("{0} exited unexpectedly")]
    Ended(String),
    /// A task panicked.
    #[error("{task} died")]
    Died {
        /// What the task did.
        task: String,
        /// How it died.
        source: JoinError,
    },
}

// === impl App ===

impl App {
    /// Wires an exporter of the configuration that `source` gives, now and at each reload. Does nothing yet.
    ///
    /// # Errors
    /// See [`Error::Config`], which is none where the configuration is optional, and [`Error::Metrics`].
    pub fn build(source: ConfigSource, options: Options, dependencies: Dependencies) -> Result<Self, Error> {
        let config = match source.load() {
            Ok(config) => Some(config),
            Err(faults) if options.config_optional => {
                error!(%faults, "invalid configuration, not polling until it is fixed");
                None
            }
            Err(faults) => return Err(Error::Config(faults)),
        };
        let stopping = CancellationToken::new();
        let readiness = Arc::new(Readiness::new(stopping.clone()));
        let clock = Arc::clone(&dependencies.clock);
        let inventory = Arc::new(Inventory::new(vec![]));
        inventory.set_shard(source.shard().ordinal());
        let own = Arc::new(Own::with_log_lines_dropped(options.log_lines_dropped)?);
        own.sharded(source.shard().ordinal(), source.shard().total().get());
        if config.is_some() {
            own.config_loaded(clock.now());
        }
        let metrics = Arc::new(Metrics::new(Arc::clone(&inventory), &own, Arc::clone(&clock), options.families)?);
        let (reloader, reloads) = Reloader::new();
        let status =
            Status::new(Arc::clone(&inventory), Arc::clone(&own), Arc::clone(&clock), options.telemetry_path.clone());
        let exporter = CamExporter::new(metrics, Arc::clone(&inventory), Arc::clone(&readiness), status);
        let lifecycle = options.lifecycle.then(|| reloader.clone());
        let routes = Arc::new(Routes::new(exporter, options.telemetry_path, lifecycle));
        let (changes_sender, uins_file_changes) = mpsc::channel(MAX_PENDING_CHANGES);
        let members_changed = Arc::new(Notify::new());
        let supervisor = Supervisor::new(
            dependencies,
            Arc::clone(&inventory),
            Arc::clone(&own),
            readiness,
            stopping.clone(),
            changes_sender,
            Arc::clone(&members_changed),
        );
        let state_file = watch::Sender::new(None);
        let source = Arc::new(source);
        let (max_requests, guard) = (options.max_requests, options.guard);
        Ok(Self {
            config,
            is_polling: false,
            source,
            loading: None,
            supervisor,
            inventory,
            state_file,
            uins_file_changes,
            members_changed,
            routes,
            max_requests,
            guard,
            own,
            clock,
            reloader,
            reloads,
            stopping,
        })
    }

    /// Where to ask for a reload.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// What it serves.
    #[must_use]
    pub fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes)
    }

    /// Polls, and serves on `listeners`, until `shutdown`; then all has stopped within a second.
    ///
    /// # Errors
    /// A task ended or died: better no exporter than half of one.
    pub async fn run(mut self, listeners: Listeners, shutdown: CancellationToken) -> Result<(), Error> {
        let mut tasks = Tasks::default();
        self.serve_probes(listeners.probes, &mut tasks);
        if let Some(config) = self.config.take() {
            // A file may hang; the exporter stops all the same.
            let Some(started) = shutdown.run_until_cancelled(self.start_polling(config, &mut tasks)).await else {
                self.stopping.cancel();
                tasks.shut_down().await;
                return Ok(());
            };
            started?;
        }
        self.serve(listeners.web, &mut tasks);
        info!(version = env!("CARGO_PKG_VERSION"), revision = env!("BUILD_REVISION"), "started");
        systemd::ready();
        let watch_config = config_watcher::follow(
            Arc::clone(&self.source),
            Arc::clone(&self.clock),
            Arc::clone(&self.own),
            self.reloader(),
        );
        let stopping = &self.stopping;
        tasks.spawn_until(stopping.clone(), "the watcher of the configuration", watch_config);
        tasks.spawn_until(stopping.clone(), "the return of freed memory", allocator::keep_trimmed());
        tasks.spawn_until(stopping.clone(), "the watchdog of systemd", systemd::keep_watchdog());
        let keep = persistence::keep(Arc::clone(&self.inventory), self.state_file.subscribe(), stopping.clone());
        tasks.spawn("the keeper of the state file", keep);

        let outcome = loop {
            tokio::select! {
                () = shutdown.cancelled() => break Ok(()),
                error = tasks.first_unexpected_end() => break Err(error),
                Some(change) = self.uins_file_changes.recv() => self.supervisor.apply_uins_file(change),
                () = self.members_changed.notified() => self.supervisor.sync_members(&mut tasks),
                Some(asked) = self.reloads.next() => {
                    // A file may hang; the exporter stops all the same.
                    systemd::reloading();
                    let reload = shutdown.run_until_cancelled(self.reload(&mut tasks));
                    let outcome = reload.await.unwrap_or(Err(NotReloaded::Stopping));
                    systemd::ready();
                    // The client may have disconnected.
                    let _ = asked.send(outcome);
                }
            }
        };
        systemd::stopping();
        self.stopping.cancel();
        tasks.shut_down().await;
        outcome
    }

    fn serve(&self, listeners: Vec<TcpListener>, tasks: &mut Tasks) {
        let scrapes = Arc::new(Scrapes::new(Arc::clone(&self.routes), self.max_requests, Arc::clone(&self.own) as _));
        for listener in listeners {
            self.serve_on(listener, Arc::clone(&self.guard), Arc::clone(&scrapes), MAX_CONNECTIONS, tasks);
        }
    }

    /// Probes are answered while a large state file is still being read.
    fn serve_probes(&self, listener: Option<TcpListener>, tasks: &mut Tasks) {
        let Some(listener) = listener else { return };
        let probes = Arc::new(Probes::new(Arc::clone(&self.routes)));
        self.serve_on(listener, Arc::new(Guard::open()), probes, MAX_PROBE_CONNECTIONS, tasks);
    }

    fn serve_on(
        &self,
        listener: TcpListener,
        guard: Arc<Guard>,
        handler: Arc<impl Handler>,
        max_connections: usize,
        tasks: &mut Tasks,
    ) {
        let name = listener.local_addr().map_or_else(|_| "a listener".to_owned(), |at| format!("the listener at {at}"));
        let (own, stopping) = (Arc::clone(&self.own), self.stopping.clone());
        tasks.spawn(name, serve(listener, guard, own as _, handler, max_connections, stopping));
    }

    /// Starts polling, with the data from before the restart.
    async fn start_polling(&mut self, config: Config, tasks: &mut Tasks) -> Result<(), Refused> {
        let state = match config.state_file.clone() {
            Some(path) => {
                let (configured, of) = (config.accounts.clone(), path.clone());
                let load = timeout(STATE_TIMEOUT, spawn_blocking(move || persistence::load(&of, &configured)));
                // One that panics has loaded nothing.
                load.await.map_err(|_| Refused::hanging(path, STATE_TIMEOUT))?.unwrap_or(Ok(None))?
            }
            None => None,
        };
        self.supervisor.set_accounts(config.accounts.clone(), tasks).await;
        if let Some(state) = state {
            self.restore(state, config.accounts, tasks).await;
        }
        self.state_file.send_replace(config.state_file);
        self.supervisor.sync_pollers(tasks);
        self.is_polling = true;
        Ok(())
    }

    /// Restores the data of these accounts and of the members of their organizations.
    async fn restore(&mut self, state: State, configured: Vec<config::Account>, tasks: &mut Tasks) {
        state.restore_members(&self.inventory, |name| {
            configured.iter().any(|account| account.name == *name && account.organization.is_some())
        });
        // With the members, which are accounts now.
        self.supervisor.set_accounts(configured, tasks).await;
        let (inventory, configured, now) =
            (Arc::clone(&self.inventory), self.supervisor.configured(), self.clock.now());
        // One that panics has restored nothing.
        let _ = spawn_blocking(move || persistence::restore(state, &inventory, &configured, now)).await;
    }

    /// Applies another configuration, or starts polling with the first valid one.
    async fn apply(&mut self, config: Config, tasks: &mut Tasks) -> Result<(), Refused> {
        if !self.is_polling {
            return self.start_polling(config, tasks).await;
        }
        self.supervisor.set_accounts(config.accounts, tasks).await;
        self.supervisor.sync_pollers(tasks);
        self.state_file.send_if_modified(|path| {
            let moved = *path != config.state_file;
            *path = config.state_file;
            moved
        });
        Ok(())
    }

    /// Reads the configuration, or says why it cannot be used.
    async fn load(&mut self) -> Result<Config, String> {
        if let Some(earlier) = &mut self.loading {
            // It holds a thread, and the next would hang as well. What it finds is outdated.
            let _ = timeout(READ_TIMEOUT, earlier).await.map_err(|_| HANGS)?;
        }
        let source = Arc::clone(&self.source);
        let loading = self.loading.insert(spawn_blocking(move || source.load()));
        let loaded = timeout(READ_TIMEOUT, loading).await.map_err(|_| HANGS)?;
        self.loading = None;
        loaded.map_err(|error| error.to_string())?.map_err(|faults| faults.to_string())
    }

    async fn reload(&mut self, tasks: &mut Tasks) -> Outcome {
        let refused = match self.load().await {
            Ok(config) => match self.apply(config, tasks).await {
                Ok(()) => {
                    self.own.config_loaded(self.clock.now());
                    info!("configuration reloaded");
                    return Ok(());
                }
                Err(refused) => refused.to_string(),
            },
            Err(refused) => refused,
        };
        self.own.config_refused();
        let meanwhile = if self.is_polling { "keeping the last valid one" } else { "not polling until it is fixed" };
        error!(faults = %refused, "invalid configuration, {meanwhile}");
        Err(NotReloaded::Refused(refused))
    }
}

// === impl Dependencies ===

impl Dependencies {
    /// Another source of randomness: accounts that fail together must not come back together.
    fn random(&self) -> fastrand::Rng {
        self.random.lock().fork()
    }
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dependencies").finish_non_exhaustive()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("source", &self.source).finish_non_exhaustive()
    }
}
