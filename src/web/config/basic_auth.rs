//! Tells whether a request's user and password are right.
//!
//! A bcrypt takes long, on purpose, so it must not be a way to stop the exporter: each is made on a thread of its own, one
//! at a time, and only for passwords that have not been judged before. A few may wait for their turn; who comes when
//! they are too many is told to come back.

use std::{str, sync::Arc, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use rustls::crypto::{GetRandomFailed, aws_lc_rs};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use tokio::{
    sync::{Mutex as AsyncMutex, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use super::{
    authorization::Presented,
    users::{PasswordHash, Users},
    verdicts::{Digest, Verdicts},
};

/// Passwords that may wait to be judged.
const MOST_WAITING: usize = 64;

/// How long one may wait: less than the ten seconds that a scrape has.
const PATIENCE: Duration = Duration::from_secs(5);

/// Judges passwords.
#[derive(Debug)]
pub(super) struct BasicAuth {
    /// Of this process alone: without it, nobody can make a digest.
    key: SecretBox<[u8; 64]>,
    verdicts: Arc<Mutex<Verdicts>>,
    /// Held by the one password that is being judged.
    turn: Arc<AsyncMutex<()>>,
    places: Semaphore,
}

/// What is found of a user and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Right,
    Wrong,
    /// Too many wait to be told.
    Busy,
}

// === impl BasicAuth ===

impl BasicAuth {
    /// One that has judged none yet.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(super) fn new() -> Result<Self, GetRandomFailed> {
        let mut key = Box::new([0; 64]);
        aws_lc_rs::default_provider().secure_random.fill(&mut *key)?;
        Ok(Self {
            key: SecretBox::new(key),
            verdicts: Arc::default(),
            turn: Arc::default(),
            places: Semaphore::new(MOST_WAITING),
        })
    }

    /// Whether one of `users`, of whom there is at least one, has that name and that password.
    pub(super) async fn judge(&self, users: &Users, presented: Presented) -> Finding {
        let known = str::from_utf8(presented.user()).ok().and_then(|name| users.get(name));
        // Whether there is such a user is told neither by the answer nor by how long it takes.
        let hash = match known {
            Some(hash) => hash.clone(),
            None => match self.decoy(users, presented.user()) {
                Some(decoy) => decoy,
                None => return Finding::Wrong,
            },
        };
        let digest = self.digest(&[presented.user(), hash.text().expose_secret().as_bytes(), presented.password()]);
        let remembered = self.verdicts.lock().get(&digest);
        match remembered {
            Some(right) => Finding::of(right),
            None => self.compare(hash, presented, known.is_some(), digest).await,
        }
    }

    /// Judges a password that is not remembered.
    async fn compare(&self, hash: PasswordHash, presented: Presented, known: bool, digest: Digest) -> Finding {
        let Ok(_place) = self.places.try_acquire() else { return Finding::Busy };
        let Ok(turn) = timeout(PATIENCE, Arc::clone(&self.turn).lock_owned()).await else { return Finding::Busy };
        // While it waited, another request may have asked the same.
        let remembered = self.verdicts.lock().get(&digest);
        if let Some(right) = remembered {
            return Finding::of(right);
        }
        let verdicts = Arc::clone(&self.verdicts);
        let judged = spawn_blocking(move || {
            let matches = bcrypt::verify(presented.password(), hash.text().expose_secret()).unwrap_or(false);
            let right = known && matches;
            verdicts.lock().remember(digest, right);
            // Here, so that it is kept to the end even if whoever asked has hung up.
            drop(turn);
            right
        });
        Finding::of(judged.await.unwrap_or(false))
    }

    /// What an unknown user's password is compared with. It is as much work as the hash of one of the `users`, and for one
    /// name always of the same.
    fn decoy(&self, users: &Users, name: &[u8]) -> Option<PasswordHash> {
        let digest = self.digest(&[name]);
        let number = digest.iter().fold(0, |number, byte| (number * 256 + usize::from(*byte)) % users.len().max(1));
        users.values().nth(number).map(PasswordHash::decoy)
    }

    /// Differs wherever `parts` do: each goes in with its length, so that none can pose as the end of the one before.
    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mac = Hmac::<Sha256>::new(self.key.expose_secret().into());
        let all =
            parts.iter().fold(mac, |mac, part| mac.chain_update((part.len() as u64).to_le_bytes()).chain_update(part));
        all.finalize().into_bytes().into()
    }
}

// === impl Finding ===

impl Finding {
    fn of(right: bool) -> Self {
        if right { Self::Right } else { Self::Wrong }
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use http::{HeaderMap, header::AUTHORIZATION};

    use super::*;

    fn users(list: &[(&str, &str)]) -> Users {
        let hash = |password| PasswordHash::parse(&bcrypt::hash(password, 4).unwrap()).unwrap();
        list.iter().map(|(name, password)| ((*name).to_owned(), hash(*password))).collect()
    }

    fn presented(name: &str, password: &str) -> Presented {
        let encoded = BASE64_STANDARD.encode(format!("{name}:{password}"));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Basic {encoded}").parse().unwrap())]);
        Presented::in_headers(&headers).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_of_a_known_user_is_right() {
        let (auth, users) = (BasicAuth::new().unwrap(), users(&[("alice", "a"), ("bob", "b")]));
        // Each twice: judged, and remembered.
        for _ in 0..2 {
            for (name, password, finding) in [
                ("alice", "a", Finding::Right),
                ("bob", "b", Finding::Right),
                ("alice", "b", Finding::Wrong),
                ("alice", "", Finding::Wrong),
                ("carol", "a", Finding::Wrong),
                ("", "", Finding::Wrong),
            ] {
                assert_eq!(auth.judge(&users, presented(name, password)).await, finding, "{name}:{password}");
            }
        }
    }

    #[tokio::test]
    async fn a_user_who_is_gone_or_has_another_password_is_out_at_once() {
        let auth = BasicAuth::new().unwrap();
        let before = users(&[("alice", "old"), ("bob", "b")]);
        assert_eq!(auth.judge(&before, presented("alice", "old")).await, Finding::Right);
        let changed = users(&[("alice", "new")]);
        assert_eq!(auth.judge(&changed, presented("alice", "old")).await, Finding::Wrong);
        assert_eq!(auth.judge(&changed, presented("bob", "b")).await, Finding::Wrong);
    }

    #[tokio::test]
    async fn a_remembered_password_waits_for_none_and_too_many_new_ones_are_sent_away() {
        let (auth, users) = (Arc::new(BasicAuth::new().unwrap()), users(&[("alice", "a")]));
        assert_eq!(auth.judge(&users, presented("alice", "a")).await, Finding::Right);
        let turn = auth.turn.clone().lock_owned().await;
        let waiting: Vec<_> = (0..MOST_WAITING)
            .map(|number| {
                let (auth, users) = (Arc::clone(&auth), users.clone());
                tokio::spawn(async move { auth.judge(&users, presented("alice", &number.to_string())).await })
            })
            .collect();
        while auth.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(auth.judge(&users, presented("alice", "one more")).await, Finding::Busy);
        assert_eq!(auth.judge(&users, presented("alice", "a")).await, Finding::Right);
        drop(turn);
        for waited in waiting {
            assert_eq!(waited.await.unwrap(), Finding::Wrong);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let (auth, users) = (BasicAuth::new().unwrap(), users(&[("alice", "a")]));
        let _turn = auth.turn.lock().await;
        assert_eq!(auth.judge(&users, presented("alice", "a")).await, Finding::Busy);
    }

    /// What CVE-2022-46146 was: parts joined by a mark that may stand in them.
    #[test]
    fn parts_cannot_pose_as_others() {
        let auth = BasicAuth::new().unwrap();
        assert_ne!(auth.digest(&[b"a", b"bc"]), auth.digest(&[b"ab", b"c"]));
        assert_ne!(auth.digest(&[b"", b"a"]), auth.digest(&[b"a", b""]));
        assert_ne!(auth.digest(&[b"a"]), BasicAuth::new().unwrap().digest(&[b"a"]));
    }
}
