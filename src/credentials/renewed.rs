//! Renews temporary credentials: in time, and once for all who use them.
//!
//! A renewal begins when about half of a credential's life is over, so an issuer may be out of reach for the other half and
//! nobody notices. It runs beside the polls, which use the old credential on; only where there is none that is good
//! does a poll wait.

use std::{
    fmt,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::{Error, Fetched, Issuer};
use crate::{
    backoff,
    tencent::{Credential, Temporary},
};

/// How long a poll waits for a credential where there is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// The part of a credential's life after which it is renewed, and the jitter of that: those who started together do not
/// come back together.
const RENEW_AFTER: f64 = 0.4;
const JITTER: f64 = 0.1;

/// How long an issuer that gave the same credential again is left alone: it has a new one only when the old one nears its
/// end.
const SAME_AGAIN: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(1), SignedDuration::from_mins(10));

/// The least between two renewals that went well.
const PAUSE: Duration = Duration::from_secs(1);

/// A credential that was renewed because the one before was refused is not doubted itself for so long: then it is not
/// the credential that is wrong.
const TRUSTED: Duration = Duration::from_mins(1);

/// A temporary credential, renewed.
pub struct Renewed {
    shared: Arc<Shared>,
    /// The renewal under way. It ends with us.
    renewal: Mutex<Option<AbortOnDropHandle<()>>>,
}

struct Shared {
    issuer: Box<dyn Issuer>,
    state: Mutex<State>,
    /// Told of each renewal that has ended.
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

/// The credential that there is.
struct Held {
    credential: Credential,
    expires: Timestamp,
    renew_at: Timestamp,
    since: Instant,
    trust: Trust,
    /// Whether the one before had been refused.
    forced: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Good,
    /// It was refused, and another is on its way.
    Doubted,
    /// It was refused, and there is no other.
    Refused,
}

/// What there is for a poll.
enum Look {
    Good(Fetched),
    /// Something when the renewal under way has ended.
    Soon,
    /// Nothing before that time.
    Later(Instant, Error),
}

/// Tells that a renewal has ended, even if it died.
struct End<'a>(&'a Shared);

// === impl Renewed ===

impl Renewed {
    /// What `issuer` gives. Asks for nothing yet.
    #[must_use]
    pub fn new(issuer: Box<dyn Issuer>, random: fastrand::Rng) -> Self {
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
        let deadline = arrived + PATIENCE;
        loop {
            let mut ended = self.shared.ended.subscribe();
            match self.look(now + arrived.elapsed()) {
                Look::Good(fetched) => return Ok(fetched),
                Look::Soon => {
                    if timeout_at(deadline, ended.changed()).await.is_err() {
                        return self.give_up(now + arrived.elapsed(), Error::Hanging);
                    }
                }
                Look::Later(at, error) if error.is_transient() && at < deadline => sleep_until(at).await,
                Look::Later(_, error) => return self.give_up(now + arrived.elapsed(), error),
            }
        }
    }

    /// See [`super::Source::keep`]. A credential that nobody has asked for yet is not asked for here either.
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
                Trust::Good if held.forced && held.since.elapsed() < TRUSTED => {
                    held.trust = Trust::Refused;
                    state.not_before = Instant::now() + TRUSTED;
                    return None;
                }
                Trust::Good => held.trust = Trust::Doubted,
                Trust::Doubted => {}
                Trust::Refused => return None,
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

    /// What there is, and begins a renewal where it is time to.
    fn look(&self, now: Timestamp) -> Look {
        let now = self.shared.issuer.correct(now);
        let mut state = self.shared.state.lock();
        let may_renew = !state.renewing && state.not_before <= Instant::now();
        let problem = state.problem.clone();
        if let Some(held) = state.held.as_ref().filter(|held| held.trust != Trust::Doubted) {
            let fetched = Fetched { credential: held.credential.clone(), problem: problem.clone() };
            let (expired, due) = (held.expires <= now, held.renew_at <= now || held.trust == Trust::Refused);
            if !expired {
                if due && may_renew {
                    self.renew(&mut state, now);
                }
                return Look::Good(fetched);
            }
            // It has just come. That it has ended may be our clock's fault, of which the API will tell.
            if problem.is_none() && !state.renewing && !may_renew {
                return Look::Good(fetched);
            }
        }
        if may_renew {
            self.renew(&mut state, now);
        }
        if state.renewing {
            return Look::Soon;
        }
        Look::Later(state.not_before, problem.unwrap_or(Error::Hanging))
    }

    fn renew(&self, state: &mut State, now: Timestamp) {
        if !std::mem::replace(&mut state.renewing, true) {
            let renewal = tokio::spawn(renewal(Arc::clone(&self.shared), now));
            *self.renewal.lock() = Some(AbortOnDropHandle::new(renewal));
        }
    }

    /// There is no other credential. One that was only refused may be good after all.
    fn give_up(&self, now: Timestamp, error: Error) -> Result<Fetched, Error> {
        let mut state = self.shared.state.lock();
        match &mut state.held {
            Some(held) if self.shared.issuer.correct(now) < held.expires => {
                held.trust = Trust::Refused;
                Ok(Fetched { credential: held.credential.clone(), problem: Some(error) })
            }
            _ => Err(error),
        }
    }
}

async fn renewal(shared: Arc<Shared>, began: Timestamp) {
    let (_end, since) = (End(&shared), Instant::now());
    let issued = shared.issuer.issue(began).await;
    let now = shared.issuer.correct(began + since.elapsed());
    let mut state = shared.state.lock();
    match issued {
        Ok(temporary) => state.take(temporary, now),
        Err(problem) => state.note(problem),
    }
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Renewed").field(&self.shared.issuer).finish()
    }
}

// === impl State ===

impl State {
    fn take(&mut self, Temporary { credential, expires }: Temporary, now: Timestamp) {
        let left = expires.duration_since(now).max(SignedDuration::ZERO);
        let part = left.mul_f64(RENEW_AFTER + JITTER * self.random.f64());
        let same = self.held.as_ref().is_some_and(|held| held.credential.is(&credential));
        let doubted = self.held.as_ref().is_some_and(|held| held.trust != Trust::Good);
        let (shortest, longest) = SAME_AGAIN;
        let wait = if same { part.clamp(shortest, longest) } else { part };
        let trust = if same && doubted { Trust::Refused } else { Trust::Good };
        let renew_at = now.checked_add(wait).unwrap_or(expires);
        self.held = Some(Held {
            credential,
            expires,
            renew_at: if left.is_zero() { expires } else { renew_at },
            since: Instant::now(),
            trust,
            forced: doubted,
        });
        self.problem = None;
        self.failures_in_a_row = 0;
        self.not_before = Instant::now() + PAUSE;
        if trust == Trust::Refused {
            self.not_before += wait.unsigned_abs();
        }
    }

    fn note(&mut self, problem: Error) {
        if !problem.is_transient()
            && let Some(held) = self.held.as_mut().filter(|held| held.trust == Trust::Doubted)
        {
            held.trust = Trust::Refused;
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
