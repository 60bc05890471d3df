//! The style sheet, and the policy that lets it and nothing else into the page.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use sha2::{Digest, Sha256};

/// What stands between `<style>` and `</style>`.
pub(super) const STYLE: &str = include_str!("style.css");

/// The policy under which the page is shown: no script, no form, no frame, nothing from elsewhere; only this style sheet,
/// and the icon, which is part of the page.
pub(super) fn policy() -> HeaderValue {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}
