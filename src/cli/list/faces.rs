//! The one judge and those who show what it decides: for random inventories, the metrics, the page, the JSON, the CSV and
//! the table say what the assessment says.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    prop_assert_eq,
    sample::select,
    test_runner::{TestCaseError, TestRunner},
};
use tencentcloud_cam_exporter::{
    app::Swept,
    clock::Clock,
    inventory::{
        Account, ConfiguredListings, Facts, Failure, IdLabel, Inventory, Listing, ListingFailure,
        assessment::{AccountState, Assessment, Finding, Moment},
    },
    metrics::{self, Own},
    report::{Report, json::Json},
    tencent::{AccessKey, KeyStatus, LastUse, Reason, Uin},
    web::{Status, TelemetryPath},
};

use super::table::{self, Look};

const ACCOUNTS: [&str; 3] = ["one", "two", "three"];

/// What the API says of a user, in the order in which it says it.
#[derive(Clone, Debug)]
enum Said {
    /// Keys, so many minutes ago: their ages in days, their statuses, and the days since their last uses.
    Keys(i64, Vec<(i32, KeyStatus, Option<Option<i32>>)>),
    Failed(Reason),
    Missing,
}

#[derive(Clone, Copy, Debug)]
enum Listed {
    Succeeded,
    Failed,
}

#[derive(Clone, Debug)]
struct Case {
    users: Vec<Vec<Said>>,
    configured: [bool; 5],
    listed: [Vec<Listed>; 5],
    rate: f64,
    credential_problem: bool,
}

/// What every face shows.
struct Faces {
    metrics: BTreeMap<String, f64>,
    page: String,
    json: serde_json::Value,
    table: String,
}

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        now()
    }
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn cases() -> impl Strategy<Value = Vec<Case>> {
    let days = 0..200;
    let key = (days.clone(), select(KeyStatus::ALL.to_vec()), option::of(option::of(days)));
    let said = prop_oneof![
        3 => (0i64..60, vec(key, 0..4)).prop_map(|(minutes, keys)| Said::Keys(minutes, keys)),
        1 => select(vec![Reason::Denied, Reason::Timeout, Reason::Credentials]).prop_map(Said::Failed),
        1 => Just(Said::Missing),
    ];
    let listed = || vec(select(vec![Listed::Succeeded, Listed::Failed]), 0..3);
    let case = (
        vec(vec(said, 0..4), 0..5),
        any::<[bool; 5]>(),
        [listed(), listed(), listed(), listed(), listed()],
        select(vec![1.0, 20.0]),
        prop::bool::weighted(0.1),
    );
    let case = case.prop_map(|(users, configured, listed, rate, credential_problem)| Case {
        users,
        configured,
        listed,
        rate,
        credential_problem,
    });
    vec(case, 1..=ACCOUNTS.len())
}

fn account(name: &str, case: &Case) -> Arc<Account> {
    let [uins_file, caller, users, members, last_uses] = case.configured;
    let facts = Facts {
        key_limit: 2,
        key_max_age: Duration::from_hours(90 * 24),
        id_label: IdLabel::Full,
        poll_interval: Duration::from_mins(5),
        listings: ConfiguredListings { uins_file, caller, users, members, last_uses },
    };
    let uin = |place: usize| Uin::try_from(100_000_000_001 + place as u64).unwrap();
    let account = Account::new(name.parse().unwrap(), facts, (0..case.users.len()).map(uin));
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
                account.listed(uin(place), &listed, now() - SignedDuration::from_mins(*minutes));
                account.used(uin(place), listed.iter().map(|key| &key.id), |of| {
                    let (_, (_, _, used)) = keys.iter().find(|(number, _)| of.expose() == id(*number))?;
                    used.map(|used| used.map_or(LastUse::Never, |days| LastUse::At(now() - day * days)))
                });
            }
            Said::Failed(reason) => account.failed(uin(place), Failure::new(*reason, None, &"what was said", now())),
            Said::Missing => account.failed(uin(place), Failure::new(Reason::UserNotFound, None, &"no user", now())),
        }
    }
    for (listing, all) in Listing::ALL.into_iter().zip(&case.listed).filter(|(one, _)| facts.listings.contains(*one)) {
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
    account.set_credential_problem(case.credential_problem.then(|| "no credential file".into()));
    Arc::new(account)
}
