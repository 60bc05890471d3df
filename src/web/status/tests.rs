use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, advance};

use super::{
    account::SweepReport,
    page::Page,
    problems::problems,
    report::{Cause, Named, Report, Totals},
    worst::SHOWN,
};
use crate::{
    inventory::{
        Account, ApiClock, ConfiguredListings, Facts, Failure, IdLabel, Inventory, Listing, ListingFailure, SILENCE,
        Sweep,
        assessment::{AccountProblem, Finding, ProblemKind, UserCounts},
    },
    tencent::{AccessKey, KeyStatus, Reason, Uin},
};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn uin(number: u64) -> Uin {
    number.try_into().unwrap()
}

/// An account of so many users, of whom nothing is known yet. Polled each minute, two keys each, for ninety days.
fn account(name: &str, users: u64) -> Arc<Account> {
    let max_age = Duration::from_hours(90 * 24);
    let listings = ConfiguredListings::default();
    let facts = Facts { key_limit: 2, key_max_age: max_age, id_label: IdLabel::Full, poll_interval: MINUTE, listings };
    Arc::new(Account::new(name.parse().unwrap(), facts, (1..=users).map(uin)))
}

/// A key of that id, which is so many days old.
fn key(id: &str, days: i32) -> AccessKey {
    AccessKey { id: id.into(), status: KeyStatus::Active, created: now() - DAY * days }
}

fn failure(reason: Reason, code: Option<&'static str>, at: Timestamp) -> Failure {
    Failure::new(reason, code, &"what the API said", at)
}

fn listing_failure() -> ListingFailure {
    ListingFailure { reason: Some(Reason::Denied), code: None, error: "what the API said".into(), since: now() }
}

fn report(accounts: &[&Arc<Account>]) -> Report {
    let inventory = Inventory::new(accounts.iter().map(|account| Arc::clone(account)).collect());
    Report::of(&inventory, now(), Duration::from_secs(95))
}

fn page(report: &Report) -> String {
    Page::of(report, &"/metrics".parse().unwrap(), true).to_string()
}

fn title(report: &Report) -> String {
    let page = page(report);
    page.split("<title>").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

fn texts(report: &Report) -> Vec<String> {
    problems(report).into_iter().map(|problem| problem.text).collect()
}

#[test]
fn everybody_is_counted_once_and_where_it_belongs() {
    let account = account("prod", 8);
    account.listed(uin(1), &[], now());
    account.listed(uin(2), &[key("a", 89)], now());
    account.listed(uin(3), &[key("b", 91), AccessKey { status: KeyStatus::Inactive, ..key("c", 1) }], now());
    account.listed(uin(4), &[key("d", 1), key("e", 1), key("f", 400)], now());
    account.listed(uin(5), &[key("g", 91), key("h", 92)], ago(4));
    account.failed(uin(5), failure(Reason::Denied, Some("UnauthorizedOperation"), ago(2)));
    account.failed(uin(6), failure(Reason::Denied, Some("UnauthorizedOperation"), ago(1)));
    account.failed(uin(7), failure(Reason::UserNotFound, None, ago(60)));
    let report = report(&[&account]);
    let Totals { accounts, proven, users, keys } = report.totals;
    let expected =
        UserCounts { total: 8, unknown: 1, up: 4, failing: 2, missing: 1, late: 1, at_limit: 3, over_limit: 1 };
    assert_eq!((accounts, proven, users), (1, 0, expected));
    assert_eq!((keys.total, keys.with(Finding::Inactive), keys.with(Finding::Stale)), (8, 1, 4));
    assert!(report.keys.iter().map(|key| key.label.as_str()).eq(["f", "h", "b", "g", "a", "c", "d", "e"]));
    assert!(report.at_limit.iter().map(|user| (user.uin, user.keys)).eq([(uin(4), 3), (uin(3), 2), (uin(5), 2)]));
    assert!(report.failing.iter().map(|user| user.uin).eq([uin(6), uin(5)]), "who was never answered is worse off");
    assert!(report.absent.iter().map(|user| user.uin).eq([uin(7)]));
    assert_eq!(report.causes, [(Cause::Known(Reason::Denied, Some("UnauthorizedOperation")), 2)]);
    assert_eq!(
        report.accounts()[0].assessment.oldest_answer,
        Some(MINUTE * 4),
        "who does not exist is asked ever less often"
    );
}

#[test]
fn of_many_the_worst_are_shown_and_all_are_counted() {
    let account = account("prod", 2_000);
    for number in 1..=1_200 {
        // Ages in no order, each once.
        let days = i32::try_from(number * 7 % 1_201).unwrap();
        account.listed(uin(number), &[key(&format!("key-{days}"), days), key("new", 0)], now());
    }
    for number in 1_201..=1_700 {
        account.failed(uin(number), failure(Reason::Timeout, None, now()));
    }
    for number in 1_701..=2_000 {
        account.failed(uin(number), failure(Reason::UserNotFound, None, now()));
    }
    let report = report(&[&account]);
    assert!(report.keys.iter().map(|key| key.age).eq((1_151..=1_200).rev().map(|days| DAY * days)));
    assert_eq!(report.causes, [(Cause::Known(Reason::Timeout, None), 500)]);
    let page = page(&report);
    for (heading, of) in [
        ("Oldest keys", "2,400"),
        ("Users at their key limit", "1,200"),
        ("Failing users", "500"),
        ("Users who do not exist", "300"),
    ] {
        let told = format!("{heading} <small>{SHOWN} of {of}, the worst first</small>");
        assert!(page.contains(&told), "{told}");
    }
    assert!(page.contains("key-1200") && page.contains("key-1151") && !page.contains("key-1150"));
}

#[test]
fn the_page_is_of_bounded_size_whatever_there_is() {
    let long = |number: u64| format!("{number:0>64}");
    let accounts: Vec<Arc<Account>> = (0..60).map(|number| account(&long(number), 200)).collect();
    for account in &accounts {
        account.note(|progress| {
            (progress.rate, progress.rate_limit) = (Some(0.123_456_789), Some(1.0 / 3.0));
            progress.sweep = Some(Sweep { asked: 100, awaited: 100, last_due: Instant::now() });
            progress.api_clock = Some(ApiClock::reads(ago(600)));
        });
        for number in 1..=160 {
            let keys = [0, 1, 2].map(|key_number| key(&format!("{number:0>35}{key_number}"), 4_000));
            account.listed(uin(number), &keys, ago(10_000));
        }
        for number in 1..=80 {
            let reason = Reason::ALL[usize::try_from(number).unwrap() % Reason::ALL.len()];
            let code = "RequestLimitExceeded.GlobalRegionUinLimitExceeded";
            account.failed(uin(number), failure(reason, Some(code), ago(5_000)));
        }
        for number in 161..=200 {
            account.failed(uin(number), failure(Reason::UserNotFound, None, ago(5_000)));
        }
    }
    let report = report(&accounts.iter().collect::<Vec<_>>());
    assert_eq!((report.totals.users.total, report.totals.keys.total), (12_000, 60 * 160 * 3));
    let page = page(&report);
    assert!(page.contains("Accounts <small>50 of 60, the worst first</small>"));
    assert!(page.len() < 100_000, "{} bytes", page.len());
}

#[test]
fn accounts_are_in_their_order_until_there_are_too_many() {
    let of = |number: usize| -> Vec<Arc<Account>> {
        let accounts: Vec<_> = (0..number).map(|place| account(&format!("a{place}"), 2)).collect();
        accounts[number - 1].failed(uin(1), failure(Reason::Tls, None, now()));
        accounts[number - 2].listed(uin(1), &[], now());
        accounts[number - 2].failed(uin(2), failure(Reason::Tls, None, now()));
        accounts
    };
    let names = |number| {
        let accounts = of(number);
        let report = report(&accounts.iter().collect::<Vec<_>>());
        report.accounts().iter().map(|account| account.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(3), ["a0", "a1", "a2"]);
    assert_eq!(names(51)[..3], ["a50", "a49", "a0"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_tells_what_is_wrong_with_it_as_a_whole() {
    let account = account("prod", 1_000);
    let problems = |account: &Arc<Account>| report(&[account]).accounts()[0].assessment.problems.clone();
    account.note(|progress| (progress.rate, progress.rate_limit) = (Some(20.0), Some(20.0)));
    assert_eq!(problems(&account), []);
    account.failed(uin(1), failure(Reason::UserNotFound, None, now()));
    assert_eq!(problems(&account), [AccountProblem::Down]);
    account.listed(uin(2), &[], now());
    assert_eq!(problems(&account), []);
    account.note(|progress| progress.rate = Some(9.5));
    assert_eq!(problems(&account), [AccountProblem::Throttled]);
    account.note(|progress| (progress.rate, progress.rate_limit) = (Some(10.0), Some(10.0)));
    assert_eq!(problems(&account), [AccountProblem::IntervalTooShort(Duration::from_secs(100))]);
    account.note(|progress| {
        progress.rate_limit = Some(20.0);
        progress.rate = Some(20.0);
        progress.api_clock = Some(ApiClock::reads(ago(2)));
    });
    let listings = ConfiguredListings { uins_file: true, ..ConfiguredListings::default() };
    account.set_facts(Facts { listings, ..account.facts() });
    account.listing_failed(Listing::UinsFile, listing_failure());
    let skew = AccountProblem::ClockSkew(SignedDuration::from_mins(-2));
    assert_eq!(problems(&account), [AccountProblem::ListingFailed(Listing::UinsFile), skew]);
    let page = page(&report(&[&account]));
    assert!(page.contains("this machine's clock is 2 min ahead of the API's"), "{page}");
    account.listing_succeeded(Listing::UinsFile, now());
    account.note(|progress| progress.api_clock = Some(ApiClock::reads(now() - SignedDuration::from_secs(59))));
    assert_eq!(problems(&account), []);
    advance(SILENCE + Duration::from_millis(1)).await;
    let report = report(&[&account]);
    assert_eq!(report.accounts()[0].assessment.problems[0], AccountProblem::Silent);
    let named = Named { names: vec!["prod".parse().unwrap()], of: 1 };
    assert_eq!(report.problems[&ProblemKind::Silent], named);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_lasts_until_its_last_turn_is_due_and_the_budget_has_reached_all() {
    let account = account("prod", 1_000);
    let sweep = |awaited, last_due| {
        account.note(|progress| {
            (progress.rate, progress.rate_limit) = (Some(10.0), Some(20.0));
            progress.sweep = Some(Sweep { asked: 1_000 - awaited, awaited, last_due: Instant::now() + last_due });
        });
        report(&[&account]).accounts()[0].sweep.unwrap()
    };
    let first = SweepReport { asked: 0, of: 1_000, left: Duration::from_secs(100), is_the_first: true };
    assert_eq!(sweep(1_000, Duration::ZERO), first);
    account.note(|progress| progress.last_sweep = Some(MINUTE));
    let next = SweepReport { asked: 900, of: 1_000, left: Duration::from_secs(42), is_the_first: false };
    assert_eq!(sweep(100, Duration::from_secs(42)), next);
}

#[test]
fn the_title_tells_the_state() {
    let account = account("prod", 2);
    let title_now = || title(&report(&[&account]));
    assert_eq!(title_now(), "Starting – Tencent Cloud CAM exporter");
    account.listed(uin(1), &[key("a", 1)], now());
    assert_eq!(title_now(), "All well – Tencent Cloud CAM exporter");
    account.listed(uin(1), &[key("a", 91)], now());
    assert_eq!(title_now(), "1 problem – Tencent Cloud CAM exporter");
    account.failed(uin(2), failure(Reason::Connect, None, now()));
    assert_eq!(title_now(), "2 problems – Tencent Cloud CAM exporter");
    assert_eq!(texts(&report(&[&account])), ["1 user cannot be polled", "1 key is older than it may be"]);
    assert_eq!(title(&report(&[])), "All well – Tencent Cloud CAM exporter", "a shard may have none");
}

#[test]
fn a_problem_of_many_accounts_names_a_few() {
    let accounts: Vec<Arc<Account>> = (0..5).map(|place| account(&format!("a{place}"), 1)).collect();
    for account in &accounts {
        account.failed(uin(1), failure(Reason::Credentials, None, now()));
    }
    let report = report(&accounts.iter().collect::<Vec<_>>());
    assert_eq!(texts(&report), ["5 accounts are down: a0, a1, a2 and 2 more", "5 users cannot be polled"]);
}

#[test]
fn a_label_of_a_key_is_text_whatever_it_holds() {
    let account = account("prod", 1);
    account.listed(uin(1), &[key("<script>\"'&", 1)], now());
    let page = page(&report(&[&account]));
    assert!(!page.contains("<script") && page.contains("<code>&lt;script&gt;&quot;&#39;&amp;</code>"), "{page}");
}
