//! Attacks in HTTP/1.1, over TLS where the exporter speaks it.

use std::{io, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use crate::field::{Field, Gate, Wire};

/// New connections a second, of all attackers together.
const RECONNECTS: u32 = 50;

/// Nobody waits longer for the exporter to end what will never end.
const TURN: Duration = Duration::from_secs(5);

/// New slow readers a second: what one of them keeps in memory is not what the one before does, for ages have changed.
const READERS: u32 = 4;

/// How long an attacker waits that does nothing else.
const UNDISTURBED: Duration = Duration::from_secs(12);

/// A second's bytes of a slow reader: a little more than the exporter demands.
const SLOWLY: usize = 72_000;

/// Bytes that a connection sends every tenth of a second, where they are no whole requests.
const PIECE: usize = 16 << 10;
const PIECE_EVERY: Duration = Duration::from_millis(100);

/// Requests with large heads, one after the other, and no answer is read.
pub(crate) async fn pipeline(field: Arc<Field>) {
    field
        .crowd(RECONNECTS, |field| async move {
            let request = field.get("/", &format!("X-Fill: {}\r\n", "f".repeat(60_000)));
            field.connect().await?.send_on(request.as_bytes(), field.pause).await
        })
        .await;
}

/// Small requests, many in a write, and no answer is read. Who is not served any more comes again.
pub(crate) async fn pipeline_small(field: Arc<Field>) {
    field
        .crowd(2 * RECONNECTS, |field| async move {
            let requests = field.get("/", "").repeat(100);
            timeout(TURN, field.connect().await?.send_on(requests.as_bytes(), field.pause)).await?
        })
        .await;
}

/// Scrapes that are read just above the speed that the exporter demands.
pub(crate) async fn slow_readers(field: Arc<Field>) {
    field.procession(READERS, |field| scrape_slowly(field, "")).await;
}

pub(crate) async fn slow_readers_gzip(field: Arc<Field>) {
    field.procession(READERS, |field| scrape_slowly(field, "Accept-Encoding: gzip\r\n")).await;
}

async fn scrape_slowly(field: Arc<Field>, headers: &str) -> io::Result<()> {
    let mut wire = scrape(&field, headers).await?;
    wire.read_slowly(SLOWLY).await
}

/// Scrapes that are not read.
pub(crate) async fn stalled(field: Arc<Field>) {
    field.crowd(RECONNECTS, |field| async move { scrape(&field, "").await?.hold(UNDISTURBED).await }).await;
}

/// A scrape, read up to its status. Who is refused comes again.
async fn scrape(field: &Arc<Field>, headers: &str) -> io::Result<Wire> {
    let mut wire = field.connect().await?;
    let request = field.get("/metrics", &format!("{headers}{}", field.authorization));
    wire.send(request.as_bytes()).await?;
    let (mut start, mut length) = ([0; "HTTP/1.1 200".len()], 0);
    while length < start.len() {
        length += wire.read(&mut start[length..]).await?;
    }
    if start.ends_with(b"200") { Ok(wire) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}

/// Heads that stop half way.
pub(crate) async fn half_heads(field: Arc<Field>) {
    field
        .crowd(RECONNECTS, |field| async move {
            let mut wire = field.connect().await?;
            wire.send(b"GET /metrics HTTP/1.1\r\nHost: exp").await?;
            timeout(UNDISTURBED, wire.drain()).await?
        })
        .await;
}

/// Heads of which a byte comes each second.
pub(crate) async fn drip_heads(field: Arc<Field>) {
    field
        .crowd(RECONNECTS, |field| async move {
            let mut wire = field.connect().await?;
            for byte in field.get("/metrics", "X-Drip: drip\r\n").bytes() {
                wire.send(&[byte]).await?;
                sleep(Duration::from_secs(1)).await;
            }
            wire.drain().await
        })
        .await;
}

/// One header that does not end.
pub(crate) async fn header_bombs(field: Arc<Field>) {
    endless(field, "GET / HTTP/1.1\r\nHost: exporter\r\nX-Bomb: ", "b").await;
}

/// Headers without end, all small.
pub(crate) async fn many_headers(field: Arc<Field>) {
    endless(field, "GET / HTTP/1.1\r\nHost: exporter\r\n", "a:\r\n").await;
}

/// A URI that does not end.
pub(crate) async fn long_uris(field: Arc<Field>) {
    endless(field, "GET /metrics?", "u=u&").await;
}

/// A body that does not end, though its length is known.
pub(crate) async fn bodies(field: Arc<Field>) {
    endless(field, "POST /-/reload HTTP/1.1\r\nHost: exporter\r\nContent-Length: 1099511627776\r\n\r\n", "body").await;
}

/// A body in chunks that does not end, each with an extension as long as itself.
pub(crate) async fn chunked(field: Arc<Field>) {
    let head = "GET /metrics HTTP/1.1\r\nHost: exporter\r\nTransfer-Encoding: chunked\r\n\r\n";
    endless(field, head, "4;extension=extension\r\nbody\r\n").await;
}

async fn endless(field: Arc<Field>, start: &'static str, more: &'static str) {
    field
        .crowd(RECONNECTS, move |field| async move {
            let mut wire = field.connect().await?;
            wire.send(start.as_bytes()).await?;
            let piece = more.repeat(PIECE / more.len());
            timeout(TURN, wire.send_on(piece.as_bytes(), PIECE_EVERY)).await?
        })
        .await;
}

/// Asks for other protocols, and speaks them at once.
pub(crate) async fn upgrades(field: Arc<Field>) {
    const REQUESTS: [&str; 4] = [
        "GET / HTTP/1.1\r\nHost: exporter\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: exporter\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "CONNECT exporter:443 HTTP/1.1\r\nHost: exporter:443\r\n\r\n",
    ];
    field
        .crowd(RECONNECTS, |field| async move {
            let mut wire = field.connect().await?;
            wire.send(REQUESTS[fastrand::usize(..REQUESTS.len())].as_bytes()).await?;
            timeout(TURN, wire.send_on(&[0xff; 1024], PIECE_EVERY)).await?
        })
        .await;
}

/// Requests of the status page, as fast as they are answered.
pub(crate) async fn page(field: Arc<Field>) {
    flood(field, "/", "").await;
}

/// Scrapes, as fast as they are answered.
pub(crate) async fn scrapes(field: Arc<Field>) {
    flood(field, "/metrics", "Accept-Encoding: gzip\r\n").await;
}

async fn flood(field: Arc<Field>, path: &'static str, headers: &'static str) {
    let gate = Arc::new(Gate::new(field.requests));
    field
        .crowd(RECONNECTS, move |field| {
            let gate = Arc::clone(&gate);
            async move {
                let mut wire = field.connect().await?;
                let request = field.get(path, &format!("{headers}{}", field.authorization));
                loop {
                    gate.pass().await;
                    wire.send(request.as_bytes()).await?;
                    wire.read_answer().await?;
                }
            }
        })
        .await;
}

/// Passwords, each wrong in another way.
pub(crate) async fn passwords(field: Arc<Field>) {
    let gate = Arc::new(Gate::new(field.requests));
    field
        .crowd(RECONNECTS, move |field| {
            let gate = Arc::clone(&gate);
            async move {
                let mut wire = field.connect().await?;
                loop {
                    gate.pass().await;
                    let credentials = crate::exporter::credentials(&format!("wrong{}", fastrand::u64(..)));
                    wire.send(field.get("/metrics", &credentials).as_bytes()).await?;
                    wire.read_answer().await?;
                }
            }
        })
        .await;
}

/// Connections that say nothing.
pub(crate) async fn silent(field: Arc<Field>) {
    field.crowd(RECONNECTS, |field| async move { field.connect_plainly().await?.hold(UNDISTURBED).await }).await;
}
