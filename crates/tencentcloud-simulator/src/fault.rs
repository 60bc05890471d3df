//! What may go wrong on purpose.

use bytes::Bytes;
use http::{HeaderValue, Response};

use crate::Rejection;

/// Something that takes the place of an answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error of the API.
    Error(Rejection),
    /// Any other answer: another HTTP status, a proxy's page, JSON that is wrong. It gets a `Date` if it has none.
    Answer(Response<Bytes>),
    /// The answer, with this `Date`.
    Date(HeaderValue),
    /// The connection is reset before a byte is answered.
    Reset,
    /// The connection is closed before a byte is answered.
    Close,
    /// As [`Fault::Close`], but only where the connection has served a request before: what a server does that closes
    /// idle connections. Other requests are answered, and do not use the fault up.
    CloseIfReused,
    /// There is never an answer.
    Hang,
    /// The answer ends after half of its body, which its `Content-Length` gives whole.
    Truncate,
    /// The body is one of so many bytes.
    Flood {
        /// How many.
        bytes: u64,
        /// Whether it comes in chunks, with no word of its length beforehand.
        chunked: bool,
    },
}

/// How many requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The next so many.
    Next(u32),
    /// All, until the faults are cleared.
    UntilCleared,
}

/// The faults to come.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Injected>);

#[derive(Debug)]
struct Injected {
    hits: Hits,
    fault: Fault,
    times: Times,
}

/// Which requests a fault is for.
#[derive(Debug)]
pub(crate) enum Hits {
    All,
    /// Those about this user.
    User(u64),
    /// Those that this caller has signed.
    Caller(u64),
    /// Those for this action.
    Action(String),
}

// === impl Faults ===

impl Faults {
    pub(crate) fn add(&mut self, hits: Hits, fault: Fault, times: Times) {
        if times != Times::Next(0) {
            self.0.push(Injected { hits, fault, times });
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault for a request for `action` by `caller` about `target`: the oldest that fits. `reused` tells whether its connection
    /// has served a request before.
    pub(crate) fn take(
        &mut self,
        action: &str,
        caller: Option<u64>,
        target: Option<u64>,
        reused: bool,
    ) -> Option<Fault> {
        let place = self.0.iter().position(|injected| {
            let hit = match &injected.hits {
                Hits::All => true,
                Hits::User(user) => Some(*user) == target,
                Hits::Caller(number) => Some(*number) == caller,
                Hits::Action(name) => name == action,
            };
            hit && (reused || !matches!(injected.fault, Fault::CloseIfReused))
        })?;
        let injected = &mut self.0[place];
        match &mut injected.times {
            Times::Next(1) => return Some(self.0.remove(place).fault),
            Times::Next(left) => *left -= 1,
            Times::UntilCleared => {}
        }
        Some(injected.fault.clone())
    }
}
