//! Asks each account's API one harmless question for each thing that the poller needs: does the credential hold, and does
//! it permit that?
//!
//! An entry that stands for an organisation is asked for its members, and the first of them for its users: so its role
//! is proved as well.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::SignedDuration;
use parking_lot::Mutex;
use tencentcloud_api::{
    Action, Answer, ApiClock, Client, Clock, Connection, DescribeOrganizationMembers, Endpoint, Error as ApiError,
    GetCallerIdentity, ListAccessKeys, ListAccounts, ListUsers, Reason, Uin, UserType,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Dependencies, Error, MAX_PENDING_CHANGES, supervisor::Supervisor};
use crate::{
    config::{self, Config},
    inventory::{AccountName, Inventory},
    metrics::Own,
    poll::{Failure, Plan},
    web::Readiness,
};

/// What came of it.
#[derive(Debug)]
pub struct ConnectionCheck {
    /// The account.
    pub account: AccountName,
    /// Where its API is.
    pub endpoint: Endpoint,
    /// What was asked; nothing where the account has no users here to ask about.
    pub question: Option<CheckedRequest>,
    /// Whether it can be polled.
    pub outcome: Result<CheckResult, Failure>,
}

/// What an account can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckedRequest {
    /// Who makes the requests.
    Caller,
    /// Which keys the user has, the first of the account's.
    Keys(Uin),
    /// Which keys the caller has.
    OwnKeys,
    /// Which users there are.
    Users,
    /// Which users of that type are on the first page, the first type of the account's.
    TypedUsers(UserType),
    /// Which members its organisation has.
    Members,
}

/// The answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckResult {
    /// How many keys there are, or users, or members.
    pub number: usize,
    /// The clock skew, if it is so large that the API's clock is used.
    pub skew: Option<SignedDuration>,
}

/// Asks about the first user of each account of `config` and for each listing of its users, all accounts at a time, once:
/// nothing is retried, but for a request signed by a clock that is wrong. What comes of an account is followed by what comes of its organisation and of
/// the first member that is polled here.
///
/// # Errors
/// See [`Error::Metrics`].
pub async fn connect(config: &Config, dependencies: Dependencies) -> Result<Vec<ConnectionCheck>, Error> {
    let clock = Arc::clone(&dependencies.clock);
    let stopping = CancellationToken::new();
    let (changes, _) = mpsc::channel(MAX_PENDING_CHANGES);
    let supervisor = Supervisor::new(
        dependencies,
        Arc::new(Inventory::new(vec![])),
        Arc::new(Own::new()?),
        Arc::new(Readiness::new(stopping.clone())),
        stopping,
        changes,
        Arc::default(),
    );
    let supervisor = Mutex::new(supervisor);
    let tries = config.accounts.iter().map(|account| try_out(account, &supervisor, &*clock));
    Ok(join_all(tries).await.into_iter().flatten().collect())
}

async fn try_out(account: &config::Account, supervisor: &Mutex<Supervisor>, clock: &dyn Clock) -> Vec<ConnectionCheck> {
    let plan = supervisor.lock().plan_of(account);
    let mut tried = vec![];
    tried.extend(of_users(account, &plan, clock).await);
    if let (Some(configured), Some(organization)) = (&account.organization, &plan.organization) {
        let page = ask(&plan, &organization.client, &DescribeOrganizationMembers::page(0), clock).await;
        let listed = page.as_ref().map_or(&[][..], |(page, _)| &page.members);
        let mut wanted = listed.iter().filter(|member| organization.members.admits(member.uin, &member.name));
        let first = wanted.find_map(|member| account.member(member.uin));
        let outcome = count(page, |page| usize::try_from(page.total).unwrap_or(usize::MAX));
        let (name, endpoint) = (account.name.clone(), configured.endpoint.clone());
        tried.push(ConnectionCheck { account: name, endpoint, question: Some(CheckedRequest::Members), outcome });
        if let Some(member) = first {
            let plan = supervisor.lock().plan_of(&member);
            tried.extend(of_users(&member, &plan, clock).await);
        }
    }
    tried
}

async fn of_users(account: &config::Account, plan: &Plan, clock: &dyn Clock) -> Vec<ConnectionCheck> {
    let tried = |question, outcome| ConnectionCheck {
        account: account.name.clone(),
        endpoint: account.endpoint.clone(),
        question,
        outcome,
    };
    let (client, mut all) = (&plan.client, vec![]);
    if let Some(uin) = account.uins.first() {
        let outcome = count(ask(plan, client, &ListAccessKeys::of(*uin), clock).await, Vec::len);
        all.push(tried(Some(CheckedRequest::Keys(*uin)), outcome));
    }
    if account.include_self {
        match ask(plan, &plan.sts, &GetCallerIdentity {}, clock).await {
            Ok(_) => {
                let outcome = count(ask(plan, client, &ListAccessKeys::own(), clock).await, Vec::len);
                all.push(tried(Some(CheckedRequest::OwnKeys), outcome));
            }
            Err(failure) => {
                let endpoint = account.sts_endpoint.clone();
                all.push(ConnectionCheck { endpoint, ..tried(Some(CheckedRequest::Caller), Err(failure)) });
            }
        }
    }
    if let Some(discovery) = &account.discover {
        let outcome = count(ask(plan, client, &ListUsers {}, clock).await, Vec::len);
        all.push(tried(Some(CheckedRequest::Users), outcome));
        if let Some(user_type) = discovery.user_types.first() {
            let page = ask(plan, client, &ListAccounts::page(*user_type, None), clock).await;
            let outcome = count(page, |page| page.users.len());
            all.push(tried(Some(CheckedRequest::TypedUsers(*user_type)), outcome));
        }
    }
    if all.is_empty() && account.organization.is_none() {
        all.push(tried(None, Ok(CheckResult::default())));
    }
    all
}

/// The response, and the clock skew if it is so large that the API's clock is used.
async fn ask<A: Action>(
    plan: &Plan,
    client: &Client,
    action: &A,
    clock: &dyn Clock,
) -> Result<(A::Output, Option<SignedDuration>), Failure> {
    let credential = plan.credentials.fetch(clock.now()).await.map_err(Failure::Credentials)?.credential;
    let ask = |now| client.call(&credential, action, Connection::Pooled, now);
    let mut answer = ask(clock.now()).await;
    if let Err(ApiError::Api { code, server_time: Some(time), .. }) = &answer
        && code.reason() == Reason::ClockSkew
    {
        answer = ask(ApiClock::reads(*time).correct(clock.now())).await;
    }
    let Answer { value, server_time } = answer.map_err(Failure::Api)?;
    let local = clock.now();
    let api_clock = server_time.map(ApiClock::reads).filter(|api_clock| api_clock.correct(local) != local);
    Ok((value, api_clock.map(|api_clock| api_clock.skew(local))))
}

fn count<T>(
    answer: Result<(T, Option<SignedDuration>), Failure>,
    number: impl FnOnce(&T) -> usize,
) -> Result<CheckResult, Failure> {
    answer.map(|(value, skew)| CheckResult { number: number(&value), skew })
}

// === impl CheckedRequest ===

impl CheckedRequest {
    /// The action that a policy must allow, as a policy names it.
    #[must_use]
    pub fn permission(self) -> String {
        match self {
            Self::Caller => GetCallerIdentity::permission(),
            Self::Keys(_) | Self::OwnKeys => ListAccessKeys::permission(),
            Self::Users => ListUsers::permission(),
            Self::TypedUsers(_) => ListAccounts::permission(),
            Self::Members => DescribeOrganizationMembers::permission(),
        }
    }
}
