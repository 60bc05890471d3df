//! Heads of requests, over TCP to the exporter's own routes.
//!
//! The first byte says whether the server has users. The rest is sent as it is.

#![no_main]

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, LazyLock},
    time::Duration,
};

use exporter_toolkit::{Guard, MAX_CONNECTIONS, Scrapes, serve};
use fuzz::{NOW, file, within};
use libfuzzer_sys::fuzz_target;
use tencentcloud_api::{AccessKey, Clock, KeyStatus, Reason};
use tencentcloud_cam_exporter::{
    inventory::{Account, AccountSettings, Failure, Inventory},
    metrics::{Families, Metrics, Own},
    web::{CamExporter, Readiness, Routes, Status},
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use tokio_util::sync::CancellationToken;

/// How long the server may take. It is idle but for this.
const LIMIT: Duration = Duration::from_secs(3);

/// The statuses that a head may be answered with.
const STATUSES: [u16; 11] = [200, 304, 400, 401, 403, 404, 405, 406, 413, 414, 431];

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> jiff::Timestamp {
        NOW
    }
}

/// A server that admits everyone, and one that has users.
struct Servers {
    _runtime: Runtime,
    open: SocketAddr,
    locked: SocketAddr,
}

static SERVERS: LazyLock<Servers> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let hash = bcrypt::hash("secret", 4).expect("a hash");
    let users = file("users.yml", format!("basic_auth_users: {{alice: {hash}}}\n").as_bytes());
    let guarded = Guard::load(&users, || NOW).expect("a web configuration");
    let [open, locked] = [Guard::open(), guarded].map(|guard| {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
            let address = listener.local_addr().expect("an address");
            let scrapes = Arc::new(Scrapes::new(Arc::new(routes()), 40, Arc::new(())));
            tokio::spawn(serve(
                listener,
                Arc::new(guard),
                Arc::new(()),
                scrapes,
                MAX_CONNECTIONS,
                CancellationToken::new(),
            ));
            address
        })
    });
    Servers { _runtime: runtime, open, locked }
});

/// An exporter of a few users.
fn routes() -> Routes {
    let uins = (1..=30_u64).map(|uin| uin.try_into().expect("a UIN"));
    let account = Arc::new(Account::new("prod".parse().expect("a name"), AccountSettings::default(), uins));
    for uin in 1..=20_u64 {
        let key = AccessKey { id: format!("AKID{uin:032}").as_str().into(), status: KeyStatus::Active, created: NOW };
        account.poll_succeeded(uin.try_into().expect("a UIN"), &[key], NOW);
    }
    account.poll_failed(21.try_into().expect("a UIN"), Failure::new(Reason::Timeout, None, &"no answer", NOW));
    let (inventory, own, clock) =
        (Arc::new(Inventory::new(vec![account])), Own::new().expect("metrics"), Arc::new(Stopped));
    let metrics = Arc::new(Metrics::new(Arc::clone(&inventory), &own, clock, Families::default()).expect("metrics"));
    let readiness = Arc::new(Readiness::new(CancellationToken::new()));
    readiness.poll_attempted();
    let path: exporter_toolkit::TelemetryPath = "/metrics".parse().expect("a path");
    let status = Status::new(Arc::clone(&inventory), Arc::new(own), Arc::new(Stopped), path.clone());
    Routes::new(CamExporter::new(metrics, inventory, readiness, status), path, None)
}

/// What the server sends before it closes the connection, which must be soon after the client has ended its side.
fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    within(LIMIT, || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_write_timeout(Some(LIMIT)).expect("a timeout");
        let (mut response, mut first) = (vec![], [0; 16 << 10]);
        // It may close the connection before it has read everything.
        let sent = stream.write_all(request);
        // A client that has ended its side may get no response. The end of a request may be missing, so this is short.
        stream.set_read_timeout(Some(Duration::from_millis(3))).expect("a timeout");
        if let Ok(length) = stream.read(&mut first) {
            response.extend_from_slice(&first[..length]);
        }
        let _ = stream.shutdown(Shutdown::Write);
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        match stream.read_to_end(&mut response) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("neither a response nor the end of the connection: {sent:?}")
            }
            _ => response,
        }
    })
}

/// The response to a request that has one, whatever the machine does meanwhile.
fn healthy(address: SocketAddr) -> Vec<u8> {
    within(LIMIT, || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        let request = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut response = vec![];
        stream.write_all(request).and_then(|()| stream.read_to_end(&mut response)).expect("a response");
        response
    })
}

fuzz_target!(|data: &[u8]| {
    let [locked, request @ ..] = data else { return };
    let locked = *locked == b'L';
    let address = if locked { SERVERS.locked } else { SERVERS.open };
    let response = exchange(address, request);
    if !response.is_empty() {
        let status =
            response.strip_prefix(b"HTTP/1.").and_then(|rest| str::from_utf8(rest.get(2..5)?).ok()?.parse().ok());
        assert!(status.is_some_and(|status| STATUSES.contains(&status)), "{}", response.escape_ascii());
    }
    let healthy = healthy(address);
    let expected: &[u8] = if locked { b"HTTP/1.1 401 " } else { b"HTTP/1.1 200 " };
    assert!(healthy.starts_with(expected), "{}", healthy.escape_ascii());
});
