//! Hears what the server refuses, for an exporter to count.

use std::fmt;

/// Why a connection or a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpRefused {
    /// The TLS handshake failed.
    Handshake,
    /// A limit was reached: that of scrapes under way, the number of connections, or `rate_limit`.
    Limit,
    /// Too many passwords wait to be checked.
    Overload,
}

/// Hears what the server refuses. `()` ignores it.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A connection or a request was refused.
    fn http_refused(&self, reason: HttpRefused);
}

// === impl HttpRefused ===

impl HttpRefused {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Handshake, Self::Limit, Self::Overload];

    /// The value of a label `reason`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Limit => "limit",
            Self::Overload => "overload",
        }
    }
}

impl Observer for () {
    fn http_refused(&self, _: HttpRefused) {}
}
