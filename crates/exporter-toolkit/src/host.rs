//! Checks the `Host` header, as RFC 9112, section 3.2, wants.

use std::net::Ipv6Addr;

use http::{Request, Version, header::HOST};

/// Checks that `request` names one host.
///
/// # Errors
/// The text of a response with status 400: the header is missing in HTTP/1.1, there are several, its value is not a host, or
/// it differs from the `:authority` of HTTP/2.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        return if request.version() == Version::HTTP_11 { Err("the Host header is missing\n") } else { Ok(()) };
    };
    if hosts.next().is_some() {
        return Err("there is more than one Host header\n");
    }
    if !is_host(host.as_bytes()) {
        return Err("the Host header is invalid\n");
    }
    let authority = request.uri().authority().filter(|_| request.version() == Version::HTTP_2);
    match authority {
        Some(authority) if !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
            Err("the Host header differs from :authority\n")
        }
        _ => Ok(()),
    }
}

/// Whether `value` is a host with or without a port. It may be empty: the target may have none.
fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !value.ends_with(b"]") => (&value[..colon], &value[colon + 1..]),
        _ => (value, &b""[..]),
    };
    let is_address = |host: &[u8]| str::from_utf8(host).is_ok_and(|host| host.parse::<Ipv6Addr>().is_ok());
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let is_valid = match host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")) {
        Some(address) => is_address(address),
        None => host.iter().all(is_name),
    };
    is_valid && port.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_port_are_valid() {
        for valid in
            ["", "exporter", "exporter:10047", "exporter:", "10.0.0.1:80", "[::1]", "[::1]:10047", "a_b.c-d", "x%20y"]
        {
            assert!(is_host(valid.as_bytes()), "{valid}");
        }
        for invalid in [
            "a b",
            "a/b",
            "user@host",
            "a:b",
            "a:1:2",
            "::1",
            "[::1",
            "[]",
            "[::1]x",
            "a,b:c",
            "a\"b",
            "\u{fc}",
            "[v1.x]:",
        ] {
            assert!(!is_host(invalid.as_bytes()), "{invalid}");
        }
    }

    #[test]
    fn http2_may_repeat_its_authority() {
        let request = |host: &str| {
            Request::get("https://exporter:10047/").version(Version::HTTP_2).header(HOST, host).body(()).unwrap()
        };
        assert_eq!(check(&request("Exporter:10047")), Ok(()));
        assert!(check(&request("other")).is_err());
    }
}
