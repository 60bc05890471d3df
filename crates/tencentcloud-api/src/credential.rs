//! Who signs.

use std::{fmt, time::Duration};

use jiff::Timestamp;
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

/// A credential that ends by itself.
#[derive(Clone, Debug)]
pub struct Temporary {
    /// What is signed with until then.
    pub credential: Credential,
    /// When the API ceases to accept it.
    pub expires: Timestamp,
    /// How long that is from now, where it is known without a clock of ours.
    pub life: Option<Duration>,
}

// === impl Credential ===

impl Credential {
    /// `text` without any of the three secrets: what an answer says of us may quote them.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let secrets = [Some(&self.secret_key), self.token.as_ref(), Some(&self.secret_id)];
        secrets.into_iter().flatten().fold(text.to_owned(), |text, secret| scrub(&text, secret))
    }

    /// Whether it is the same credential.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let same = |one: &SecretString, other: &SecretString| one.expose_secret() == other.expose_secret();
        let same_token = match (&self.token, &other.token) {
            (Some(one), Some(other)) => same(one, other),
            (None, None) => true,
            _ => false,
        };
        same_token && same(&self.secret_id, &other.secret_id) && same(&self.secret_key, &other.secret_key)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential([redacted])")
    }
}

/// `text` without the secret, wherever it is in there.
pub(crate) fn scrub(text: &str, secret: &SecretString) -> String {
    let secret = secret.expose_secret();
    if secret.is_empty() { text.to_owned() } else { text.replace(secret, "[redacted]") }
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
        let text = credential.scrub("id AKIDexample, key the-key, token the-token, and AKIDexample again");
        assert_eq!(text, "id [redacted], key [redacted], token [redacted], and [redacted] again");
        assert_eq!(format!("{credential:?}"), "Credential([redacted])");
    }
}
