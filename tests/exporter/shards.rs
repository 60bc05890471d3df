//! Exporters that share the work: together they show what one alone would.

use std::collections::BTreeSet;

use crate::{
    exposition::user_with_one_key,
    world::{Exporter, Metrics, UIN, World},
};

/// What is known of accounts, users and keys, but for what depends on the time and on the shard's number.
fn series(exporter: &Exporter) -> BTreeSet<String> {
    let volatile =
        ["_age_seconds", "_last_success_timestamp_seconds", "_schedule_lag_seconds", "_sweep_duration_seconds"];
    let ours = ["tencentcloud_cam_access_key", "tencentcloud_cam_user_", "tencentcloud_cam_account_"];
    let scrape = exporter.scrape();
    let lines = scrape.lines().filter(|line| ours.iter().any(|start| line.starts_with(start)));
    let steady = lines.filter(|line| !volatile.iter().any(|end| line.contains(end)));
    steady.map(|line| line.replace(&format!(",shard=\"{}\"", ordinal(&scrape)), "")).collect()
}

/// The number of the shard.
fn ordinal(scrape: &str) -> &str {
    scrape.lines().find_map(|line| line.strip_prefix("tencentcloud_cam_exporter_shard_ordinal ")).unwrap()
}

/// A configuration of four accounts, each with ten of the world's users.
fn config(world: &World, shard_by: &str) -> String {
    let accounts: Vec<String> = (0..4)
        .map(|n| {
            let uins: Vec<u64> = (UIN + 10 * n..UIN + 10 * n + 10).collect();
            let endpoint = format!("http://{}", world.endpoint);
            format!("{{name: account-{n}, uins: {uins:?}, endpoint: '{endpoint}', credentials: {{env: {{}}}}}}")
        })
        .collect();
    // All accounts here are one caller's, whose budget they share.
    format!("accounts: [{}]\npoll: {{interval: 1m, rate_limit: 3, shard_by: {shard_by}}}\n", accounts.join(", "))
}

/// What one exporter shows, and what each of three shows that share its work.
fn whole_and_parts(shard_by: &str) -> (BTreeSet<String>, Vec<BTreeSet<String>>) {
    let world = World::new((UIN..UIN + 40).map(|uin| (uin, user_with_one_key())));
    let config = config(&world, shard_by);
    let start = |flags: &[&str]| world.start_with(&config, flags);
    let answered =
        |exporter: &Exporter| exporter.metrics().count("tencentcloud_cam_user_last_success_timestamp_seconds");
    let alone = start(&[]);
    alone.until_answered(40);
    let whole = series(&alone);
    drop(alone);
    let shards: Vec<Exporter> = (0..3).map(|shard| start(&[&format!("--shard={shard}"), "--total-shards=3"])).collect();
    shards[0].until("all answered", |_| shards.iter().map(answered).sum::<usize>() == 40);
    (whole, shards.iter().map(series).collect())
}

#[test]
fn accounts_are_dealt_whole_and_each_once() {
    let (whole, parts) = whole_and_parts("account");
    let together: BTreeSet<String> = parts.iter().flatten().cloned().collect();
    assert_eq!(together, whole);
    assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), whole.len(), "nothing is shown twice");
}

#[test]
fn users_are_dealt_each_once_with_their_share_of_the_rate() {
    let (whole, parts) = whole_and_parts("user");
    let of_users = |series: &BTreeSet<String>| {
        series.iter().filter(|series| series.contains("uin=")).cloned().collect::<BTreeSet<String>>()
    };
    let together: BTreeSet<String> = parts.iter().flat_map(of_users).collect();
    assert_eq!(together, of_users(&whole));
    assert_eq!(parts.iter().map(|part| of_users(part).len()).sum::<usize>(), together.len(), "nobody is shown twice");
    let rate = |part: &BTreeSet<String>| {
        let series = "tencentcloud_cam_account_rate_limit_requests_per_second{account=\"account-0\"} ";
        part.iter().find_map(|line| line.strip_prefix(series)?.parse::<f64>().ok())
    };
    for part in &parts {
        assert!((rate(part).unwrap() - 1.0).abs() < 1e-9, "{part:?}");
    }
}

#[test]
fn each_shard_of_an_account_says_whether_its_own_part_is_complete() {
    // Of one user each other shard has none, and is complete from its first scrape on.
    let world = World::new([(UIN, user_with_one_key())]);
    let config = world.config().replace("name: prod", "name: prod, shard_by: user");
    let shards = [0, 1].map(|shard| world.start_with(&config, &[&format!("--shard={shard}"), "--total-shards=2"]));
    let complete = |shard: usize, metrics: &Metrics| {
        metrics.get(&format!(r#"account_inventory_complete{{account="prod",shard="{shard}"}}"#))
    };
    let of_account = |metrics: &Metrics, family: &str| metrics.get(&format!(r#"{family}{{account="prod"}}"#));
    // As `printf %s prod/100013065917 | sha256sum` has it, the second has the user.
    let empty = shards[0].metrics();
    assert_eq!((complete(0, &empty), of_account(&empty, "account_outage")), (Some(1.0), Some(0.0)));
    assert_eq!(of_account(&empty, "account_users_unanswered"), Some(0.0));
    assert_eq!(empty.get(r#"account_access_keys{account="prod",status="Active"}"#), Some(0.0));
    let other = shards[1].until("complete", |metrics| complete(1, metrics) == Some(1.0));
    assert_eq!(other.get(r#"account_access_keys{account="prod",status="Active"}"#), Some(1.0));
    for (shard, metrics) in [empty, other].iter().enumerate() {
        assert_eq!(metrics.count("tencentcloud_cam_account_inventory_complete"), 1);
        assert!(complete(shard, metrics).is_some(), "{metrics:?}");
    }
}

#[test]
fn a_shard_that_cannot_be_is_refused() {
    let output = crate::world::binary().args(["--shard=3", "--total-shards=3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
