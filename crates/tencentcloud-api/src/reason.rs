//! The few kinds that everything which goes wrong falls into.

/// Why a request failed: a closed set, so that it can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The API refused for the frequency of requests: code `RequestLimitExceeded` and its kind, or HTTP 429.
    Throttled,
    /// No credential could be had, or the API does not accept the one we have.
    Credentials,
    /// Our clock is more than five minutes from the API's.
    ClockSkew,
    /// The credential is good, but may not do this.
    Denied,
    /// There is no user of that UIN. An answer rather than a failure to answer: the user's keys go.
    UserNotFound,
    /// The API calls the request wrong, or does not support it.
    Rejected,
    /// The API failed inside: codes such as `InternalError`, or HTTP 5xx.
    ServerError,
    /// Another HTTP status than 200, 429 or 5xx: a proxy or a wrong endpoint spoke.
    HttpStatus,
    /// No connection: name resolution, refused, unreachable.
    Connect,
    /// No secure connection: the certificate or the handshake.
    Tls,
    /// The connection was reset or closed before the answer was whole.
    Connection,
    /// The answer took longer than the request may take.
    Timeout,
    /// The answer was larger than 4 MiB; one that lists users, than 32 MiB.
    TooLarge,
    /// The answer was not what the API documents: not JSON, a wrong type, a time that cannot be.
    Malformed,
    /// A code that is documented nowhere.
    Other,
}

// === impl Reason ===

impl Reason {
    /// Every reason, `other` last.
    pub const ALL: [Self; 15] = [
        Self::Throttled,
        Self::Credentials,
        Self::ClockSkew,
        Self::Denied,
        Self::UserNotFound,
        Self::Rejected,
        Self::ServerError,
        Self::HttpStatus,
        Self::Connect,
        Self::Tls,
        Self::Connection,
        Self::Timeout,
        Self::TooLarge,
        Self::Malformed,
        Self::Other,
    ];

    /// Its name, in lower case.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Credentials => "credentials",
            Self::ClockSkew => "clock_skew",
            Self::Denied => "denied",
            Self::UserNotFound => "user_not_found",
            Self::Rejected => "rejected",
            Self::ServerError => "server_error",
            Self::HttpStatus => "http_status",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Other => "other",
        }
    }

    /// Whether it lies with the one user, and so with none of the others. Such a failure lasts until somebody
    /// acts.
    #[must_use]
    pub fn is_user_specific(self) -> bool {
        match self {
            Self::Denied | Self::UserNotFound | Self::Rejected | Self::TooLarge | Self::Malformed | Self::Other => true,
            Self::Throttled
            | Self::Credentials
            | Self::ClockSkew
            | Self::ServerError
            | Self::HttpStatus
            | Self::Connect
            | Self::Tls
            | Self::Connection
            | Self::Timeout => false,
        }
    }

    /// Whether the same request may well succeed in a moment. The others wait for the user's next turn.
    #[must_use]
    pub fn is_transient(self) -> bool {
        match self {
            Self::Throttled | Self::ServerError | Self::Connect | Self::Connection | Self::Timeout => true,
            Self::Credentials
            | Self::ClockSkew
            | Self::Denied
            | Self::UserNotFound
            | Self::Rejected
            | Self::HttpStatus
            | Self::Tls
            | Self::TooLarge
            | Self::Malformed
            | Self::Other => false,
        }
    }
}
