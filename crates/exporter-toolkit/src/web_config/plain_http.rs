//! Accepts a TLS handshake, and answers plain HTTP on a TLS port.

use std::io;

use rustls::server::Acceptor;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, copy, sink};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

/// The first byte of a handshake.
const HANDSHAKE: u8 = 0x16;

/// The response to plain HTTP on a TLS port.
const IN_THE_CLEAR: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\
    \r\nthis port takes HTTPS\n";

/// How much of a request in plain HTTP is read and discarded.
const MAX_DISCARDED_BYTES: u64 = 64 << 10;

/// Reads the start of a handshake from `stream`.
///
/// # Errors
/// The client sends something else, or disconnects.
pub(super) async fn start_handshake<T>(stream: T) -> io::Result<StartHandshake<BufReader<T>>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    // The acceptor would answer plain HTTP with a TLS alert. The buffer has one byte, because the connection keeps it.
    let mut stream = BufReader::with_capacity(1, stream);
    match stream.fill_buf().await?.first() {
        Some(&HANDSHAKE) => LazyConfigAcceptor::new(Acceptor::default(), stream).await,
        Some(_) => {
            stream.write_all(IN_THE_CLEAR).await?;
            // A connection that is closed with unread bytes is reset, and the client may lose the response.
            stream.shutdown().await?;
            copy(&mut stream.take(MAX_DISCARDED_BYTES), &mut sink()).await?;
            Err(io::Error::new(io::ErrorKind::InvalidData, "not a TLS handshake"))
        }
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
