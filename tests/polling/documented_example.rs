//! The response that Tencent Cloud's documentation prints, and the exposition that it gives.
//!
//! Source: <https://www.tencentcloud.com/document/api/598/37088>, section "Example".

use std::{sync::Arc, time::Duration};

use http::{Response, header};
use jiff::Timestamp;
use tencentcloud_api::Clock;
use tencentcloud_cam_exporter::app::Listeners;
use tencentcloud_simulator::{Caller, Fault, Population, Simulator, Times};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::harness::{Wire, exporter};

const RESPONSE: &str = include_str!("../data/documented_example.json");
const EXPOSITION: &str = include_str!("../data/documented_example.prom");

/// What depends on the build, or on the process and its speed.
const VOLATILE: &[&str] = &[
    "process_",
    "tencentcloud_cam_account_last_sweep_duration_seconds",
    "tencentcloud_cam_account_schedule_lag_seconds",
    "tencentcloud_cam_api_request_duration_seconds",
    "tencentcloud_cam_exporter_build_info",
];

/// The first second of 2026, for ever.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }
}

#[tokio::test]
async fn gives_this_exposition() {
    let population = Population {
        callers: vec![Caller { uin: 1, credential: Population::demo_credential() }],
        ..Population::default()
    };
    let simulator = Arc::new(Simulator::new(Arc::new(Stopped), population));
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json").body(RESPONSE.into()).unwrap();
    simulator.inject(None, Fault::Answer(response), Times::UntilCleared);

    let config = "accounts: [{name: prod, uins: [100013065917], credentials: {env: {}}}]";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = exporter(config, Arc::new(Stopped), Wire::to(&simulator, Duration::ZERO));
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(app.run(Listeners { web: vec![listener], probes: None }, shutdown.clone()));

    let mut exposition = String::new();
    while !exposition.contains("tencentcloud_cam_user_up") {
        exposition.clear();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.unwrap();
        stream.read_to_string(&mut exposition).await.unwrap();
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();

    let (_, exposition) = exposition.split_once("\r\n\r\n").unwrap();
    let steady = exposition.split_inclusive('\n').filter(|line| {
        let name = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")).unwrap_or(line);
        !VOLATILE.iter().any(|volatile| name.starts_with(volatile))
    });
    assert_eq!(EXPOSITION, steady.collect::<String>());
}
