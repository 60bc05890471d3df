//! Where an API is reached.

use std::{fmt, net::IpAddr, str::FromStr};

use http::{Uri, uri::Scheme};
use thiserror::Error;

/// The address of an API: a scheme, a host and perhaps a port, as in `https://cam.tencentcloudapi.com`.
///
/// Plain HTTP is allowed for loopback addresses only: each request has a session token in a header, and a response must
/// be authentic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
    host: String,
    cleartext: bool,
}

/// Why a text is not an [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAnEndpoint {
    /// Not of the form scheme, host, port.
    #[error("not an endpoint: expected a scheme and a host, such as https://cam.tencentcloudapi.com")]
    Malformed,
    /// A path, a query or a user name behind the host.
    #[error("more than an endpoint: expected only scheme and host, such as https://cam.tencentcloudapi.com")]
    Excess,
    /// Plain HTTP to another machine.
    #[error("plain http, which is allowed to this machine only (127.0.0.1, [::1], localhost): use https")]
    Cleartext,
}

// === impl Endpoint ===

impl Endpoint {
    /// STS, as accounts of the Chinese site reach it.
    #[must_use]
    pub fn sts() -> Self {
        Self {
            uri: Uri::from_static("https://sts.tencentcloudapi.com/"),
            host: "sts.tencentcloudapi.com".to_owned(),
            cleartext: false,
        }
    }

    /// The organisations, as accounts of the Chinese site reach them.
    #[must_use]
    pub fn organization() -> Self {
        Self {
            uri: Uri::from_static("https://organization.tencentcloudapi.com/"),
            host: "organization.tencentcloudapi.com".to_owned(),
            cleartext: false,
        }
    }

    /// The address to send to; its path is `/`.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The `Host` header: lower case, with the port where it is not the scheme's own. It is part of what is signed.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is reached by plain HTTP, on this machine.
    #[must_use]
    pub fn is_cleartext(&self) -> bool {
        self.cleartext
    }
}

impl Default for Endpoint {
    /// CAM, as accounts of the Chinese site reach it.
    fn default() -> Self {
        Self {
            uri: Uri::from_static("https://cam.tencentcloudapi.com/"),
            host: "cam.tencentcloudapi.com".to_owned(),
            cleartext: false,
        }
    }
}

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let uri: Uri = text.to_ascii_lowercase().parse().map_err(|_| NotAnEndpoint::Malformed)?;
        let (scheme, authority) = match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority)) if !authority.host().is_empty() => (scheme, authority),
            _ => return Err(NotAnEndpoint::Malformed),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(NotAnEndpoint::Excess);
        }
        let cleartext = *scheme == Scheme::HTTP;
        let own_port = if *scheme == Scheme::HTTPS {
            443
        } else if !cleartext {
            return Err(NotAnEndpoint::Malformed);
        } else if is_loopback(authority.host()) {
            80
        } else {
            return Err(NotAnEndpoint::Cleartext);
        };
        let host = match authority.port() {
            Some(port) if port.as_u16() != own_port => authority.to_string(),
            Some(_) => authority.host().to_owned(),
            None if authority.as_str().ends_with(':') => return Err(NotAnEndpoint::Malformed),
            None => authority.to_string(),
        };
        let uri = format!("{scheme}://{host}/").parse().map_err(|_| NotAnEndpoint::Malformed)?;
        Ok(Self { uri, host, cleartext })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_header_is_what_an_http_client_sends() {
        for (text, host) in [
            ("https://cam.tencentcloudapi.com", "cam.tencentcloudapi.com"),
            ("https://CAM.tencentcloudapi.com/", "cam.tencentcloudapi.com"),
            ("https://cam.tencentcloudapi.com:443", "cam.tencentcloudapi.com"),
            ("https://cam.tencentcloudapi.com:8443", "cam.tencentcloudapi.com:8443"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://[::1]:80", "[::1]"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().host(), host, "{text}");
        }
    }

    #[test]
    fn the_defaults_are_endpoints_like_any_other() {
        assert_eq!("https://sts.tencentcloudapi.com".parse(), Ok(Endpoint::sts()));
        assert_eq!("https://cam.tencentcloudapi.com".parse(), Ok(Endpoint::default()));
        assert_eq!("https://organization.tencentcloudapi.com".parse(), Ok(Endpoint::organization()));
    }

    #[test]
    fn refuses_what_would_send_a_request_astray() {
        use NotAnEndpoint::{Cleartext, Excess, Malformed};
        for (text, why) in [
            ("", Malformed),
            ("cam.tencentcloudapi.com", Malformed),
            ("ftp://cam.tencentcloudapi.com", Malformed),
            ("https://", Malformed),
            ("https://cam.tencentcloudapi.com:", Malformed),
            ("https://cam.tencentcloudapi.com/v3", Excess),
            ("https://cam.tencentcloudapi.com/?a=b", Excess),
            ("https://user@cam.tencentcloudapi.com", Excess),
            ("http://cam.tencentcloudapi.com", Cleartext),
            ("http://127.0.0.1.example.com", Cleartext),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(why), "{text}");
        }
    }
}
