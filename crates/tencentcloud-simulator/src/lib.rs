#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! It shares no signing code with the client, so that it cannot repeat the client's mistakes.
//!
//! - [`Simulator`] verifies a request and responds to it; [`serve`] serves it on a socket.
//! - [`serve_metadata`] serves the metadata service of a virtual machine on a socket of its own.
//! - [`signature`] verifies signatures and finds the signer.
//! - [`Population`] holds the users and what the API returns for them; [`Role`]s can be assumed.
//! - [`Fault`] is an injected failure; [`Arrival`] is an entry of the request log.

mod actions;
mod answer;
mod arrival;
mod demo;
mod fault;
mod metadata;
mod population;
mod request;
mod roles;
mod server;
pub mod signature;
mod window;

use std::{collections::HashMap, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, header};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::time::Instant;

pub use answer::Rejection;
pub use arrival::{Arrival, Outcome, densest_second};
pub use fault::{Fault, Times};
pub use metadata::{Machine, serve_metadata};
pub use population::{Behaviour, Caller, Field, Key, LastUsedRows, Member, NoKeys, Population, User, UserType};
pub use roles::{Identity, Role};
pub use server::serve;
use tencentcloud_api::{Clock, Credential};

use self::{
    actions::{Action, Call, Fields, LIMIT_OF_NOTHING},
    fault::Hits,
    request::{Common, Parameters},
    roles::Roles,
    signature::Signer,
};

/// The caller of unsigned requests.
const UNSIGNED: u64 = 0;

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
    /// A body of so many bytes, in chunks or of a length announced before.
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
    roles: Roles,
    organization: Vec<Member>,
    metadata: metadata::State,
    windows: window::Windows,
    faults: fault::Faults,
    log: arrival::Log,
    latency: Range<Duration>,
    /// How far the clock of each backend is ahead. Requests go to one after the other.
    backends: Vec<SignedDuration>,
    arrived: usize,
    /// How often each user was asked about.
    asked: HashMap<u64, u64>,
    last_used_rows: LastUsedRows,
}

// === impl Simulator ===

impl Simulator {
    /// The API of this population. `clock` is the server's, and may be wrong.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, population: Population) -> Self {
        let state = State {
            population,
            roles: Roles::default(),
            organization: vec![],
            metadata: metadata::State::default(),
            windows: window::Windows::default(),
            faults: fault::Faults::default(),
            log: arrival::Log::default(),
            latency: Duration::ZERO..Duration::ZERO,
            backends: vec![],
            arrived: 0,
            asked: HashMap::new(),
            last_used_rows: LastUsedRows::default(),
        };
        Self { clock, state: Mutex::new(state) }
    }

    /// Answers a request, which arrives now.
    pub fn handle(&self, request: &Request<Bytes>) -> Reply {
        let mut state = self.state.lock();
        let ahead = state.next_backend();
        let now = self.clock.now();
        let now = now.checked_add(ahead).unwrap_or(now);
        let at = Instant::now();
        let (reply, caller, target, outcome) = state.reply(request, now, at);
        let action = request::single(request.headers(), "x-tc-action").unwrap_or_default().into();
        state.log.push(Arrival { at, action, caller, target, outcome });
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
        self.state.lock().faults.add(target.map_or(Hits::All, Hits::User), fault, times);
    }

    /// As [`Simulator::inject`], for requests for that action.
    pub fn inject_into(&self, action: &str, fault: Fault, times: Times) {
        self.state.lock().faults.add(Hits::Action(action.to_owned()), fault, times);
    }

    /// As [`Simulator::inject`], for requests that this caller has signed: a UIN, or the number of a role.
    pub fn inject_for(&self, caller: u64, fault: Fault, times: Times) {
        self.state.lock().faults.add(Hits::Caller(caller), fault, times);
    }

    /// Takes back all faults.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        state.faults.clear();
        state.metadata.clear();
    }

    /// From now on a request [served](serve) takes so long until it arrives, and its answer so long until it leaves: each
    /// anywhere in the range, at random. At first they take no time.
    pub fn set_latency(&self, latency: Range<Duration>) {
        self.state.lock().latency = latency;
    }

    /// From now on requests go to so many backends, one after the other. The clock of each is so far ahead of the
    /// simulator's, and it judges signatures by that.
    pub fn set_backends(&self, ahead: &[SignedDuration]) {
        self.state.lock().backends = ahead.to_vec();
    }

    /// Changes the population.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Population) -> T) -> T {
        change(&mut self.state.lock().population)
    }

    /// Changes the roles. At first there are none.
    pub fn edit_roles<T>(&self, change: impl FnOnce(&mut Vec<Role>) -> T) -> T {
        change(&mut self.state.lock().roles.roles)
    }

    /// Changes the members of the organisation. At first there are none.
    pub fn edit_organization<T>(&self, change: impl FnOnce(&mut Vec<Member>) -> T) -> T {
        change(&mut self.state.lock().organization)
    }

    /// Which rows answers about last uses have from now on.
    pub fn set_last_used_rows(&self, rows: LastUsedRows) {
        self.state.lock().last_used_rows = rows;
    }

    /// The role that the machine has from now on, if any. At first it has none.
    pub fn set_machine(&self, machine: Option<Machine>) {
        self.state.lock().metadata.set(machine);
    }

    /// Answers a request to the metadata service, which arrives now.
    pub fn handle_metadata(&self, request: &Request<Bytes>) -> Reply {
        let now = self.clock.now();
        let State { metadata, roles, .. } = &mut *self.state.lock();
        metadata.reply(request, roles, now)
    }

    /// How often the metadata service was asked for a credential.
    #[must_use]
    pub fn metadata_requests(&self) -> u64 {
        self.state.lock().metadata.asked()
    }

    /// Makes a fault happen to requests to the metadata service.
    pub fn inject_into_metadata(&self, fault: Fault, times: Times) {
        self.state.lock().metadata.inject(fault, times);
    }

    /// The temporary credentials that are out, the oldest first.
    #[must_use]
    pub fn issued(&self) -> Vec<Credential> {
        self.state.lock().roles.issued()
    }

    /// Revokes every temporary credential.
    pub fn revoke(&self) {
        self.state.lock().roles.revoke();
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
    /// How far the clock is ahead of the backend that the next request goes to.
    fn next_backend(&mut self) -> SignedDuration {
        self.arrived = self.arrived.wrapping_add(1);
        self.backends.get(self.arrived % self.backends.len().max(1)).copied().unwrap_or_default()
    }

    /// The reply, who signed the request, the user that it is about if it names one, and what became of it.
    fn reply(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
        at: Instant,
    ) -> (Reply, Option<u64>, Option<u64>, Outcome) {
        let id = answer::request_id();
        let target = request::target_uin(request);
        let reused = request.extensions().get::<Reused>().is_some();

        let admitted = self.admit(request, now, at);
        let signer = admitted.as_ref().ok().and_then(|(_, signer)| signer.as_ref());
        let caller = signer.map(|signer| signer.caller);
        let fault =
            admitted.as_ref().ok().and_then(|(common, _)| self.faults.take(common.action, caller, target, reused));
        let answer = match &fault {
            Some(Fault::Error(rejection)) => Err(rejection.clone()),
            _ => admitted.and_then(|(common, signer)| self.answer(request, &common, signer.as_ref(), now, &id)),
        };
        let response = answer::response(&answer, &id, now);
        let reply = match fault {
            None | Some(Fault::Error(_)) => return (Reply::Response(response), caller, target, Outcome::of(&answer)),
            Some(Fault::Answer(mut other)) => {
                answer::date(other.headers_mut(), now);
                Reply::Response(other)
            }
            Some(Fault::Date(date)) => {
                let mut response = response;
                response.headers_mut().insert(header::DATE, date);
                return (Reply::Response(response), caller, target, Outcome::of(&answer));
            }
            Some(Fault::Truncate) => Reply::Truncated(response),
            Some(Fault::Flood { bytes, chunked }) => Reply::Flood { bytes, chunked },
            Some(Fault::Reset) => Reply::Reset,
            Some(Fault::Close | Fault::CloseIfReused) => Reply::Close,
            Some(Fault::Hang) => Reply::Hang,
        };
        (reply, caller, target, Outcome::Faulted)
    }

    /// What the request says and who signed it, unless it is malformed, ill signed or one too many. Nobody signs where
    /// that is not asked for.
    fn admit<'a>(
        &mut self,
        request: &'a Request<Bytes>,
        now: Timestamp,
        at: Instant,
    ) -> Result<(Common<'a>, Option<Signer>), Rejection> {
        let common = Common::read(request)?;
        if let Some(action) = Action::unsigned(common.action).filter(|_| signature::is_skipped(request)) {
            self.windows.count(action.name, action.limit, UNSIGNED, at)?;
            return Ok((common, None));
        }
        let signer = self.signer(request, now)?;
        let action = Action::of(&signer.service, common.version, common.action);
        let limit = action.map_or(LIMIT_OF_NOTHING, |action| action.limit);
        self.windows.count(common.action, limit, signer.caller, at)?;
        Ok((common, Some(signer)))
    }

    fn signer(&self, request: &Request<Bytes>, now: Timestamp) -> Result<Signer, Rejection> {
        let Some(session) = signature::secret_id(request).and_then(|id| self.roles.session(id)) else {
            return signature::verify(request, now, &self.population.callers);
        };
        let signer = signature::verify(request, now, std::slice::from_ref(&session.caller))?;
        if session.expires <= now {
            return Err(Rejection::new("AuthFailure.TokenFailure", "The provided token has expired."));
        }
        Ok(signer)
    }

    fn answer(
        &mut self,
        request: &Request<Bytes>,
        common: &Common<'_>,
        signer: Option<&Signer>,
        now: Timestamp,
        request_id: &str,
    ) -> Result<Fields, Rejection> {
        let action = match signer {
            Some(signer) => Action::of(&signer.service, common.version, common.action)?,
            None => Action::unsigned(common.action)
                .and_then(|action| Action::of(action.service, common.version, action.name).ok())
                .ok_or_else(|| Rejection::new("NoSuchVersion", "The version does not exist."))?,
        };
        if action.regional && request::single(request.headers(), "x-tc-region").is_none_or(str::is_empty) {
            return Err(Rejection::missing("X-TC-Region"));
        }
        let parameters = Parameters::read(request, action)?;
        // Callers that are no roles may do everything.
        let role = signer.and_then(|signer| self.roles.by_id(signer.caller));
        let permission = action.permission();
        if action.guarded && role.is_some_and(|role| !role.permissions.contains(&permission)) {
            return Err(Rejection::denied(&permission, request_id));
        }
        (action.answer)(&mut Call {
            signer,
            parameters,
            population: &mut self.population,
            roles: &mut self.roles,
            organization: &self.organization,
            asked: &mut self.asked,
            last_used_rows: self.last_used_rows,
            now,
            request_id,
        })
    }
}
