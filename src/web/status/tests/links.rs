//! Where links lead.

use std::collections::BTreeSet;

use exporter_toolkit::TelemetryPath;
use reqwest::Url;

use super::*;
use crate::web::status::{list::Listed, list_page::list_page, query::Query};

/// An overview, and pages of each kind of list, with links to all there is.
fn pages(telemetry_path: &TelemetryPath) -> Vec<String> {
    let accounts = everything_wrong();
    let report = report(&accounts.iter().collect::<Vec<_>>());
    let inventory = Inventory::new(accounts);
    let mut pages: Vec<String> =
        [false, true].map(|is_still| overview(&report, telemetry_path, is_still).into_string()).into();
    for query in
        ["show=accounts&page=2", "show=users&page=3", "show=keys&finding=stale", "show=users&state=failing&uin=1"]
    {
        let Ok(Query::List(list)) = Query::parse(Some(query)) else { panic!("{query}") };
        let listed = &Listed::of(&list, &inventory, now()).unwrap();
        pages.push(list_page(Language::English, listed, telemetry_path).into_string());
    }
    pages
}

/// The addresses of a page's links.
fn links(page: &str) -> BTreeSet<String> {
    let hrefs = page.split(" href=\"").skip(1).map(|after| after.split('"').next().unwrap());
    hrefs.filter(|href| !href.starts_with("data:")).map(|href| href.replace("&amp;", "&")).collect()
}

#[test]
fn every_link_works_below_any_path_of_a_proxy() {
    for path in ["/metrics", "/a/b/c.d", "//example.com/x"] {
        let telemetry_path: TelemetryPath = path.parse().unwrap();
        for page in pages(&telemetry_path) {
            for base in
                ["http://proxy/", "http://proxy/cam/", "http://proxy/tools/cam/", "http://proxy/tools/cam/?still"]
            {
                let base = Url::parse(base).unwrap();
                let endpoint = |path: &str| format!("http://proxy{}{}", base.path(), &path[1..]);
                let endpoints = [path, "/-/healthy", "/-/ready"].map(endpoint);
                let mut found = BTreeSet::new();
                for href in links(&page) {
                    let url = base.join(&href).unwrap();
                    if href.starts_with("https://github.com/") {
                        assert!(url.path().contains("/docs/alerts/TencentCloudCam"), "{href}");
                    } else if href.starts_with(['?', '#']) {
                        assert_eq!(url.path(), base.path(), "{href}");
                        if let Some(id) = href.strip_prefix('#') {
                            assert!(page.contains(&format!(r#"id="{id}""#)), "{href}");
                        } else {
                            assert!(Query::parse(url.query()).is_ok(), "{href}");
                        }
                    } else {
                        found.insert(url.to_string());
                    }
                }
                assert_eq!(found, endpoints.into(), "{base}");
            }
        }
    }
}

#[test]
fn the_pages_lead_to_one_another_from_an_address_without_a_slash_at_its_end() {
    let base = Url::parse("http://proxy/tools/cam").unwrap();
    for page in pages(&"/metrics".parse().unwrap()) {
        let own = links(&page).into_iter().filter(|href| href.starts_with(['?', '#']));
        let paths: BTreeSet<String> = own.map(|href| base.join(&href).unwrap().path().to_owned()).collect();
        assert_eq!(paths, ["/tools/cam".to_owned()].into());
    }
}
