//! The exporter in this process, and a client that scrapes it.

use std::{
    io::{self, Read, Write},
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
        let response = self.get("/metrics", "").await;
        let text = String::from_utf8(response).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        body.lines().filter(|line| !line.starts_with('#')).count()
    }

    /// The response, with its head. HTTP/1.0, because it has no chunks.
    async fn get(&self, path: &str, headers: &str) -> Vec<u8> {
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n");
        let address = self.address;
        // The clock stands still while this thread reads.
        let read = spawn_blocking(move || {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(request.as_bytes())?;
            let mut response = vec![];
            stream.read_to_end(&mut response)?;
            io::Result::Ok(response)
        });
        let response = read.await.unwrap().unwrap();
        assert!(response.starts_with(b"HTTP/1.0 200 "), "{path}: {:.20}", String::from_utf8_lossy(&response));
        response
    }
}
