//! One account on the page.

use std::{cmp::Reverse, time::Duration};

use jiff::Timestamp;

use crate::inventory::{
    Account, AccountName, CredentialProblem, Listings, Snapshot,
    assessment::{Assessment, Moment, ProblemKind, time_for},
};

/// One account.
#[derive(Debug)]
pub(super) struct AccountReport {
    /// Its place in the configuration.
    pub(super) place: usize,
    pub(super) name: AccountName,
    pub(super) assessment: Assessment,
    pub(super) listings: Listings,
    pub(super) credential_problem: Option<CredentialProblem>,
    pub(super) budget: Option<BudgetReport>,
    pub(super) sweep: Option<SweepReport>,
    /// By the account's clock.
    pub(super) now: Timestamp,
}

/// Requests a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct BudgetReport {
    /// Lately sent.
    pub(super) pace: f64,
    /// Allowed at present.
    pub(super) rate: f64,
    /// Allowed when nobody else uses the account's limit.
    pub(super) limit: f64,
}

/// The sweep under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SweepReport {
    pub(super) asked: usize,
    pub(super) of: usize,
    /// How long it is likely to take still.
    pub(super) left: Duration,
    pub(super) is_the_first: bool,
}

/// How bad an account is beside others: by its gravest problem, its users that fail, and those that are late. The last
/// keeps two accounts apart.
pub(super) type Rank = (Option<Reverse<ProblemKind>>, usize, usize, Reverse<usize>);

// === impl AccountReport ===

impl AccountReport {
    /// Of the `account` at this `place`, whose users are `users`.
    pub(super) fn of(place: usize, account: &Account, users: &Snapshot, moment: Moment) -> Self {
        let progress = account.progress();
        let budget = progress.rate.zip(progress.rate_limit);
        let budget = budget.map(|(rate, limit)| BudgetReport { pace: progress.pace.rate(), rate, limit });
        let sweep = progress.sweep.map(|sweep| {
            let left = sweep.last_due.saturating_duration_since(moment.instant);
            let least = budget.map_or(Duration::ZERO, |budget| time_for(sweep.awaited, budget.rate));
            SweepReport {
                asked: sweep.asked,
                of: sweep.asked + sweep.awaited,
                left: left.max(least),
                is_the_first: progress.last_sweep.is_none(),
            }
        });
        Self {
            place,
            name: account.name().clone(),
            assessment: account.assess(users, moment),
            listings: account.listings(),
            credential_problem: account.credential_problem(),
            budget,
            sweep,
            now: progress.correct(moment.local),
        }
    }

    pub(super) fn rank(&self) -> Rank {
        let gravest = self.assessment.problems.first().map(|problem| Reverse(problem.kind()));
        (gravest, self.assessment.users.failing, self.assessment.users.late, Reverse(self.place))
    }
}
