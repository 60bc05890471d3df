//! Writes the text format 0.0.4 and the parts of `OpenMetrics` 1.0.0 that are the same.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::{io::Write, ops::Range};

use memchr::memchr3;

use super::{Family, Kind, Labels};
use crate::Format;

/// Appends the lines that begin a family.
pub fn head(out: &mut Vec<u8>, format: Format, family: &Family) {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
    };
    // In OpenMetrics, the suffix belongs to a counter's samples alone.
    let name = match format {
        Format::OpenMetrics => family.name.trim_end_matches("_total"),
        Format::Text | Format::Protobuf => family.name,
    };
    // Writing to a vector does not fail.
    let _ = write!(out, "# HELP {name} {}\n# TYPE {name} {kind}\n", family.help);
}

/// Appends a sample of the family `name`. `prefix` is where in `out` the last sample has the family and the plain labels: if it
/// is not empty, they are copied from there. Samples that share them come in a row, which begins with an empty `prefix`.
pub fn sample(out: &mut Vec<u8>, prefix: &mut Range<usize>, name: &str, labels: Labels<'_>, value: f64) {
    let mut separator = b'{';
    if prefix.start == prefix.end {
        prefix.start = out.len();
        out.extend_from_slice(name.as_bytes());
        for (label, text) in labels.plain {
            begin_label(out, separator, label);
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
            separator = b',';
        }
        prefix.end = out.len();
    } else {
        out.extend_from_within(prefix.clone());
        separator = b',';
    }
    for (label, text) in labels.further {
        begin_label(out, separator, label);
        escape(out, text);
        out.push(b'"');
        separator = b',';
    }
    out.extend_from_slice(b"} ");
    number(out, value);
    out.push(b'\n');
}

fn begin_label(out: &mut Vec<u8>, separator: u8, label: &str) {
    out.push(separator);
    out.extend_from_slice(label.as_bytes());
    out.extend_from_slice(b"=\"");
}

fn number(out: &mut Vec<u8>, value: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the original in the next line")]
    let whole = value as i64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "only exact values are written as integers")]
    if whole as f64 == value && whole.unsigned_abs() < 1 << 53 {
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    } else {
        // Writing to a vector does not fail.
        let _ = write!(out, "{value}");
    }
}

/// Appends the value of a label.
pub(super) fn escape(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr3(b'\\', b'"', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[b'\\', if rest[at] == b'\n' { b'n' } else { rest[at] }]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}
