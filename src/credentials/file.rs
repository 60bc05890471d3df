//! A credential from files.
//!
//! They are read before each request: a secret that Kubernetes rotates is used with the next one. A rotation swaps
//! several files at once, so what is read counts only if a second reading agrees with it.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::{Error, Place, secret};
use crate::tencent::Credential;

const ATTEMPTS: usize = 5;

/// How long reading may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the secrets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Holds the `SecretId`.
    pub secret_id: PathBuf,
    /// Holds the `SecretKey`.
    pub secret_key: PathBuf,
    /// Holds the session token of a temporary credential.
    pub token: Option<PathBuf>,
}

/// Files that hold a credential, each one secret and nothing else.
#[derive(Debug)]
pub struct File {
    paths: Paths,
    /// Held by the one thread that reads: where a mount hangs, it hangs no second one.
    reading: Arc<Mutex<()>>,
}

// === impl File ===

impl File {
    /// These files.
    #[must_use]
    pub fn new(paths: Paths) -> Self {
        Self { paths, reading: Arc::default() }
    }

    pub(super) async fn credential(self: Arc<Self>) -> Result<Credential, Error> {
        let read = async {
            let reading = Arc::clone(&self.reading).lock_owned().await;
            // A mounted file may hang: not on a thread that serves scrapes.
            tokio::task::spawn_blocking(move || {
                let settled = self.read_settled();
                drop(reading);
                settled
            })
            .await
            .unwrap_or(Err(Error::Unsettled))
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap_or(Err(Error::Hanging))
    }

    fn read_settled(&self) -> Result<Credential, Error> {
        let mut last = self.read()?;
        for _ in 0..ATTEMPTS {
            let again = self.read()?;
            if same(&last, &again) {
                return Ok(again);
            }
            last = again;
        }
        Err(Error::Unsettled)
    }

    fn read(&self) -> Result<Credential, Error> {
        Ok(Credential {
            secret_id: read(&self.paths.secret_id)?,
            secret_key: read(&self.paths.secret_key)?,
            token: self.paths.token.as_ref().map(read).transpose()?,
        })
    }
}

fn read(path: &PathBuf) -> Result<SecretString, Error> {
    let text: SecretString =
        fs::read_to_string(path).map_err(|error| Error::Unreadable { path: path.clone(), kind: error.kind() })?.into();
    Ok(secret(text.expose_secret(), || Place::File(path.clone()))?.into())
}

fn same(a: &Credential, b: &Credential) -> bool {
    a.secret_id.expose_secret() == b.secret_id.expose_secret()
        && a.secret_key.expose_secret() == b.secret_key.expose_secret()
        && a.token.as_ref().map(ExposeSecret::expose_secret) == b.token.as_ref().map(ExposeSecret::expose_secret)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn paths(folder: &Path) -> Paths {
        let path = |name: &str| folder.join(name);
        Paths { secret_id: path("id"), secret_key: path("key"), token: Some(path("token")) }
    }

    #[tokio::test]
    async fn a_rotated_secret_is_taken_up_with_the_next_request() {
        let folder = tempfile::tempdir().unwrap();
        let write = |id: &str, key: &str| {
            fs::write(folder.path().join("id"), id).unwrap();
            fs::write(folder.path().join("key"), key).unwrap();
            fs::write(folder.path().join("token"), "token\n").unwrap();
        };
        let file = Arc::new(File::new(paths(folder.path())));
        write("old-id\n", "old-key\n");
        let old = Arc::clone(&file).credential().await.unwrap();
        write("new-id", "new-key");
        let new = file.credential().await.unwrap();
        assert_eq!((old.secret_id.expose_secret(), old.secret_key.expose_secret()), ("old-id", "old-key"));
        assert_eq!((new.secret_id.expose_secret(), new.secret_key.expose_secret()), ("new-id", "new-key"));
        assert_eq!(new.token.unwrap().expose_secret(), "token");
    }

    #[tokio::test]
    async fn says_which_file_is_wrong_and_how() {
        let folder = tempfile::tempdir().unwrap();
        let file = Arc::new(File::new(paths(folder.path())));
        let absent = Arc::clone(&file).credential().await.unwrap_err().to_string();
        assert!(absent.contains("/id: entity not found: check the path"), "{absent}");
        fs::write(folder.path().join("id"), " \n").unwrap();
        let empty = file.credential().await.unwrap_err().to_string();
        assert!(empty.ends_with("/id is empty"), "{empty}");
    }
}
