//! The exporter in this process, and a client that scrapes it.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use exporter_toolkit::{Guard, Outcome, Reloader};
use tencentcloud_cam_exporter::{
    app::{App, ConfigSource, Dependencies, Listeners, Options},
    metrics::Families,
    web::Routes,
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

/// What is requested in turn: a path, and headers.
const REQUESTS: [(&str, &str); 6] = [
    ("/metrics", ""),
    ("/metrics", "Accept-Encoding: gzip\r\n"),
    ("/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n"),
    ("/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\nAccept-Encoding: gzip\r\n"),
    (
        "/metrics",
        "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n",
    ),
    ("/", ""),
];

/// An exporter that runs.
pub(crate) struct Exporter {
    address: SocketAddr,
    routes: Arc<Routes>,
    reloader: Reloader,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

// === impl Exporter ===

impl Exporter {
    pub(crate) async fn start(source: ConfigSource, dependencies: Dependencies) -> Self {
        let options = Options {
            telemetry_path: "/metrics".parse().unwrap(),
            lifecycle: false,
            families: Families::default(),
            max_requests: 40,
            config_optional: false,
            guard: Arc::new(Guard::open()),
            log_lines_dropped: None,
        };
        let app = App::build(source, options, dependencies).unwrap_or_else(|error| panic!("{error}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (routes, reloader, stop) = (app.routes(), app.reloader(), CancellationToken::new());
        let running = app.run(Listeners { web: vec![listener], probes: None }, stop.clone());
        Self { address, routes, reloader, stop, task: tokio::spawn(async move { running.await.unwrap() }) }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// What it serves.
    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// As SIGHUP does.
    pub(crate) async fn reload(&self) -> Outcome {
        self.reloader.reload().await
    }

    /// Sends the request whose turn it is as number `number`.
    pub(crate) async fn request(&self, number: u64) {
        let turn = usize::try_from(number).unwrap() % REQUESTS.len();
        let (path, headers) = REQUESTS[turn];
        self.get(path, headers).await;
    }

    /// The number of series in the text format.
    pub(crate) async fn series(&self) -> usize {
        self.get("/metrics", "").await
    }

    /// Returns how many lines of the body are no comments. The request is of HTTP/1.0, whose responses have no chunks, and
    /// the response is read line by line, as the process would grow with a whole one.
    async fn get(&self, path: &str, headers: &str) -> usize {
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n");
        let address = self.address;
        // The clock stands still while this thread reads.
        let read = spawn_blocking(move || {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(request.as_bytes())?;
            let (mut response, mut line) = (BufReader::new(stream), vec![]);
            response.read_until(b'\n', &mut line)?;
            assert!(line.starts_with(b"HTTP/1.0 200 "), "{request}: {}", String::from_utf8_lossy(&line));
            let (mut is_body, mut lines) = (false, 0);
            loop {
                line.clear();
                if response.read_until(b'\n', &mut line)? == 0 {
                    assert!(is_body, "{request} has no complete head as its response");
                    return io::Result::Ok(lines);
                }
                lines += usize::from(is_body && !line.starts_with(b"#"));
                is_body |= line == b"\r\n";
            }
        });
        read.await.unwrap().unwrap()
    }
}
