//! The legitimate clients, a scraper and a kubelet; and the process, watched from outside.

use std::{io::Read, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header;
use parking_lot::Mutex;
use reqwest::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{exporter::Exporter, process::status, worker::Worker};

const SCRAPE_EVERY: Duration = Duration::from_secs(1);
const PROBE_EVERY: Duration = Duration::from_millis(200);

/// As a kubelet has it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// To see how long an answer really takes, it is waited for longer.
const LONGEST_PROBE: Duration = Duration::from_secs(30);

const LOOK_EVERY: Duration = Duration::from_millis(50);
const LAG: &str = "tencentcloud_cam_account_schedule_lag_seconds{";
const RELOADED: &str = "tencentcloud_cam_exporter_config_last_reload_successful 0";

/// The watchers, until it is dropped.
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    workers: Vec<Worker>,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) scrapes: Attempts,
    pub(crate) probes: Attempts,
    /// The most memory that the process has had since its start, in KiB.
    pub(crate) peak: u64,
    /// The longest lag in any scrape.
    pub(crate) lag: f64,
    pub(crate) last_lag: f64,
    /// When a scrape first said that a reload has failed.
    pub(crate) reload_failed: Option<Instant>,
    /// Whether a body was none of the exporter's.
    pub(crate) is_foreign: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Attempts {
    pub(crate) tried: usize,
    pub(crate) answered: usize,
    pub(crate) slowest: Duration,
    /// The last failure.
    pub(crate) error: Option<String>,
    under_way: Option<Instant>,
}

// === impl Watch ===

impl Watch {
    pub(crate) fn start(exporter: &Exporter) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (client, url, authorization) = (exporter.client(), exporter.metrics_url(), exporter.authorization());
        let (probes, id) = (exporter.probes, exporter.id());
        let [scraper, for_probes, for_memory] = [(); 3].map(|()| Arc::clone(&seen));
        let workers = vec![
            Worker::start("scraper", move || async move {
                let mut ticks = ticks(SCRAPE_EVERY);
                loop {
                    ticks.tick().await;
                    scraper.lock().scrapes.begin();
                    let outcome = scrape(&client, &url, authorization.trim_end()).await;
                    scraper.lock().scrapes.end(outcome.as_ref().map(drop).map_err(Clone::clone), Duration::MAX);
                    if let Ok((is_gzip, body)) = outcome {
                        let text = decoded(is_gzip, &body);
                        scraper.lock().read(&text);
                    }
                }
            }),
            Worker::start("prober", move || async move {
                let mut ticks = ticks(PROBE_EVERY);
                let mut was_ready = false;
                for path in ["/-/healthy", "/-/ready"].into_iter().cycle() {
                    ticks.tick().await;
                    // Until the first poll has been attempted, it may say that it is not ready.
                    if path == "/-/ready" && !was_ready {
                        was_ready = probe(probes, path).await.is_ok();
                        continue;
                    }
                    for_probes.lock().probes.begin();
                    let outcome = probe(probes, path).await;
                    for_probes.lock().probes.end(outcome, PROBE_TIMEOUT);
                }
            }),
            Worker::start("looker", move || async move {
                let mut ticks = ticks(LOOK_EVERY);
                loop {
                    ticks.tick().await;
                    let mut seen = for_memory.lock();
                    seen.peak = seen.peak.max(status(id, "VmHWM:").unwrap_or_default());
                }
            }),
        ];
        Self { seen, workers }
    }

    /// What has been seen so far.
    pub(crate) fn seen(&self) -> Seen {
        let mut seen = self.seen.lock().clone();
        seen.scrapes.count_overdue(SCRAPE_EVERY * 10);
        seen.probes.count_overdue(PROBE_TIMEOUT);
        seen
    }

    /// Ends the watch.
    pub(crate) fn finish(mut self) -> Seen {
        let seen = self.seen();
        self.workers.clear();
        seen
    }
}

/// Asks both once, and waits longer than it should take.
pub(crate) fn still_answers(exporter: &Exporter) -> bool {
    let (client, url, authorization) = (exporter.client(), exporter.metrics_url(), exporter.authorization());
    let (probes, answers) = (exporter.probes, Arc::new(Mutex::new(false)));
    let told = Arc::clone(&answers);
    let (done, wait) = std::sync::mpsc::channel();
    let _worker = Worker::start("last look", move || async move {
        let is_scraped = scrape(&client, &url, authorization.trim_end()).await.is_ok();
        *told.lock() = is_scraped && probe(probes, "/-/healthy").await.is_ok();
        let _ = done.send(());
    });
    let _ = wait.recv_timeout(LONGEST_PROBE + Duration::from_secs(15));
    *answers.lock()
}

/// An answer, with its encoding and its body.
async fn scrape(client: &Client, url: &str, authorization: &str) -> Result<(bool, Bytes), String> {
    let mut request = client.get(url).header(header::ACCEPT_ENCODING, "gzip");
    if let Some((_, value)) = authorization.split_once(": ") {
        request = request.header(header::AUTHORIZATION, value);
    }
    let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
    let (status, is_gzip) = (answer.status(), answer.headers().contains_key(header::CONTENT_ENCODING));
    let body = answer.bytes().await.map_err(|error| format!("{error:?}"))?;
    if status.is_success() { Ok((is_gzip, body)) } else { Err(status.to_string()) }
}

async fn probe(address: SocketAddr, path: &str) -> Result<(), String> {
    let asked = async {
        let mut connection = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(LONGEST_PROBE, asked).await.map_err(|error| error.to_string())?;
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.starts_with("HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(format!("{path}: {}", answer.lines().next().unwrap_or("no answer")))
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// The text of a body; nothing where it is damaged.
fn decoded(is_gzip: bool, body: &[u8]) -> String {
    let mut text = String::new();
    if is_gzip {
        let _ = MultiGzDecoder::new(body).read_to_string(&mut text);
    } else {
        text.push_str(&String::from_utf8_lossy(body));
    }
    text
}

// === impl Seen ===

impl Seen {
    fn read(&mut self, text: &str) {
        self.is_foreign |= !text.contains("tencentcloud_cam_exporter_build_info{");
        let lags = text.lines().filter(|line| line.starts_with(LAG));
        self.last_lag = lags.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).fold(0.0, f64::max);
        self.lag = self.lag.max(self.last_lag);
        if text.contains(RELOADED) {
            self.reload_failed.get_or_insert_with(Instant::now);
        }
    }
}

// === impl Attempts ===

impl Attempts {
    pub(crate) fn failed(&self) -> usize {
        self.tried - self.answered
    }

    fn begin(&mut self) {
        self.under_way = Some(Instant::now());
    }

    fn end(&mut self, outcome: Result<(), String>, limit: Duration) {
        let took = self.under_way.take().map(|begun| begun.elapsed()).unwrap_or_default();
        self.tried += 1;
        self.slowest = self.slowest.max(took);
        match outcome {
            Ok(()) if took <= limit => self.answered += 1,
            Ok(()) => self.error = Some(format!("took {:.1} s", took.as_secs_f64())),
            Err(error) => self.error = Some(error),
        }
    }

    /// One that is under way for longer than it may take has failed already.
    fn count_overdue(&mut self, limit: Duration) {
        if let Some(begun) = self.under_way
            && begun.elapsed() > limit
        {
            self.end(Err("no answer yet".to_owned()), limit);
        }
    }
}
