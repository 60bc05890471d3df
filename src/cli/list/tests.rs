//! What the table looks like, of inventories of every kind.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, prelude::*};
use tencentcloud_api::{AccessKey, AccessKeyId, KeyStatus, LastUse, Reason, Uin};
use tencentcloud_cam_exporter::{
    app::Swept,
    inventory::{
        Account, AccountSettings, ConfiguredListings, Failure, Found, IdLabel, Inventory, Listing, ListingFailure,
        Policy, error_text,
    },
    report::{Order, Report},
};

use super::{
    problems,
    table::{Look, draw},
};
use crate::cli::text::{one_line, width};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn uin(uin: u64) -> Uin {
    uin.try_into().unwrap()
}

fn account(name: &str, id_label: IdLabel) -> Account {
    let listings = ConfiguredListings { users: true, last_uses: true, ..ConfiguredListings::default() };
    let days = |days: u64| Duration::from_hours(24 * days);
    let policy = Policy { max_age: days(1_500), auto_disable_after: None, ..Policy::default() }.into();
    let settings = AccountSettings { policy, id_label, listings, ..AccountSettings::default() };
    Account::new(name.parse().unwrap(), settings, [])
}

fn key(id: &str, status: KeyStatus, age: SignedDuration) -> AccessKey {
    AccessKey { id: AccessKeyId::from(id), status, created: now() - age }
}

/// The account has these users, with names or without.
fn name(account: &Account, users: &[(u64, Option<&str>)]) {
    account.set_configured(&users.iter().map(|(user, _)| uin(*user)).collect());
    account.set_found(users.iter().filter_map(|(user, name)| Some((uin(*user), (*name)?.into()))).collect::<Found>());
}

fn report(accounts: impl IntoIterator<Item = Account>) -> Report {
    let inventory = Arc::new(Inventory::new(accounts.into_iter().map(Arc::new).collect()));
    Report::of(&Swept { inventory, at: now(), is_whole: true })
}

fn denied() -> ListingFailure {
    let error = error_text(&"UnauthorizedOperation: no (request id 1-2)");
    ListingFailure { reason: Some(Reason::Denied), code: Some("UnauthorizedOperation"), error, since: now() }
}

fn mixed() -> Account {
    let account = account("prod", IdLabel::Full);
    name(&account, &[(7, Some("a\u{1b}[2J\u{202e}üser")), (8, None), (9, None)]);
    account.poll_succeeded(uin(7), &[key("AKIDa", KeyStatus::Active, DAY * 10)], now());
    account.used(uin(7), [&AccessKeyId::from("AKIDa")], |_| Some(LastUse::At(now() - SignedDuration::from_mins(90))));
    account.poll_failed(uin(8), Failure::new(Reason::Timeout, None, &"no answer within 10s", now()));
    let young = key("AKIDb", KeyStatus::Active, SignedDuration::from_secs(59));
    account.poll_succeeded(uin(9), &[young, key("AKIDc", KeyStatus::Active, DAY * 60)], now());
    account.used(uin(9), [&AccessKeyId::from("AKIDc")], |_| Some(LastUse::Never));
    account.listing_succeeded(Listing::Users, now());
    account
}

#[test]
fn names_and_last_uses_are_columns_where_any_is_known() {
    let drawn = draw(&report([mixed()]), Look::default());
    let table = r"ACCOUNT  USER  NAME                    KEY    STATUS  AGE   LAST USED  VERDICT
prod     8     -                       -      -       -     -          failed: timeout
prod     9     -                       AKIDc  Active  60 d  never      unused
prod     7     a\u{1b}[2J\u{202e}üser  AKIDa  Active  10 d  today      ok
prod     9     -                       AKIDb  Active  59 s  -          ok

timeout: prod: user 8
  no answer within 10s
  Wait, or raise `poll.timeout`.

1 account, 3 users, 3 keys: 1 unused
";
    assert_eq!(drawn, table);
    let plain = account("prod", IdLabel::Full);
    name(&plain, &[(7, None)]);
    plain.poll_succeeded(uin(7), &[key("AKIDa", KeyStatus::Active, DAY)], now());
    assert!(draw(&report([plain]), Look::default()).starts_with("ACCOUNT  USER  KEY    STATUS  AGE  VERDICT\n"));
}

#[test]
fn a_list_of_nothing_is_a_summary() {
    let nothing = account("prod", IdLabel::Full);
    name(&nothing, &[(7, None)]);
    nothing.listing_succeeded(Listing::Users, now());
    nothing.poll_succeeded(uin(7), &[], now());
    assert_eq!(draw(&report([nothing]), Look::default()), "1 account, 1 user, 0 keys\n");
}

#[test]
fn where_a_listing_failed_nobody_is_counted_as_nobody() {
    let blind = account("prod", IdLabel::Full);
    blind.listing_failed(Listing::Users, denied());
    let blind = report([blind]);
    let drawn = "\
denied: prod: the list of users (discover)
  UnauthorizedOperation: no (request id 1-2)
  Give the calling user a policy that allows `cam:ListUsers` on the resource `*`; no other resource is understood.

1 account, users and keys unknown; 1 listing failed
";
    assert_eq!(draw(&blind, Look::default()), drawn);
    assert_eq!(problems::summary(&blind).as_deref(), Some("1 listing failed: discover of prod (denied)"));
    assert!(!blind.is_complete());
    let mixed = mixed();
    mixed.listing_failed(Listing::Users, denied());
    mixed.listing_failed(Listing::LastUses, denied());
    let drawn = draw(&report([mixed]), Look::default());
    assert!(drawn.ends_with("1 account, at least 3 users, at least 3 keys: 1 unused; 2 listings failed\n"), "{drawn}");
}

#[test]
fn only_findings_leaves_the_numbers_as_they_are() {
    let mut report = report([mixed()]);
    report.retain_findings();
    let drawn = draw(&report, Look::default());
    assert!(drawn.contains("AKIDc") && !drawn.contains("AKIDa") && drawn.contains("failed: timeout"), "{drawn}");
    assert!(drawn.ends_with("1 account, 3 users, 3 keys (1 shown): 1 unused\n"), "{drawn}");
    report.sort(Order::Age);
    assert_eq!(report.keys.len(), 1);
}

/// The most that a row of the table takes.
fn widest(drawn: &str) -> usize {
    drawn.lines().take_while(|line| !line.is_empty()).map(width).max().unwrap()
}

/// Two accounts, a key of every kind, a name longer than any terminal and one in wide characters.
fn crowded(id_label: IdLabel, long: &str) -> [Account; 2] {
    let accounts = ["prod-eu-frankfurt-1", "prod-eu-frankfurt-2"].map(|name| account(name, id_label));
    for account in &accounts {
        account.listing_succeeded(Listing::Users, now());
        name(account, &[(100_013_065_917, Some(long)), (100_013_065_918, Some("王小明")), (100_013_065_919, None)]);
        let id = |number: u32| format!("AKID{number:x<32}");
        let keys = [(1, KeyStatus::Active, 2_215), (2, KeyStatus::Inactive, 300), (3, KeyStatus::Active, 3)];
        let keys = keys.map(|(number, status, days)| key(&id(number), status, DAY * days));
        account.poll_succeeded(uin(100_013_065_917), &keys, now());
        account.used(uin(100_013_065_917), keys.iter().map(|key| &key.id), |_| Some(LastUse::At(now() - DAY * 1_329)));
        account.poll_succeeded(uin(100_013_065_918), &[key(&id(4), KeyStatus::Active, DAY)], now());
        account.poll_failed(uin(100_013_065_919), Failure::new(Reason::UserNotFound, None, &"gone", now()));
    }
    accounts
}

#[test]
fn a_long_name_widens_nothing_and_no_id_is_shortened() {
    let long = "n".repeat(300);
    for (columns, id_label) in [(80, IdLabel::Masked), (120, IdLabel::Masked), (200, IdLabel::Full)] {
        let look = Look { columns: Some(columns), ..Look::default() };
        let (with_long, without) = (report(crowded(id_label, &long)), report(crowded(id_label, "bob")));
        let [drawn, other] = [&with_long, &without].map(|report| draw(report, look));
        assert!(widest(&drawn) <= columns, "{drawn}");
        for key in &with_long.keys {
            let row = |line: &&str| line.contains(&key.label) && line.contains(&key.uin.to_string());
            assert_eq!(drawn.lines().filter(row).count(), 2, "{}: {drawn}", key.label);
        }
        // A row for a key or a user that failed, and no row for the rest of a cell.
        assert_eq!(drawn.lines().take_while(|line| !line.is_empty()).count(), 11, "{drawn}");
        assert_eq!(drawn.lines().count(), other.lines().count());
    }
    let drawn = draw(&report(crowded(IdLabel::Masked, &long)), Look::default());
    assert!(drawn.contains(&format!("{}…", "n".repeat(39))) && widest(&drawn) < 180, "{drawn}");
}

#[test]
fn a_narrow_table_leaves_out_what_is_said_elsewhere() {
    let [one, _] = crowded(IdLabel::Masked, "somebody-with-a-name");
    let look = |columns| Look { columns: Some(columns), ..Look::default() };
    let report = report([one]);
    let drawn = draw(&report, look(80));
    let table = "\
USER          NAME   KEY               AGE     USED    VERDICT
100013065919  -      -                 -       -       user_not_found
100013065917  some…  AKID1xxx****xxxx  2215 d  1329 d  stale, over limit, unused
100013065917  some…  AKID3xxx****xxxx  3 d     1329 d  over limit, unused
100013065917  some…  AKID2xxx****xxxx  300 d   1329 d  over limit, inactive
100013065918  王小…  AKID4xxx****xxxx  1 d     -       ok
";
    assert!(drawn.starts_with(table), "{drawn}");
    let drawn = draw(&report, look(50));
    assert!(drawn.contains("1329 d  stale,\n"), "verdicts break between findings where nothing else is left: {drawn}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_the_names_the_table_fits(names in vec("\\PC{0,40}|[a-z]{1,80}|[\u{200b}\u{202e}王a]{1,30}", 1..20), columns in 80usize..220) {
        let accounts = ["prod", "a-second-account-of-some-length"].map(|name| account(name, IdLabel::Masked));
        for account in &accounts {
            let uins = (100_013_000_000..).take(names.len());
            let users: Vec<_> = uins.clone().zip(names.iter().map(|name| Some(name.as_str()))).collect();
            name(account, &users);
            for user in uins {
                account.poll_succeeded(uin(user), &[key(&format!("AKID{user:032}"), KeyStatus::Active, DAY * 100)], now());
            }
        }
        let drawn = draw(&report(accounts), Look { columns: Some(columns), ..Look::default() });
        prop_assert!(widest(&drawn) <= columns, "{}", drawn);
        prop_assert_eq!(drawn.lines().filter(|line| line.contains("****")).count(), 2 * names.len());
        prop_assert!(drawn.lines().all(|line| line == one_line_of(line)), "{}", drawn);
    }
}

/// The line as it is where there is nothing in it that is not shown, with the blanks between columns.
fn one_line_of(line: &str) -> String {
    line.split(' ').map(one_line).collect::<Vec<_>>().join(" ")
}
