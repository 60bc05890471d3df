//! Which requests go through a proxy, as the usual environment variables say.
//!
//! The variables are read here and not by the HTTP client: that ignores a value which it cannot parse, and sends signed
//! requests past the proxy. What is excepted follows Go's package `golang.org/x/net/http/httpproxy`, which most programs
//! for Prometheus use.

use std::{
    env::VarError,
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use hyper_util::client::proxy::matcher::Matcher;
use ipnet::IpNet;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// The variables that name the proxy: the first that is set counts.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The variables that except hosts from it.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The proxy, if there is one, and the hosts that are reached without it. The default is no proxy.
#[derive(Clone, Default)]
pub struct Proxies {
    /// It may hold a password.
    proxy: Option<SecretString>,
    exceptions: Vec<Exception>,
}

/// A variable that cannot be read. The value is not part of the message: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("environment variable {variable} is {problem}: correct it, or unset it")]
pub struct WrongVariable {
    variable: &'static str,
    problem: &'static str,
}

/// An entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    Address(IpAddr),
    Network(IpNet),
    /// This domain, in lower case, and all below it.
    Domain(String),
    /// All below this domain.
    Below(String),
}

// === impl Proxies ===

impl Proxies {
    /// As the environment variables say. `get` is [`std::env::var`] or stands in its place.
    ///
    /// # Errors
    /// A variable is set and cannot be read.
    pub fn from_variables(get: impl Fn(&str) -> Result<SecretString, VarError>) -> Result<Self, WrongVariable> {
        let proxy = match variable(&get, &PROXY)? {
            Some((variable, value)) => {
                let url =
                    proxy_url(value.expose_secret().trim()).map_err(|problem| WrongVariable { variable, problem })?;
                Some(SecretString::from(String::from(url)))
            }
            None => None,
        };
        let exceptions = match variable(&get, &NO_PROXY)? {
            Some((_, value)) => value.expose_secret().trim().split(',').filter_map(Exception::parse).collect(),
            None => vec![],
        };
        Ok(Self { proxy, exceptions })
    }

    /// The proxy for a request to `url`; nothing if it goes to the host itself.
    pub(crate) fn proxy_for(&self, url: &Url) -> Option<Url> {
        let proxy = self.proxy.as_ref()?;
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        let host = host.trim_start_matches('[').trim_end_matches([']', '.']).to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        let is_here = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        let excepted = is_here || self.exceptions.iter().any(|exception| exception.matches(&host, address, port));
        // It was parsed when it was read.
        if excepted { None } else { proxy.expose_secret().parse().ok() }
    }

    /// Whether there is a proxy at all.
    pub(crate) fn is_any(&self) -> bool {
        self.proxy.is_some()
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("is_any", &self.is_any()).finish_non_exhaustive()
    }
}

// === impl Exception ===

impl Exception {
    /// An entry. As in Go, one that is nothing known matches no host.
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry.is_empty() {
            return None;
        }
        if entry == "*" {
            return Some(Self { hosts: Hosts::All, port: None });
        }
        if let Ok(network) = entry.parse::<IpNet>() {
            return Some(Self { hosts: Hosts::Network(network), port: None });
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            return Some(Self { hosts: Hosts::Address(address.to_canonical()), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (entry.as_str(), None),
        };
        let address = match host.strip_prefix('[') {
            Some(inside) => Some(IpAddr::V6(inside.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?)),
            None => host.parse().ok(),
        };
        let hosts = match (address, host.strip_prefix('*').unwrap_or(host).strip_prefix('.')) {
            (Some(address), _) => Hosts::Address(address.to_canonical()),
            (None, Some(domain)) => Hosts::Below(domain.to_owned()),
            (None, None) => Hosts::Domain(host.to_owned()),
        };
        Some(Self { hosts, port })
    }

    fn matches(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        let is_host = match &self.hosts {
            Hosts::All => true,
            Hosts::Address(excepted) => address == Some(*excepted),
            Hosts::Network(network) => address.is_some_and(|address| network.contains(&address)),
            Hosts::Domain(domain) => host == domain || below(domain),
            Hosts::Below(domain) => below(domain),
        };
        is_host && self.port.is_none_or(|excepted| excepted == port)
    }
}

/// The first of the variables `names` that is set, with its value. An empty one counts as not set.
fn variable(
    get: &impl Fn(&str) -> Result<SecretString, VarError>,
    names: &[&'static str],
) -> Result<Option<(&'static str, SecretString)>, WrongVariable> {
    for variable in names.iter().copied() {
        let value = match get(variable) {
            Ok(value) => value,
            Err(VarError::NotPresent) => continue,
            Err(VarError::NotUnicode(_)) => return Err(WrongVariable { variable, problem: "not UTF-8" }),
        };
        // A mounted secret often ends in a newline.
        let text = value.expose_secret().trim();
        if text.contains(|character: char| character.is_control() || matches!(character, '"' | '\'' | '`')) {
            return Err(WrongVariable {
                variable,
                problem: "not usable, as it contains a quote or a control character",
            });
        }
        if !text.is_empty() {
            return Ok(Some((variable, value)));
        }
    }
    Ok(None)
}

fn proxy_url(text: &str) -> Result<Url, &'static str> {
    const EXPECTED: &str = "not the URL of a proxy: expected http://host:port or https://host:port";
    if text.contains(char::is_whitespace) {
        return Err(EXPECTED);
    }
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url: Url = url.parse().map_err(|_| EXPECTED)?;
    match url.scheme() {
        "http" | "https" => {}
        "socks4" | "socks4a" | "socks5" | "socks5h" => {
            return Err(
                "the URL of a SOCKS proxy, which is not supported: expected http://host:port or https://host:port",
            );
        }
        _ => return Err(EXPECTED),
    }
    if url.host_str().is_none_or(str::is_empty) || !matches!(url.path(), "" | "/") || url.query().is_some() {
        return Err(EXPECTED);
    }
    // The client goes past a proxy that it does not understand.
    let destination = http::Uri::from_static("https://cam.tencentcloudapi.com");
    let understood = Matcher::builder().all(String::from(url.clone())).build().intercept(&destination).is_some();
    if understood { Ok(url) } else { Err(EXPECTED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, String> {
        let get = |name: &str| {
            let value = variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| *value);
            value.map(SecretString::from).ok_or(VarError::NotPresent)
        };
        Proxies::from_variables(get).map_err(|error| error.to_string())
    }

    fn proxy(variables: &[(&str, &str)], url: &str) -> Option<String> {
        proxies(variables).unwrap().proxy_for(&url.parse().unwrap()).map(String::from)
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_proxy() {
        let url = "https://cam.tencentcloudapi.com";
        let values = ["http://proxy:1/", "http://proxy:2/", "http://proxy:3/", "http://proxy:4/"];
        let all: Vec<_> = PROXY.into_iter().zip(values).collect();
        for first in 0..all.len() {
            assert_eq!(proxy(&all[first..], url).as_deref(), Some(values[first]));
        }
        assert_eq!(proxy(&[("HTTPS_PROXY", " "), ("https_proxy", "proxy:3128")], url).unwrap(), "http://proxy:3128/");
        assert_eq!(proxy(&[("HTTP_PROXY", "http://proxy:1")], url), None);
    }

    #[test]
    fn what_is_meant_is_read_and_what_is_not_is_refused_without_its_value() {
        for value in ["http://user:secretword@proxy:1\n", " proxy.example:3128 ", "https://[::1]:8443/", "HTTP://PROXY"]
        {
            assert!(proxies(&[("HTTPS_PROXY", value)]).is_ok_and(|proxies| proxies.is_any()), "{value:?}");
        }
        for value in [
            "\"http://user:secretword@proxy:1\"",
            "'http://proxy:1'",
            "http://user:secretword@pro xy:1",
            "http://user:secretword@proxy:1\nx",
            "socks5://user:secretword@proxy:1",
            "ftp://user:secretword@proxy:1",
            "http://user:secretword@",
            "http://proxy:99999",
            "http://proxy:1/secretword.pac",
            "http://proxy:1?secretword",
            "://",
            "secret word",
            "\u{fffd}",
        ] {
            let error = proxies(&[("https_proxy", value)]).unwrap_err();
            assert!(error.starts_with("environment variable https_proxy is "), "{value:?}: {error}");
            assert!(!error.contains("secret") && !error.contains("user"), "{error}");
        }
        assert!(proxies(&[("NO_PROXY", "\"a\"")]).is_err());
    }

    #[test]
    fn exceptions_are_those_of_go() {
        for (no_proxy, excepted, proxied) in [
            ("example.test", &["example.test", "a.b.example.test", "EXAMPLE.test"][..], &["badexample.test"][..]),
            (".example.test", &["a.example.test"], &["example.test"]),
            ("*.example.test", &["a.example.test", "a.b.example.test"], &["example.test", "aexample.test"]),
            ("*", &["a.test", "1.2.3.4"], &[]),
            ("a.test, B.test ,,", &["a.test", "b.test"], &["c.test"]),
            ("a.test:443", &["a.test", "b.a.test"], &["a.test:444"]),
            ("a.test:444", &["a.test:444"], &["a.test"]),
            ("*.a.test:443", &["b.a.test"], &["b.a.test:444", "a.test"]),
            ("10.0.0.0/8", &["10.1.2.3"], &["11.1.2.3", "10.test"]),
            ("fd00::/8", &["[fd00::1]"], &["[fe00::1]"]),
            ("1.2.3.4", &["1.2.3.4", "1.2.3.4:8443"], &["1.2.3.5"]),
            ("1.2.3.4:443", &["1.2.3.4"], &["1.2.3.4:8443"]),
            ("[fd00::1]:443", &["[fd00::1]"], &["[fd00::1]:8443"]),
            ("a.test:port", &[], &["a.test"]),
            ("", &["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "LOCALHOST"], &["a.localhost.test"]),
        ] {
            let variables = [("HTTPS_PROXY", "http://proxy:1"), ("NO_PROXY", no_proxy)];
            for host in excepted {
                assert_eq!(proxy(&variables, &format!("https://{host}/")), None, "{no_proxy}: {host}");
            }
            for host in proxied {
                assert!(proxy(&variables, &format!("https://{host}/")).is_some(), "{no_proxy}: {host}");
            }
        }
    }

    #[test]
    fn no_password_is_printed() {
        let proxies = proxies(&[("HTTPS_PROXY", "http://user:secretword@proxy:1")]).unwrap();
        assert!(!format!("{proxies:?}").contains("secretword"));
    }
}
