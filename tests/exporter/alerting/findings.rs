//! A day on which an exemption ends and a key will soon be disabled: each alert fires from its time on, and ends with
//! its cause.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Population, User};

use super::{Adjustable, Day, POLL, firings::firings, key_made, pace::Pace, recent_key};
use crate::world::{Exporter, UIN, World, binary, caller};

/// Has an old key, and an exemption that ends.
const EXEMPT: u64 = UIN;
/// Has a key that was never used.
const IDLE: u64 = UIN + 1;

/// How far into the day it happens.
const UNTIL_THE_EXEMPTION_ENDS: Duration = Duration::from_mins(40);
const UNTIL_FIFTEEN_DAYS_ARE_LEFT: Duration = Duration::from_hours(1);

const STALE: &str = r#"TencentCloudCamAccessKeyStale{access_key_id="AKIDold0****xxxx",account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065917"}"#;
const DISABLED_SOON: &str = r#"TencentCloudCamAccessKeyAutoDisableSoon{access_key_id="AKIDidle****xxxx",account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065918"}"#;

/// For nobody, as the example of Alertmanager's configuration has it for what is only information.
const ENDED: [&str; 2] = [
    r#"TencentCloudCamExemptionEnded{account="prod",finding="stale",job="tencentcloud-cam-exporter",severity="info",uin="100013065917"}"#,
    r#"TencentCloudCamExemptionEnded{account="prod",finding="very_stale",job="tencentcloud-cam-exporter",severity="info",uin="100013065917"}"#,
];

/// Who is idle is exempt from `unused` for good: only that the key will be disabled is of interest.
fn config(world: &World, pace: Pace, exemption: &str) -> String {
    let interval = pace.of(POLL).as_secs();
    format!(
        "accounts: [{{name: prod, uins: [{EXEMPT}, {IDLE}], endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: {interval}s, timeout: 1s, rate_limit: 20, last_used: true}}\n\
         keys: {{overrides: [{{users: [{IDLE}], exempt: [unused]}}{exemption}]}}\n",
        world.endpoint
    )
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

#[test]
#[ignore = "needs prometheus and alertmanager"]
fn an_exemption_that_ends_and_a_key_near_its_end_are_told_from_their_time_on() {
    let (pace, began, clock) = (Pace::from_environment(), SystemClock.now(), Arc::new(Adjustable::default()));
    let exempt_until = began + pace.of(UNTIL_THE_EXEMPTION_ENDS);
    let soon_from = began + pace.of(UNTIL_FIFTEEN_DAYS_ARE_LEFT);
    // It is disabled after 90 days, of which one is a margin.
    let idle_since: Timestamp = soon_from - days(90 - 1 - 15);
    let users = [
        (EXEMPT, User::with_keys([key_made("AKIDold0", began - days(100)).used(began)])),
        (IDLE, User::with_keys([key_made("AKIDidle", idle_since)])),
    ];
    let world = World::at(
        Arc::clone(&clock) as Arc<dyn Clock>,
        Population { callers: vec![caller(None)], users: users.into() },
    );
    let exemption = format!(", {{users: [{EXEMPT}], exempt: [stale], until: '{exempt_until}', reason: migration}}");
    let exporter = Exporter::start(world.with_config(&mut binary(), &config(&world, pace, &exemption)));
    let day = Day::of(pace, began, clock, world);
    day.scrape(&[("exporter", exporter.address())]);
    exporter.until_answered(2);
    let exempt = r#"tencentcloud_cam_user_exempt{finding="stale"}"#;
    day.until("the exemption is seen", || day.count(&format!("{exempt} == 1")) == 1);

    day.until_told("firing", STALE);
    for ended in ENDED {
        day.until_told("firing", ended);
    }
    day.until_told("firing", DISABLED_SOON);

    let keys_of = |uin: u64| {
        day.world.simulator.edit(|population| {
            population.users.get_mut(&uin).unwrap().keys = vec![recent_key("AKIDnew").used(SystemClock.now())];
        });
    };
    keys_of(EXEMPT);
    day.until_told("resolved", STALE);
    keys_of(IDLE);
    day.until_told("resolved", DISABLED_SOON);
    assert_eq!(day.count(&format!("{exempt} == 0")), 1, "an exemption has ended until it is taken out");
    day.world.write("config.yaml", &config(&day.world, pace, ""));
    exporter.signal("HUP");
    for ended in ENDED {
        day.until_told("resolved", ended);
    }
    day.until("no alert, and none on its way", || day.count("ALERTS") == 0);

    println!("{}", day.table());
    let output = day.webhook.received();
    // The two receivers are notified at the same time, in any order.
    let told_to = |receiver: &str| -> Vec<(&str, &str)> {
        output
            .iter()
            .filter(|news| news.receiver == receiver)
            .map(|news| (news.status.as_str(), news.alert.as_str()))
            .collect()
    };
    assert_eq!(
        told_to("ticket"),
        [("firing", STALE), ("firing", DISABLED_SOON), ("resolved", STALE), ("resolved", DISABLED_SOON)]
    );
    let [stale, very_stale] = ENDED;
    assert_eq!(
        told_to("nobody"),
        [("firing", stale), ("firing", very_stale), ("resolved", stale), ("resolved", very_stale)]
    );
    assert_eq!(output.len(), 8, "{output:?}");
    for news in &output {
        let from = if news.alert == DISABLED_SOON { soon_from } else { exempt_until };
        assert!(news.since >= from, "an alert fired before its time: {news:?}");
    }
    let mut firings = firings(&day.prometheus);
    for news in output.iter().filter(|news| news.status == "firing") {
        assert!(firings.remove(&(news.alert.clone(), news.since)), "{news:?} is not what Prometheus has: {firings:#?}");
    }
    assert!(firings.is_empty(), "{firings:#?}");
}
