//! A real Prometheus, what stands between it and the exporter, and what any daemon beside it has in common with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use super::families::{Series, normalise};

/// How long it may take to start and to scrape.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What Prometheus adds to the series that it scrapes.
const ITS_OWN: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// Passes scrapes on, and keeps what they were answered.
pub(crate) struct Proxy {
    address: SocketAddr,
    content_types: Arc<Mutex<BTreeSet<String>>>,
}

/// A program that serves on a port of its own. Stopped when dropped.
pub(crate) struct Daemon {
    process: Child,
    address: SocketAddr,
}

pub(crate) struct Prometheus(Daemon);

// === impl Proxy ===

impl Proxy {
    /// Passes requests on to `to`, with another `Accept` if there is one given.
    pub(crate) fn start(to: SocketAddr, accept: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let content_types = Arc::new(Mutex::new(BTreeSet::new()));
        thread::spawn({
            let content_types = Arc::clone(&content_types);
            move || {
                for client in listener.incoming() {
                    content_types.lock().extend(pass_on(client.unwrap(), to, accept));
                }
            }
        });
        Self { address, content_types }
    }

    /// What has been answered so far, in small letters.
    pub(super) fn content_types(&self) -> BTreeSet<String> {
        self.content_types.lock().clone()
    }
}

/// Passes one request on. Returns the content type of the answer, unless one side has gone.
fn pass_on(mut client: TcpStream, to: SocketAddr, accept: Option<&str>) -> Option<String> {
    let mut request = vec![];
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let replaced = |line: &&str| {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        name == "connection" || (name == "accept" && accept.is_some())
    };
    let mut lines: Vec<String> = request.trim_end().lines().filter(|line| !replaced(line)).map(str::to_owned).collect();
    lines.push("Connection: close".to_owned());
    lines.extend(accept.map(|accept| format!("Accept: {accept}")));
    let mut exporter = TcpStream::connect(to).ok()?;
    exporter.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()).ok()?;
    let mut answer = vec![];
    exporter.read_to_end(&mut answer).ok()?;
    client.write_all(&answer).ok()?;
    let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-type: ")).map(str::to_owned)
}

// === impl Daemon ===

impl Daemon {
    /// Starts `program` on a free port of this machine. What it logs goes into `folder`.
    pub(crate) fn start(program: &str, folder: &Path, flags: &[String]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(program)
            .arg(format!("--web.listen-address={address}"))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join(program).with_extension("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        Self { process, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers, if that is JSON; nothing while it starts.
    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

// === impl Prometheus ===

impl Prometheus {
    /// Starts one with these jobs, which keeps everything in `folder`.
    pub(crate) fn start(folder: &Path, flags: &[&str], jobs: &[(&str, &Proxy)]) -> Self {
        let job = |(name, proxy): &(&str, &Proxy)| {
            format!("- {{job_name: {name}, static_configs: [{{targets: ['{}']}}]}}\n", proxy.address)
        };
        let jobs: String = jobs.iter().map(job).collect::<Vec<_>>().concat();
        // A scrape that times out makes all series stale, so the timeout is far above what a busy machine takes.
        let config = format!("global: {{scrape_interval: 5s, scrape_timeout: 5s}}\nscrape_configs:\n{jobs}");
        Self::configured(folder, flags, &config)
    }

    /// Starts one with this configuration, which keeps everything in `folder`.
    pub(crate) fn configured(folder: &Path, flags: &[&str], config: &str) -> Self {
        let file = folder.join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let mut all = vec![
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
        ];
        all.extend(flags.iter().map(|&flag| flag.to_owned()));
        Self(Daemon::start("prometheus", folder, &all))
    }

    /// Waits until a scrape of the job has succeeded.
    pub(crate) fn until_up(&self, job: &str) {
        let started = Instant::now();
        while self.value("up", job).as_deref() != Some("1") {
            assert!(started.elapsed() < TIMEOUT, "{job} is not up: {:?}", self.get("targets?state=active"));
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The value of a series of the job, as Prometheus prints it.
    pub(super) fn value(&self, series: &str, job: &str) -> Option<String> {
        let result = self.query(&format!("{series}{{job=\"{job}\"}}"))?;
        result.first()?["value"][1].as_str().map(str::to_owned)
    }

    /// What it answers to a query now.
    pub(crate) fn query(&self, query: &str) -> Option<Vec<Value>> {
        let answer = self.get(&format!("query?query={}", escaped(query)))?;
        answer["result"].as_array().cloned()
    }

    /// All series of the job that it scraped.
    pub(super) fn series(&self, job: &str) -> BTreeSet<Series> {
        let answer = self.get(&format!("series?match%5B%5D=%7Bjob=%22{job}%22%7D")).unwrap();
        let series = |labels: &Value| -> Series {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let labels = labels.as_object().unwrap().iter();
            let mut labels: BTreeMap<String, String> =
                labels.map(|(label, value)| (label.clone(), text(value))).collect();
            labels.retain(|label, _| !["job", "instance"].contains(&label.as_str()));
            normalise(&mut labels);
            (labels.remove("__name__").unwrap(), labels)
        };
        let all = answer.as_array().unwrap().iter().map(series);
        all.filter(|(name, _)| !ITS_OWN.contains(&name.as_str())).collect()
    }

    /// What its API answers there with these parameters.
    pub(crate) fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let parameters: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        let path = format!("{path}?{}", parameters.join("&"));
        self.get(&path).unwrap_or_else(|| panic!("no answer to {path}"))
    }

    /// What its API answers; nothing while it starts.
    fn get(&self, path: &str) -> Option<Value> {
        let answer = self.0.get(&format!("/api/v1/{path}"))?;
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        Some(answer["data"].clone())
    }
}

/// `text` as a value in a URL's query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        write!(escaped, "%{byte:02X}").unwrap();
    }
    escaped
}
