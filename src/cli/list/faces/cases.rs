//! Random inventories.

use std::sync::Arc;

use jiff::SignedDuration;
use proptest::{collection::vec, prelude::*, sample::select};
use tencentcloud_api::{AccessKey, KeyStatus, LastUse, Reason, Uin};
use tencentcloud_cam_exporter::inventory::{
    Account, AccountSettings, ConfiguredListings, Failure, FoundUser, IdLabel, Inventory, Listing, ListingFailure,
    Override, assessment::Finding,
};

use super::now;

pub(super) const ACCOUNTS: [&str; 3] = ["one", "two", "three"];

/// What the API says of a user, in the order in which it says it.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// Keys, so many minutes ago: their ages in days, their statuses and their last uses.
    Keys(i64, Vec<(i32, KeyStatus, Used)>),
    Failed(Reason),
    Missing,
}

/// When a key was last used.
#[derive(Clone, Copy, Debug)]
pub(super) enum Used {
    Unknown,
    Never,
    DaysAgo(i32),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Listed {
    Succeeded,
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) users: Vec<Vec<Said>>,
    pub(super) configured: [bool; 6],
    pub(super) listed: [Vec<Listed>; 6],
    pub(super) rate: f64,
    pub(super) credential_problem: bool,
    /// Which of the users may log in to the console, where that is known.
    pub(super) console_login: Vec<Option<bool>>,
    /// What users are exempt from, from a place on, and for how many days: of some that is over.
    pub(super) exempt: Vec<(usize, Vec<Finding>, i32)>,
}

pub(super) fn cases() -> impl Strategy<Value = Vec<Case>> {
    let days = 0..200;
    let key = (
        days.clone(),
        select(KeyStatus::ALL.to_vec()),
        prop_oneof![Just(Used::Unknown), Just(Used::Never), days.prop_map(Used::DaysAgo)],
    );
    let said = prop_oneof![
        3 => (0i64..60, vec(key, 0..4)).prop_map(|(minutes, keys)| Said::Keys(minutes, keys)),
        1 => select(vec![Reason::Denied, Reason::Timeout, Reason::Credentials]).prop_map(Said::Failed),
        1 => Just(Said::Missing),
    ];
    let listed = || vec(select(vec![Listed::Succeeded, Listed::Failed]), 0..3);
    let case = (
        vec(vec(said, 0..4), 0..5),
        any::<[bool; 6]>(),
        [listed(), listed(), listed(), listed(), listed(), listed()],
        select(vec![1.0, 20.0]),
        prop::bool::weighted(0.1),
        vec(any::<Option<bool>>(), 5),
        vec((0..5_usize, vec(select(Finding::ALL.to_vec()), 1..3), -1..=1), 0..3),
    );
    let case = case.prop_map(|(users, configured, listed, rate, credential_problem, console_login, exempt)| Case {
        users,
        configured,
        listed,
        rate,
        credential_problem,
        console_login,
        exempt,
    });
    vec(case, 1..=ACCOUNTS.len())
}

fn account(name: &str, case: &Case) -> Arc<Account> {
    let [uins_file, caller, users, typed_users, members, last_uses] = case.configured;
    // Types are a field of `discover`.
    let typed_users = users && typed_users;
    let listings = ConfiguredListings { uins_file, caller, users, typed_users, members, last_uses };
    let uin = |place: usize| Uin::try_from(100_000_000_001 + place as u64).unwrap();
    let overrides = case.exempt.iter().map(|(from, findings, days)| Override {
        users: (*from..5).map(|place| uin(place).to_string().parse().unwrap()).collect(),
        exempt: findings.iter().copied().collect(),
        until: Some(now() + SignedDuration::from_hours(24) * *days),
        reason: Some("why it is so".into()),
        ..Override::default()
    });
    let settings = AccountSettings {
        id_label: IdLabel::Full,
        listings,
        overrides: overrides.collect(),
        ..AccountSettings::default()
    };
    let account = Account::new(name.parse().unwrap(), settings.clone(), (0..case.users.len()).map(uin));
    let found = case.console_login.iter().enumerate().take(case.users.len()).filter(|(_, may)| may.is_some());
    account.set_found(
        found.map(|(place, may)| (uin(place), FoundUser { name: "found".into(), console_login: *may })).collect(),
    );
    let day = SignedDuration::from_hours(24);
    for (place, said) in
        case.users.iter().enumerate().flat_map(|(place, all)| all.iter().map(move |said| (place, said)))
    {
        match said {
            Said::Keys(minutes, keys) => {
                let id = |number: usize| format!("AKID{name}{place:x>20}{number:x>8}");
                let keys: Vec<_> = keys.iter().enumerate().collect();
                let listed: Vec<AccessKey> = keys
                    .iter()
                    .map(|(number, (days, status, _))| AccessKey {
                        id: id(*number).as_str().into(),
                        status: *status,
                        created: now() - day * *days,
                    })
                    .collect();
                account.poll_succeeded(uin(place), &listed, now() - SignedDuration::from_mins(*minutes));
                account.used(uin(place), listed.iter().map(|key| &key.id), |of| {
                    let (_, (_, _, used)) = keys.iter().find(|(number, _)| of.expose() == id(*number))?;
                    match used {
                        Used::Unknown => None,
                        Used::Never => Some(LastUse::Never),
                        Used::DaysAgo(days) => Some(LastUse::At(now() - day * *days)),
                    }
                });
            }
            Said::Failed(reason) => {
                account.poll_failed(uin(place), Failure::new(*reason, None, &"what was said", now()));
            }
            Said::Missing => {
                account.poll_failed(uin(place), Failure::new(Reason::UserNotFound, None, &"no user", now()));
            }
        }
    }
    for (listing, all) in Listing::ALL.into_iter().zip(&case.listed).filter(|(one, _)| settings.listings.contains(*one))
    {
        for listed in all {
            match listed {
                Listed::Succeeded => account.listing_succeeded(listing, now()),
                Listed::Failed => {
                    let error = format!("{} of {name} (request id 7)", listing.label()).into();
                    let (reason, code) = (Some(Reason::Denied), Some("UnauthorizedOperation"));
                    account.listing_failed(listing, ListingFailure { reason, code, error, since: now() });
                }
            }
        }
    }
    account.note(|progress| (progress.rate, progress.rate_limit) = (Some(case.rate), Some(20.0)));
    account.set_credential_problem(case.credential_problem.then(|| "no credential file".into()), now());
    Arc::new(account)
}

pub(super) fn inventory(cases: &[Case]) -> Arc<Inventory> {
    Arc::new(Inventory::new(ACCOUNTS.iter().zip(cases).map(|(name, case)| account(name, case)).collect()))
}
