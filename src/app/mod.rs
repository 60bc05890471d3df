//! Wires the parts together, supervises their tasks, and stops them.

use std::{collections::HashMap, fmt, sync::Arc};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    task::{Id, JoinError, JoinSet},
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    config::{self, Config},
    credentials::{self, Env, File},
    environment::Environment,
    inventory::{Account, Facts, Inventory},
    metrics::{Metrics, Own},
    poll::{Poller, Wiring},
    tencent::{Client, Transport},
    web::{self, Readiness, Routes, TelemetryPath},
};

/// The time that tasks have left once the exporter stops; those still there are dropped then.
const FAREWELL: Duration = Duration::from_millis(700);

/// What the exporter takes from its surroundings. Tests hand in their own.
pub struct Surroundings {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The environment variables.
    pub environment: Environment,
    /// What carries requests to the APIs.
    pub transport: Arc<dyn Transport>,
    /// Jitters retries.
    pub random: fastrand::Rng,
}

/// An exporter that is ready to run.
#[derive(Debug)]
pub struct App {
    pollers: Vec<(String, Poller)>,
    routes: Arc<Routes>,
    stopping: CancellationToken,
}

/// Why an exporter cannot start, or stopped without being told to.
#[derive(Debug, Error)]
pub enum Error {
    /// Two metrics of one name: a fault of ours.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
    /// A task that has no end ended.
    #[error("{0} ended, though nobody told it to")]
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
    /// Wires an exporter of `config`, which serves its metrics at `telemetry_path`. Does nothing yet.
    ///
    /// # Errors
    /// See [`Error::Metrics`].
    pub fn build(config: Config, telemetry_path: TelemetryPath, mut surroundings: Surroundings) -> Result<Self, Error> {
        let stopping = CancellationToken::new();
        let readiness = Arc::new(Readiness::new(stopping.clone()));
        let own = Own::new(surroundings.clock.now())?;

        let mut accounts = vec![];
        let mut pollers = vec![];
        for configured in config.accounts {
            let account = Arc::new(Account::new(facts(&configured), configured.uins));
            let on_attempt = {
                let readiness = Arc::clone(&readiness);
                Box::new(move || readiness.poll_attempted())
            };
            let wiring = Wiring {
                credentials: source(configured.credentials, &surroundings),
                client: Client::new(
                    configured.endpoint.clone(),
                    configured.region,
                    configured.keys.time_zone,
                    configured.poll.timeout.get(),
                    Arc::clone(&surroundings.transport),
                    Arc::clone(&surroundings.clock),
                ),
                account: Arc::clone(&account),
                metrics: own.account(&configured.name),
                clock: Arc::clone(&surroundings.clock),
                on_attempt,
            };
            // Each its own: accounts that fail together must not come back together.
            let poller = Poller::new(wiring, &configured.poll, surroundings.random.fork());
            pollers.push((format!("the poller of account {}", configured.name), poller));
            info!(
                account = %configured.name,
                users = account.users().len(),
                endpoint = %configured.endpoint,
                interval = %humantime::format_duration(configured.poll.interval.get()),
                "polling"
            );
            accounts.push(account);
        }

        let inventory = Arc::new(Inventory::new(accounts));
        let metrics = Arc::new(Metrics::new(inventory, &own, Arc::clone(&surroundings.clock))?);
        Ok(Self { pollers, routes: Arc::new(Routes::new(metrics, readiness, telemetry_path)), stopping })
    }

    /// Polls, and serves on `listeners`, until `shutdown`; then all has stopped within a second.
    ///
    /// # Errors
    /// A task ended or died: better no exporter than half of one.
    pub async fn run(self, listeners: Vec<TcpListener>, shutdown: CancellationToken) -> Result<(), Error> {
        let mut tasks = Tasks::default();
        for (name, poller) in self.pollers {
            tasks.spawn(name, poller.run(self.stopping.clone()));
        }
        for listener in listeners {
            let name =
                listener.local_addr().map_or_else(|_| "a listener".to_owned(), |at| format!("the listener at {at}"));
            tasks.spawn(name, web::serve(listener, Arc::clone(&self.routes), self.stopping.clone()));
        }
        let outcome = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            error = tasks.first_to_end() => Err(error),
        };
        self.stopping.cancel();
        tasks.say_farewell().await;
        outcome
    }
}

fn facts(account: &config::Account) -> Facts {
    Facts {
        name: account.name.clone(),
        key_limit: account.keys.limit,
        key_max_age: account.keys.max_age,
        id_label: account.keys.id_label,
        poll_interval: account.poll.interval.get(),
        rate_limit: account.poll.rate_limit.get().get(),
    }
}

fn source(configured: config::Credentials, surroundings: &Surroundings) -> credentials::Source {
    match configured {
        config::Credentials::Env => credentials::Source::Env(Env::new(surroundings.environment.clone())),
        config::Credentials::File(paths) => {
            credentials::Source::File(Arc::new(File::new(paths, Arc::clone(&surroundings.clock))))
        }
    }
}

/// The tasks of an exporter, each with a name.
#[derive(Default)]
struct Tasks {
    set: JoinSet<()>,
    names: HashMap<Id, String>,
}

// === impl Tasks ===

impl Tasks {
    fn spawn(&mut self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until a task has ended, which none does of itself.
    async fn first_to_end(&mut self) -> Error {
        match self.set.join_next_with_id().await {
            Some(Ok((id, ()))) => Error::Ended(self.name(id)),
            Some(Err(source)) => Error::Died { task: self.name(source.id()), source },
            None => Error::Ended("every task".to_owned()),
        }
    }

    async fn say_farewell(&mut self) {
        let all = async { while self.set.join_next().await.is_some() {} };
        if timeout(FAREWELL, all).await.is_err() {
            warn!(tasks = self.set.len(), "not everything stopped in time: dropping the rest");
        }
    }

    fn name(&self, id: Id) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| "a task".to_owned())
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}
