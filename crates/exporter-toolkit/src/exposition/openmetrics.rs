//! Writes the library's families as `OpenMetrics` 1.0.0, and what ends the exposition.
//!
//! Source: <https://prometheus.io/docs/specs/om/open_metrics_spec/>. A counter's family is named without `_total`, and the
//! bounds of buckets are always written as floating point numbers.

use std::io::Write;

use prometheus::proto::{LabelPair, MetricFamily, MetricType};

use super::text::escape;

/// Appends the `families`, which are counters, gauges and histograms, and what ends the exposition.
pub(super) fn encode(families: &[MetricFamily], out: &mut Vec<u8>) {
    for family in families {
        let kind = family.get_field_type();
        let name = family.name();
        let name = if kind == MetricType::COUNTER { name.trim_end_matches("_total") } else { name };
        out.extend_from_slice(b"# HELP ");
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        escape(out, family.help());
        let kind_name = match kind {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            MetricType::SUMMARY => "summary",
            MetricType::UNTYPED => "unknown",
        };
        line(out, format_args!("\n# TYPE {name} {kind_name}"));
        for metric in family.get_metric() {
            let labels = metric.get_label();
            match kind {
                MetricType::COUNTER => sample(out, name, "_total", labels, None, metric.get_counter().get_value()),
                MetricType::HISTOGRAM => {
                    let histogram = metric.get_histogram();
                    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
                    let count = |count: u64| count as f64;
                    let total = count(histogram.get_sample_count());
                    for bucket in histogram.get_bucket() {
                        let bound = format!("{:?}", bucket.upper_bound());
                        sample(out, name, "_bucket", labels, Some(&bound), count(bucket.cumulative_count()));
                    }
                    sample(out, name, "_bucket", labels, Some("+Inf"), total);
                    sample(out, name, "_sum", labels, None, histogram.get_sample_sum());
                    sample(out, name, "_count", labels, None, total);
                }
                MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => {
                    sample(out, name, "", labels, None, metric.get_gauge().get_value());
                }
            }
        }
    }
    out.extend_from_slice(b"# EOF\n");
}

fn sample(out: &mut Vec<u8>, name: &str, suffix: &str, labels: &[LabelPair], bound: Option<&str>, value: f64) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    let bound = bound.map(|bound| ("le", bound));
    for (index, (name, value)) in labels.iter().map(|pair| (pair.name(), pair.value())).chain(bound).enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        escape(out, value);
        out.push(b'"');
    }
    if !labels.is_empty() || bound.is_some() {
        out.push(b'}');
    }
    line(out, format_args!(" {value}"));
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    let _ = writeln!(out, "{text}");
}
