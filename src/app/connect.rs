//! Asks each account's API one harmless question: does the credential hold, and does it permit what the poller needs?

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::SignedDuration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Error, NEWS, Surroundings, fleet::Fleet};
use crate::{
    clock::Clock,
    config::{self, Config},
    inventory::{AccountName, ApiClock, Inventory},
    metrics::Own,
    poll::{Failure, Plan},
    tencent::{AccessKey, Answer, Connection, Endpoint, Error as ApiError, Reason, Uin},
    web::Readiness,
};

/// What came of it.
#[derive(Debug)]
pub struct Tried {
    /// The account.
    pub account: AccountName,
    /// Where its API is.
    pub endpoint: Endpoint,
    /// Whether it can be polled; nothing where it has no users here to ask about.
    pub outcome: Option<Result<Answered, Failure>>,
}

/// The keys of a user were listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The user, the first of the account's.
    pub uin: Uin,
    /// How many they are.
    pub keys: usize,
    /// How far the API's clock is ahead of the machine's, where that is so far that the API's is gone by.
    pub skew: Option<SignedDuration>,
}

/// Asks about the first user of each account of `config`, all accounts at a time, once: nothing is retried, but for a
/// request signed by a clock that is wrong.
///
/// # Errors
/// See [`Error::Metrics`].
pub async fn connect(config: &Config, surroundings: Surroundings) -> Result<Vec<Tried>, Error> {
    let clock = Arc::clone(&surroundings.clock);
    let stopping = CancellationToken::new();
    let (tell, _) = mpsc::channel(NEWS);
    let fleet = Fleet::new(
        surroundings,
        Arc::new(Inventory::new(vec![])),
        Arc::new(Own::new(clock.now())?),
        Arc::new(Readiness::new(stopping.clone())),
        stopping,
        tell,
    );
    Ok(join_all(config.accounts.iter().map(|account| try_out(account, &fleet, &*clock))).await)
}

async fn try_out(configured: &config::Account, fleet: &Fleet, clock: &dyn Clock) -> Tried {
    let plan = fleet.plan(configured, &Arc::new(fleet.credentials(configured)));
    let outcome = match configured.uins.first() {
        Some(uin) => Some(ask(&plan, *uin, clock).await),
        None => None,
    };
    Tried { account: configured.name.clone(), endpoint: configured.endpoint.clone(), outcome }
}

async fn ask(plan: &Plan, uin: Uin, clock: &dyn Clock) -> Result<Answered, Failure> {
    let credential = plan.credentials.fetch().await?.credential;
    let ask = |now| plan.client.list_access_keys(&credential, uin, Connection::Pooled, now);
    let mut answer: Result<Answer<Vec<AccessKey>>, ApiError> = ask(clock.now()).await;
    if let Err(ApiError::Api { code, server_time: Some(time), .. }) = &answer
        && code.reason() == Reason::ClockSkew
    {
        answer = ask(ApiClock::reads(*time).correct(clock.now())).await;
    }
    let Answer { value: keys, server_time } = answer?;
    let local = clock.now();
    let api_clock = server_time.map(ApiClock::reads).filter(|api_clock| api_clock.correct(local) != local);
    Ok(Answered { uin, keys: keys.len(), skew: api_clock.map(|api_clock| api_clock.skew(local)) })
}
