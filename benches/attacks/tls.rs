//! Attacks on the handshake.

use std::{
    io::{self, Write},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConnection, pki_types::ServerName};
use tokio::time::{sleep, timeout};

use crate::field::Field;

const UNDISTURBED: Duration = Duration::from_secs(12);

/// Handshakes that stop half way: some within the client's first message, some after it.
pub(crate) async fn half(field: Arc<Field>) {
    field
        .crowd(50, |field| async move {
            let hello = client_hello(&field)?;
            let sent = if fastrand::bool() { hello.len() / 2 } else { hello.len() };
            let mut wire = field.connect_plainly().await?;
            wire.send(&hello[..sent]).await?;
            timeout(UNDISTURBED, wire.drain()).await?
        })
        .await;
}

/// Whole handshakes, one after the other, each on a connection of its own.
pub(crate) async fn flood(field: Arc<Field>) {
    field.crowd(100, |field| async move { field.connect().await.map(drop) }).await;
}

/// Handshakes asked for again and again on one connection, which only `openssl` can do.
pub(crate) async fn renegotiation(field: Arc<Field>) {
    const CLIENTS: usize = 10;
    loop {
        let mut clients: Vec<_> = (0..CLIENTS).filter_map(|_| renegotiating(&field)).collect();
        for _ in 0..20 {
            sleep(Duration::from_millis(250)).await;
            for client in &mut clients {
                let _ = client.0.stdin.as_mut().map(|stdin| stdin.write_all(b"R\n"));
            }
        }
    }
}

/// Killed when dropped.
struct Client(std::process::Child);

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn renegotiating(field: &Field) -> Option<Client> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-tls1_2", "-connect", &field.address.to_string()]);
    let started = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    field.tally.connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    started.ok().map(Client)
}

/// The first message of a handshake.
fn client_hello(field: &Field) -> io::Result<Vec<u8>> {
    let config = Arc::new(field.tls.clone().ok_or(io::ErrorKind::Unsupported)?);
    let mut connection =
        ClientConnection::new(config, ServerName::from(field.address.ip())).map_err(io::Error::other)?;
    let mut hello = Vec::new();
    connection.write_tls(&mut hello)?;
    Ok(hello)
}
