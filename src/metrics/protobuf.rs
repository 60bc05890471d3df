//! Writes families as Prometheus's protocol buffers, each after its length.
//!
//! Source: `io/prometheus/client/metrics.proto` of `prometheus/client_model`, whose field numbers these are.

use bytes::Bytes;
use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::family::Family;

/// The wire's kinds of values.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;

/// Gauges of one family.
#[derive(Debug, Default)]
pub(super) struct Gauges(Vec<u8>);

// === impl Gauges ===

impl Gauges {
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        message(&mut self.0, 4, |out| {
            for (name, text) in labels {
                label(out, name, text);
            }
            message(out, 2, |out| double(out, 1, value));
        });
    }

    /// The whole family, unless it is empty.
    pub(super) fn end(self, family: &Family) -> Option<Bytes> {
        (!self.0.is_empty()).then(|| delimited(family.name, family.help, MetricType::GAUGE, &self.0))
    }
}

/// A family of the library's: counters, gauges or histograms.
pub(super) fn gathered(family: &MetricFamily) -> Bytes {
    let kind = family.get_field_type();
    let mut metrics = vec![];
    for metric in family.get_metric() {
        message(&mut metrics, 4, |out| {
            for pair in metric.get_label() {
                label(out, pair.name(), pair.value());
            }
            match kind {
                MetricType::COUNTER => message(out, 3, |out| double(out, 1, metric.get_counter().get_value())),
                MetricType::HISTOGRAM => message(out, 7, |out| histogram(out, metric)),
                _ => message(out, 2, |out| double(out, 1, metric.get_gauge().get_value())),
            }
        });
    }
    delimited(family.name(), family.help(), kind, &metrics)
}

fn histogram(out: &mut Vec<u8>, metric: &Metric) {
    let histogram = metric.get_histogram();
    integer(out, 1, histogram.get_sample_count());
    double(out, 2, histogram.get_sample_sum());
    for bucket in histogram.get_bucket() {
        message(out, 3, |out| {
            integer(out, 1, bucket.cumulative_count());
            double(out, 2, bucket.upper_bound());
        });
    }
}

fn delimited(name: &str, help: &str, kind: MetricType, metrics: &[u8]) -> Bytes {
    let mut head = vec![];
    text(&mut head, 1, name);
    text(&mut head, 2, help);
    let kind = match kind {
        MetricType::COUNTER => 0,
        MetricType::GAUGE => 1,
        MetricType::SUMMARY => 2,
        MetricType::UNTYPED => 3,
        MetricType::HISTOGRAM => 4,
    };
    integer(&mut head, 3, kind);
    let mut out = vec![];
    varint(&mut out, length(head.len() + metrics.len()));
    [out, head, metrics.to_vec()].concat().into()
}

fn label(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, 1, |out| {
        text(out, 1, name);
        text(out, 2, value);
    });
}

fn message(out: &mut Vec<u8>, field: u64, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::with_capacity(128);
    write(&mut inner);
    bytes(out, field, &inner);
}

fn text(out: &mut Vec<u8>, field: u64, text: &str) {
    bytes(out, field, text.as_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | LENGTH_DELIMITED);
    varint(out, length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | FIXED64);
    out.extend(value.to_le_bytes());
}

fn integer(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | VARINT);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or_default());
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
