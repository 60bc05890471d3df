//! A family of metrics: its name, its help text and its type.

/// A family of gauges or counters.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    /// Has no backslash, quote or line feed: it is written as it is in every format.
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}
