//! What a scrape shows: the inventory and the counters at one moment.
//!
//! A snapshot is small, since it stays for as long as its reader takes: a pointer for each user, numbers for each account,
//! and the few families of the process as they will be sent.

use std::array;

use exporter_toolkit::exposition::{Family, Labels, encode};
use jiff::Timestamp;
use prometheus::proto::MetricFamily;

use super::{
    Format,
    accounts::{self, Labelled, LabelledFamily, View},
    counters::{CounterFamily, Counts},
    own::Own,
    users::UserFamily,
};
use crate::inventory::{AccountName, AccountSettings, Inventory, Snapshot as UsersSnapshot, assessment::Moment};

/// The inventory and the counters at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    accounts: Vec<AccountSnapshot>,
    counts: Vec<(AccountName, Counts)>,
    /// The number of the exporter among those that share the work.
    shard: String,
    /// The families of the process, and what ends the exposition, in its format.
    pub(super) rest: Vec<u8>,
}

/// An account and its users.
#[derive(Debug)]
struct AccountSnapshot {
    name: AccountName,
    settings: AccountSettings,
    /// The time by the account's clock.
    now: Timestamp,
    users: UsersSnapshot,
    /// By the number of the family of users.
    may_have_samples: [bool; UserFamily::ALL.len()],
    /// By the family's number; not a number where nothing is known.
    values: [f64; accounts::FAMILIES.len()],
    labelled: Labelled,
}

/// Where the samples of a family come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Users(UserFamily),
    Accounts(usize),
    LabelledAccounts(LabelledFamily),
    Counters(CounterFamily),
}

/// What has been handed out of a source: so many accounts, and so many users of the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    account: usize,
    user: usize,
}

// === impl Snapshot ===

impl Snapshot {
    /// Of the inventory alone, where the machine's clock says `local`.
    pub(super) fn of_inventory(inventory: &Inventory, local: Timestamp) -> Self {
        let (accounts, moment) = (inventory.accounts(), Moment::now(local));
        let accounts = accounts.iter().map(|account| {
            let users = account.snapshot();
            let view = View::of(account, &users, moment);
            AccountSnapshot {
                name: account.name().clone(),
                settings: view.settings.clone(),
                now: view.assessment().now,
                may_have_samples: UserFamily::ALL.map(|family| family.may_have_samples(view.assessment())),
                users,
                values: array::from_fn(|family| (accounts::FAMILIES[family].value)(&view).unwrap_or(f64::NAN)),
                labelled: view.labelled(),
            }
        });
        Self { accounts: accounts.collect(), counts: vec![], shard: inventory.shard().to_string(), rest: vec![] }
    }

    /// Of everything; `gathered` are the families of the process.
    ///
    /// # Errors
    /// One of them cannot be written.
    pub(super) fn of(
        inventory: &Inventory,
        local: Timestamp,
        own: &Own,
        gathered: &[MetricFamily],
        format: Format,
    ) -> prometheus::Result<Self> {
        let rest = encode(gathered, format)?;
        Ok(Self { counts: own.counts(), rest, ..Self::of_inventory(inventory, local) })
    }

    /// Hands out some samples of `source`, those at `place`, which moves on: all of them have the same plain labels. Returns
    /// whether there may be more. A name of an account is letters, digits, `_` and `-`, a UIN is digits: they need no escaping.
    pub(super) fn samples(&self, source: Source, place: &mut Place, mut take: impl FnMut(Labels<'_>, f64)) -> bool {
        let at = *place;
        *place = Place { account: at.account + 1, user: 0 };
        match source {
            Source::Users(family) => {
                let Some(account) = self.accounts.get(at.account) else { return false };
                if let Some((uin, user)) =
                    account.users.get(at.user).filter(|_| account.may_have_samples[family as usize])
                {
                    let mut digits = itoa::Buffer::new();
                    let plain = &[("account", account.name.as_str()), ("uin", digits.format(uin.get()))];
                    #[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^52")]
                    family.samples(user, &account.settings, account.now, |further, value| {
                        take(Labels { plain, further }, value as f64);
                    });
                    *place = Place { user: at.user + 1, ..at };
                }
            }
            Source::Accounts(family) => {
                let Some(account) = self.accounts.get(at.account) else { return false };
                if !account.values[family].is_nan() {
                    let plain = &[("account", account.name.as_str())];
                    take(Labels { plain, further: &[] }, account.values[family]);
                }
            }
            Source::LabelledAccounts(family) => {
                let Some(account) = self.accounts.get(at.account) else { return false };
                let plain = &[("account", account.name.as_str())];
                family.samples(&account.labelled, &self.shard, |label, value| {
                    take(Labels { plain, further: &[label] }, value);
                });
            }
            Source::Counters(family) => {
                let Some((account, counts)) = self.counts.get(at.account) else { return false };
                let plain = &[("account", account.as_str())];
                #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
                family.samples(counts, |further, count| take(Labels { plain, further }, count as f64));
            }
        }
        true
    }
}

// === impl Source ===

impl Source {
    /// The sources in the order in which they are exposed.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let users = UserFamily::ALL.into_iter().map(Self::Users);
        let accounts = (0..accounts::FAMILIES.len()).map(Self::Accounts);
        let labelled = LabelledFamily::ALL.into_iter().map(Self::LabelledAccounts);
        let counters = CounterFamily::ALL.into_iter().map(Self::Counters);
        users.chain(accounts).chain(labelled).chain(counters)
    }

    pub(super) fn family(self) -> &'static Family {
        match self {
            Self::Users(family) => family.family(),
            Self::Accounts(index) => &accounts::FAMILIES[index].family,
            Self::LabelledAccounts(family) => family.family(),
            Self::Counters(family) => family.family(),
        }
    }
}
