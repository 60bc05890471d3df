//! Renews temporary credentials before they expire, once for all users of a source.
//!
//! A renewal starts after about half of a credential's lifetime, so the issuer can be unreachable for the other half without
//! an effect. It runs concurrently with the polls, which use the old credential meanwhile. A poll waits only if there is no
//! valid credential. The expiry is counted by the monotonic clock from the moment the credential is issued, so a change of
//! the machine's clock has no effect.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use tencentcloud_api::{Credential, Temporary, later};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::{CredentialProvider, Error, Fetched};
use crate::backoff;

/// How long a poll waits for a credential if there is none.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The part of a credential's lifetime after which it is renewed, and its jitter, so that exporters that started together do
/// not renew together.
const RENEW_AFTER: f64 = 0.4;
const JITTER: f64 = 0.1;

/// How long to wait before the next renewal if the issuer returned the same credential: it has a new one only when the old
/// one is about to expire.
const SAME_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Longer than the lifetime of any temporary credential.
const LONGEST_LIFE: Duration = Duration::from_hours(36);

/// Minimum time between two successful renewals.
const PAUSE: Duration = Duration::from_secs(1);

/// After a credential was renewed because of a rejection, how long a rejection of the new one does not cause another renewal:
/// then the credential is not the cause.
const TRUSTED: Duration = Duration::from_mins(1);

/// A temporary credential that is renewed.
pub struct RefreshingProvider {
    shared: Arc<Shared>,
    /// The renewal in progress. It is aborted on drop.
    renewal: Mutex<Option<AbortOnDropHandle<()>>>,
}

struct Shared {
    issuer: Box<dyn CredentialProvider>,
    state: Mutex<State>,
    /// Notified when a renewal has ended.
    ended: watch::Sender<()>,
}

struct State {
    held: Option<Held>,
    renewing: bool,
    /// Why the last renewal failed, if it did.
    problem: Option<Error>,
    failures_in_a_row: u32,
    failures: u64,
    /// No renewal begins earlier.
    not_before: Instant,
    random: fastrand::Rng,
}

/// The current credential.
struct Held {
    credential: Credential,
    expires: Timestamp,
    /// The same by the monotonic clock; `None` if no clock is right about it.
    ends: Option<Instant>,
    renew_at: Instant,
    since: Instant,
    trust: Trust,
    /// Whether the one before had been rejected.
    forced: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Valid,
    /// It was rejected, and is being renewed.
    Suspect,
    /// It was rejected, and there is no other.
    Rejected,
}

/// The answer to a poll that needs a credential.
enum Lookup {
    Ready(Fetched),
    /// None until the renewal in progress has ended.
    Pending,
    /// None before that time.
    RetryAt(Instant, Error),
}

/// Notifies that a renewal has ended, even if it panicked.
struct End<'a>(&'a Shared);

// === impl RefreshingProvider ===

impl RefreshingProvider {
    /// The credential of `issuer`. No request is sent yet.
    #[must_use]
    pub fn new(issuer: Box<dyn CredentialProvider>, random: fastrand::Rng) -> Self {
        let state = State {
            held: None,
            renewing: false,
            problem: None,
            failures_in_a_row: 0,
            failures: 0,
            not_before: Instant::now(),
            random,
        };
        let shared = Shared { issuer, state: Mutex::new(state), ended: watch::Sender::new(()) };
        Self { shared: Arc::new(shared), renewal: Mutex::default() }
    }

    pub(super) async fn fetch(&self, now: Timestamp) -> Result<Fetched, Error> {
        let arrived = Instant::now();
        let deadline = arrived + TIMEOUT;
        loop {
            let mut ended = self.shared.ended.subscribe();
            match self.look(later(now, arrived.elapsed())) {
                Lookup::Ready(fetched) => return Ok(fetched),
                Lookup::Pending => {
                    if timeout_at(deadline, ended.changed()).await.is_err() {
                        return self.give_up(Error::Hanging);
                    }
                }
                Lookup::RetryAt(at, error) if error.is_transient() && at < deadline => sleep_until(at).await,
                Lookup::RetryAt(_, error) => return self.give_up(error),
            }
        }
    }

    /// See [`super::Source::keep`]. A credential that has not been needed yet is not requested here either.
    pub(super) fn keep(&self, now: Timestamp) {
        let used = self.shared.state.lock().held.is_some();
        if used {
            self.look(now);
        }
    }

    /// See [`super::Source::refused`].
    pub(super) fn refused(&self, credential: &Credential, now: Timestamp) -> Option<Duration> {
        let mut state = self.shared.state.lock();
        match &mut state.held {
            Some(held) if held.credential.is(credential) => match held.trust {
                Trust::Valid if held.forced && held.since.elapsed() < TRUSTED => {
                    held.trust = Trust::Rejected;
                    state.not_before = Instant::now() + TRUSTED;
                    return None;
                }
                Trust::Valid => held.trust = Trust::Suspect,
                Trust::Suspect => {}
                Trust::Rejected => return None,
            },
            _ => return Some(Duration::ZERO),
        }
        self.renew(&mut state, now);
        Some(Duration::ZERO)
    }

    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.shared.state.lock().held.as_ref().map(|held| held.expires)
    }

    pub(super) fn failures(&self) -> u64 {
        self.shared.state.lock().failures
    }

    /// The current state. Starts a renewal if it is time to.
    fn look(&self, now: Timestamp) -> Lookup {
        let at = Instant::now();
        let mut state = self.shared.state.lock();
        let may_renew = !state.renewing && state.not_before <= at;
        let problem = state.problem.clone();
        if let Some(held) = state.held.as_ref().filter(|held| held.trust != Trust::Suspect) {
            let fetched = Fetched { credential: held.credential.clone(), problem: problem.clone() };
            let due = held.renew_at <= at || held.trust == Trust::Rejected;
            if !held.has_ended(at) {
                if due && may_renew {
                    self.renew(&mut state, now);
                }
                return Lookup::Ready(fetched);
            }
        }
        if may_renew {
            self.renew(&mut state, now);
        }
        if state.renewing {
            return Lookup::Pending;
        }
        Lookup::RetryAt(state.not_before, problem.unwrap_or(Error::Hanging))
    }

    fn renew(&self, state: &mut State, now: Timestamp) {
        if !std::mem::replace(&mut state.renewing, true) {
            let renewal = tokio::spawn(renewal(Arc::clone(&self.shared), now));
            *self.renewal.lock() = Some(AbortOnDropHandle::new(renewal));
        }
    }

    /// There is no other credential. One that was rejected, but has not expired, may be valid after all.
    fn give_up(&self, error: Error) -> Result<Fetched, Error> {
        let mut state = self.shared.state.lock();
        match &mut state.held {
            Some(held) if !held.has_ended(Instant::now()) => {
                held.trust = Trust::Rejected;
                Ok(Fetched { credential: held.credential.clone(), problem: Some(error) })
            }
            _ => Err(error),
        }
    }
}

async fn renewal(shared: Arc<Shared>, began: Timestamp) {
    let (_end, since) = (End(&shared), Instant::now());
    let issued = shared.issuer.issue(began).await;
    let now = later(began, since.elapsed());
    let mut state = shared.state.lock();
    match issued {
        Ok(temporary) => state.take(temporary, now),
        Err(problem) => state.note(problem),
    }
}

impl fmt::Debug for RefreshingProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RefreshingProvider").field(&self.shared.issuer).finish()
    }
}

// === impl Held ===

impl Held {
    fn has_ended(&self, at: Instant) -> bool {
        self.ends.is_some_and(|ends| ends <= at)
    }
}

// === impl State ===

impl State {
    fn take(&mut self, Temporary { credential, expires, life }: Temporary, now: Timestamp) {
        let by_our_clock = || Duration::try_from(expires.duration_since(now)).unwrap_or_default();
        // A credential that has expired when it is issued has not: the clock is wrong. The API rejects it when it expires.
        let left = Some(life.unwrap_or_else(by_our_clock).min(LONGEST_LIFE)).filter(|left| !left.is_zero());
        let part = left.map_or(SAME_AGAIN.1, |left| left.mul_f64(RENEW_AFTER + JITTER * self.random.f64()));
        let same = self.held.as_ref().is_some_and(|held| held.credential.is(&credential));
        let doubted = self.held.as_ref().is_some_and(|held| held.trust != Trust::Valid);
        let (shortest, longest) = SAME_AGAIN;
        let wait = if same { part.clamp(shortest, longest) } else { part };
        let trust = if same && doubted { Trust::Rejected } else { Trust::Valid };
        let since = Instant::now();
        self.held = Some(Held {
            credential,
            expires,
            ends: left.map(|left| since + left),
            renew_at: since + wait,
            since,
            trust,
            forced: doubted,
        });
        self.problem = None;
        self.failures_in_a_row = 0;
        self.not_before = Instant::now() + PAUSE;
        if trust == Trust::Rejected {
            self.not_before += wait;
        }
    }

    fn note(&mut self, problem: Error) {
        if !problem.is_transient()
            && let Some(held) = self.held.as_mut().filter(|held| held.trust == Trust::Suspect)
        {
            held.trust = Trust::Rejected;
        }
        self.problem = Some(problem);
        self.failures += 1;
        self.not_before = Instant::now() + backoff::wait(self.failures_in_a_row, &mut self.random);
        self.failures_in_a_row += 1;
    }
}

// === impl End ===

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.state.lock().renewing = false;
        self.0.ended.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use jiff::SignedDuration;
    use tencentcloud_api::Error as WireError;
    use tokio::time::sleep;

    use super::{super::RequestError, *};

    const LIFE: SignedDuration = SignedDuration::from_hours(2);

    /// Returns what the test sets, and counts the requests.
    #[derive(Clone, Debug, Default)]
    struct Script(Arc<Mutex<Part>>);

    #[derive(Debug, Default)]
    struct Part {
        asked: u32,
        generation: u32,
        refuses: Option<Error>,
    }

    impl CredentialProvider for Script {
        fn issue(&self, now: Timestamp) -> BoxFuture<'_, Result<Temporary, Error>> {
            Box::pin(async move {
                sleep(Duration::from_millis(100)).await;
                let mut part = self.0.lock();
                part.asked += 1;
                match &part.refuses {
                    Some(error) => Err(error.clone()),
                    None => Ok(Temporary { credential: credential(part.generation), expires: now + LIFE, life: None }),
                }
            })
        }
    }

    fn credential(generation: u32) -> Credential {
        Credential { secret_id: format!("id{generation}").into(), secret_key: "key".into(), token: None }
    }

    struct Scene {
        start: Instant,
        script: Script,
        renewed: RefreshingProvider,
    }

    impl Scene {
        fn new() -> Self {
            let script = Script::default();
            let renewed = RefreshingProvider::new(Box::new(script.clone()), fastrand::Rng::with_seed(1));
            Self { start: Instant::now(), script, renewed }
        }

        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH + self.start.elapsed()
        }

        fn asked(&self) -> u32 {
            self.script.0.lock().asked
        }

        fn refuses(&self, error: Option<Error>) {
            self.script.0.lock().refuses = error;
        }

        async fn fetch(&self) -> Result<Fetched, Error> {
            self.renewed.fetch(self.now()).await
        }

        async fn brings(&self, generation: u32) {
            assert!(self.fetch().await.unwrap().credential.is(&credential(generation)));
        }
    }

    fn unreachable() -> Error {
        Error::Metadata(RequestError::from(&WireError::Connect("refused".to_owned())))
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_requests_share_one_renewal() {
        let scene = Scene::new();
        let fetched = futures_util::future::join_all((0..100).map(|_| scene.fetch())).await;
        assert!(fetched.iter().all(Result::is_ok));
        assert_eq!(scene.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_delays_no_poll() {
        let scene = Scene::new();
        scene.brings(0).await;
        scene.script.0.lock().generation = 1;
        sleep(Duration::from_mins(61)).await;
        let before = Instant::now();
        scene.brings(0).await;
        assert_eq!(before, Instant::now());
        sleep(Duration::from_secs(1)).await;
        scene.brings(1).await;
        assert_eq!(scene.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_that_stays_the_same_is_requested_at_most_once_a_minute() {
        let scene = Scene::new();
        scene.brings(0).await;
        for _ in 0..360 {
            sleep(Duration::from_secs(10)).await;
            scene.renewed.keep(scene.now());
        }
        assert!((2..=15).contains(&scene.asked()), "{}", scene.asked());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejected_credential_stays_in_use_if_there_is_no_other() {
        let scene = Scene::new();
        scene.brings(0).await;
        scene.refuses(Some(unreachable()));
        assert_eq!(scene.renewed.refused(&credential(0), scene.now()), Some(Duration::ZERO));
        let before = Instant::now();
        let fetched = scene.fetch().await.unwrap();
        assert!(fetched.credential.is(&credential(0)) && fetched.problem == Some(unreachable()));
        assert!((Duration::from_secs(5)..=TIMEOUT).contains(&before.elapsed()));
        assert_eq!(scene.renewed.refused(&credential(0), scene.now()), None, "it is doubted once");

        scene.refuses(None);
        scene.script.0.lock().generation = 1;
        sleep(Duration::from_mins(1)).await;
        scene.brings(0).await;
        sleep(Duration::from_secs(1)).await;
        scene.brings(1).await;
        assert_eq!(scene.renewed.refused(&credential(0), scene.now()), Some(Duration::ZERO), "there is another");
    }

    #[tokio::test(start_paused = true)]
    async fn a_permanent_error_is_returned_at_once_and_not_retried_at_each_poll() {
        let scene = Scene::new();
        scene.refuses(Some(Error::Unset("X")));
        assert_eq!(scene.fetch().await.unwrap_err(), Error::Unset("X"));
        for _ in 0..100 {
            assert_eq!(scene.fetch().await.unwrap_err(), Error::Unset("X"));
        }
        assert_eq!(scene.asked(), 1);
        assert_eq!(scene.renewed.failures(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_waits_for_the_end_of_a_transient_error() {
        let scene = Scene::new();
        scene.refuses(Some(unreachable()));
        let fix = async {
            sleep(Duration::from_secs(3)).await;
            scene.refuses(None);
        };
        let (fetched, ()) = tokio::join!(scene.fetch(), fix);
        assert!(fetched.unwrap().credential.is(&credential(0)));
    }
}
