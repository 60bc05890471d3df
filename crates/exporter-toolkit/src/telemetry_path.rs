//! Path under which to expose metrics: what `--web.telemetry-path` may say.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// The path of the exposition, by default `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryPath(String);

/// Text that is not a [`TelemetryPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotATelemetryPath {
    /// No path, or one that a request would not carry as it stands.
    #[error("not a path: expected / and then letters, digits, /, -, _ or ., such as /metrics")]
    Malformed,
    /// The path of something else.
    #[error(
        "taken: / is the status page, and paths below /-/ are the exporter's own: choose another, such as /metrics"
    )]
    Taken,
}

// === impl TelemetryPath ===

impl TelemetryPath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TelemetryPath {
    type Err = NotATelemetryPath;

    fn from_str(text: &str) -> Result<Self, NotATelemetryPath> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
        if !text.starts_with('/') || !text.bytes().all(plain) {
            return Err(NotATelemetryPath::Malformed);
        }
        if text == "/" || text.starts_with("/-/") {
            return Err(NotATelemetryPath::Taken);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TelemetryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_path_that_nothing_else_has() {
        assert_eq!("/cam/metrics".parse::<TelemetryPath>().unwrap().as_str(), "/cam/metrics");
        for wrong in ["", "metrics", "/a b", "/a?b", "/<b>", "/ä"] {
            assert_eq!(wrong.parse::<TelemetryPath>(), Err(NotATelemetryPath::Malformed), "{wrong:?}");
        }
        for taken in ["/", "/-/ready", "/-/"] {
            assert_eq!(taken.parse::<TelemetryPath>(), Err(NotATelemetryPath::Taken), "{taken:?}");
        }
    }
}
