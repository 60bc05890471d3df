//! Where to listen: what `--web.listen-address` may say.

use std::{fmt, io, str::FromStr};

use thiserror::Error;
use tokio::net::TcpListener;

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
    /// What the system says: the port is taken, the address is not this machine's, or it may not be used.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        match &self.host {
            Some(host) => TcpListener::bind(format!("{host}:{}", self.port)).await,
            // One IPv6 socket takes IPv4 as well; a machine without IPv6 has only the latter.
            None => match TcpListener::bind(("::", self.port)).await {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    TcpListener::bind(("0.0.0.0", self.port)).await
                }
                bound => bound,
            },
        }
    }
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
}
