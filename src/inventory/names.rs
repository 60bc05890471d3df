//! What accounts and keys are called in labels.

use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

/// The name of an account, the label `account`: letters, digits, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(Arc<str>);

/// Text that is not an [`AccountName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an account name: expected 1 to 64 letters, digits, _ or -")]
pub struct NotAnAccountName;

/// How an access key's id is shown in the label `access_key_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdLabel {
    /// The first 8 and the last 4 characters: enough to find the key in the console, too little to use it.
    #[default]
    Masked,
    /// The whole id.
    Full,
    /// The first 16 hexadecimal digits of the id's SHA-256.
    Hashed,
}

// === impl AccountName ===

impl AccountName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = NotAnAccountName;

    fn from_str(text: &str) -> Result<Self, NotAnAccountName> {
        let named = (1..=64).contains(&text.len());
        if named && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            Ok(Self(text.into()))
        } else {
            Err(NotAnAccountName)
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
