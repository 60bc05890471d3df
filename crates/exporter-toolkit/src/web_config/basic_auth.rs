//! Tells whether a request's user and password are right.
//!
//! A bcrypt takes long, on purpose, so it must not be a way to stop the exporter. Bcrypts run one at a time, on a thread of
//! their own, in the order of [`Line`], and only for passwords that have not been judged before. Answers to wrong passwords
//! are held back where many come at a time, so that clients which wait for them cannot ask for more bcrypts than there is
//! time for: the line stays short, and a right password is judged at once.
//!
//! Hashes that take seconds or more have a lane of their own, with another line, thread and pacer, so that they delay no
//! password of a user whose hash is quick. Few may wait in it, so that they do not take up the connections either.

use std::{str, sync::Arc, thread, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use rustls::crypto::{GetRandomFailed, aws_lc_rs};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{
    authorization::BasicCredentials,
    line::Line,
    pacer::Pacer,
    password_cache::{Digest, PasswordCache},
    peer::Peer,
    users::{PasswordHash, Users},
};

/// How long a password may wait for its turn. Clients that want to know sooner hang up, and leave the line.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most passwords that wait in a lane. HTTP/1.1 has one request a connection, so 512 is reached over HTTP/2 alone.
const MAX_WAITING: [usize; 2] = [512, 16];

/// The most answers of a lane that are held back at a time. In all about half of the connections that there are by default:
/// the others are left for new ones.
const MAX_HELD: [usize; 2] = [128, 16];

/// Judges passwords.
#[derive(Debug)]
pub(super) struct BasicAuth {
    /// Random for each process, so that clients cannot compute digests.
    key: SecretBox<[u8; 64]>,
    checks: Arc<Mutex<Checks>>,
    pacers: [Pacer; 2],
}

/// The result of an authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthResult {
    Accepted,
    Rejected,
    /// Too many checks are waiting.
    Overloaded,
}

/// The passwords that wait for a bcrypt, and those that had one.
#[derive(Debug)]
struct Checks {
    cache: PasswordCache,
    lanes: [Lane; 2],
}

/// Where passwords wait for the hash of their user: at 0 if it is quick, at 1 if it is slow.
#[derive(Debug)]
struct Lane {
    line: Line<Check>,
    /// Whether there is a thread that serves the line.
    is_served: bool,
}

/// A password that waits for its bcrypt.
#[derive(Debug)]
struct Check {
    credentials: BasicCredentials,
    hash: PasswordHash,
    /// The name of the user, if there is one.
    user: Option<String>,
    digest: Digest,
    verdict: oneshot::Sender<Verdict>,
}

/// What came of a check.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    right: bool,
    /// How long it took.
    cost: Duration,
}

/// The thread that serves a lane.
struct Worker {
    checks: Arc<Mutex<Checks>>,
    lane: usize,
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
            checks: Arc::new(Mutex::new(Checks::new())),
            pacers: MAX_HELD.map(Pacer::new),
        })
    }

    /// Whether one of `users`, which are not empty, has that name and that password.
    pub(super) async fn judge(&self, users: &Users, credentials: BasicCredentials, peer: &Arc<Peer>) -> AuthResult {
        let known = str::from_utf8(credentials.user()).ok().and_then(|name| users.get_key_value(name));
        // Neither the response nor its duration reveals whether the user exists.
        let hash = match known {
            Some((_, hash)) => hash.clone(),
            None => match self.decoy(users, credentials.user()) {
                Some(decoy) => decoy,
                None => return AuthResult::Rejected,
            },
        };
        let digest = self.digest(&[credentials.user(), hash.text().expose_secret().as_bytes(), credentials.password()]);
        let lane = usize::from(hash.is_slow());
        let (verdict, result) = oneshot::channel();
        {
            let mut checks = self.checks.lock();
            checks.cache.keep_only(users);
            if let Some(right) = checks.cache.get(&digest) {
                return AuthResult::of(right);
            }
            let user = known.map(|(name, _)| name.clone());
            let waiting = &mut checks.lanes[lane];
            waiting.line.join(peer, Check { credentials, hash, user, digest, verdict });
            if !waiting.is_served {
                waiting.is_served = Worker::start(&self.checks, lane);
                if !waiting.is_served {
                    waiting.line.remove_if(|_| true);
                }
            }
        }
        match timeout(TIMEOUT, result).await {
            Ok(Ok(verdict)) => {
                peer.record(verdict.right);
                if !verdict.right {
                    self.pacers[lane].hold(verdict.cost).await;
                }
                AuthResult::of(verdict.right)
            }
            // It waited for too long, or had no place.
            Ok(Err(_)) | Err(_) => AuthResult::Overloaded,
        }
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

// === impl Checks ===

impl Checks {
    fn new() -> Self {
        let lane = |capacity| Lane { line: Line::new(capacity), is_served: false };
        Self { cache: PasswordCache::default(), lanes: MAX_WAITING.map(lane) }
    }
}

// === impl Check ===

impl Check {
    fn run(&self) -> Verdict {
        let started = Instant::now();
        let matches = bcrypt::verify(self.credentials.password(), self.hash.text().expose_secret()).unwrap_or(false);
        Verdict { right: self.user.is_some() && matches, cost: started.elapsed() }
    }
}

// === impl Worker ===

impl Worker {
    /// Whether the system has a thread for it.
    fn start(checks: &Arc<Mutex<Checks>>, lane: usize) -> bool {
        let worker = Self { checks: Arc::clone(checks), lane };
        thread::Builder::new().name("bcrypt".to_owned()).spawn(move || worker.run()).is_ok()
    }

    /// Checks passwords until the queue is empty.
    fn run(self) {
        while let Some(check) = self.next() {
            let verdict = check.run();
            self.complete(check, verdict);
        }
    }

    fn complete(&self, check: Check, verdict: Verdict) {
        let mut checks = self.checks.lock();
        match &check.user {
            Some(user) if verdict.right => checks.cache.remember_right(user, check.digest),
            _ => checks.cache.remember_wrong(check.digest),
        }
        // Others that wait with the same password have waited long enough.
        for same in checks.lanes[self.lane].line.remove_if(|other| other.digest == check.digest) {
            let _ = same.verdict.send(Verdict { cost: Duration::ZERO, ..verdict });
        }
        let _ = check.verdict.send(verdict);
    }

    fn next(&self) -> Option<Check> {
        let mut checks = self.checks.lock();
        let lane = &mut checks.lanes[self.lane];
        // Their clients have hung up.
        lane.line.remove_if(|check| check.verdict.is_closed());
        let next = lane.line.next();
        lane.is_served = next.is_some();
        next
    }
}

impl Drop for Worker {
    /// Clients must not wait for a thread that has panicked.
    fn drop(&mut self) {
        if thread::panicking() {
            let mut checks = self.checks.lock();
            let lane = &mut checks.lanes[self.lane];
            lane.line.remove_if(|_| true);
            lane.is_served = false;
        }
    }
}

// === impl AuthResult ===

impl AuthResult {
    fn of(right: bool) -> Self {
        if right { Self::Accepted } else { Self::Rejected }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use base64::{Engine, prelude::BASE64_STANDARD};
    use http::{HeaderMap, header::AUTHORIZATION};

    use super::*;

    fn users(list: &[(&str, &str)]) -> Users {
        let hash = |password| PasswordHash::parse(&bcrypt::hash(password, 4).unwrap()).unwrap();
        list.iter().map(|(name, password)| ((*name).to_owned(), hash(*password))).collect()
    }

    /// Some hash of a cost that takes seconds.
    fn slow() -> PasswordHash {
        PasswordHash::parse("$2y$17$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi").unwrap()
    }

    fn credentials(name: &str, password: &str) -> BasicCredentials {
        let encoded = BASE64_STANDARD.encode(format!("{name}:{password}"));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Basic {encoded}").parse().unwrap())]);
        BasicCredentials::in_headers(&headers).unwrap()
    }

    async fn judge(auth: &BasicAuth, users: &Users, name: &str, password: &str) -> AuthResult {
        auth.judge(users, credentials(name, password), &Peer::new(Ipv4Addr::LOCALHOST.into())).await
    }

    #[tokio::test]
    async fn the_right_password_of_a_known_user_is_right() {
        let (auth, users) = (BasicAuth::new().unwrap(), users(&[("alice", "a"), ("bob", "b")]));
        // Each twice: judged, and remembered.
        for _ in 0..2 {
            for (name, password, result) in [
                ("alice", "a", AuthResult::Accepted),
                ("bob", "b", AuthResult::Accepted),
                ("alice", "b", AuthResult::Rejected),
                ("alice", "", AuthResult::Rejected),
                ("carol", "a", AuthResult::Rejected),
                ("", "", AuthResult::Rejected),
            ] {
                assert_eq!(judge(&auth, &users, name, password).await, result, "{name}:{password}");
            }
        }
    }

    #[tokio::test]
    async fn a_user_who_is_gone_or_has_another_password_is_out_at_once() {
        let auth = BasicAuth::new().unwrap();
        let before = users(&[("alice", "old"), ("bob", "b")]);
        assert_eq!(judge(&auth, &before, "alice", "old").await, AuthResult::Accepted);
        let changed = users(&[("alice", "new")]);
        assert_eq!(judge(&auth, &changed, "alice", "old").await, AuthResult::Rejected);
        assert_eq!(judge(&auth, &changed, "bob", "b").await, AuthResult::Rejected);
    }

    /// As if a bcrypt took for ever.
    fn stall(auth: &BasicAuth) {
        auth.checks.lock().lanes[0].is_served = true;
    }

    #[tokio::test(start_paused = true)]
    async fn a_remembered_password_waits_for_none_and_nobody_waits_for_ever() {
        let (auth, users) = (BasicAuth::new().unwrap(), users(&[("alice", "a")]));
        auth.checks.lock().cache.remember_right("alice", {
            let hash = users["alice"].text().expose_secret().as_bytes();
            auth.digest(&[b"alice", hash, b"a"])
        });
        stall(&auth);
        let started = Instant::now();
        assert_eq!(judge(&auth, &users, "alice", "a").await, AuthResult::Accepted);
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert_eq!(judge(&auth, &users, "alice", "b").await, AuthResult::Overloaded);
        assert_eq!(started.elapsed(), TIMEOUT);
    }

    #[tokio::test]
    async fn all_that_wait_with_one_password_are_told_at_once_and_who_hung_up_is_not_checked() {
        let (auth, users) = (Arc::new(BasicAuth::new().unwrap()), users(&[("alice", "a")]));
        stall(&auth);
        let waiting = |password: &'static str| {
            let (auth, users) = (Arc::clone(&auth), users.clone());
            tokio::spawn(async move { judge(&auth, &users, "alice", password).await })
        };
        let same = [waiting("a"), waiting("a"), waiting("a")];
        let gone = waiting("b");
        while auth.checks.lock().lanes[0].line.len() < 4 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        let worker = Worker { checks: Arc::clone(&auth.checks), lane: 0 };
        // Either of them is the one that is taken.
        let check = worker.next().unwrap();
        assert_eq!(auth.checks.lock().lanes[0].line.len(), 2);
        worker.complete(check, Verdict { right: true, cost: Duration::ZERO });
        for one in same {
            assert_eq!(one.await.unwrap(), AuthResult::Accepted);
        }
        assert!(worker.next().is_none());
        assert_eq!(judge(&auth, &users, "alice", "b").await, AuthResult::Rejected);
    }

    #[tokio::test]
    async fn a_slow_hash_delays_nobody_else() {
        let auth = Arc::new(BasicAuth::new().unwrap());
        let mut users = users(&[("alice", "a")]);
        users.insert("slow".to_owned(), slow());
        assert!(users["slow"].is_slow() && !users["alice"].is_slow());
        // As if a bcrypt of the slow lane took for ever.
        auth.checks.lock().lanes[1].is_served = true;
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let (auth, users) = (Arc::clone(&auth), users.clone());
                tokio::spawn(async move { judge(&auth, &users, "slow", "s").await })
            })
            .collect();
        // Those that have no place in the line are refused.
        while waiting.iter().filter(|one| one.is_finished()).count() < 4 {
            tokio::task::yield_now().await;
        }
        assert_eq!(auth.checks.lock().lanes[1].line.len(), 16);
        assert_eq!(judge(&auth, &users, "alice", "a").await, AuthResult::Accepted);
        assert_eq!(judge(&auth, &users, "alice", "b").await, AuthResult::Rejected);
        assert_eq!(auth.checks.lock().lanes[1].line.len(), 16);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    }

    /// A checked password is cached, even if its client has gone.
    #[tokio::test(start_paused = true)]
    async fn a_slow_hash_is_right_the_next_time() {
        let (auth, users) = (Arc::new(BasicAuth::new().unwrap()), Users::from([("slow".to_owned(), slow())]));
        auth.checks.lock().lanes[1].is_served = true;
        let waiting = tokio::spawn({
            let (auth, users) = (Arc::clone(&auth), users.clone());
            async move { judge(&auth, &users, "slow", "s").await }
        });
        while auth.checks.lock().lanes[1].line.len() < 1 {
            tokio::task::yield_now().await;
        }
        let worker = Worker { checks: Arc::clone(&auth.checks), lane: 1 };
        let check = worker.next().unwrap();
        assert_eq!(waiting.await.unwrap(), AuthResult::Overloaded);
        worker.complete(check, Verdict { right: true, cost: 2 * TIMEOUT });
        assert_eq!(judge(&auth, &users, "slow", "s").await, AuthResult::Accepted);
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
