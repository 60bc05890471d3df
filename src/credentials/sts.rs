//! Requests to STS, with a clock of their own.

use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tencentcloud_api::{
    Action, Answer, Client, Connection, Credential, Error as WireError, Reason, SigningClock, Temporary, later,
    sts::SessionDuration,
};
use tokio::time::Instant;

use super::{Error, RequestError};

/// A new credential has at least this part of the requested lifetime left. If it seems to have less, a clock is wrong.
const SHORTEST_PART: u32 = 10;

/// STS, for one source.
#[derive(Debug)]
pub struct Sts {
    client: Client,
    clock: Mutex<SigningClock>,
}

// === impl Sts ===

impl Sts {
    /// STS, through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, clock: Mutex::default() }
    }

    /// Requests a temporary credential with the lifetime `requested`, signed with `signer` if the action is signed.
    pub(super) async fn ask<A: Action<Output = Temporary>>(
        &self,
        signer: Option<&Credential>,
        action: &A,
        requested: SessionDuration,
        now: Timestamp,
    ) -> Result<Temporary, WireError> {
        let asked = Instant::now();
        let mut connection = Connection::Pooled;
        let mut corrected = false;
        loop {
            let believed = later(now, asked.elapsed());
            let signed_at = self.clock.lock().now(believed);
            let answer = match signer {
                Some(credential) => self.client.call(credential, action, connection, signed_at).await,
                None => self.client.call_unsigned(action, connection, signed_at).await,
            };
            let believed = later(now, asked.elapsed());
            match answer {
                Ok(Answer { value, server_time }) => {
                    if let Some(time) = server_time {
                        self.clock.lock().accepted(time, believed);
                    }
                    let life = life(value.expires, server_time, believed, requested.get());
                    return Ok(Temporary { life: Some(life), ..value });
                }
                Err(WireError::StaleConnection(_)) if connection == Connection::Pooled => {
                    connection = Connection::Fresh;
                }
                Err(WireError::Api { code, server_time: Some(time), .. })
                    if code.reason() == Reason::ClockSkew
                        && !corrected
                        && self.clock.lock().refused(time, signed_at, believed) =>
                {
                    corrected = true;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// How long a credential that expires at `expires` is valid. Clocks count only if they agree with the lifetime that was
/// `requested`.
fn life(expires: Timestamp, server_time: Option<Timestamp>, now: Timestamp, requested: Duration) -> Duration {
    let left = |now: Timestamp| Duration::try_from(expires.duration_since(now)).unwrap_or_default();
    let left = server_time.map(left).unwrap_or_default().max(left(now));
    if left < requested / SHORTEST_PART { requested } else { left.min(requested) }
}

/// The error of the action `A`.
pub(super) fn failed<A: Action>(error: &WireError) -> Error {
    Error::Sts { action: A::NAME, error: RequestError::from(error) }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_wrong_clock_does_not_change_the_lifetime() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (requested, hour) = (Duration::from_hours(2), SignedDuration::from_hours(1));
        let expires = now + 2 * hour;
        let life = |server_time, now| life(expires, server_time, now, requested);
        for (server_time, local) in [
            (None, now),
            (Some(now), now),
            (Some(now), now + 3 * hour),
            (Some(now), now - 3 * hour),
            (Some(now + 3 * hour), now),
            (Some(now + 3 * hour), now + 3 * hour),
            (Some(expires - SignedDuration::from_secs(10)), expires - SignedDuration::from_secs(10)),
            (Some(Timestamp::MAX), Timestamp::MIN),
            (None, Timestamp::MAX),
        ] {
            assert_eq!(life(server_time, local), requested, "{server_time:?} {local}");
        }
        assert_eq!(life(Some(now + hour), now + hour), Duration::from_hours(1), "both say that it is shorter");
    }
}
