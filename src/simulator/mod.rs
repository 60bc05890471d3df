//! A fake of CAM that judges what it is sent: the other end of the wire, for the `demo` and for tests.
//!
//! It shares no code with what makes our requests: a mistake there must not be made here again.
//!
//! - [`server`] puts it on a socket.
//! - `request` reads what is asked; [`signature`] finds out by whom.
//! - `window` is the frequency limit; [`arrival`] the log of what arrived.
//! - [`population`] is who there is, and what is answered about them; [`demo`] an account to look at.
//! - [`fault`] is what may go wrong on purpose.
//! - [`answer`] writes answers.

pub mod answer;
pub mod arrival;
pub mod demo;
pub mod fault;
pub mod population;
mod request;
pub mod server;
pub mod signature;
mod window;

use std::{collections::HashMap, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::time::Instant;

pub use answer::Rejection;
pub use arrival::{Arrival, Outcome, densest_second};
pub use fault::{Fault, Times};
pub use population::{Behaviour, Caller, Key, NoKeys, Population, User};
pub use server::serve;

use self::{request::Common, signature::Signer};
use crate::clock::Clock;

/// The service that is simulated, with its one version and action.
const SERVICE: &str = "cam";
const VERSION: &str = "2019-01-16";
const ACTION: &str = "ListAccessKeys";

/// The fake. Hand it requests, or [`serve`] it.
#[derive(Debug)]
pub struct Simulator {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// What comes back.
#[derive(Debug)]
pub enum Reply {
    /// An answer.
    Response(Response<Bytes>),
    /// The headers of this answer and half of its body, then the end of the connection.
    Truncated(Response<Bytes>),
    /// A body of so many bytes, in chunks or of a length told beforehand.
    Flood {
        /// How many.
        bytes: u64,
        /// Whether in chunks.
        chunked: bool,
    },
    /// A reset of the connection.
    Reset,
    /// The end of the connection.
    Close,
    /// Nothing, ever.
    Hang,
}

/// Marks, among a request's extensions, that its connection has served another before.
#[derive(Clone, Copy, Debug)]
pub struct Reused;

#[derive(Debug)]
struct State {
    population: Population,
    windows: window::Windows,
    faults: fault::Faults,
    log: arrival::Log,
    latency: Range<Duration>,
    /// How often each user was asked about.
    asked: HashMap<u64, u64>,
}

// === impl Simulator ===

impl Simulator {
    /// The API of this population. `clock` is the server's, and may be wrong.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, population: Population) -> Self {
        let state = State {
            population,
            windows: window::Windows::default(),
            faults: fault::Faults::default(),
            log: arrival::Log::default(),
            latency: Duration::ZERO..Duration::ZERO,
            asked: HashMap::new(),
        };
        Self { clock, state: Mutex::new(state) }
    }

    /// Answers a request, which arrives now.
    pub fn handle(&self, request: &Request<Bytes>) -> Reply {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let at = Instant::now();
        let (reply, target, outcome) = state.reply(request, now, at);
        let action = request::single(request.headers(), "x-tc-action").unwrap_or_default().to_owned();
        state.log.push(Arrival { at, action, target, outcome });
        reply
    }

    /// The latest 100,000 arrivals, in order.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.state.lock().log.to_vec()
    }

    /// Makes a fault happen to requests about the user `target`, or to all requests. Only those well signed and within
    /// the frequency limit come so far. Of several faults that fit, the oldest goes first.
    pub fn inject(&self, target: Option<u64>, fault: Fault, times: Times) {
        self.state.lock().faults.add(target, fault, times);
    }

    /// Takes back all faults.
    pub fn clear(&self) {
        self.state.lock().faults.clear();
    }

    /// From now on a request [served](serve) takes so long until it arrives, and its answer so long until it leaves: each
    /// anywhere in the range, at random. At first they take no time.
    pub fn set_latency(&self, latency: Range<Duration>) {
        self.state.lock().latency = latency;
    }

    /// Changes the population.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Population) -> T) -> T {
        change(&mut self.state.lock().population)
    }

    /// The time that one way takes.
    fn latency(&self) -> Duration {
        let Range { start, end } = self.state.lock().latency;
        start + end.saturating_sub(start).mul_f64(fastrand::f64())
    }

    /// The answer to a request that is not even read to its end.
    fn reject(&self, rejection: Rejection) -> Response<Bytes> {
        answer::response(&Err(rejection), &answer::request_id(), self.clock.now())
    }
}

// === impl State ===

impl State {
    /// The reply, whom the request is about as far as can be told, and what became of it.
    fn reply(&mut self, request: &Request<Bytes>, now: Timestamp, at: Instant) -> (Reply, Option<u64>, Outcome) {
        let id = answer::request_id();
        let parameters = request::target_uin(request);
        let target = parameters.as_ref().ok().copied().flatten();
        let reused = request.extensions().get::<Reused>().is_some();

        let admitted = self.admit(request, now, at);
        let fault = admitted.as_ref().ok().and_then(|_| self.faults.take(target, reused));
        let answer = match &fault {
            Some(Fault::Error(rejection)) => Err(rejection.clone()),
            _ => admitted.and_then(|(common, signer)| self.answer(&common, &signer, parameters, &id)),
        };
        let response = answer::response(&answer, &id, now);
        let reply = match fault {
            None | Some(Fault::Error(_)) => return (Reply::Response(response), target, Outcome::of(&answer)),
            Some(Fault::Answer(mut other)) => {
                answer::date(other.headers_mut(), now);
                Reply::Response(other)
            }
            Some(Fault::Truncate) => Reply::Truncated(response),
            Some(Fault::Flood { bytes, chunked }) => Reply::Flood { bytes, chunked },
            Some(Fault::Reset) => Reply::Reset,
            Some(Fault::Close | Fault::CloseIfReused) => Reply::Close,
            Some(Fault::Hang) => Reply::Hang,
        };
        (reply, target, Outcome::Faulted)
    }

    /// What the request says and who signed it, unless it is malformed, ill signed or one too many.
    fn admit<'a>(
        &mut self,
        request: &'a Request<Bytes>,
        now: Timestamp,
        at: Instant,
    ) -> Result<(Common<'a>, Signer), Rejection> {
        let common = Common::read(request)?;
        let signer = signature::verify(request, now, &self.population.callers)?;
        self.windows.count(common.action, signer.caller, at)?;
        Ok((common, signer))
    }

    fn answer(
        &mut self,
        common: &Common<'_>,
        signer: &Signer,
        parameters: Result<Option<u64>, Rejection>,
        request_id: &str,
    ) -> Result<Map<String, Value>, Rejection> {
        let Common { action, version } = *common;
        if signer.service == SERVICE && version != VERSION {
            return Err(Rejection::new("NoSuchVersion", format!("The version `{version}` does not exist.")));
        }
        if signer.service != SERVICE || action != ACTION {
            return Err(Rejection::new("InvalidAction", format!("The action `{action}` does not exist.")));
        }
        let uin = parameters?.unwrap_or(signer.caller);
        let asked = self.asked.entry(uin).or_default();
        *asked += 1;
        let missing = || Rejection::new("InvalidParameter.UserNotExist", "The user does not exist.");
        let user = self.population.users.get(&uin).ok_or_else(missing)?;
        match user.behaviour {
            Behaviour::DoesNotExist => Err(missing()),
            Behaviour::Denied => Err(Rejection::new(
                "AuthFailure.UnauthorizedOperation",
                format!(
                    "You are not authorized to perform this operation. Check your CAM policies, and ensure that you \
                     are using the correct access keys. [[request id:{request_id}]you are not authorized to perform \
                     operation ({SERVICE}:{ACTION})\nresource (*) has no permission"
                ),
            )),
            Behaviour::Flaky { every } if asked.is_multiple_of(every) => {
                Err(Rejection::new("InternalError", "An internal error has occurred. Retry your request."))
            }
            Behaviour::Answers | Behaviour::Flaky { .. } => Ok(user.listing()),
        }
    }
}
