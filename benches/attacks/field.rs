//! What the attackers share: where the exporter is, how to connect to it, and the bounds of what they do.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpSocket,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_rustls::TlsConnector;

/// An attacker gives up a connection that is not made within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A gate that had no processor for a while makes up for no more than this.
const CATCH_UP: Duration = Duration::from_millis(100);

/// What the kernel keeps for a reader, so that a slow one is felt by the exporter soon.
const RECEIVE_BUFFER: u32 = 16 << 10;

pub(crate) struct Field {
    pub(crate) address: SocketAddr,
    /// TLS, where the exporter speaks it.
    pub(crate) tls: Option<ClientConfig>,
    /// The line of the request that has the right password, for those attackers that know it.
    pub(crate) authorization: String,
    pub(crate) clients: usize,
    /// The rate of new connections of everybody, where several attacks run at once.
    pub(crate) connects: Option<Arc<Gate>>,
    /// Requests a second of all clients of a flood.
    pub(crate) requests: u32,
    /// Between two requests that a client pipelines.
    pub(crate) pause: Duration,
    pub(crate) tally: Tally,
    /// The exporter's process, and its files.
    pub(crate) process: u32,
    pub(crate) folder: PathBuf,
}

/// What the attackers did.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connections: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) read: AtomicU64,
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection of an attacker.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    field: Arc<Field>,
}

/// Lets so many pass a second.
pub(crate) struct Gate {
    period: Duration,
    next: Mutex<Instant>,
}

// === impl Field ===

impl Field {
    /// Keeps its number of clients busy for ever: each does `attack` over and over. New connections come at `a_second` in all;
    /// only the first ones come at once.
    pub(crate) async fn crowd<F, Fut>(self: Arc<Self>, a_second: u32, attack: F)
    where
        F: Fn(Arc<Self>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = io::Result<()>> + Send,
    {
        self.keep_busy(Gate::new(a_second), false, attack).await;
    }

    /// As [`Field::crowd`], but not even the first ones come at once.
    pub(crate) async fn procession<F, Fut>(self: Arc<Self>, a_second: u32, attack: F)
    where
        F: Fn(Arc<Self>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = io::Result<()>> + Send,
    {
        self.keep_busy(Gate::new(a_second), true, attack).await;
    }

    async fn keep_busy<F, Fut>(self: Arc<Self>, gate: Gate, slow_start: bool, attack: F)
    where
        F: Fn(Arc<Self>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = io::Result<()>> + Send,
    {
        let gate = Arc::new(gate);
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            let (field, gate, attack) = (Arc::clone(&self), Arc::clone(&gate), attack.clone());
            clients.spawn(async move {
                if slow_start {
                    gate.pass().await;
                }
                loop {
                    // What the exporter ends is begun again.
                    let _ = attack(Arc::clone(&field)).await;
                    gate.pass().await;
                }
            });
        }
        pending::<()>().await;
    }

    /// A connection, over TLS where the exporter speaks it.
    pub(crate) async fn connect(self: &Arc<Self>) -> io::Result<Wire> {
        self.connect_for(b"http/1.1").await
    }

    pub(crate) async fn connect_for(self: &Arc<Self>, protocol: &[u8]) -> io::Result<Wire> {
        let Some(mut tls) = self.tls.clone() else { return self.connect_plainly().await };
        let plain = self.connect_plainly().await?;
        tls.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::from(self.address.ip());
        let handshake = TlsConnector::from(Arc::new(tls)).connect(name, plain.stream);
        let stream = timeout(CONNECT_TIMEOUT, handshake).await??;
        Ok(Wire { stream: Box::new(stream), field: Arc::clone(self) })
    }

    pub(crate) async fn connect_plainly(self: &Arc<Self>) -> io::Result<Wire> {
        if let Some(gate) = &self.connects {
            gate.pass().await;
        }
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        let stream = timeout(CONNECT_TIMEOUT, socket.connect(self.address)).await??;
        self.tally.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Wire { stream: Box::new(stream), field: Arc::clone(self) })
    }

    /// A request without a body.
    pub(crate) fn get(&self, path: &str, headers: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address)
    }
}

// === impl Wire ===

impl Wire {
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        self.field.tally.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Sends as much as is taken, for ever, with a pause after each piece, and reads nothing.
    pub(crate) async fn send_on(&mut self, piece: &[u8], pause: Duration) -> io::Result<()> {
        loop {
            self.send(piece).await?;
            sleep(pause).await;
        }
    }

    /// Reads what is there, an error at the end.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer).await?;
        self.field.tally.read.fetch_add(read as u64, Ordering::Relaxed);
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }

    /// Reads at this many bytes a second, until the exporter ends the connection.
    pub(crate) async fn read_slowly(&mut self, a_second: usize) -> io::Result<()> {
        let mut buffer = vec![0; a_second / 10];
        let mut ticks = interval(Duration::from_millis(100));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.read(&mut buffer).await?;
        }
    }

    /// Reads and discards, until the exporter ends the connection.
    pub(crate) async fn drain(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            self.read(&mut buffer).await?;
        }
    }

    /// Reads a whole answer, and lets the connection go on.
    pub(crate) async fn read_answer(&mut self) -> io::Result<()> {
        let (mut buffer, mut seen) = (vec![0; 64 << 10], Vec::new());
        let head = loop {
            let read = self.read(&mut buffer).await?;
            seen.extend_from_slice(&buffer[..read]);
            if let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(&seen[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let mut body = seen.len() - head;
        let mut tail = seen.split_off(head);
        loop {
            let done = length.map_or_else(|| tail.ends_with(b"\r\n0\r\n\r\n"), |length| body >= length);
            if done {
                break;
            }
            let read = self.read(&mut buffer).await?;
            body += read;
            tail.extend_from_slice(&buffer[..read]);
            tail.drain(..tail.len().saturating_sub(16));
        }
        if text.contains("\r\nconnection: close") { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Keeps the connection open, and reads nothing.
    pub(crate) async fn hold(self, time: Duration) -> io::Result<()> {
        sleep(time).await;
        Ok(())
    }

    pub(crate) fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }
}

// === impl Gate ===

impl Gate {
    pub(crate) fn new(a_second: u32) -> Self {
        Self { period: Duration::from_secs(1) / a_second, next: Mutex::new(Instant::now()) }
    }

    pub(crate) async fn pass(&self) {
        let passes = {
            let mut next = self.next.lock();
            let passes = (*next).max(Instant::now() - CATCH_UP);
            *next = passes + self.period;
            passes
        };
        sleep_until(passes).await;
    }
}
