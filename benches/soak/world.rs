//! The simulated world: the API, the metadata service, users that come and go, and the exporter's files.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    fs,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use jiff::{SignedDuration, Timestamp, tz::Offset};
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tencentcloud_api::{
    Client, Clock, Connection, Error, HttpTransport, ListAccessKeys, Proxies, SystemClock, Transport, Uin,
};
use tencentcloud_cam_exporter::{PROGRAM, app::Dependencies, environment::Environment};
use tencentcloud_simulator::{
    Caller, Fault, Key, Machine, Population, Rejection, Role, Simulator, Times, User, serve, serve_metadata,
};
use tokio::{
    net::TcpListener,
    task::spawn_blocking,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::allocations::Directly;

pub(crate) const CALLER: u64 = 100_013_000_000;

/// How many users the accounts have that find them, list them and read them from a file.
const USERS: [usize; 3] = [400, 300, 300];

/// How many users of the second account are also polled by one that comes and goes.
const VISITED: usize = 10;

/// How many users leave and are replaced in a round.
pub(crate) const REPLACED_A_ROUND: u64 = 5;

const ROTATED_A_ROUND: usize = 10;

/// The most requests that the simulator remembers.
const REMEMBERED: u64 = 100_000;

/// Less than the API's limit.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(60);

/// A wall clock that goes with tokio's, which is paused. It starts at the true time, because files have that.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    start: Timestamp,
    since: Instant,
}

/// The true HTTP client. While it has a request, the clock stands still: tokio's clock does not know that the network has
/// something to deliver.
struct Http {
    client: HttpTransport,
    /// As long as it exists, a blocking task waits for its end, and tokio does not advance the clock.
    standstill: Mutex<Weak<mpsc::Sender<()>>>,
    polls: AtomicU64,
    /// To STS and the metadata service.
    credentials: AtomicU64,
}

pub(crate) struct World {
    simulator: Arc<Simulator>,
    clock: Arc<VirtualClock>,
    http: Arc<Http>,
    folder: TempDir,
    api: String,
    metadata: String,
    /// Of each account, the next to leave or to rotate a key first.
    users: [VecDeque<u64>; 3],
    next_user: u64,
    next_key: u64,
}

// === impl VirtualClock ===

impl VirtualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: SystemClock.now(), since: Instant::now() })
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.start + self.since.elapsed()
    }
}

// === impl Http ===

impl Http {
    fn new() -> Self {
        let client = HttpTransport::new(PROGRAM, Proxies::default()).unwrap();
        Self { client, standstill: Mutex::default(), polls: AtomicU64::new(0), credentials: AtomicU64::new(0) }
    }

    /// The clock stands still until all of these are dropped. One task for all requests: a thread for each would grow the process.
    fn stop_clock(&self) -> Arc<mpsc::Sender<()>> {
        let mut standstill = self.standstill.lock();
        standstill.upgrade().unwrap_or_else(|| {
            let (end, ended) = mpsc::channel();
            drop(spawn_blocking(move || ended.recv()));
            let end = Arc::new(end);
            *standstill = Arc::downgrade(&end);
            end
        })
    }
}

impl Transport for Http {
    fn send(&self, request: Request<Bytes>, connection: Connection) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        let counter = match request.headers().get("x-tc-action").map(HeaderValue::as_bytes) {
            Some(b"ListAccessKeys") => Some(&self.polls),
            Some(b"AssumeRole") | None => Some(&self.credentials),
            Some(_) => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        Box::pin(async move {
            let _standstill = self.stop_clock();
            self.client.send(request, connection).await
        })
    }
}

// === impl World ===

impl World {
    /// A world in which so many users come.
    pub(crate) async fn new(newcomers: u64) -> Self {
        let clock = VirtualClock::new();
        let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population()));
        simulator.edit_roles(|roles| {
            roles.push(Role {
                account: CALLER,
                name: "exporter".to_owned(),
                id: 1,
                trusted_callers: vec![CALLER],
                permissions: ["cam:ListAccessKeys", "cam:ListUsers", "cam:GetSecurityLastUsed"]
                    .map(str::to_owned)
                    .into(),
                ..Role::default()
            });
        });
        simulator.set_machine(Some(Machine {
            role: "exporter".to_owned(),
            lifetime: SignedDuration::from_hours(2),
            renewed_before_end: SignedDuration::from_mins(90),
        }));
        let listen = || TcpListener::bind("127.0.0.1:0");
        let (api, metadata) = (listen().await.unwrap(), listen().await.unwrap());
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let mut world = Self {
            simulator: Arc::clone(&simulator),
            clock,
            http: Arc::new(Http::new()),
            // In memory where possible: a state file is written to the disk each time.
            folder: tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap(),
            api: address(&api),
            metadata: address(&metadata),
            users: Default::default(),
            next_user: CALLER + 1,
            next_key: 0,
        };
        tokio::spawn(serve(api, Arc::clone(&simulator), CancellationToken::new()));
        tokio::spawn(serve_metadata(metadata, simulator, CancellationToken::new()));
        for (account, users) in USERS.into_iter().enumerate() {
            for _ in 0..users {
                world.add_user(account);
            }
        }
        world.fill_simulator(newcomers).await;
        world.write_files(0);
        world
    }

    /// Asks about each user who will ever be there, and then as often as the simulator remembers: it does not grow later.
    async fn fill_simulator(&self, newcomers: u64) {
        let transport = Arc::new(Directly::to(&self.simulator));
        let client = Client::new("https://cam.tencentcloudapi.com".parse().unwrap(), transport).with_zone(Offset::UTC);
        let credential = Population::demo_credential();
        let (first, users) = (CALLER + 1, self.next_user - CALLER - 1);
        let all = (first..self.next_user + newcomers).chain((0..REMEMBERED).map(|number| first + number % users));
        for uin in all {
            let action = ListAccessKeys::of(Uin::try_from(uin).unwrap());
            // Those who have not come yet do not exist.
            let _ = client.call(&credential, &action, Connection::Pooled, self.clock.now()).await;
            sleep(BETWEEN_REQUESTS).await;
        }
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    pub(crate) fn dependencies(&self) -> Dependencies {
        Dependencies {
            clock: Arc::clone(&self.clock) as _,
            environment: environment(&[("CAM_EXPORTER_METADATA_ENDPOINT", &self.metadata)]),
            transport: Arc::clone(&self.http) as _,
            random: Mutex::new(fastrand::Rng::with_seed(1)),
        }
    }

    /// How many polls were sent, and how many requests for credentials.
    pub(crate) fn requests(&self) -> (u64, u64) {
        (self.http.polls.load(Ordering::Relaxed), self.http.credentials.load(Ordering::Relaxed))
    }

    /// What happens in that round. Returns whether the configuration that it leaves is valid. The last round of each day leaves
    /// all as it was a day before.
    pub(crate) fn play(&mut self, round: u64) -> bool {
        self.simulator.clear();
        for replaced in 0..REPLACED_A_ROUND {
            let account = usize::try_from((round * REPLACED_A_ROUND + replaced) % 3).unwrap();
            let gone = self.users[account].pop_front().unwrap();
            self.simulator.edit(|population| population.users.remove(&gone));
            self.add_user(account);
        }
        let account = usize::try_from(round % 3).unwrap();
        for _ in 0..ROTATED_A_ROUND {
            let (uin, key) = (self.users[account].pop_front().unwrap(), self.key());
            self.simulator.edit(|population| {
                let keys = &mut population.users.get_mut(&uin).unwrap().keys;
                keys.remove(0);
                keys.push(key);
            });
            self.users[account].push_back(uin);
        }
        if round % 3 == 1 {
            let error = Fault::Error(Rejection::new("InternalError", "not now"));
            for fault in [error, Fault::Reset, Fault::CloseIfReused, Fault::Truncate] {
                self.simulator.inject(None, fault, Times::Next(5));
            }
        }
        if round % 6 == 4 {
            self.simulator.revoke();
        }
        if round % 4 == 2 {
            let unavailable = Response::builder().status(503).body(Bytes::new()).unwrap();
            self.simulator.inject_into_metadata(Fault::Answer(unavailable), Times::UntilCleared);
        }
        self.write_files(round)
    }

    fn add_user(&mut self, account: usize) {
        let uin = self.next_user;
        self.next_user += 1;
        let user = User::with_keys([self.key(), self.key()]);
        // Only users with names are listed.
        let user = if account == 0 { user.named(format!("sub-user-{uin}")) } else { user };
        self.simulator.edit(|population| population.users.insert(uin, user));
        self.users[account].push_back(uin);
    }

    fn key(&mut self) -> Key {
        self.next_key += 1;
        Key::new(format!("AKID{:032}", self.next_key), "Active", self.clock.now()).used(self.clock.now())
    }

    /// Returns whether the configuration is valid.
    fn write_files(&self, round: u64) -> bool {
        let [_, listed, filed] = &self.users;
        let common = format!("endpoint: '{0}', sts_endpoint: '{0}'", self.api);
        let role = format!("role_arn: 'qcs::cam::uin/{CALLER}:roleName/exporter', source: {{env: {{}}}}");
        let mut config = format!(
            "poll: {{interval: 4h}}\n\
             keys: {{id_label: full, max_age: {}d}}\n\
             accounts:\n\
             - {{name: finds, {common}, discover: {{interval: 1h}}, credentials: {{assume_role: {{{role}}}}}}}\n\
             - {{name: lists, {common}, uins: {listed:?}, last_used: {{interval: 6h}}, credentials: {{cvm_role: {{}}}}}}\n\
             - {{name: reads, {common}, uins_file: uins, credentials: {{env: {{}}}}}}\n",
            14 + round % 2,
        );
        if round % 2 == 1 {
            let visited: Vec<&u64> = listed.iter().take(VISITED).collect();
            writeln!(
                config,
                "- {{name: visits, {common}, uins: {visited:?}, credentials: {{assume_role: {{{role}, session_name: visits}}}}}}"
            )
            .unwrap();
        }
        if round % 6 == 2 {
            writeln!(config, "state_file: state").unwrap();
        }
        let is_valid = round % 4 != 3;
        if !is_valid {
            writeln!(config, "unknown: 1").unwrap();
        }
        self.replace("config.yaml", &config);
        self.replace("uins", &filed.iter().map(u64::to_string).collect::<Vec<_>>().join("\n"));
        is_valid
    }

    fn replace(&self, name: &str, text: &str) {
        let (path, new) = (self.folder.path().join(name), self.folder.path().join("new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }
}

/// Nobody but the caller.
pub(crate) fn population() -> Population {
    let caller = Caller { uin: CALLER, credential: Population::demo_credential() };
    Population { callers: vec![caller], users: BTreeMap::new() }
}

/// The caller's credential, and these variables.
pub(crate) fn environment(others: &[(&str, &str)]) -> Environment {
    let credential = Population::demo_credential();
    let pair = [
        ("TENCENTCLOUD_SECRET_ID", credential.secret_id.expose_secret()),
        ("TENCENTCLOUD_SECRET_KEY", credential.secret_key.expose_secret()),
    ];
    pair.iter().chain(others).copied().collect()
}
