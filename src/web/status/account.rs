//! What the page tells of one account.

use std::{cmp::Reverse, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{
    inventory::{Account, AccountName, Progress, User},
    web::{routes::SILENCE, status::standing::Standing},
};

/// After how many intervals an answer is old.
const OLD: u32 = 3;

/// One account.
#[derive(Debug)]
pub(super) struct AccountReport {
    /// Its place in the configuration.
    pub(super) place: usize,
    pub(super) name: AccountName,
    pub(super) poll_interval: Duration,
    pub(super) users: usize,
    /// Users whose last poll brought their keys.
    pub(super) up: usize,
    /// Users whose last poll failed.
    pub(super) failing: usize,
    /// Users who do not exist.
    pub(super) absent: usize,
    pub(super) budget: Option<BudgetReport>,
    pub(super) sweep: Option<SweepReport>,
    /// The longest since which a user who exists has not been answered for, of those who ever were.
    pub(super) oldest: Option<Duration>,
    /// Users who exist and were last answered for more than three intervals ago.
    pub(super) late: usize,
    /// What is wrong with the account, the gravest first.
    pub(super) troubles: Vec<Trouble>,
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

/// What can be wrong with an account as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Its poller shows no life.
    Silent,
    /// No last poll of any user brought keys.
    Down,
    /// The file of its users cannot be used.
    UsersFile,
    /// The machine's clock is that far behind the API's.
    Skewed(SignedDuration),
    /// The API has refused requests for their frequency, so it asks more slowly.
    Throttled,
    /// The rate limit reaches every user in no less than this.
    Short(Duration),
}

/// How bad an account is beside others: by its gravest trouble, its users that fail, and those that are late. The last
/// keeps two accounts apart.
pub(super) type Rank = (Reverse<usize>, usize, usize, Reverse<usize>);

// === impl AccountReport ===

impl AccountReport {
    /// Of the `account` at this `place`, where no user has been seen yet.
    pub(super) fn of(place: usize, account: &Account) -> Self {
        Self {
            place,
            name: account.name().clone(),
            poll_interval: account.facts().poll_interval,
            users: 0,
            up: 0,
            failing: 0,
            absent: 0,
            budget: None,
            sweep: None,
            oldest: None,
            late: 0,
            troubles: vec![],
        }
    }

    /// Counts a user in, who does not exist or whose last poll failed, if they are told so. It is `now` by the
    /// account's clock.
    pub(super) fn see(&mut self, user: &User, standing: Standing, now: Timestamp) {
        self.users += 1;
        match standing {
            Standing::Unknown => {}
            Standing::Up => self.up += 1,
            Standing::Failing => self.failing += 1,
            Standing::Absent => {
                self.absent += 1;
                return;
            }
        }
        if let Some(answered) = user.answered {
            let since = Duration::try_from(now.duration_since(answered)).unwrap_or_default();
            self.oldest = self.oldest.max(Some(since));
            self.late += usize::from(since > self.poll_interval * OLD);
        }
    }

    /// All users have been seen. The machine's clock says `local`.
    pub(super) fn conclude(&mut self, progress: &Progress, local: Timestamp) {
        self.budget = progress.rate.zip(progress.rate_limit).map(|(rate, limit)| BudgetReport {
            pace: progress.pace.rate(),
            rate,
            limit,
        });
        self.sweep = progress.sweep.map(|sweep| {
            let left = sweep.last_due.saturating_duration_since(Instant::now());
            let least = self.budget.map_or(Duration::ZERO, |budget| time_for(sweep.awaited, budget.rate));
            SweepReport {
                asked: sweep.asked,
                of: sweep.asked + sweep.awaited,
                left: left.max(least),
                is_the_first: progress.last_sweep.is_none(),
            }
        });
        self.troubles = self.find_troubles(progress, local);
    }

    pub(super) fn rank(&self) -> Rank {
        let gravest = self.troubles.first().map_or(usize::MAX, |trouble| trouble.kind());
        (Reverse(gravest), self.failing, self.late, Reverse(self.place))
    }

    fn find_troubles(&self, progress: &Progress, local: Timestamp) -> Vec<Trouble> {
        let silent = progress.heartbeat.elapsed() > SILENCE;
        let down = self.up == 0 && self.failing + self.absent > 0;
        let no_file = progress.uins_file_up == Some(false);
        let skew = progress.skew(local).filter(|_| progress.correct(local) != local);
        let needed = self.budget.map(|budget| time_for(self.users, budget.limit));
        [
            silent.then_some(Trouble::Silent),
            down.then_some(Trouble::Down),
            no_file.then_some(Trouble::UsersFile),
            skew.map(Trouble::Skewed),
            self.budget.filter(|budget| budget.is_throttled()).map(|_| Trouble::Throttled),
            needed.filter(|needed| *needed > self.poll_interval).map(Trouble::Short),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

// === impl BudgetReport ===

impl BudgetReport {
    /// Whether less is allowed than configured.
    pub(super) fn is_throttled(self) -> bool {
        self.rate < self.limit
    }
}

// === impl Trouble ===

impl Trouble {
    /// How many kinds there are.
    pub(super) const KINDS: usize = 6;

    /// Which kind it is, the gravest first.
    pub(super) fn kind(self) -> usize {
        match self {
            Self::Silent => 0,
            Self::Down => 1,
            Self::UsersFile => 2,
            Self::Skewed(_) => 3,
            Self::Throttled => 4,
            Self::Short(_) => 5,
        }
    }
}

/// How long so many requests take at this rate.
#[expect(clippy::cast_precision_loss, reason = "numbers of users are far below 2^52")]
fn time_for(requests: usize, rate: f64) -> Duration {
    Duration::try_from_secs_f64(requests as f64 / rate).unwrap_or(Duration::MAX)
}
