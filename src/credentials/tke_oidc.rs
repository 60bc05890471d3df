//! The identity of a pod in TKE: a token of its service account, for which STS issues the credential of a role.
//!
//! Source: the official Python SDK, which has the same variables, and reads them and the file at each renewal.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use exporter_toolkit::files::Watched;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tencentcloud_api::{
    Region, Temporary,
    sts::{AssumeRoleWithWebIdentity, RoleArn, SessionDuration},
};
use tokio::{task::spawn_blocking, time::timeout};

use super::{CredentialProvider, Error, Fault, Place, Sts, secret, sts::failed};
use crate::{PROGRAM, environment::Environment};

const REGION: &str = "TKE_REGION";
const PROVIDER_ID: &str = "TKE_PROVIDER_ID";
const TOKEN_FILE: &str = "TKE_WEB_IDENTITY_TOKEN_FILE";
const ROLE_ARN: &str = "TKE_ROLE_ARN";

/// Timeout of reading the file.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More than any token has.
const MAX_BYTES: u64 = 64 << 10;

/// The variables that TKE sets, and the token file that one of them names.
#[derive(Debug)]
pub struct TkeOidc {
    environment: Environment,
    sts: Sts,
}

// === impl TkeOidc ===

impl TkeOidc {
    /// The identity in `environment`. `sts` uses [`TkeOidc::region`], unless the account has a region of its own.
    #[must_use]
    pub fn new(environment: Environment, sts: Sts) -> Self {
        Self { environment, sts }
    }

    /// The region in the variables, if there is one.
    #[must_use]
    pub fn region(environment: &Environment) -> Option<Region> {
        environment.get(REGION)?.expose_secret().trim().parse().ok()
    }

    async fn assume(&self, now: Timestamp) -> Result<Temporary, Error> {
        let _: Region = self.parsed(REGION)?;
        let provider_id = self.variable(PROVIDER_ID)?.to_owned();
        let role_arn: RoleArn = self.parsed(ROLE_ARN)?;
        let request = AssumeRoleWithWebIdentity {
            provider_id,
            web_identity_token: token(self.variable(TOKEN_FILE)?.into(), now).await?,
            role_arn,
            role_session_name: PROGRAM.into(),
            duration_seconds: SessionDuration::default(),
        };
        let answer = self.sts.ask(None, &request, request.duration_seconds, now).await;
        answer.map_err(|error| failed::<AssumeRoleWithWebIdentity>(&error))
    }

    fn variable(&self, name: &'static str) -> Result<&str, Error> {
        self.environment.filled(name).ok_or_else(|| {
            // A region alone is not an identity.
            let mut others = [PROVIDER_ID, TOKEN_FILE, ROLE_ARN].into_iter();
            match others.find(|given| self.environment.filled(given).is_some()) {
                Some(given) => Error::Incomplete { missing: name, given },
                None => Error::Unset(name),
            }
        })
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(&self, name: &'static str) -> Result<T, Error> {
        self.variable(name)?.parse().map_err(|error: T::Err| Error::Wrong { name, problem: error.to_string() })
    }
}

impl CredentialProvider for TkeOidc {
    fn issue(&self, now: Timestamp) -> BoxFuture<'_, Result<Temporary, Error>> {
        Box::pin(self.assume(now))
    }
}

/// The content of the file. It is replaced long before the old token expires.
async fn token(path: PathBuf, now: Timestamp) -> Result<SecretString, Error> {
    let read = spawn_blocking(move || {
        let mut file = Watched::new(vec![path.clone()], MAX_BYTES);
        file.look(now, |contents| {
            let content = contents.iter().map(ExposeSecret::expose_secret).next().unwrap_or_default();
            let place = || Place::File(path.clone());
            let text =
                str::from_utf8(content).map_err(|_| Error::Unusable { place: place(), fault: Fault::Foreign })?;
            Ok(SecretString::from(secret(text, place)?))
        })
    });
    match timeout(TIMEOUT, read).await {
        Ok(Ok(token)) => token,
        Ok(Err(_)) | Err(_) => Err(Error::Hanging),
    }
}
