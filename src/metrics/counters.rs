//! What is counted of an account.
//!
//! The account's counters are there from the start, at 0: those of polls, those of each reason, and those of each action
//! that the account requests. A series of an error code begins with the first error.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tencentcloud_api::{
    Action, Code, DescribeOrganizationMembers, GetCallerIdentity, GetSecurityLastUsed, ListAccessKeys, ListAccounts,
    ListUsers, Reason,
};

use super::family::families;

/// The names of all actions that are requested: the values of the label `action`.
pub const ACTIONS: [&str; 6] = [
    ListAccessKeys::NAME,
    ListUsers::NAME,
    GetSecurityLastUsed::NAME,
    GetCallerIdentity::NAME,
    DescribeOrganizationMembers::NAME,
    ListAccounts::NAME,
];

/// A counter of an account. Actions, codes and reasons are numbers, as a snapshot has a copy of all counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counter {
    ApiErrors { action: u8, code: u8 },
    ApiRequests { action: u8 },
    CredentialRefreshFailures,
    PollFailures { reason: u8 },
    Polls,
}

/// The counters of an account that are not 0, and those of the actions that it requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Arc<Mutex<BTreeMap<Counter, u64>>>);

/// The counters of an account at one moment, in order.
pub(super) type Counts = Box<[(Counter, u64)]>;

families! {
    /// A family of counters, whose series have the label `account`.
    pub(super) enum CounterFamily {
        ApiErrors: Counter "tencentcloud_cam_api_errors_total"
            "Total number of error responses of the API, by action and error code.",
        ApiRequests: Counter "tencentcloud_cam_api_requests_total"
            "Total number of requests to the API, by action.",
        CredentialRefreshFailures: Counter "tencentcloud_cam_credential_refresh_failures_total"
            "Total number of failed reads or renewals of the account's credential. The last valid credential stays in use.",
        PollFailures: Counter "tencentcloud_cam_poll_failures_total"
            "Total number of failed polls, by reason.",
        Polls: Counter "tencentcloud_cam_polls_total"
            "Total number of completed polls, successful or not. Retries are counted.",
    }
}

// === impl Counter ===

impl Counter {
    /// The number of an action.
    pub(super) fn action(name: &str) -> u8 {
        number(ACTIONS.iter().position(|action| *action == name))
    }

    pub(super) fn api_error(action: u8, code: &Code) -> Self {
        let code = Code::DOCUMENTED.iter().position(|(documented, _)| *documented == code.label());
        Self::ApiErrors { action, code: number(code) }
    }

    pub(super) fn poll_failure(reason: Reason) -> Self {
        Self::PollFailures { reason: number(Reason::ALL.iter().position(|each| *each == reason)) }
    }
}

/// Of what is not in its list, which is below that number.
fn number(position: Option<usize>) -> u8 {
    position.and_then(|position| position.try_into().ok()).unwrap_or(u8::MAX)
}

// === impl Counters ===

impl Counters {
    pub(super) fn add(&self, counter: Counter, times: u64) {
        *self.0.lock().entry(counter).or_default() += times;
    }

    pub(super) fn snapshot(&self) -> Counts {
        self.0.lock().iter().map(|(counter, count)| (*counter, *count)).collect()
    }
}

// === impl CounterFamily ===

impl CounterFamily {
    /// Hands out the family's samples of an account: the labels after `account`, and the value.
    pub(super) fn samples(self, counts: &Counts, mut take: impl FnMut(&[(&'static str, &str)], u64)) {
        let name = |action: u8| ACTIONS.get(usize::from(action)).copied().unwrap_or(Code::OTHER);
        let of = |counter| counts.binary_search_by_key(&counter, |(counter, _)| *counter).map_or(0, |at| counts[at].1);
        match self {
            Self::CredentialRefreshFailures => take(&[], of(Counter::CredentialRefreshFailures)),
            Self::Polls => take(&[], of(Counter::Polls)),
            Self::PollFailures => {
                for reason in Reason::ALL {
                    take(&[("reason", reason.label())], of(Counter::poll_failure(reason)));
                }
            }
            Self::ApiErrors | Self::ApiRequests => {
                for (counter, count) in counts {
                    match (self, *counter) {
                        (Self::ApiRequests, Counter::ApiRequests { action }) => {
                            take(&[("action", name(action))], *count);
                        }
                        (Self::ApiErrors, Counter::ApiErrors { action, code }) => {
                            let code = Code::DOCUMENTED.get(usize::from(code)).map_or(Code::OTHER, |(code, _)| *code);
                            take(&[("action", name(action)), ("code", code)], *count);
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}
