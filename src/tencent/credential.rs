//! Who signs.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A key pair of the API and, where it is a temporary one, its session token.
///
/// All three are secrets here: the id names the caller in every request, and belongs in no log or label either.
#[derive(Clone)]
pub struct Credential {
    /// `SecretId`.
    pub secret_id: SecretString,
    /// `SecretKey`.
    pub secret_key: SecretString,
    /// `Token`, of temporary credentials only.
    pub token: Option<SecretString>,
}

// === impl Credential ===

impl Credential {
    /// `text` without any of the three secrets: what an answer says of us may quote them.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let mut scrubbed = text.to_owned();
        for secret in [Some(&self.secret_key), self.token.as_ref(), Some(&self.secret_id)].into_iter().flatten() {
            let secret = secret.expose_secret();
            if !secret.is_empty() && scrubbed.contains(secret) {
                scrubbed = scrubbed.replace(secret, "[redacted]");
            }
        }
        scrubbed
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrubs_all_three_and_shows_none() {
        let credential = Credential {
            secret_id: "AKIDexample".into(),
            secret_key: "the-key".into(),
            token: Some("the-token".into()),
        };
        let told = credential.scrub("id AKIDexample, key the-key, token the-token, and AKIDexample again");
        assert_eq!(told, "id [redacted], key [redacted], token [redacted], and [redacted] again");
        assert_eq!(format!("{credential:?}"), "Credential([redacted])");
    }
}
