//! Lists of which every row can be had.

use std::collections::BTreeMap;

use super::*;
use crate::{
    metrics::Own,
    web::{
        Status,
        status::{
            list::{Listed, ROWS, Rows},
            list_page::list_page,
            query::{List, Query},
        },
    },
};

fn list(query: &str) -> List {
    let Ok(Query::List(list)) = Query::parse(Some(query)) else { panic!("{query}") };
    list
}

/// The rows of every page of a list, as account and UIN.
fn rows(inventory: &Inventory, query: &str) -> Vec<(String, u64)> {
    let mut rows = vec![];
    let mut page = 1;
    loop {
        let listed = Listed::of(&list(&format!("{query}&page={page}")), inventory, now()).unwrap();
        match &listed.rows {
            Rows::Accounts(accounts) => rows.extend(accounts.iter().map(|row| (row.name.to_string(), 0))),
            Rows::Users(users) => rows.extend(users.iter().map(|row| (row.account.to_string(), row.uin.get()))),
            Rows::Keys(keys) => rows.extend(keys.iter().map(|row| (row.account.to_string(), row.uin.get()))),
        }
        if page == listed.pages().get() {
            assert_eq!(rows.len(), listed.of, "{query}");
            return rows;
        }
        page += 1;
    }
}

#[test]
fn every_row_is_on_one_page_and_the_lists_agree_with_the_counts() {
    let accounts = everything_wrong();
    let report = report(&accounts.iter().collect::<Vec<_>>());
    let (users, keys) = (report.totals.users, report.totals.keys);
    let inventory = Inventory::new(accounts);
    for (query, number) in [
        ("show=accounts", 60),
        ("show=users", users.total),
        ("show=users&state=failing", users.failing),
        ("show=users&state=missing", users.missing),
        ("show=users&state=unknown", users.unknown),
        ("show=users&state=up", users.up),
        ("show=users&state=late", users.late),
        ("show=users&state=at_limit", users.at_limit),
        ("show=users&state=over_limit", users.over_limit),
        ("show=keys", keys.total),
        ("show=keys&finding=stale", keys.with(Finding::Stale)),
        ("show=keys&finding=over_limit", keys.with(Finding::OverLimit)),
        ("show=keys&finding=unused", keys.with(Finding::Unused)),
        ("show=keys&finding=inactive", keys.with(Finding::Inactive)),
    ] {
        let rows = rows(&inventory, query);
        assert_eq!(rows.len(), number, "{query}");
        assert!(rows.is_sorted(), "{query}: in the order of accounts and of UINs");
        let mut times: BTreeMap<_, usize> = BTreeMap::new();
        for row in rows {
            *times.entry(row).or_default() += 1;
        }
        let most = if query.starts_with("show=keys") { 3 } else { 1 };
        assert!(times.values().all(|times| *times <= most), "{query}");
    }
    let of_one = rows(&inventory, &format!("show=keys&account={:0>64}&uin=7", 3));
    assert_eq!(of_one, vec![(format!("{:0>64}", 3), 7); 3]);
    assert_eq!(rows(&inventory, "show=users&uin=7").len(), 60);
    assert!(Listed::of(&list("show=users&account=nobody"), &inventory, now()).is_none());
}

#[test]
fn beyond_the_last_page_is_the_last_page() {
    let account = account("prod", 250);
    let inventory = Inventory::new(vec![account]);
    let page = |query: &str| {
        let listed = &Listed::of(&list(query), &inventory, now()).unwrap();
        list_page(Language::English, listed, &"/metrics".parse().unwrap()).into_string()
    };
    let last = page("show=users&page=99");
    assert!(last.contains("<span>Page 3 of 3</span>") && last.matches("<tr>").count() == 51, "{last}");
    assert!(last.contains(r#"<a href="?show=users&amp;page=2">Previous</a>"#) && !last.contains(">Next<"), "{last}");
    let none = page("show=users&state=failing&page=2");
    assert!(none.contains("<p>None.</p>") && !none.contains("<table"), "{none}");
}

#[test]
fn a_page_of_a_list_is_of_bounded_size() {
    let inventory = Inventory::new(everything_wrong());
    for query in ["show=accounts", "show=users&state=failing", "show=keys", "show=users&state=missing"] {
        let listed = &Listed::of(&list(query), &inventory, now()).unwrap();
        assert!(listed.of >= 60);
        let page = list_page(Language::English, listed, &"/metrics".parse().unwrap()).into_string();
        assert!(page.matches("<tr>").count() <= ROWS + 1 && page.len() < MAX_BYTES, "{query}: {} bytes", page.len());
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_lists_are_made_one_after_the_other_and_the_same_one_is_shared() {
    let inventory = Arc::new(Inventory::new(vec![account("prod", 250)]));
    let own = Arc::new(Own::new().unwrap());
    // The machine's second may turn in between: the clock stands still.
    let status = Arc::new(Status::new(inventory, own, Arc::new(Still), "/metrics".parse().unwrap()));
    let get = |query: &str| {
        let (status, list) = (Arc::clone(&status), list(query));
        async move { status.shared_list(Language::English, list).await.unwrap().unwrap() }
    };
    let started = Instant::now();
    let first = get("show=users").await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(get("show=users").await.as_ptr(), first.as_ptr(), "it is the same page");
    for page in 1..=3 {
        get(&format!("show=users&page={page}&state=unknown")).await;
    }
    // Others waited 50 ms each; the overview waits for none of them.
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(150), "{elapsed:?}");
    status.shared_overview(Language::English, false).await.unwrap();
    assert_eq!(started.elapsed(), elapsed);
}

/// A clock at which it is always the same time.
#[derive(Debug)]
struct Still;

impl tencentcloud_api::Clock for Still {
    fn now(&self) -> Timestamp {
        now()
    }
}
