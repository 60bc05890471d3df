//! A small world for a test: a simulated API on a socket, and the built binary polling it.

use std::{
    collections::BTreeMap,
    fmt,
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use tempfile::TempDir;
use tencentcloud_api::{Clock, Credential, SystemClock};
use tencentcloud_simulator::{Caller, Key, Population, Simulator, User};
use tokio::{net::TcpListener, runtime::Runtime, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::faketime::clock_variables;

pub(crate) const SECRET_ID: &str = "AKIDtestcaller000000000000000000id00";
pub(crate) const SECRET_KEY: &str = "testcallersecretkey0000000000key";

/// The user that most tests poll.
pub(crate) const UIN: u64 = 100_013_065_917;

/// How long something that must happen may take to. Only a test that fails waits so long.
const TIMEOUT: Duration = Duration::from_mins(2);

pub(crate) struct World {
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) endpoint: SocketAddr,
    pub(crate) folder: TempDir,
    runtime: Runtime,
    api: CancellationToken,
}

/// The binary, running. Stopped when dropped.
pub(crate) struct Exporter {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<thread::JoinHandle<()>>,
}

/// What a command says, and how it ends.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The lines of a log that are still to be read.
pub(crate) type LogLines = Lines<BufReader<ChildStderr>>;

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// An exposition: every series as it is printed, with its value.
pub(crate) struct Metrics(BTreeMap<String, f64>);

// === impl World ===

impl World {
    /// A world whose account has these users and a caller without a token.
    pub(crate) fn new(users: impl IntoIterator<Item = (u64, User)>) -> Self {
        Self::of(Population { callers: vec![caller(None)], users: users.into_iter().collect() })
    }

    /// A world with one user, [`UIN`], who has two keys, of which one was used.
    pub(crate) fn with_one_user() -> Self {
        let used = key("AKIDtest1", "Active", "2024-01-02T03:04:05Z").used("2024-02-03T04:05:06Z".parse().unwrap());
        let keys = [used, key("AKIDtest2", "Inactive", "2023-01-02T03:04:05Z")];
        Self::new([(UIN, User::with_keys(keys).named("somebody"))])
    }

    pub(crate) fn of(population: Population) -> Self {
        Self::at(Arc::new(SystemClock), population)
    }

    /// A world whose API has a clock of its own.
    pub(crate) fn at(clock: Arc<dyn Clock>, population: Population) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let simulator = Arc::new(Simulator::new(clock, population));
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let endpoint = listener.local_addr().unwrap();
        let api = CancellationToken::new();
        runtime.spawn(tencentcloud_simulator::serve(listener, Arc::clone(&simulator), api.clone()));
        Self { simulator, endpoint, folder: tempfile::tempdir().unwrap(), runtime, api }
    }

    /// The API goes away: from now on connections to it are refused.
    pub(crate) fn take_the_api_down(&self) {
        self.api.cancel();
        while TcpStream::connect(self.endpoint).is_ok() {
            thread::yield_now();
        }
    }

    /// The API comes back at the same place.
    pub(crate) fn bring_the_api_back(&mut self) {
        let listener = self.runtime.block_on(TcpListener::bind(self.endpoint)).unwrap();
        self.api = CancellationToken::new();
        self.runtime.spawn(tencentcloud_simulator::serve(listener, Arc::clone(&self.simulator), self.api.clone()));
    }

    /// A configuration that polls every user of the world as often as may be.
    pub(crate) fn config(&self) -> String {
        let uins = self.simulator.edit(|population| population.uins());
        format!(
            "accounts: [{{name: prod, uins: {uins:?}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\n\
             poll: {{interval: 1s, timeout: 1s, rate_limit: 20}}\n",
            self.endpoint
        )
    }

    /// As [`World::config`], with the credential from elsewhere.
    pub(crate) fn config_with(&self, credentials: &str) -> String {
        let sts = format!("sts_endpoint: 'http://{}'", self.endpoint);
        self.config().replace("credentials: {env: {}}", &format!("{sts}, credentials: {{{credentials}}}"))
    }

    /// The metadata service of a machine in this world, for as long as the API is up.
    pub(crate) fn metadata(&self) -> SocketAddr {
        let listener = self.runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        self.runtime.spawn(tencentcloud_simulator::serve_metadata(
            listener,
            Arc::clone(&self.simulator),
            self.api.clone(),
        ));
        address
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The binary with [`World::config`].
    pub(crate) fn start(&self) -> Exporter {
        self.start_with(&self.config(), &[])
    }

    pub(crate) fn start_with(&self, config: &str, flags: &[&str]) -> Exporter {
        Exporter::start(self.with_config(&mut binary(), config).args(flags))
    }

    /// The command, with the configuration in a file.
    pub(crate) fn with_config<'a>(&self, command: &'a mut Command, config: &str) -> &'a mut Command {
        let config = self.write("config.yaml", config);
        command.arg(format!("--config.file={}", config.display()))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.api.cancel();
    }
}

/// The binary, with a caller's credential in an environment that has nothing else.
pub(crate) fn binary() -> Command {
    let mut command = bare_binary();
    command.env("TENCENTCLOUD_SECRET_ID", SECRET_ID).env("TENCENTCLOUD_SECRET_KEY", SECRET_KEY);
    command
}

/// The binary, in an environment that has nothing.
pub(crate) fn bare_binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"));
    command.env_clear().envs(clock_variables());
    command
}

pub(crate) fn caller(token: Option<&str>) -> Caller {
    let token = token.map(Into::into);
    Caller {
        uin: 100_000_000_001,
        credential: Credential { secret_id: SECRET_ID.into(), secret_key: SECRET_KEY.into(), token },
    }
}

/// A key whose id is `id`, filled up to the 36 characters of a real one.
pub(crate) fn key(id: &str, status: &str, created: &str) -> Key {
    Key::new(format!("{id:x<36}"), status, created.parse().unwrap())
}

// === impl Exporter ===

impl Exporter {
    /// Starts `command` on a free port of this machine, and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), command)
    }

    /// Starts `command` there, and waits until it listens.
    pub(crate) fn start_at(address: SocketAddr, command: &mut Command) -> Self {
        let (mut exporter, lines) = Self::start_unread(address, command);
        exporter.read_on(lines);
        exporter
    }

    /// Starts `command` there, and reads its log no further than the line that says that it listens.
    pub(crate) fn start_unread(address: SocketAddr, command: &mut Command) -> (Self, LogLines) {
        let mut child = command
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        while address.is_none() {
            let Some(line) = lines.next().map(Result::unwrap) else {
                panic!("it ended before it listened: {}", log.lock());
            };
            address = listening(&line);
            note(&log, &line);
        }
        (Self { child, address: address.unwrap(), log, reader: None }, lines)
    }

    /// Reads the rest of its log, on a thread.
    pub(crate) fn read_on(&mut self, lines: LogLines) {
        let log = Arc::clone(&self.log);
        self.reader = Some(thread::spawn(move || lines.map_while(Result::ok).for_each(|line| note(&log, &line))));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        Self::get_at(self.address, path)
    }

    /// Asks whatever listens there.
    pub(crate) fn get_at(address: SocketAddr, path: &str) -> Answer {
        Self::ask(address, &format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
    }

    /// Sends `request` as it stands, and reads until the connection ends.
    pub(crate) fn send(&self, request: &str) -> Answer {
        Self::ask(self.address, request)
    }

    fn ask(address: SocketAddr, request: &str) -> Answer {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        Answer::parse(&answer)
    }

    /// Waits until its log has `text`: a thread of its own writes it.
    pub(crate) fn until_logged(&self, text: &str) {
        let started = Instant::now();
        while !self.log().contains(text) {
            assert!(started.elapsed() < TIMEOUT, "{text} is not logged:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A scrape, which must succeed.
    pub(crate) fn scrape(&self) -> String {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::parse(&self.scrape())
    }

    /// Scrapes until `holds`, which is `what` should come about, and then once more: a scrape reads one part after the
    /// other, so the one that first shows a poll may not show all of it.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        let started = Instant::now();
        loop {
            let metrics = self.metrics();
            if holds(&metrics) {
                return self.metrics();
            }
            assert!(started.elapsed() < TIMEOUT, "never {what}; log:\n{}\nmetrics:\n{metrics:?}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Scrapes until each user of the account has been answered.
    pub(crate) fn until_answered(&self, users: usize) -> Metrics {
        self.until("all users answered", |metrics| {
            metrics.count("tencentcloud_cam_user_last_success_timestamp_seconds") == users
        })
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        // The shell's own: not every machine has the program.
        let kill = format!("kill -s {name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the process has ended. Tells how, and all that it logged.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (status, self.log())
    }

    /// Stops it as Kubernetes does.
    pub(crate) fn stop(self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a line that says that it listens, in either format.
pub(crate) fn listening(line: &str) -> Option<SocketAddr> {
    let after = |key| line.split_once(key).map(|(_, rest)| rest);
    let value = after("address=").or_else(|| after("\"address\":\""))?;
    value.split([' ', '"']).next()?.parse().ok().filter(|_| line.contains("listening"))
}

fn note(log: &Mutex<String>, line: &str) {
    let mut log = log.lock();
    log.push_str(line);
    log.push('\n');
}

// === impl Run ===

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        for secret in [SECRET_ID, SECRET_KEY] {
            assert!(!stdout.contains(secret) && !stderr.contains(secret), "{stdout}{stderr}");
        }
        assert!(!stderr.contains("panicked"), "{stderr}");
        Self { code: output.status.code(), stdout, stderr }
    }
}

// === impl Answer ===

impl Answer {
    /// An answer that is whole.
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let head = head.to_ascii_lowercase();
        let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        Self { status, head, body }
    }
}

/// The content of the chunks, of which the last is there.
fn unchunked(mut chunks: &str) -> String {
    let mut content = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n").unwrap_or_else(|| panic!("it ends early: {content:?}"));
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return content;
        }
        content.push_str(&rest[..size]);
        chunks = rest[size..].strip_prefix("\r\n").unwrap();
    }
}

// === impl Metrics ===

impl Metrics {
    /// Reads an exposition, in which no series may stand twice.
    pub(crate) fn parse(text: &str) -> Self {
        let mut series = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line:?}"));
            assert!(series.insert(name.to_owned(), value.parse().unwrap()).is_none(), "twice: {name}");
        }
        Self(series)
    }

    /// The value of a series, given without the prefix that all of ours have.
    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.0.get(&format!("tencentcloud_cam_{series}")).copied()
    }

    /// The value of a series of the user [`UIN`].
    pub(crate) fn of_user(&self, family: &str) -> Option<f64> {
        self.get(&format!(r#"{family}{{account="prod",uin="{UIN}"}}"#))
    }

    /// How many polls failed for that reason.
    pub(crate) fn failures(&self, reason: &str) -> f64 {
        self.get(&format!(r#"poll_failures_total{{account="prod",reason="{reason}"}}"#)).unwrap()
    }

    /// The series of a family, as printed, with their values.
    pub(crate) fn family(&self, name: &str) -> BTreeMap<&str, f64> {
        let of_family = |series: &&String| series.split('{').next() == Some(name);
        self.0.keys().filter(of_family).map(|series| (series.as_str(), self.0[series])).collect()
    }

    pub(crate) fn count(&self, family: &str) -> usize {
        self.family(family).len()
    }

    /// All that is known of keys, but for their ages.
    pub(crate) fn keys(&self) -> BTreeMap<&str, f64> {
        let mut known = self.family("tencentcloud_cam_access_key_created_timestamp_seconds");
        known.extend(self.family("tencentcloud_cam_access_key_status"));
        known.extend(self.family("tencentcloud_cam_access_keys"));
        known
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .filter(|(_, value)| **value != 0.0)
            .try_for_each(|(series, value)| writeln!(f, "{series} {value}"))
    }
}
