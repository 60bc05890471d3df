//! Reads what a client says first, where TLS is spoken.

use std::io;

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::StartHandshake;

/// The first byte of a handshake.
const HANDSHAKE: u8 = 0x16;

/// The response to plain HTTP on a TLS port.
const IN_THE_CLEAR: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\
    \r\nthis port takes HTTPS\n";

/// Waits until the client has begun a handshake on `stream`.
///
/// # Errors
/// It begins something else, or hangs up.
pub(super) async fn read<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T) -> io::Result<StartHandshake<T>> {
    let mut acceptor = Acceptor::default();
    let mut buffer = [0; 4096];
    let mut begun = false;
    loop {
        let count = stream.read(&mut buffer).await?;
        let mut read = &buffer[..count];
        match read.first() {
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(byte) if !begun && *byte != HANDSHAKE => {
                stream.write_all(IN_THE_CLEAR).await?;
                return Err(io::Error::new(io::ErrorKind::InvalidData, "not a TLS handshake"));
            }
            Some(_) => begun = true,
        }
        while !read.is_empty() {
            if acceptor.read_tls(&mut read)? == 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "more than a handshake's beginning"));
            }
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Ok(StartHandshake::from_parts(accepted, stream)),
            Err((error, mut alert)) => {
                let mut bytes = vec![];
                alert.write_all(&mut bytes)?;
                stream.write_all(&bytes).await?;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
}
