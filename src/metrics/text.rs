//! Writes lines of Prometheus's text format 0.0.4, which are lines of `OpenMetrics` 1.0.0 as well.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use crate::{inventory::AccountName, tencent::Uin};

/// Appends a sample of a user: `further` labels come after `account` and `uin`.
pub(super) fn user_sample(
    out: &mut String,
    name: &str,
    (account, uin): (&AccountName, Uin),
    further: &[(&str, &str)],
    value: i64,
) {
    out.push_str(name);
    // Neither needs escaping: a name is made of letters, digits, _ and -, a UIN of digits.
    out.push_str("{account=\"");
    out.push_str(account.as_str());
    out.push_str("\",uin=\"");
    out.push_str(itoa::Buffer::new().format(uin.get()));
    for (label, text) in further {
        out.push_str("\",");
        out.push_str(label);
        out.push_str("=\"");
        escape(out, text);
    }
    out.push_str("\"} ");
    out.push_str(itoa::Buffer::new().format(value));
    out.push('\n');
}

/// Appends a sample of an account.
pub(super) fn account_sample(out: &mut String, name: &str, account: &AccountName, value: f64) {
    use std::fmt::Write;
    // Writing to a string does not fail.
    let _ = writeln!(out, "{name}{{account=\"{account}\"}} {value}");
}

/// Appends the value of a label.
pub(super) fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        out.push('\\');
        out.push_str(if special.starts_with('\n') { "n" } else { &special[..1] });
        rest = &special[1..];
    }
    out.push_str(rest);
}
