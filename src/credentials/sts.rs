//! Asks STS, by its own clock.

use jiff::Timestamp;
use parking_lot::Mutex;

use super::{Error, Told};
use crate::{
    inventory::ApiClock,
    tencent::{Action, Client, Connection, Credential, Error as WireError, Reason, Temporary},
};

/// STS, as one source asks it.
#[derive(Debug)]
pub struct Sts {
    client: Client,
    clock: Mutex<Option<ApiClock>>,
}

// === impl Sts ===

impl Sts {
    /// The STS that `client` asks.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, clock: Mutex::default() }
    }

    /// The time to go by where it is `now` to the caller. Without a credential there is no answer of any other API yet
    /// that would tell that the machine's clock is wrong.
    pub(super) fn correct(&self, now: Timestamp) -> Timestamp {
        self.clock.lock().map_or(now, |clock| clock.correct(now))
    }

    /// A temporary credential, for whoever signs, if anybody does.
    pub(super) async fn ask<A: Action<Output = Temporary>>(
        &self,
        signer: Option<&Credential>,
        action: &A,
        now: Timestamp,
    ) -> Result<Temporary, WireError> {
        let mut connection = Connection::Pooled;
        let mut corrected = false;
        loop {
            let now = self.correct(now);
            let answer = match signer {
                Some(credential) => self.client.call(credential, action, connection, now).await,
                None => self.client.call_unsigned(action, connection, now).await,
            };
            match answer {
                Ok(answer) => {
                    self.note(answer.server_time);
                    return Ok(answer.value);
                }
                Err(WireError::StaleConnection(_)) if connection == Connection::Pooled => {
                    connection = Connection::Fresh;
                }
                Err(error @ WireError::Api { server_time, .. })
                    if error.reason() == Reason::ClockSkew && !corrected =>
                {
                    corrected = true;
                    self.note(server_time);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn note(&self, server_time: Option<Timestamp>) {
        if let Some(time) = server_time {
            *self.clock.lock() = Some(ApiClock::reads(time));
        }
    }
}

/// Why STS gave nothing for the action `A`.
pub(super) fn failed<A: Action>(error: &WireError) -> Error {
    Error::Sts { action: A::NAME, error: Told::from(error) }
}
