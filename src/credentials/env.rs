//! A credential from the environment variables of the official SDKs.

use std::sync::atomic::{AtomicU64, Ordering};

use tencentcloud_api::Credential;

use super::{Error, Place, secret};
use crate::environment::Environment;

const SECRET_ID: &str = "TENCENTCLOUD_SECRET_ID";
const SECRET_KEY: &str = "TENCENTCLOUD_SECRET_KEY";
/// The token of a temporary credential: the variables of the command line tool and of Terraform.
const TOKENS: [&str; 2] = ["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"];

/// Makes the command line tool assume a role.
const ROLE_ARN: &str = "TENCENTCLOUD_ROLE_ARN";

const ROLE_IS_NOT_ASSUMED: &str = "set, and this source does not assume a role: name the role under \
     `credentials.assume_role`, with `source: {env: {}}`, and unset the variable";

/// `TENCENTCLOUD_SECRET_ID`, `TENCENTCLOUD_SECRET_KEY` and, for a temporary credential, `TENCENTCLOUD_TOKEN` or
/// `TENCENTCLOUD_SECURITY_TOKEN`.
#[derive(Debug)]
pub struct Env {
    environment: Environment,
    /// How often there was no credential.
    failures: AtomicU64,
}

// === impl Env ===

impl Env {
    /// The credential of `environment`.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self { environment, failures: AtomicU64::default() }
    }

    pub(super) fn fetch(&self) -> Result<Credential, Error> {
        self.credential().inspect_err(|_| {
            self.failures.fetch_add(1, Ordering::Relaxed);
        })
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn credential(&self) -> Result<Credential, Error> {
        if self.environment.filled(ROLE_ARN).is_some() {
            return Err(Error::Wrong { name: ROLE_ARN, problem: ROLE_IS_NOT_ASSUMED.to_owned() });
        }
        let required = |name| {
            let value = self.environment.filled(name).ok_or_else(|| self.missing(name))?;
            secret(value, || Place::Variable(name))
        };
        let token = TOKENS.into_iter().find_map(|name| {
            let token = self.environment.filled(name)?;
            Some(secret(token, || Place::Variable(name)))
        });
        Ok(Credential {
            secret_id: required(SECRET_ID)?.into(),
            secret_key: required(SECRET_KEY)?.into(),
            token: token.transpose()?.map(Into::into),
        })
    }

    /// The error for a variable that is not set. If another of them is set, it was probably forgotten.
    fn missing(&self, name: &'static str) -> Error {
        let given = [SECRET_ID, SECRET_KEY].into_iter().chain(TOKENS);
        match given.into_iter().find(|given| self.environment.filled(given).is_some()) {
            Some(given) => Error::Incomplete { missing: name, given },
            None => Error::Unset(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn credential(variables: &[(&str, &str)]) -> Result<Credential, String> {
        Env::new(variables.iter().copied().collect()).credential().map_err(|error| error.to_string())
    }

    #[test]
    fn reads_the_pair_and_the_token() {
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
    fn errors_name_the_variable_and_not_its_value() {
        let unset = credential(&[(SECRET_ID, "id")]).unwrap_err();
        assert!(unset.starts_with("environment variable TENCENTCLOUD_SECRET_KEY is not set"), "{unset}");
        for half in [
            &[(SECRET_ID, "id")][..],
            &[(SECRET_ID, "id"), (SECRET_KEY, "")],
            &[(SECRET_ID, "id"), (SECRET_KEY, " \n"), (TOKENS[0], "token")],
        ] {
            let missing = Env::new(half.iter().copied().collect()).credential().unwrap_err();
            assert_eq!(missing, Error::Incomplete { missing: SECRET_KEY, given: SECRET_ID });
        }
        for (half, given) in
            [(&[(SECRET_KEY, "key")][..], SECRET_KEY), (&[(SECRET_ID, ""), (TOKENS[1], "token")], TOKENS[1])]
        {
            let missing = Env::new(half.iter().copied().collect()).credential().unwrap_err();
            assert_eq!(missing, Error::Incomplete { missing: SECRET_ID, given });
        }
        for none in [&[][..], &[(SECRET_ID, ""), (SECRET_KEY, " "), (TOKENS[0], "")]] {
            let env = Env::new(none.iter().copied().collect());
            assert_eq!(env.fetch().unwrap_err(), Error::Unset(SECRET_ID));
            assert_eq!(env.failures(), 1);
        }
        let role = credential(&[(SECRET_ID, "id"), (SECRET_KEY, "key"), (ROLE_ARN, "qcs::cam::uin/1:roleName/a")]);
        let role = role.unwrap_err();
        assert!(role.starts_with("environment variable TENCENTCLOUD_ROLE_ARN is set, and this source does"), "{role}");
        let foreign = credential(&[(SECRET_ID, "id"), (SECRET_KEY, "the key")]).unwrap_err();
        assert!(foreign.starts_with("environment variable TENCENTCLOUD_SECRET_KEY holds a blank"), "{foreign}");
        assert!(!foreign.contains("the key"));
    }
}
