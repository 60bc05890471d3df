//! A day on which shards come and go: notifications are true of the account, and there are no others.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Fault, Population, Rejection, Times, User};

use super::{Adjustable, Day, POLL, key_made, pace::Pace, recent_key, webhook::News};
use crate::world::{Exporter, UIN, World, binary, caller};

/// More than few enough for `InventoryCollapsed`.
const USERS: u64 = 12;

const EXPORTER_ABSENT: &str = r#"TencentCloudCamExporterAbsent{job="tencentcloud-cam-exporter",severity="critical"}"#;

fn config(world: &World, pace: Pace) -> String {
    let interval = pace.of(POLL).as_secs();
    format!(
        "accounts: [{{name: prod, discover: {{interval: {interval}s}}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: {interval}s, timeout: 1s, rate_limit: 20, shard_by: user}}\n",
        world.endpoint
    )
}

fn flags(shard: usize) -> [String; 2] {
    [format!("--shard={shard}"), "--total-shards=2".to_owned()]
}

fn is_whole(exporter: &Exporter, shard: usize) {
    let complete = format!(r#"account_inventory_complete{{account="prod",shard="{shard}"}}"#);
    exporter.until("complete", |metrics| metrics.get(&complete) == Some(1.0));
}

/// A user that the shard polls.
fn user_of(exporter: &Exporter) -> u64 {
    let metrics = exporter.metrics();
    let polled = metrics.family("tencentcloud_cam_user_up");
    polled.keys().next().unwrap().split("uin=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
}

fn stale(user: u64) -> String {
    format!(
        r#"TencentCloudCamAccessKeyStale{{access_key_id="AKIDold{}****xxxx",account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="{user}"}}"#,
        user % 10
    )
}

#[test]
#[ignore = "needs prometheus and alertmanager"]
fn a_restart_without_its_list_and_a_shard_that_vanishes_end_no_alert() {
    let (pace, began, clock) = (Pace::from_environment(), SystemClock.now(), Arc::new(Adjustable::default()));
    let users: BTreeMap<u64, User> = (UIN..UIN + USERS)
        .map(|uin| (uin, User::with_keys([recent_key(&format!("AKID{uin}"))]).named(format!("user-{uin}"))))
        .collect();
    let world = World::at(Arc::clone(&clock) as Arc<dyn Clock>, Population { callers: vec![caller(None)], users });
    let config = config(&world, pace);
    let start = |shard| Exporter::start(world.with_config(&mut binary(), &config).args(flags(shard)));
    let (one, other) = (start(0), start(1));
    is_whole(&one, 0);
    is_whole(&other, 1);
    let targets = [("exporter-0", one.address()), ("exporter-1", other.address())];
    let stale_users = [user_of(&one), user_of(&other)];
    let day = Day::of(pace, began, clock, world);
    day.scrape(&targets);
    day.until("both are scraped", || day.prometheus.query("up == 1").is_some_and(|up| up.len() == 2));
    day.until_scraped(20);
    assert_eq!(day.count("ALERTS"), 0, "nothing is wrong yet");

    let key_of = |user: u64, id: &str, made: Timestamp| {
        day.world.simulator.edit(|population| population.users.get_mut(&user).unwrap().keys = vec![key_made(id, made)]);
    };
    for user in stale_users {
        key_of(user, &format!("AKIDold{}", user % 10), SystemClock.now() - SignedDuration::from_hours(100 * 24));
        day.until_told("firing", &stale(user));
    }

    // The first shard restarts, and cannot list its users.
    let refusal = Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "no cam:ListUsers"));
    day.world.simulator.inject_into("ListUsers", refusal, Times::UntilCleared);
    one.signal("KILL");
    one.wait();
    let one = Exporter::start_at(targets[0].1, day.world.with_config(&mut binary(), &config).args(flags(0)));
    day.until("nothing is known of it", || {
        day.count("tencentcloud_cam_account_inventory_complete == 0 and ignoring (shard) tencentcloud_cam_account_outage == 1") == 1
    });
    day.until_scraped(20);
    day.world.simulator.clear();
    day.until("all is known again", || day.count("tencentcloud_cam_account_inventory_complete == 1") == 2);
    is_whole(&one, 0);

    // The second is gone, with its target. Prometheus may take ten seconds to let go of one, which is long at this pace.
    day.scrape(&targets[..1]);
    day.until("the second is no target", || day.count("up") == 1);
    drop(other);
    day.until_told("firing", EXPORTER_ABSENT);
    let other = Exporter::start_at(targets[1].1, day.world.with_config(&mut binary(), &config).args(flags(1)));
    is_whole(&other, 1);
    day.scrape(&targets);
    day.until_told("resolved", EXPORTER_ABSENT);
    day.until_scraped(20);

    for user in stale_users {
        key_of(user, "AKIDnew", SystemClock.now());
        day.until_told("resolved", &stale(user));
    }
    day.until("no alert, and none on its way", || day.count("ALERTS") == 0);
    println!("{}", day.table());
    let output = day.webhook.received();
    let in_short: Vec<_> = output.iter().map(News::in_short).collect();
    let [first, second] = stale_users.map(stale);
    assert_eq!(
        in_short,
        [
            ("firing", "ticket", first.as_str()),
            ("firing", "ticket", second.as_str()),
            ("firing", "page", EXPORTER_ABSENT),
            ("resolved", "page", EXPORTER_ABSENT),
            ("resolved", "ticket", first.as_str()),
            ("resolved", "ticket", second.as_str()),
        ]
    );
}
