//! Writes families as Prometheus's protocol buffers, each after its length.
//!
//! Source: `io/prometheus/client/metrics.proto` of `prometheus/client_model`, whose field numbers these are.

use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::{Family, Kind, Labels};

/// The wire's kinds of values.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;

/// The length of a message that has one double, in field 1.
const VALUE_LENGTH: usize = 9;

/// Appends what begins a family whose samples take `samples` bytes.
pub fn head(out: &mut Vec<u8>, family: &Family, samples: usize) {
    let kind = match family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
    };
    begin(out, family.name, family.help, kind, samples);
}

/// How many bytes [`sample`] appends.
#[must_use]
pub fn sample_length(labels: Labels<'_>) -> usize {
    field_length(metric_length(labels))
}

/// Appends a sample of a counter or a gauge.
pub fn sample(out: &mut Vec<u8>, kind: Kind, labels: Labels<'_>, value: f64) {
    begin_field(out, 4, metric_length(labels));
    for (name, value) in labels.iter() {
        label(out, name, value);
    }
    let field = match kind {
        Kind::Counter => 3,
        Kind::Gauge => 2,
    };
    begin_field(out, field, VALUE_LENGTH);
    double(out, 1, value);
}

fn metric_length(labels: Labels<'_>) -> usize {
    labels.iter().map(|(name, value)| field_length(label_length(name, value))).sum::<usize>()
        + field_length(VALUE_LENGTH)
}

/// Appends a family of the library's: counters, gauges or histograms.
pub(super) fn gathered(out: &mut Vec<u8>, family: &MetricFamily) {
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
                MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => {
                    message(out, 2, |out| double(out, 1, metric.get_gauge().get_value()));
                }
            }
        });
    }
    begin(out, family.name(), family.help(), kind, metrics.len());
    out.extend_from_slice(&metrics);
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

fn begin(out: &mut Vec<u8>, name: &str, help: &str, kind: MetricType, metrics: usize) {
    let kind = match kind {
        MetricType::COUNTER => 0,
        MetricType::GAUGE => 1,
        MetricType::SUMMARY => 2,
        MetricType::UNTYPED => 3,
        MetricType::HISTOGRAM => 4,
    };
    let mut head = vec![];
    text(&mut head, 1, name);
    text(&mut head, 2, help);
    integer(&mut head, 3, kind);
    varint(out, length(head.len() + metrics));
    out.extend_from_slice(&head);
}

fn label(out: &mut Vec<u8>, name: &str, value: &str) {
    begin_field(out, 1, label_length(name, value));
    text(out, 1, name);
    text(out, 2, value);
}

fn label_length(name: &str, value: &str) -> usize {
    field_length(name.len()) + field_length(value.len())
}

/// Of a field with such a number of bytes, whose own number is below 16.
fn field_length(bytes: usize) -> usize {
    let digits = usize::BITS - (bytes | 1).leading_zeros();
    1 + digits.div_ceil(7) as usize + bytes
}

fn message(out: &mut Vec<u8>, field: u64, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = vec![];
    write(&mut inner);
    begin_field(out, field, inner.len());
    out.extend_from_slice(&inner);
}

fn text(out: &mut Vec<u8>, field: u64, text: &str) {
    begin_field(out, field, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn begin_field(out: &mut Vec<u8>, field: u64, bytes: usize) {
    varint(out, field << 3 | LENGTH_DELIMITED);
    varint(out, length(bytes));
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
