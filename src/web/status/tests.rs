mod chinese;
mod foreign_text;
mod links;
mod whole_lists;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{AccessKey, ApiClock, KeyStatus, Reason, Uin};
use tokio::time::{Instant, advance};

use super::{
    account::SweepReport,
    page::overview,
    problems::problems,
    report::{Named, Report, Totals},
    rows::Cause,
    worst::SHOWN,
};
use crate::{
    inventory::{
        Account, AccountSettings, ConfiguredListings, Failure, IdLabel, Inventory, Listing, ListingFailure, Policy,
        SILENCE, Sweep,
        assessment::{AccountProblem, Finding, ProblemKind, UserCounts},
    },
    language::Language,
};

/// What docs/status-page.md promises of the size of every page.
const MAX_BYTES: usize = 400_000;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Everything is listed.
const EVERY_LISTING: ConfiguredListings = ConfiguredListings {
    uins_file: true,
    caller: true,
    users: true,
    typed_users: true,
    members: true,
    last_uses: true,
};

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn uin(number: u64) -> Uin {
    number.try_into().unwrap()
}

/// An account with so many users, without data yet. Polled each minute, two keys each, for ninety days.
fn account(name: &str, users: u64) -> Arc<Account> {
    let max_age = Duration::from_hours(90 * 24);
    let policy = Policy { max_age, ..Policy::default() }.into();
    let settings =
        AccountSettings { policy, id_label: IdLabel::Full, poll_interval: MINUTE, ..AccountSettings::default() };
    Arc::new(Account::new(name.parse().unwrap(), settings, (1..=users).map(uin)))
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
    Report::of(Language::English, &inventory, now(), Duration::from_secs(95))
}

fn page(report: &Report) -> String {
    overview(report, &"/metrics".parse().unwrap(), false).into_string()
}

fn title(report: &Report) -> String {
    let page = page(report);
    page.split("<title>").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

fn causes(report: &Report) -> Vec<(Cause, usize)> {
    report.causes.iter().map(|report| (report.cause, report.users)).collect()
}

fn texts(report: &Report) -> Vec<String> {
    problems(report).into_iter().map(|problem| problem.text).collect()
}

#[test]
fn everybody_is_counted_once_and_where_it_belongs() {
    let account = account("prod", 8);
    account.poll_succeeded(uin(1), &[], now());
    account.poll_succeeded(uin(2), &[key("a", 89)], now());
    account.poll_succeeded(uin(3), &[key("b", 91), AccessKey { status: KeyStatus::Inactive, ..key("c", 1) }], now());
    account.poll_succeeded(uin(4), &[key("d", 1), key("e", 1), key("f", 400)], now());
    account.poll_succeeded(uin(5), &[key("g", 91), key("h", 92)], ago(4));
    account.poll_failed(uin(5), failure(Reason::Denied, Some("UnauthorizedOperation"), ago(2)));
    account.poll_failed(uin(6), failure(Reason::Denied, Some("UnauthorizedOperation"), ago(1)));
    account.poll_failed(uin(7), failure(Reason::UserNotFound, None, ago(60)));
    let report = report(&[&account]);
    let Totals { accounts, proven, users, keys } = report.totals;
    let expected = UserCounts {
        total: 8,
        unknown: 1,
        up: 4,
        failing: 2,
        missing: 1,
        unanswered: 2,
        late: 1,
        at_limit: 3,
        over_limit: 1,
        ..UserCounts::default()
    };
    assert_eq!((accounts, proven, users), (1, 0, expected));
    assert_eq!((keys.total, keys.with(Finding::Inactive), keys.with(Finding::Stale)), (8, 1, 4));
    assert!(report.keys.iter().map(|key| key.label.as_str()).eq(["f", "h", "b", "g", "a", "c", "d", "e"]));
    assert!(report.at_limit.iter().map(|user| (user.uin, user.keys)).eq([
        (uin(4), Some(3)),
        (uin(3), Some(2)),
        (uin(5), Some(2))
    ]));
    assert!(report.failing.iter().map(|user| user.uin).eq([uin(6), uin(5)]), "who was never answered is worse off");
    assert!(report.absent.iter().map(|user| user.uin).eq([uin(7)]));
    assert_eq!(causes(&report), [(Cause::Known(Reason::Denied, Some("UnauthorizedOperation")), 2)]);
    assert_eq!(report.causes[0].since, Some((ago(2), now())), "of the one that has failed for longest");
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
        account.poll_succeeded(uin(number), &[key(&format!("key-{days}"), days), key("new", 0)], now());
    }
    for number in 1_201..=1_700 {
        account.poll_failed(uin(number), failure(Reason::Timeout, None, now()));
    }
    for number in 1_701..=2_000 {
        account.poll_failed(uin(number), failure(Reason::UserNotFound, None, now()));
    }
    let report = report(&[&account]);
    assert!(report.keys.iter().map(|key| key.age).eq((1_151..=1_200).rev().map(|days| DAY * days)));
    assert_eq!(causes(&report), [(Cause::Known(Reason::Timeout, None), 500)]);
    let page = page(&report);
    for (heading, of) in [
        ("Oldest keys", "2,400"),
        ("Users at their key limit", "1,200"),
        ("Failing users", "500"),
        ("Users who do not exist", "300"),
    ] {
        let told = format!("{heading} <small>{SHOWN} of {of}, the worst first</small> <a href=");
        assert!(page.contains(&told) && page.contains(&format!(">All {of}</a>")), "{told}");
    }
    assert!(page.contains("key-1200") && page.contains("key-1151") && !page.contains("key-1150"));
}

/// Sixty accounts of 200 users, with everything wrong that can be, and the longest texts.
fn everything_wrong() -> Vec<Arc<Account>> {
    let long = |number: u64| format!("{number:0>64}");
    let accounts: Vec<Arc<Account>> = (0..60).map(|number| account(&long(number), 200)).collect();
    for account in &accounts {
        account.set_settings(AccountSettings { listings: EVERY_LISTING, ..account.settings() });
        // Five bytes of the page each, and as many names.
        let text: Arc<str> = "'".repeat(400).into();
        account.set_found((1..=200).map(|number| (uin(number), "'".repeat(128).into())).collect());
        for listing in Listing::ALL {
            let code = Some("RequestLimitExceeded.GlobalRegionUinLimitExceeded");
            account.listing_failed(listing, ListingFailure { code, error: Arc::clone(&text), ..listing_failure() });
        }
        account.set_credential_problem(Some(text), now());
        account.note(|progress| {
            (progress.rate, progress.rate_limit) = (Some(0.123_456_789), Some(1.0 / 3.0));
            progress.sweep = Some(Sweep { asked: 100, awaited: 100, last_due: Instant::now() });
            progress.api_clock = Some(ApiClock::reads(ago(600)));
        });
        for number in 1..=160 {
            let keys = [0, 1, 2].map(|key_number| key(&format!("{number:0>35}{key_number}"), 4_000));
            account.poll_succeeded(uin(number), &keys, ago(10_000));
        }
        for number in 1..=80 {
            let reason = Reason::ALL[usize::try_from(number).unwrap() % Reason::ALL.len()];
            let reason = if reason == Reason::UserNotFound { Reason::Other } else { reason };
            let code = "RequestLimitExceeded.GlobalRegionUinLimitExceeded";
            let failure = Failure::new(reason, Some(code), &"'".repeat(1_000), ago(5_000));
            account.poll_failed(uin(number), Failure { next_poll: Some(ago(-60)), ..failure });
        }
        for number in 161..=200 {
            account.poll_failed(uin(number), failure(Reason::UserNotFound, None, ago(5_000)));
        }
    }
    accounts
}

#[test]
fn the_page_is_of_bounded_size_whatever_there_is() {
    let accounts = everything_wrong();
    let report = report(&accounts.iter().collect::<Vec<_>>());
    assert_eq!((report.totals.users.total, report.totals.keys.total), (12_000, 60 * 160 * 3));
    let page = page(&report);
    assert!(page.contains("Accounts <small>50 of 60, the worst first</small>"));
    assert!(page.len() < MAX_BYTES, "{} bytes", page.len());
}

#[test]
fn accounts_are_in_their_order_until_there_are_too_many() {
    let of = |number: usize| -> Vec<Arc<Account>> {
        let accounts: Vec<_> = (0..number).map(|place| account(&format!("a{place}"), 2)).collect();
        accounts[number - 1].poll_failed(uin(1), failure(Reason::Tls, None, now()));
        accounts[number - 2].poll_succeeded(uin(1), &[], now());
        accounts[number - 2].poll_failed(uin(2), failure(Reason::Tls, None, now()));
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
    account.poll_failed(uin(1), failure(Reason::UserNotFound, None, now()));
    assert_eq!(problems(&account), [AccountProblem::Down]);
    account.poll_succeeded(uin(2), &[], now());
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
    account.set_settings(AccountSettings { listings, ..account.settings() });
    account.listing_failed(Listing::UinsFile, listing_failure());
    let skew = AccountProblem::ClockSkew(SignedDuration::from_mins(-2));
    assert_eq!(problems(&account), [AccountProblem::ListingFailed(Listing::UinsFile), skew]);
    let page = page(&report(&[&account])).replace("&#39;", "'");
    assert!(page.contains("this machine's clock is 2 min ahead of the API's"), "{page}");
    account.listing_succeeded(Listing::UinsFile, now());
    account.note(|progress| progress.api_clock = Some(ApiClock::reads(now() - SignedDuration::from_secs(59))));
    assert_eq!(problems(&account), []);
    advance(SILENCE + Duration::from_millis(1)).await;
    let report = report(&[&account]);
    assert_eq!(report.accounts()[0].assessment.problems[0], AccountProblem::Silent);
    let named = Named { names: vec!["prod".parse().unwrap()], of: 1 };
    assert_eq!(report.problems[&ProblemKind::Silent].accounts, named);
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
    account.poll_succeeded(uin(1), &[key("a", 1)], now());
    assert_eq!(title_now(), "Starting – Tencent Cloud CAM exporter", "of one user nothing is known");
    account.poll_succeeded(uin(2), &[], now());
    assert_eq!(title_now(), "All well – Tencent Cloud CAM exporter");
    account.poll_succeeded(uin(1), &[key("a", 91)], now());
    assert_eq!(title_now(), "1 problem – Tencent Cloud CAM exporter");
    account.poll_failed(uin(2), failure(Reason::Connect, None, now()));
    assert_eq!(title_now(), "2 problems – Tencent Cloud CAM exporter");
    assert_eq!(texts(&report(&[&account])), ["1 user cannot be polled", "1 key is older than it may be"]);
    assert_eq!(title(&report(&[])), "All well – Tencent Cloud CAM exporter", "a shard may have none");
}

#[test]
fn what_is_awaited_is_told_until_nothing_is() {
    let account = account("prod", 0);
    let listings = ConfiguredListings { users: true, ..ConfiguredListings::default() };
    account.set_settings(AccountSettings { listings, ..account.settings() });
    let awaited = || {
        let report = report(&[&account]);
        let page = page(&report);
        let part = page.split_once(r#"<h2 id="awaited">"#).map(|(_, part)| part.split("</section>").next().unwrap());
        (title(&report), part.map(str::to_owned).unwrap_or_default())
    };
    let (title, part) = awaited();
    assert!(
        title.starts_with("Starting") && part.contains("the list of users (<code>discover</code>), in 1 account: prod")
    );
    account.listing_succeeded(Listing::Users, now());
    account.set_found((1..=12).map(|number| (uin(number), "a".into())).collect());
    let (title, part) = awaited();
    assert!(title.starts_with("Starting") && part.contains("the keys of 12 users, in 1 account: prod"), "{part}");
    for number in 1..=11 {
        account.poll_succeeded(uin(number), &[], now());
    }
    let (title, part) = awaited();
    assert!(title.starts_with("Starting") && part.contains("the keys of 1 user, in 1 account: prod"), "{part}");
    account.poll_succeeded(uin(12), &[], now());
    let (title, part) = awaited();
    assert!(title.starts_with("All well") && part.is_empty(), "{part}");
    // A listing that was answered once and has failed since is no longer awaited, nor is all well.
    account.listing_failed(Listing::Users, listing_failure());
    let (title, part) = awaited();
    assert!(title.starts_with("1 problem") && part.is_empty(), "{part}");
}

#[test]
fn a_user_that_fails_is_shown_with_all_that_the_person_on_call_needs() {
    let account = account("prod", 1);
    account.set_found([(uin(1), "王小明".into())].into());
    account.poll_succeeded(uin(1), &[], ago(30));
    let failure = failure(Reason::Denied, Some("UnauthorizedOperation"), ago(20));
    account.poll_failed(uin(1), Failure { next_poll: Some(ago(-5)), ..failure });
    let page = page(&report(&[&account]));
    let row = page.split(r#"<table class="failing">"#).nth(1).unwrap().split("</tbody>").next().unwrap();
    for shown in [
        r#"<bdi>王小明</bdi> <a href="?show=keys&amp;uin=1">1</a>"#,
        "<td>prod</td>",
        "denied <code>UnauthorizedOperation</code><p><bdi>what the API said</bdi></p>",
        r#"since <time datetime="2025-12-31T23:40:00Z">2025-12-31 23:40:00 UTC</time>, 20 min"#,
        "next poll in 5 min",
        "answered 30 min ago",
    ] {
        assert!(row.contains(shown), "no {shown}: {row}");
    }
    assert!(page.contains("/docs/alerts/TencentCloudCamPollFailing.md\">Runbook</a>"), "{page}");
}

#[test]
fn a_problem_of_many_accounts_names_a_few() {
    let accounts: Vec<Arc<Account>> = (0..5).map(|place| account(&format!("a{place}"), 1)).collect();
    for account in &accounts {
        account.poll_failed(uin(1), failure(Reason::Credentials, None, now()));
    }
    let report = report(&accounts.iter().collect::<Vec<_>>());
    assert_eq!(texts(&report), ["5 accounts are down: a0, a1, a2 and 2 more", "5 users cannot be polled"]);
}

#[test]
fn a_label_of_a_key_is_text_whatever_it_holds() {
    let account = account("prod", 1);
    account.poll_succeeded(uin(1), &[key("<script>\"'&", 1)], now());
    let page = page(&report(&[&account]));
    assert!(
        !page.contains("<script") && page.contains("<code><bdi>&lt;script&gt;&quot;&#39;&amp;</bdi></code>"),
        "{page}"
    );
}
