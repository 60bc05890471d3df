//! A family of metrics: its name, its help text, its type, and the labels of its samples.

/// A family of gauges or counters.
#[derive(Debug)]
pub struct Family {
    /// Its name in the text format: that of a counter ends with `_total`.
    pub name: &'static str,
    /// Has no backslash, quote or line feed: it is written as it is in every format.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, but for restarts.
    Counter,
    /// It may grow and shrink.
    Gauge,
}

/// The labels of a sample, in the order in which they are written.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// Those that come first, whose values have no backslash, quote or line feed.
    pub plain: &'a [(&'static str, &'a str)],
    /// The others, with any values.
    pub further: &'a [(&'static str, &'a str)],
}

// === impl Labels ===

impl<'a> Labels<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.plain.iter().chain(self.further).copied()
    }
}
