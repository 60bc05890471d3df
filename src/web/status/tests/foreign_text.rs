//! Text from elsewhere, in each place where a page shows it.

use proptest::prelude::*;

use super::*;
use crate::{
    inventory::Exemption,
    web::status::{list::Listed, list_page::list_page, query::Query},
};

/// The places of text from elsewhere.
const PLACES: [&str; 13] = [
    "name",
    "key",
    "failure",
    "failure of a user that does not exist",
    "credential",
    "exemption",
    "ended exemption",
    "uins_file",
    "include_self",
    "discover",
    "user_types",
    "organization",
    "last_used",
];

/// The overview and the lists of an account with `text` of each place in that place.
fn pages(text: impl Fn(&'static str) -> String) -> Vec<String> {
    let text = |place: &'static str| -> Arc<str> {
        assert!(PLACES.contains(&place), "{place}");
        text(place).into()
    };
    let account = account("prod", 4);
    let exemption = |finding, until, place| Exemption { finding, until, reason: Some(text(place)) };
    let exemptions = vec![
        exemption(Finding::VeryStale, Some(ago(1)), "ended exemption"),
        exemption(Finding::Stale, None, "exemption"),
    ];
    let policy = Policy { exemptions, ..Policy::clone(&account.settings().policy) }.into();
    account.set_settings(AccountSettings { policy, listings: EVERY_LISTING, ..account.settings() });
    account.set_found((1..=4).map(|number| (uin(number), (&*text("name")).into())).collect());
    account.poll_succeeded(uin(1), &[key(&text("key"), 4_000)], now());
    for (number, reason, place) in [
        (2, Reason::Denied, "failure"),
        // Nothing is advised, so the error is among the causes.
        (3, Reason::Credentials, "failure"),
        (4, Reason::UserNotFound, "failure of a user that does not exist"),
    ] {
        account.poll_failed(uin(number), Failure::new(reason, None, &text(place), now()));
    }
    account.set_credential_problem(Some(text("credential")), now());
    for listing in Listing::ALL {
        account.listing_failed(listing, ListingFailure { error: text(listing.label()), ..listing_failure() });
    }
    let telemetry_path = &"/metrics".parse().unwrap();
    let inventory = Inventory::new(vec![Arc::clone(&account)]);
    let lists = ["show=accounts", "show=users", "show=keys"].map(|query| {
        let Ok(Query::List(list)) = Query::parse(Some(query)) else { panic!("{query}") };
        list_page(Language::English, &Listed::of(&list, &inventory, now()).unwrap(), telemetry_path).into_string()
    });
    [page(&report(&[&account]))].into_iter().chain(lists).collect()
}

/// The tags of a page with their attributes, without those of invisible characters.
fn tags(page: &str) -> Vec<&str> {
    let tags = page.split('<').skip(1).map(|after| after.split_once('>').unwrap().0);
    tags.filter(|tag| !["i", "/i"].contains(tag)).collect()
}

#[test]
fn it_is_shown_as_text_in_each_place() {
    let pages = pages(|place| format!("<script>{place}</script>\"'&")).concat();
    for place in PLACES {
        let shown = format!("<bdi>&lt;script&gt;{place}&lt;/script&gt;&quot;&#39;&amp;</bdi>");
        assert!(pages.contains(&shown), "{place}: {pages}");
    }
    assert!(!pages.contains("<script"), "{pages}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_changes_the_tags_of_a_page(text in "(?s).{1,80}|[<>/\"'&=! a-z\u{202e}-]{1,80}") {
        for (page, plain) in pages(|_| text.clone()).iter().zip(pages(|_| "plain".to_owned())) {
            prop_assert_eq!(tags(page), tags(&plain));
        }
    }
}
