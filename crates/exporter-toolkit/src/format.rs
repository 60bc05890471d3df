//! The formats of an exposition.

/// In what format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    #[default]
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
    /// Prometheus's protocol buffers, delimited.
    Protobuf,
}
