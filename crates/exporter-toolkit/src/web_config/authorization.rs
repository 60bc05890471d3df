//! What a request says of who asks: the header `Authorization`.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretSlice};

/// A user's name and password, as a request presents them. Either may be any bytes.
#[derive(Clone, Debug)]
pub(super) struct BasicCredentials {
    /// Both, with a colon between them.
    both: SecretSlice<u8>,
    colon: usize,
}

// === impl BasicCredentials ===

impl BasicCredentials {
    /// What `headers` present. Nothing, unless there is exactly one such header, and it is well formed.
    pub(super) fn in_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let (scheme, encoded) = value.as_bytes().split_at_checked("Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let both = BASE64_STANDARD.decode(encoded.trim_ascii_start()).ok()?;
        let colon = both.iter().position(|byte| *byte == b':')?;
        Some(Self { both: both.into(), colon })
    }

    pub(super) fn user(&self) -> &[u8] {
        &self.both.expose_secret()[..self.colon]
    }

    /// Exposes it.
    pub(super) fn password(&self) -> &[u8] {
        &self.both.expose_secret()[self.colon + 1..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<(Vec<u8>, Vec<u8>)> {
        let headers = values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect();
        BasicCredentials::in_headers(&headers).map(|found| (found.user().to_vec(), found.password().to_vec()))
    }

    #[test]
    fn one_well_formed_header_is_read() {
        let expected = Some((b"alice".to_vec(), b"a:b".to_vec()));
        for value in ["Basic YWxpY2U6YTpi", "basic YWxpY2U6YTpi", "BASIC  YWxpY2U6YTpi"] {
            assert_eq!(read(&[value]), expected, "{value}");
        }
        assert_eq!(read(&["Basic Og=="]), Some((vec![], vec![])));
        assert_eq!(read(&["Basic /zr/"]), Some((vec![0xff], vec![0xff])));
    }

    #[test]
    fn anything_else_is_nothing() {
        let several = ["Basic YWxpY2U6YTpi", "Basic YWxpY2U6YTpi"];
        assert_eq!(read(&several), None);
        for value in
            ["", "Basic", "Basic ", "BasicYWxpY2U6YTpi", "Bearer YWxpY2U6YTpi", "Basic YWxpY2U", "Basic alice:b"]
        {
            assert_eq!(read(&[value]), None, "{value}");
        }
    }
}
