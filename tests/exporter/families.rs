//! Which families of metrics are exposed and requested: `--metric-allowlist`, `--metric-denylist` and `name[]`.

use std::{collections::BTreeSet, process::Stdio};

use crate::world::{Exporter, Run, World, bare_binary};

const UP: &str = "tencentcloud_cam_account_up";
const BUILD_INFO: &str = "tencentcloud_cam_exporter_build_info";

/// An exporter of one user, and its world.
fn started(flags: &[&str]) -> (World, Exporter) {
    let world = World::with_one_user();
    let exporter = world.start_with(&world.config(), flags);
    (world, exporter)
}

/// The names of the families in a text that has been scraped.
fn families(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn a_scrape_has_the_families_that_it_requests() {
    let (_world, exporter) = started(&[]);
    exporter.until_answered(1);
    for (query, expected) in [
        (format!("name[]={UP}"), vec![UP]),
        (format!("name%5B%5D={UP}&name[]={BUILD_INFO}&other=1"), vec![UP, BUILD_INFO]),
        ("name[]=tencentcloud_cam_polls_total".to_owned(), vec!["tencentcloud_cam_polls_total"]),
        ("name[]=nothing".to_owned(), vec![]),
    ] {
        let answer = exporter.get(&format!("/metrics?{query}"));
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(families(&answer.body), expected.into_iter().collect(), "{query}");
    }
    let all = exporter.scrape();
    assert_eq!(families(&exporter.get("/metrics?other=1").body), families(&all));
}

#[test]
fn families_that_are_not_allowed_are_never_exposed() {
    let (_world, only) = started(&["--metric-allowlist=tencentcloud_cam_account_*,process_cpu_seconds_total"]);
    only.until("the account is up", |metrics| metrics.get(r#"account_up{account="prod"}"#) == Some(1.0));
    let text = only.scrape();
    let shown = families(&text);
    assert!(shown.contains(UP) && shown.contains("process_cpu_seconds_total"), "{shown:?}");
    assert!(shown.iter().all(|name| name.starts_with("tencentcloud_cam_account_") || name.starts_with("process_cpu")));
    assert_eq!(only.get(&format!("/metrics?name[]={BUILD_INFO}")).body, "", "what is denied cannot be requested");
}

#[test]
fn denied_families_are_left_out_and_the_others_stay() {
    let (_world, less) =
        started(&["--metric-denylist=tencentcloud_cam_access_key_status", "--metric-denylist=process_*"]);
    less.until_answered(1);
    let text = less.scrape();
    let shown = families(&text);
    assert!(shown.contains(UP) && shown.contains("tencentcloud_cam_access_key_age_seconds"));
    assert!(!shown.iter().any(|name| name.starts_with("process_") || *name == "tencentcloud_cam_access_key_status"));
}

#[test]
fn a_name_that_no_family_has_and_both_lists_are_errors() {
    for (flags, expected) in [
        (
            vec!["--metric-denylist=tencentcloud_cam_acces_keys"],
            "no family of metrics matches tencentcloud_cam_acces_keys",
        ),
        (vec!["--metric-allowlist=process_*", "--metric-denylist=process_*"], "cannot be used with"),
    ] {
        let run = Run::from(bare_binary().arg("demo").args(flags).stdin(Stdio::null()).output().unwrap());
        assert!(run.code == Some(2) && run.stderr.contains(expected), "{run:?}");
    }
}
