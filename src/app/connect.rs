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
    tencent::{Action, Answer, Connection, Endpoint, Error as ApiError, ListAccessKeys, ListUsers, Reason, Uin},
    web::Readiness,
};

/// What came of it.
#[derive(Debug)]
pub struct Tried {
    /// The account.
    pub account: AccountName,
    /// Where its API is.
    pub endpoint: Endpoint,
    /// What was asked; nothing where the account has no users here to ask about.
    pub question: Option<Question>,
    /// Whether it can be polled.
    pub outcome: Result<Answered, Failure>,
}

/// What an account can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which keys the user has, the first of the account's.
    Keys(Uin),
    /// Which keys the caller has.
    OwnKeys,
    /// Which users there are.
    Users,
}

/// The answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// How many keys there are, or users.
    pub number: usize,
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
    let mut fleet = Fleet::new(
        surroundings,
        Arc::new(Inventory::new(vec![])),
        Arc::new(Own::new(clock.now())?),
        Arc::new(Readiness::new(stopping.clone())),
        stopping,
        tell,
        Arc::default(),
    );
    let plans: Vec<Plan> = config.accounts.iter().map(|account| fleet.plan_of(account)).collect();
    let tries = config.accounts.iter().zip(&plans).map(|(account, plan)| try_out(account, plan, &*clock));
    Ok(join_all(tries).await)
}

async fn try_out(configured: &config::Account, plan: &Plan, clock: &dyn Clock) -> Tried {
    let question = Question::of(configured);
    let outcome = match question {
        Some(Question::Keys(uin)) => ask(plan, &ListAccessKeys::of(uin), Vec::len, clock).await,
        Some(Question::OwnKeys) => ask(plan, &ListAccessKeys::own(), Vec::len, clock).await,
        Some(Question::Users) => ask(plan, &ListUsers {}, Vec::len, clock).await,
        None => Ok(Answered::default()),
    };
    Tried { account: configured.name.clone(), endpoint: configured.endpoint.clone(), question, outcome }
}

async fn ask<A: Action>(
    plan: &Plan,
    action: &A,
    count: impl Fn(&A::Output) -> usize,
    clock: &dyn Clock,
) -> Result<Answered, Failure> {
    let credential = plan.credentials.fetch(clock.now()).await.map_err(Failure::Credentials)?.credential;
    let ask = |now| plan.client.call(&credential, action, Connection::Pooled, now);
    let mut answer = ask(clock.now()).await;
    if let Err(ApiError::Api { code, server_time: Some(time), .. }) = &answer
        && code.reason() == Reason::ClockSkew
    {
        answer = ask(ApiClock::reads(*time).correct(clock.now())).await;
    }
    let Answer { value, server_time } = answer.map_err(Failure::Api)?;
    let local = clock.now();
    let api_clock = server_time.map(ApiClock::reads).filter(|api_clock| api_clock.correct(local) != local);
    Ok(Answered { number: count(&value), skew: api_clock.map(|api_clock| api_clock.skew(local)) })
}

// === impl Question ===

impl Question {
    fn of(configured: &config::Account) -> Option<Self> {
        match configured.uins.first() {
            Some(uin) => Some(Self::Keys(*uin)),
            None if configured.include_self => Some(Self::OwnKeys),
            None => configured.discover.as_ref().map(|_| Self::Users),
        }
    }

    /// The action that a policy must allow.
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::Keys(_) | Self::OwnKeys => ListAccessKeys::NAME,
            Self::Users => ListUsers::NAME,
        }
    }
}
