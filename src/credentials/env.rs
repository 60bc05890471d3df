//! A credential from environment variables, as the official SDKs name them.

use secrecy::ExposeSecret;

use super::{Error, Place, secret};
use crate::{environment::Environment, tencent::Credential};

const SECRET_ID: &str = "TENCENTCLOUD_SECRET_ID";
const SECRET_KEY: &str = "TENCENTCLOUD_SECRET_KEY";
/// The token of a temporary credential: the command line tool's name for it, and that of Terraform.
const TOKENS: [&str; 2] = ["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"];

/// `TENCENTCLOUD_SECRET_ID`, `TENCENTCLOUD_SECRET_KEY` and, for a temporary credential, `TENCENTCLOUD_TOKEN` or
/// `TENCENTCLOUD_SECURITY_TOKEN`.
#[derive(Clone, Debug)]
pub struct Env(Environment);

// === impl Env ===

impl Env {
    /// Of this environment.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self(environment)
    }

    pub(super) fn credential(&self) -> Result<Credential, Error> {
        let value = |name| self.0.get(name).map(ExposeSecret::expose_secret);
        let required = |name| secret(value(name).ok_or(Error::Unset(name))?, || Place::Variable(name));
        // Deployments leave a variable in place and empty where there is no token.
        let token = TOKENS.into_iter().find_map(|name| {
            let token = value(name).filter(|token| !token.trim().is_empty())?;
            Some(secret(token, || Place::Variable(name)))
        });
        Ok(Credential {
            secret_id: required(SECRET_ID)?.into(),
            secret_key: required(SECRET_KEY)?.into(),
            token: token.transpose()?.map(Into::into),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(variables: &[(&str, &str)]) -> Result<Credential, String> {
        Env::new(variables.iter().copied().collect()).credential().map_err(|error| error.to_string())
    }

    #[test]
    fn takes_the_pair_and_the_token() {
        let found = credential(&[(SECRET_ID, "id"), (SECRET_KEY, "key\n"), ("TENCENTCLOUD_TOKEN", "token")]).unwrap();
        assert_eq!(found.secret_id.expose_secret(), "id");
        assert_eq!(found.secret_key.expose_secret(), "key");
        assert_eq!(found.token.unwrap().expose_secret(), "token");
        let pair = [(SECRET_ID, "id"), (SECRET_KEY, "key")];
        assert!(credential(&[pair[0], pair[1], ("TENCENTCLOUD_TOKEN", " ")]).unwrap().token.is_none());
        let other =
            credential(&[pair[0], pair[1], ("TENCENTCLOUD_TOKEN", ""), ("TENCENTCLOUD_SECURITY_TOKEN", "other")]);
        assert_eq!(other.unwrap().token.unwrap().expose_secret(), "other");
    }

    #[test]
    fn says_which_variable_is_wrong_and_not_what_it_holds() {
        let unset = credential(&[(SECRET_ID, "id")]).unwrap_err();
        assert!(unset.starts_with("environment variable TENCENTCLOUD_SECRET_KEY is not set"), "{unset}");
        let foreign = credential(&[(SECRET_ID, "id"), (SECRET_KEY, "the key")]).unwrap_err();
        assert!(foreign.starts_with("environment variable TENCENTCLOUD_SECRET_KEY holds a blank"), "{foreign}");
        assert!(!foreign.contains("the key"));
    }
}
