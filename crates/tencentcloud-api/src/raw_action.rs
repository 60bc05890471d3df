//! Any action, by its name.

use serde_json::Value;
use thiserror::Error;

/// A request for an action that has no type here: its names and its payload.
///
/// ```
/// use serde_json::json;
/// use tencentcloud_api::RawAction;
///
/// let action = RawAction::new("cvm", "2017-03-12", "DescribeInstances", json!({ "Limit": 20 }))?;
/// # Ok::<(), tencentcloud_api::NotAnAction>(())
/// ```
#[derive(Clone, Debug)]
pub struct RawAction {
    pub(crate) service: String,
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) payload: Value,
}

/// Names that are not those of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not an action: expected a service such as cvm, a version such as 2017-03-12 and a name such as DescribeInstances"
)]
pub struct NotAnAction;

// === impl RawAction ===

impl RawAction {
    /// The action `name` in that version of the service. `payload` is the body of the request.
    ///
    /// # Errors
    /// One of the names has characters that no such name has, or none.
    pub fn new(service: &str, version: &str, name: &str, payload: Value) -> Result<Self, NotAnAction> {
        let is = |text: &str, fits: fn(u8) -> bool| !text.is_empty() && text.bytes().all(fits);
        let is_service = is(service, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let is_version = is(version, |byte| byte.is_ascii_digit() || byte == b'-');
        let is_name = is(name, |byte| byte.is_ascii_alphanumeric());
        if !(is_service && is_version && is_name) {
            return Err(NotAnAction);
        }
        Ok(Self { service: service.to_owned(), version: version.to_owned(), name: name.to_owned(), payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_a_header_and_for_a_signature_s_scope() {
        let is_one = |[service, version, name]: [&str; 3]| RawAction::new(service, version, name, Value::Null).is_ok();
        assert!(is_one(["cam", "2019-01-16", "ListUsers"]));
        for wrong in [
            ["", "2019-01-16", "ListUsers"],
            ["cam", "", "ListUsers"],
            ["cam", "2019-01-16", ""],
            ["cam/x", "2019-01-16", "ListUsers"],
            ["CAM", "2019-01-16", "ListUsers"],
            ["cam", "2019-01-16\r\nx: y", "ListUsers"],
            ["cam", "2019-01-16", "List Users"],
        ] {
            assert!(!is_one(wrong), "{wrong:?}");
        }
    }
}
