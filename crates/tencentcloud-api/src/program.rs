//! The name of the program that sends requests.

/// A program and its version, as `User-Agent` and `X-TC-RequestClient` name them. The account's audit log shows the latter.
///
/// Tencent Cloud allows 128 characters there: letters, digits and `-_ ,;.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Such as the name of the crate.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

// === impl Program ===

impl Program {
    /// The value of `User-Agent`.
    pub(crate) fn user_agent(self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// The value of `X-TC-RequestClient`, where the SDKs have no slash.
    pub(crate) fn request_client(self) -> String {
        format!("{}_{}", self.name, self.version)
    }
}

impl Default for Program {
    /// This crate.
    fn default() -> Self {
        Self { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") }
    }
}
