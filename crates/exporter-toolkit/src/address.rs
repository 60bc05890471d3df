//! Where to listen: what `--web.listen-address` may say.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use socket2::{Domain, Socket, Type};
use thiserror::Error;
use tokio::net::TcpListener;

/// What the system may hold of requests, for each connection: a head fits. It takes twice as much, with its own needs.
const RECEIVE_BUFFER_BYTES: usize = 16 << 10;

/// What the system may hold of responses that the peer has not acknowledged, for each connection: enough for 6 MB a second
/// over a network with a round trip of 30 ms.
const SEND_BUFFER_BYTES: usize = 128 << 10;

/// What the system may hold of responses that it cannot send, for each connection: all that a reader that reads nothing
/// costs.
#[cfg(any(target_os = "android", target_os = "linux"))]
const MAX_UNSENT_BYTES: u32 = 32 << 10;

/// Connections that wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 1024;

/// A port on every address of the machine (`:10047`), or on one of them (`127.0.0.1:10047`, `[::1]:10047`,
/// `localhost:10047`). Port 0 takes any free one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    host: Option<String>,
    port: u16,
}

/// Text that is not a [`ListenAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an address to listen on: expected [host]:port, such as :10047, 127.0.0.1:10047 or [::1]:10047")]
pub struct NotAListenAddress;

// === impl ListenAddress ===

impl ListenAddress {
    /// Starts to listen.
    ///
    /// # Errors
    /// The error of the system: the port is taken, the address is not one of this machine, or it may not be used.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        let Some(host) = &self.host else {
            // One IPv6 socket accepts IPv4 as well; a machine without IPv6 has only the latter.
            return match listen((Ipv6Addr::UNSPECIFIED, self.port).into()) {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    listen((Ipv4Addr::UNSPECIFIED, self.port).into())
                }
                bound => bound,
            };
        };
        let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the host has no address");
        for address in tokio::net::lookup_host(format!("{host}:{}", self.port)).await? {
            match listen(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        // The system's default may be otherwise: net.ipv6.bindv6only.
        socket.set_only_v6(false)?;
    }
    limit_buffers(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Limits what the system holds for each connection: those that the socket accepts inherit it.
pub(crate) fn limit_buffers(socket: &Socket) -> io::Result<()> {
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    socket.set_tcp_notsent_lowat(MAX_UNSENT_BYTES)?;
    Ok(())
}

impl FromStr for ListenAddress {
    type Err = NotAListenAddress;

    fn from_str(text: &str) -> Result<Self, NotAListenAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(NotAListenAddress)?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or(NotAListenAddress)?;
        let bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        if bare_ipv6 || host.contains(['/', '@']) || host.chars().any(char::is_whitespace) {
            return Err(NotAListenAddress);
        }
        Ok(Self { host: Some(host).filter(|host| !host.is_empty()).map(str::to_owned), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host.as_deref().unwrap_or_default(), self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_prometheus_takes() {
        for text in [":10047", "127.0.0.1:10047", "[::1]:10047", "localhost:0"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        for wrong in ["", "10047", "localhost", ":", ":+1", ":65536", "::1:10047", "http://localhost:1", "a b:1"] {
            assert_eq!(wrong.parse::<ListenAddress>(), Err(NotAListenAddress), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_bare_port_takes_ipv4_callers() {
        let listener = ":0".parse::<ListenAddress>().unwrap().bind().await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    }

    #[tokio::test]
    async fn a_wildcard_listener_accepts_ipv4_whatever_the_system_defaults_to() {
        for address in [":0", "[::]:0"] {
            let listener = address.parse::<ListenAddress>().unwrap().bind().await.unwrap();
            if listener.local_addr().unwrap().is_ipv6() {
                assert!(!socket2::SockRef::from(&listener).only_v6().unwrap(), "{address}");
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn accepted_connections_have_small_buffers() {
        let listener = "127.0.0.1:0".parse::<ListenAddress>().unwrap().bind().await.unwrap();
        let _client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let socket = socket2::SockRef::from(&accepted);
        // Linux doubles what it is asked for.
        assert!(socket.recv_buffer_size().unwrap() <= 2 * RECEIVE_BUFFER_BYTES);
        assert!(socket.send_buffer_size().unwrap() <= 2 * SEND_BUFFER_BYTES);
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), MAX_UNSENT_BYTES);
    }
}
