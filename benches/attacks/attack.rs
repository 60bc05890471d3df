//! The attacks by name.

use std::{fs, future::pending, process::Command, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use crate::{
    api::Answers,
    exporter::{Setup, Stderr, config_file, signal},
    field::Field,
    http1, http2,
    state::State,
    tls,
};

/// Stands for all attacks over the network.
pub(crate) const CLIENTS: &str = "clients";

/// A reload that fails here has to be told.
pub(crate) const CONFIG_FIFO: &str = "config-fifo";

/// What the manifests allow a sidecar, and an exporter by itself.
const SIDECAR: u64 = 64;
const ALONE: u64 = 128;

const SECONDS: u64 = 15;

/// Until all slow readers have come.
const ALL_READERS: u64 = 60;

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) setup: Setup,
    /// How much memory the exporter may take, in MiB.
    pub(crate) goal: u64,
    /// How long it lasts, unless the command line says otherwise.
    pub(crate) seconds: u64,
    /// Attackers at the same time; none where it is not the network that attacks.
    pub(crate) clients: usize,
    pub(crate) play: Play,
}

/// Goes on until it is dropped.
pub(crate) type Play = fn(Arc<Field>) -> BoxFuture<'static, ()>;

const PLAIN: Setup = Setup::PLAIN;
const AUTH: Setup = Setup { auth: true, ..PLAIN };
const TLS: Setup = Setup { tls: true, ..PLAIN };
const DEMO: Setup = Setup { demo: true, ..PLAIN };
const MANY_ACCOUNTS: Setup = Setup { accounts: 100, users: 10_000, interval: 900, ..PLAIN };
const MANY_USERS: Setup = Setup { accounts: 1, ..MANY_ACCOUNTS };

macro_rules! play {
    ($function:path) => {
        |field| Box::pin($function(field))
    };
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::network("pipeline", DEMO, 256, play!(http1::pipeline)).with_goal(48),
    Attack::network("pipeline-small", DEMO, 400, play!(http1::pipeline_small)).with_goal(48),
    Attack::network("pipeline-auth", AUTH, 256, play!(http1::pipeline)).with_goal(48),
    Attack::network("slow-readers", MANY_ACCOUNTS, 200, play!(http1::slow_readers)).with_goal(80).lasting(ALL_READERS),
    Attack::network("slow-readers-gzip", MANY_ACCOUNTS, 200, play!(http1::slow_readers_gzip))
        .with_goal(80)
        .lasting(ALL_READERS),
    Attack::network("slow-readers-one-account", MANY_USERS, 200, play!(http1::slow_readers))
        .with_goal(80)
        .lasting(ALL_READERS),
    Attack::network("slow-readers-one-account-gzip", MANY_USERS, 200, play!(http1::slow_readers_gzip))
        .with_goal(80)
        .lasting(ALL_READERS),
    Attack::network("stalled", PLAIN, 300, play!(http1::stalled)),
    Attack::network("stalled-many-users", MANY_USERS, 300, play!(http1::stalled)).with_goal(ALONE),
    Attack::network("half-heads", PLAIN, 300, play!(http1::half_heads)),
    Attack::network("drip-heads", PLAIN, 300, play!(http1::drip_heads)),
    Attack::network("header-bombs", PLAIN, 100, play!(http1::header_bombs)),
    Attack::network("many-headers", PLAIN, 100, play!(http1::many_headers)),
    Attack::network("long-uris", PLAIN, 100, play!(http1::long_uris)),
    Attack::network("bodies", PLAIN, 100, play!(http1::bodies)),
    Attack::network("chunked", PLAIN, 100, play!(http1::chunked)),
    Attack::network("upgrades", PLAIN, 100, play!(http1::upgrades)),
    Attack::network("silent", PLAIN, 300, play!(http1::silent)),
    Attack::network("page", PLAIN, 200, play!(http1::page)),
    Attack::network("scrapes", PLAIN, 200, play!(http1::scrapes)),
    Attack::network("passwords", AUTH, 100, play!(http1::passwords)),
    Attack::network("h2-streams", TLS, 50, play!(http2::streams)),
    Attack::network("h2-rapid-reset", TLS, 50, play!(http2::rapid_reset)),
    Attack::network("h2-pings", TLS, 50, play!(http2::pings)),
    Attack::network("h2-settings", TLS, 50, play!(http2::settings)),
    Attack::network("h2-continuation", TLS, 50, play!(http2::continuation)),
    Attack::network("h2-starved", TLS, 100, play!(http2::starved)),
    Attack::network("h2-trickle", TLS, 100, play!(http2::trickle)),
    Attack::network("tls-half", TLS, 300, play!(tls::half)),
    Attack::network("tls-flood", TLS, 100, play!(tls::flood)),
    Attack::network("tls-renegotiation", TLS, 10, play!(tls::renegotiation)),
    Attack::network("descriptors", Setup { descriptors: Some(64), ..PLAIN }, 200, play!(http1::silent)),
    Attack::api("api-keys", Answers::ManyKeys),
    Attack::api("api-json", Answers::DeepJson),
    Attack::api("api-drip", Answers::Drip),
    Attack::api("api-users", Answers::ManyUsers),
    Attack::api("api-members", Answers::EndlessMembers),
    Attack::api("api-refusals-of-9999", Answers::LateRefusals),
    Attack::api("api-credentials-of-9999", Answers::LateCredentials),
    Attack::api("api-headers", Answers::LargeHeaders),
    Attack::local("state-sparse", Setup { state: State::Sparse, ..PLAIN }, |_| Box::pin(pending())),
    Attack::local("state-foreign", Setup { state: State::Foreign, ..PLAIN }, |_| Box::pin(pending())),
    Attack::local(CONFIG_FIFO, PLAIN, play!(config_becomes_a_fifo)),
    Attack::local("stderr-full", Setup { stderr: Stderr::Full, ..PLAIN }, |_| Box::pin(pending())),
];

// === impl Attack ===

impl Attack {
    const fn network(name: &'static str, setup: Setup, clients: usize, play: Play) -> Self {
        Self { name, setup, goal: SIDECAR, seconds: SECONDS, clients, play }
    }

    /// Few users are polled, each often.
    const fn api(name: &'static str, answers: Answers) -> Self {
        let setup = Setup { answers, users: 10, interval: 10, state: State::Absent, ..PLAIN };
        Self::local(name, setup, |_| Box::pin(pending()))
    }

    const fn local(name: &'static str, setup: Setup, play: Play) -> Self {
        Self { name, setup, goal: SIDECAR, seconds: SECONDS, clients: 0, play }
    }

    const fn with_goal(self, goal: u64) -> Self {
        Self { goal, ..self }
    }

    const fn lasting(self, seconds: u64) -> Self {
        Self { seconds, ..self }
    }

    pub(crate) fn is_network(&self) -> bool {
        self.clients > 0
    }
}

/// The configuration is replaced by a pipe that nobody writes to, and is to be loaded again.
async fn config_becomes_a_fifo(field: Arc<Field>) {
    sleep(Duration::from_secs(1)).await;
    let (config, fifo) = (config_file(&field.folder), field.folder.join("fifo"));
    let _ = Command::new("mkfifo").arg(&fifo).status();
    fs::rename(fifo, config).unwrap();
    signal(field.process, "HUP");
    pending::<()>().await;
}
