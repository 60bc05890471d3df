//! Our rules, a real Prometheus and a real Alertmanager: the notifications of a bad day.
//!
//! The day is played in minutes: [`Pace`] says how fast. With `CAM_E2E_FACTOR=1` it takes more than an hour, and the rules
//! are used as they stand. `--nocapture` shows it as it goes.

mod findings;
mod firings;
mod pace;
mod shards;
mod webhook;

use std::{fs, net::SocketAddr, sync::Arc, thread, time::Duration};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Fault, Key, Population, Rejection, Times, User};

use self::{
    firings::firings,
    pace::Pace,
    webhook::{News, Webhook},
};
use crate::{
    prometheus::server::{Daemon, Prometheus},
    world::{Exporter, UIN, World, binary, caller, key},
};

/// Whose key grows stale.
const STALE: u64 = UIN;
/// Who makes a third key.
const GREEDY: u64 = UIN + 1;
/// Whose poll fails once.
const UNLUCKY: u64 = UIN + 2;

/// How often a user is polled, and how often Prometheus scrapes and evaluates.
const POLL: Duration = Duration::from_mins(2);
const SCRAPE: Duration = Duration::from_secs(30);

/// How far into the day the key is as old as it may be.
const UNTIL_STALE: Duration = Duration::from_mins(20);

/// The file of the targets.
const TARGETS: &str = "targets.json";

/// The subject of a notification.
mod alert {
    pub(super) const STALE_KEY: &str = r#"TencentCloudCamAccessKeyStale{access_key_id="AKIDstal****xxxx",account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065917"}"#;
    pub(super) const OVER_LIMIT: &str = r#"TencentCloudCamUserOverKeyLimit{account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065918"}"#;
    pub(super) const ACCOUNT_DOWN: &str =
        r#"TencentCloudCamAccountDown{account="prod",job="tencentcloud-cam-exporter",severity="critical"}"#;
    pub(super) const CLOCK_SKEWED: &str =
        r#"TencentCloudCamClockSkewed{job="tencentcloud-cam-exporter",severity="warning"}"#;
    pub(super) const EXPORTER_DOWN: &str =
        r#"TencentCloudCamExporterDown{instance="exporter",job="tencentcloud-cam-exporter",severity="warning"}"#;
}

/// The expected notifications, in this order.
const EXPECTED: [(&str, &str, &str); 10] = [
    ("firing", "ticket", alert::STALE_KEY),
    ("firing", "ticket", alert::OVER_LIMIT),
    ("firing", "page", alert::ACCOUNT_DOWN),
    ("resolved", "page", alert::ACCOUNT_DOWN),
    ("firing", "ticket", alert::CLOCK_SKEWED),
    ("resolved", "ticket", alert::CLOCK_SKEWED),
    ("firing", "ticket", alert::EXPORTER_DOWN),
    ("resolved", "ticket", alert::EXPORTER_DOWN),
    ("resolved", "ticket", alert::STALE_KEY),
    ("resolved", "ticket", alert::OVER_LIMIT),
];

/// Alerts that fire and are inhibited by a better one.
const INHIBITED: [&str; 7] = [
    r#"TencentCloudCamInventoryStale{account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065917"}"#,
    r#"TencentCloudCamInventoryStale{account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065918"}"#,
    r#"TencentCloudCamInventoryStale{account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065919"}"#,
    r#"TencentCloudCamPollFailing{account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065917"}"#,
    r#"TencentCloudCamPollFailing{account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065918"}"#,
    r#"TencentCloudCamPollFailing{account="prod",job="tencentcloud-cam-exporter",severity="warning",uin="100013065919"}"#,
    r#"TencentCloudCamUserAtKeyLimit{account="prod",job="tencentcloud-cam-exporter",severity="info",uin="100013065918"}"#,
];

/// The API's clock, which can be set wrong.
#[derive(Debug, Default)]
struct Adjustable(Mutex<SignedDuration>);

/// Everything that plays, but for the exporter.
struct Day {
    pace: Pace,
    began: Timestamp,
    clock: Arc<Adjustable>,
    world: World,
    prometheus: Prometheus,
    _alertmanager: Daemon,
    webhook: Webhook,
}

// === impl Adjustable ===

impl Clock for Adjustable {
    fn now(&self) -> Timestamp {
        SystemClock.now() + *self.0.lock()
    }
}

// === impl Day ===

impl Day {
    fn begin() -> (Self, Exporter) {
        let pace = Pace::from_environment();
        let began = SystemClock.now();
        let clock = Arc::new(Adjustable::default());
        let in_ninety_days = SignedDuration::from_hours(90 * 24);
        let users = [
            (STALE, key_made("AKIDstale", began - in_ninety_days + pace.of(UNTIL_STALE))),
            (GREEDY, recent_key("AKIDfirst")),
            (UNLUCKY, recent_key("AKIDother")),
        ];
        let users = users.map(|(uin, key)| (uin, User::with_keys([key]))).into();
        let world = World::at(Arc::clone(&clock) as Arc<dyn Clock>, Population { callers: vec![caller(None)], users });
        let exporter = Exporter::start(world.with_config(&mut binary(), &config(&world, pace)));
        let day = Self::of(pace, began, clock, world);
        day.scrape(&[("exporter", exporter.address())]);
        (day, exporter)
    }

    /// One on which nothing is scraped yet.
    fn of(pace: Pace, began: Timestamp, clock: Arc<Adjustable>, world: World) -> Self {
        let webhook = Webhook::listen();
        let folder = world.folder.path();
        let alertmanager = start_alertmanager(&world, pace, &webhook);
        let rules = world.write("rules.yml", &pace.rules(&deployed("rules.yml")));
        let config = format!(
            "global: {{scrape_interval: {scrape}, scrape_timeout: {scrape}, evaluation_interval: {scrape}}}\n\
             rule_files: ['{}']\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\n\
             scrape_configs:\n\
             - job_name: tencentcloud-cam-exporter\n\
             \x20 file_sd_configs: [{{files: ['{}'], refresh_interval: 1s}}]\n",
            rules.display(),
            alertmanager.address(),
            folder.join(TARGETS).display(),
            scrape = pace.text(SCRAPE),
        );
        let lookback = format!("--query.lookback-delta={}", pace.text(Duration::from_mins(5)));
        let prometheus = Prometheus::configured(folder, &[&lookback], &config);
        Self { pace, began, clock, world, prometheus, _alertmanager: alertmanager, webhook }
    }

    /// These are the targets from now on, by instance.
    fn scrape(&self, targets: &[(&str, SocketAddr)]) {
        let target = |(instance, at): &(&str, SocketAddr)| json!({"targets": [at], "labels": {"instance": instance}});
        let targets: Vec<Value> = targets.iter().map(target).collect();
        let written = self.world.write("targets.new", &Value::from(targets).to_string());
        fs::rename(written, self.world.folder.path().join(TARGETS)).unwrap();
    }

    /// Waits until `holds`, which is `what` should come about.
    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let asked = SystemClock.now();
        let timeout = self.pace.of(Duration::from_hours(1)) + Duration::from_mins(1);
        while !holds() {
            let in_time = SystemClock.now().duration_since(asked).unsigned_abs() < timeout;
            let alerts = || self.prometheus.query("ALERTS");
            assert!(in_time, "never {what}; what was sent:\n{}\nand what there is: {:#?}", self.table(), alerts());
            thread::sleep(Duration::from_millis(100));
        }
        println!("{:7.1} s  {what}", self.since_the_start(SystemClock.now()));
    }

    fn until_told(&self, status: &str, alert: &str) {
        let is_it = |news: &News| news.status == status && news.alert == alert;
        self.until(&format!("{status}: {alert}"), || self.webhook.received().iter().any(is_it));
    }

    /// How many series a query finds.
    fn count(&self, query: &str) -> usize {
        self.prometheus.query(query).unwrap().len()
    }

    /// Waits until Prometheus has scraped the exporter so often more.
    fn until_scraped(&self, times: usize) {
        let scrapes = || {
            let all = self.prometheus.query("count_over_time(up[1d])").unwrap_or_default();
            all.first().map_or(0, |series| series["value"][1].as_str().unwrap().parse().unwrap())
        };
        let before: usize = scrapes();
        self.until(&format!("{times} scrapes more"), || scrapes() >= before + times);
    }

    fn since_the_start(&self, at: Timestamp) -> f64 {
        at.duration_since(self.began).as_secs_f64()
    }

    /// What was sent, an alert a line.
    fn table(&self) -> String {
        let output = self.webhook.received();
        let line = |fired: &News| {
            let resolved = output
                .iter()
                .find(|news| news.status == "resolved" && news.alert == fired.alert && news.since == fired.since);
            let seconds = |news: &News| format!("{:.1}", self.since_the_start(news.at));
            let resolved = resolved.map_or("-".to_owned(), seconds);
            format!("{:>8} {resolved:>8}  {:10} {}\n", seconds(fired), fired.receiver, fired.alert)
        };
        let lines: String = output.iter().filter(|news| news.status == "firing").map(line).collect();
        format!("   fired resolved  receiver   alert\n{lines}")
    }
}

fn start_alertmanager(world: &World, pace: Pace, webhook: &Webhook) -> Daemon {
    let config = pace.alertmanager(&deployed("alertmanager.example.yml"), &webhook.url());
    let config = world.write("alertmanager.yml", &config);
    let folder = world.folder.path();
    let flags = [
        format!("--config.file={}", config.display()),
        format!("--storage.path={}", folder.join("alertmanager").display()),
        "--cluster.listen-address=".to_owned(),
    ];
    Daemon::start("prometheus-alertmanager", folder, &flags)
}

/// A file of those that users deploy.
fn deployed(name: &str) -> String {
    fs::read_to_string(format!("{}/deploy/prometheus/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn config(world: &World, pace: Pace) -> String {
    world.config().replace("interval: 1s", &format!("interval: {}", format_args!("{}s", pace.of(POLL).as_secs())))
}

fn key_made(id: &str, at: Timestamp) -> Key {
    key(id, "Active", &at.to_string())
}

fn recent_key(id: &str) -> Key {
    key_made(id, SystemClock.now() - SignedDuration::from_hours(10 * 24))
}

#[test]
#[ignore = "needs prometheus and alertmanager"]
fn on_a_bad_day_each_alert_is_told_once_and_resolved_once() {
    let (mut day, exporter) = Day::begin();
    let address = exporter.address();
    let stale_from = day.began + day.pace.of(UNTIL_STALE);

    exporter.until_answered(3);
    day.until_scraped(20);
    let quiet_until = SystemClock.now().min(stale_from).as_second();
    assert_eq!(day.prometheus.query(&format!("ALERTS @ {quiet_until}")), Some(vec![]), "nothing is wrong yet");

    day.until_told("firing", alert::STALE_KEY);

    let keys_of = |day: &Day, uin: u64, keys: Vec<Key>| {
        day.world.simulator.edit(|population| population.users.get_mut(&uin).unwrap().keys = keys);
    };
    // New keys: of old ones a rotation would be unfinished.
    let new_key = |id: &str| key_made(id, SystemClock.now());
    keys_of(&day, GREEDY, vec![recent_key("AKIDfirst"), new_key("AKIDsecond"), new_key("AKIDthird")]);
    day.until_told("firing", alert::OVER_LIMIT);

    let rejection = Rejection::new("UnauthorizedOperation", "once");
    day.world.simulator.inject(Some(UNLUCKY), Fault::Error(rejection), Times::Next(1));
    let unlucky = format!(r#"tencentcloud_cam_user_up{{uin="{UNLUCKY}"}}"#);
    day.until("one bad poll", || day.count(&format!("min_over_time({unlucky}[1d]) == 0")) == 1);
    day.until("a good poll again", || day.count(&format!("{unlucky} == 1")) == 1);

    day.world.take_the_api_down();
    day.until_told("firing", alert::ACCOUNT_DOWN);
    let inhibited = r#"ALERTS{alertname=~"TencentCloudCam(PollFailing|InventoryStale)",alertstate="firing"}"#;
    day.until("what follows from it fires too", || day.count(inhibited) == 6);
    day.world.bring_the_api_back();
    day.until_told("resolved", alert::ACCOUNT_DOWN);
    day.until("all inhibited alerts are over", || day.count(inhibited) == 0);

    *day.clock.0.lock() = SignedDuration::from_mins(2);
    day.until_told("firing", alert::CLOCK_SKEWED);
    *day.clock.0.lock() = SignedDuration::ZERO;
    day.until_told("resolved", alert::CLOCK_SKEWED);

    exporter.signal("KILL");
    exporter.wait();
    day.until_told("firing", alert::EXPORTER_DOWN);
    let exporter = Exporter::start_at(address, day.world.with_config(&mut binary(), &config(&day.world, day.pace)));
    exporter.until_answered(3);
    day.until_told("resolved", alert::EXPORTER_DOWN);

    keys_of(&day, STALE, vec![recent_key("AKIDnew")]);
    day.until_told("resolved", alert::STALE_KEY);
    keys_of(&day, GREEDY, vec![recent_key("AKIDfirst")]);
    day.until_told("resolved", alert::OVER_LIMIT);
    day.until("no alert, and none on its way", || day.count("ALERTS") == 0);
    day.until_scraped(20);

    println!("{}", day.table());
    let output = day.webhook.received();
    let in_short: Vec<_> = output.iter().map(News::in_short).collect();
    assert_eq!(in_short, EXPECTED);
    assert!(output[0].since >= stale_from, "no key is called stale before its time");

    let log = fs::read_to_string(day.world.folder.path().join("prometheus.log")).unwrap();
    assert!(!log.contains("Evaluating rule failed"), "{log}");

    let mut firings = firings(&day.prometheus);
    for news in output.iter().filter(|news| news.status == "firing") {
        assert!(firings.remove(&(news.alert.clone(), news.since)), "{news:?} is not what Prometheus has: {firings:#?}");
    }
    let not_told: Vec<_> = firings.iter().map(|(alert, _)| alert.as_str()).collect();
    assert_eq!(not_told, INHIBITED);
}
