//! Writes lines of Prometheus's text format 0.0.4, which are lines of `OpenMetrics` 1.0.0 as well.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use crate::{inventory::AccountName, tencent::Uin};

/// Appends a sample of a user: `further` labels come after `account` and `uin`.
pub(super) fn user_sample(
    out: &mut Vec<u8>,
    name: &str,
    (account, uin): (&AccountName, Uin),
    further: &[(&str, &str)],
    value: i64,
) {
    out.extend_from_slice(name.as_bytes());
    // Neither needs escaping: a name is made of letters, digits, _ and -, a UIN of digits.
    out.extend_from_slice(b"{account=\"");
    out.extend_from_slice(account.as_str().as_bytes());
    out.extend_from_slice(b"\",uin=\"");
    out.extend_from_slice(itoa::Buffer::new().format(uin.get()).as_bytes());
    for (label, text) in further {
        out.extend_from_slice(b"\",");
        out.extend_from_slice(label.as_bytes());
        out.extend_from_slice(b"=\"");
        escape(out, text);
    }
    out.extend_from_slice(b"\"} ");
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    out.push(b'\n');
}

/// Appends a sample of an account.
pub(super) fn account_sample(out: &mut String, name: &str, account: &AccountName, value: f64) {
    use std::fmt::Write;
    // Writing to a string does not fail.
    let _ = writeln!(out, "{name}{{account=\"{account}\"}} {value}");
}

/// Appends the value of a label.
pub(super) fn escape(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(if rest[at] == b'\n' { b'n' } else { rest[at] });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}
