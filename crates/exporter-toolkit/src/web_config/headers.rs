//! The headers that may be added to every answer: five, as in the toolkit.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::yaml::{Node, Notes, Refused, unknown};

/// Their names, as they must be written, and the values they may have; any, where there are none.
const HEADERS: [(&str, HeaderName, &[&str]); 5] = [
    ("Content-Security-Policy", header::CONTENT_SECURITY_POLICY, &[]),
    ("X-Frame-Options", header::X_FRAME_OPTIONS, &["deny", "sameorigin"]),
    ("X-Content-Type-Options", header::X_CONTENT_TYPE_OPTIONS, &["nosniff"]),
    ("X-XSS-Protection", header::X_XSS_PROTECTION, &[]),
    ("Strict-Transport-Security", header::STRICT_TRANSPORT_SECURITY, &[]),
];

/// What `headers` holds. Those that are blank are not sent.
pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    for (name, value) in node.entries(notes)? {
        let Some((_, header, allowed)) = HEADERS.iter().find(|(known, ..)| *known == name) else {
            value.refuse(notes, unknown(name, &HEADERS.map(|(known, ..)| known)));
            continue;
        };
        let text = if value.is_null() { Ok("") } else { value.text(notes) };
        let parsed = text.and_then(|text| parse(text, allowed).map_err(|problem| value.refuse(notes, problem)));
        if let Ok(Some(value)) = parsed {
            headers.insert(header, value);
        }
    }
    Ok(headers)
}

/// A value of `allowed`. As in the toolkit, a line's end counts as a space: a long policy is written on several lines.
fn parse(text: &str, allowed: &[&str]) -> Result<Option<HeaderValue>, String> {
    if !allowed.is_empty() && !allowed.contains(&text) {
        return Err(format!("not a value of this header: expected {}", allowed.join(" or ")));
    }
    let line = text.replace(['\r', '\n'], " ");
    match line.trim() {
        "" => Ok(None),
        line => HeaderValue::from_bytes(line.as_bytes())
            .map(Some)
            .map_err(|_| "not the text of a header: expected no control characters".to_owned()),
    }
}
