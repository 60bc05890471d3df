//! A family of metrics: its name, what it says of itself, and its kind.

/// A family of gauges.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    /// Neither a backslash, nor a quote, nor a line feed: it is written as it stands in every format.
    pub(super) help: &'static str,
}

// === impl Family ===

impl Family {
    /// The two lines that begin it, the same in Prometheus's text format and in `OpenMetrics`.
    pub(super) fn head(&self) -> String {
        let Self { name, help } = self;
        format!("# HELP {name} {help}\n# TYPE {name} gauge\n")
    }
}
