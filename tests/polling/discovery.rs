//! An account whose users come and go, whose list fails and lies: what is shown is the truth, or the last known
//! truth. And all kinds of requests together stay within the limit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use http::Response;
use tencentcloud_api::Clock;
use tencentcloud_simulator::{
    Arrival, Caller, Fault, Field, Key, Outcome, Population, Rejection, Simulator, Times, User, UserType,
    densest_second,
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::harness::{Running, TestClock, Wire, exporter};

const FIRST: u64 = 100_013_000_000;

/// What the test does to the account, and what should come of it.
struct Churn {
    simulator: Arc<Simulator>,
    clock: Arc<TestClock>,
    random: fastrand::Rng,
    /// UINs and ids are never given twice.
    next: u64,
    /// The users of the last list that was to be believed.
    listed: BTreeMap<u64, String>,
}

// === impl Churn ===

impl Churn {
    fn new(seed: u64) -> Self {
        let clock = TestClock::at("2026-01-01T00:00:00Z");
        let caller = Caller { uin: FIRST - 1, credential: Population::demo_credential() };
        let population = Population { callers: vec![caller], users: BTreeMap::new() };
        let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
        Self { simulator, clock, random: fastrand::Rng::with_seed(seed), next: FIRST, listed: BTreeMap::new() }
    }

    fn key(&mut self) -> Key {
        self.next += 1;
        let key = Key::new(format!("AKID{:032}", self.next), "Active", self.clock.now());
        match self.random.u8(..4) {
            0 => Key { last_used_date: Field::Absent, last_secret_used_date: Field::Absent, ..key },
            1 => key,
            2 => key.used(self.clock.now()),
            _ => Key { last_secret_used_date: Field::Value(self.clock.now().as_millisecond()), ..key },
        }
    }

    /// Some users come, go, get another name, or other keys.
    fn change(&mut self) {
        for _ in 0..self.random.u8(..6) {
            let uins = self.simulator.edit(|population| population.uins());
            let one = self.random.choice(uins).filter(|_| self.random.u8(..5) > 0);
            let (key, name) = (self.key(), format!("name-{}\"\\\n", self.random.u8(..4)));
            self.next += 1;
            let (new, choice) = (self.next, self.random.u8(..4));
            self.simulator.edit(|population| match one {
                None => drop(population.users.insert(new, User::with_keys([key]).named(name))),
                Some(uin) if choice == 0 => drop(population.users.remove(&uin)),
                Some(uin) => {
                    let user = population.users.get_mut(&uin).unwrap();
                    match choice {
                        1 => user.name = Some(name),
                        2 => user.keys.push(key),
                        _ => user.keys.truncate(1),
                    }
                }
            });
        }
    }

    fn truth(&self) -> BTreeMap<u64, User> {
        self.simulator.edit(|population| population.users.clone())
    }

    /// What happens to the list before the next listing, and so which list is the valid one then.
    fn befall(&mut self) {
        let nobody = || {
            let answer = r#"{"Response":{"Data":null,"RequestId":"1"}}"#;
            Fault::Answer(Response::builder().header("content-type", "application/json").body(answer.into()).unwrap())
        };
        let error = |code: &str| Fault::Error(Rejection::new(code, "not today"));
        let (fault, times) = match self.random.u8(..10) {
            0 => (error("InternalError"), Times::UntilCleared),
            1 => (error("AuthFailure.UnauthorizedOperation"), Times::UntilCleared),
            2 => (error("RequestLimitExceeded"), Times::UntilCleared),
            3 => (Fault::Answer(Response::new("{}".into())), Times::UntilCleared),
            4 => (nobody(), Times::UntilCleared),
            5 | 6 => (nobody(), Times::Next(1)),
            7 => (error("InternalError"), Times::Next(3)),
            _ => (nobody(), Times::Next(0)),
        };
        let all_fail = times == Times::UntilCleared;
        let nobody = all_fail && matches!(&fault, Fault::Answer(answer) if answer.body().len() > 2);
        self.simulator.inject_into("ListUsers", fault, times);
        if nobody {
            self.listed.clear();
        } else if !all_fail {
            let named = |(uin, user): (u64, User)| (uin, user.name.unwrap());
            self.listed = self.truth().into_iter().map(named).collect();
        }
    }

    /// The series of the listed users, and the values that must be so.
    fn expected(&self) -> BTreeMap<String, f64> {
        let truth = self.truth();
        let mut series = BTreeMap::new();
        for (uin, name) in &self.listed {
            let mut add = |family: &str, more: String, value: f64| {
                series.insert(format!(r#"tencentcloud_cam_{family}{{account="prod",uin="{uin}"{more}}}"#), value);
            };
            let name = name.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            add("user_info", format!(r#",user_name="{name}""#), 1.0);
            let user = truth.get(uin);
            add("user_up", String::new(), f64::from(u8::from(user.is_some())));
            for key in user.iter().flat_map(|user| &user.keys) {
                let id = format!(r#",access_key_id="{}""#, key.access_key_id);
                add("access_key_status", format!(r#"{id},status="Active""#), 1.0);
                let last_used = last_used(key);
                add("access_key_never_used", id.clone(), f64::from(u8::from(last_used.is_none())));
                if let Some(at) = last_used {
                    add("access_key_last_used_timestamp_seconds", id, at);
                }
            }
        }
        series
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
fn last_used(key: &Key) -> Option<f64> {
    if let Field::Value(millis) = key.last_secret_used_date {
        return Some((millis / 1000) as f64);
    }
    let Field::Value(date) = &key.last_used_date else { return None };
    let midnight = date.parse::<jiff::civil::Date>().unwrap().at(0, 0, 0, 0);
    Some(jiff::tz::offset(8).to_timestamp(midnight).unwrap().as_second() as f64)
}

/// Those of the families that are judged.
fn judged(scrape: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let families = ["user_info", "user_up", "never_used", "last_used_timestamp_seconds", "access_key_status"];
    let of_family = |series: &str| families.iter().any(|family| series.split('{').next().unwrap().ends_with(family));
    let other_status = |series: &str| series.contains("status=") && !series.contains(r#"status="Active""#);
    scrape
        .iter()
        .filter(|(series, _)| of_family(series) && !other_status(series))
        .map(|(series, value)| (series.clone(), *value))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn whatever_befalls_the_account_and_its_list_what_is_shown_is_the_truth_or_the_last_of_it() {
    for seed in 0..6 {
        let mut churn = Churn::new(seed);
        let config = "accounts: [{name: prod, discover: {interval: 1m}, credentials: {env: {}}}]\n\
                      poll: {interval: 30s, rate_limit: 20, last_used: {interval: 1m}}\nkeys: {id_label: full}\n";
        let wire = Wire::to(&churn.simulator, Duration::from_millis(20));
        let running = Running::start(exporter(config, Arc::clone(&churn.clock) as _, wire));
        for step in 0..60 {
            churn.simulator.clear();
            churn.change();
            churn.befall();
            // Two lists, a poll, and a question about each key.
            sleep(Duration::from_secs(280)).await;
            let (shown, expected) = (judged(&running.scrape().await), churn.expected());
            let differ = |one: &BTreeMap<String, f64>, other: &BTreeMap<String, f64>| {
                one.iter()
                    .filter(|(series, value)| other.get(*series) != Some(value))
                    .map(|(series, _)| series.clone())
                    .collect::<Vec<_>>()
            };
            let (wrong, missing) = (differ(&shown, &expected), differ(&expected, &shown));
            assert!(
                wrong.is_empty() && missing.is_empty(),
                "seed {seed}, step {step}: shown {wrong:?}, expected {missing:?}"
            );
        }
        running.stop().await;
        let (kinds, arrivals) = by_action(&churn.simulator.arrivals());
        assert_eq!(
            kinds.keys().copied().collect::<BTreeSet<_>>(),
            ["GetSecurityLastUsed", "ListAccessKeys", "ListUsers"].into()
        );
        assert!(densest_second(&arrivals) <= 20);
        let wrong = |arrival: &&Arrival| matches!(&arrival.outcome, Outcome::Error(code) if code.starts_with("InvalidParameter.P") || code.starts_with("Un"));
        assert_eq!(arrivals.iter().find(wrong), None);
    }
}

/// How many arrivals there were for each action, leaked for the sake of their names.
fn by_action(arrivals: &[Arrival]) -> (BTreeMap<&'static str, usize>, Vec<Arrival>) {
    let mut kinds = BTreeMap::new();
    for arrival in arrivals {
        let known = ["GetSecurityLastUsed", "ListAccessKeys", "ListUsers", "ListAccounts", "GetCallerIdentity"];
        *kinds.entry(known.into_iter().find(|action| arrival.action == *action).unwrap()).or_default() += 1;
    }
    (kinds, arrivals.to_vec())
}

/// 400 users with two keys each, who are polled once in 25 s if nothing else goes, listed every 5 s and asked about every
/// 20 s: that is more than the limit gives.
#[tokio::test(start_paused = true)]
async fn no_kind_of_request_starves_another_and_together_they_keep_the_limit() {
    for latency in [0, 20, 200].map(Duration::from_millis) {
        let clock = TestClock::at("2026-01-01T00:00:00Z");
        let made = "2025-01-01T00:00:00Z".parse().unwrap();
        let key = |uin: u64, end: u64| Key::new(format!("AKID{uin}-{end}"), "Active", made);
        let user = |uin| User::with_keys([key(uin, 1), key(uin, 2)]).named("x");
        let caller = Caller { uin: FIRST, credential: Population::demo_credential() };
        let population =
            Population { callers: vec![caller], users: (FIRST..FIRST + 400).map(|uin| (uin, user(uin))).collect() };
        let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, population));
        let config = "accounts: [{name: prod, discover: {interval: 5s}, include_self: true, credentials: {env: {}}}]\n\
                      poll: {interval: 20s, rate_limit: 20, max_in_flight: 64, last_used: {interval: 20s}}\n";
        let start = Instant::now();
        let running = Running::start(exporter(config, clock, Wire::to(&simulator, latency)));
        sleep_until(start + Duration::from_mins(5)).await;
        running.stop().await;

        let (kinds, arrivals) = by_action(&simulator.arrivals());
        assert!(densest_second(&arrivals) <= 20, "{} with {latency:?}", densest_second(&arrivals));
        assert!(arrivals.iter().all(|arrival| arrival.outcome == Outcome::Answered));
        assert_eq!(kinds["GetCallerIdentity"], 1);
        assert!(arrivals.len() > 299 * 14, "{} with {latency:?}", arrivals.len());
        let (polls, others) = (kinds["ListAccessKeys"], kinds["ListUsers"] + kinds["GetSecurityLastUsed"]);
        assert!((8 * others..=10 * others).contains(&polls), "{polls} polls beside {others} with {latency:?}");
        assert!(kinds["ListUsers"] > 40, "{kinds:?} with {latency:?}");
        // The caller is one of the users, and is polled as often as the others: without a name.
        let mut polled: BTreeMap<u64, Vec<Instant>> = BTreeMap::new();
        for arrival in arrivals.iter().filter(|arrival| arrival.action == "ListAccessKeys") {
            polled.entry(arrival.target.unwrap_or(FIRST)).or_default().push(arrival.at);
        }
        assert_eq!(polled.len(), 400);
        let longest_wait = |times: &Vec<Instant>| times.windows(2).map(|pair| pair[1] - pair[0]).max();
        let longest_wait = polled.values().filter_map(longest_wait).max().unwrap();
        // A turn comes up again after at most one and a half intervals, and the one that has waited longest goes first.
        assert!(longest_wait < Duration::from_secs(33), "{longest_wait:?} with {latency:?}");
        let of_caller = arrivals
            .iter()
            .filter(|arrival| arrival.action == "ListAccessKeys" && arrival.target == Some(FIRST))
            .count();
        assert!(of_caller <= 1);
    }
}

/// 150 sub-users and 250 collaborators, each polled every 20 s, and listed every 10 s: five pages of two types beside the one
/// list of sub-users. That is more than the limit gives.
#[tokio::test(start_paused = true)]
async fn pages_of_other_types_keep_the_limit_with_all_else() {
    let clock = TestClock::at("2026-01-01T00:00:00Z");
    let made = "2025-01-01T00:00:00Z".parse().unwrap();
    let user = |uin: u64| {
        let user_type = if uin < FIRST + 150 { UserType::SubUser } else { UserType::Collaborator };
        User::with_keys([Key::new(format!("AKID{uin}"), "Active", made)]).named("x").of_type(user_type)
    };
    let caller = Caller { uin: FIRST - 1, credential: Population::demo_credential() };
    let users = (FIRST..FIRST + 400).map(|uin| (uin, user(uin))).collect();
    let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, Population { callers: vec![caller], users }));
    let config = "accounts: [{name: prod, discover: {interval: 10s, user_types: [SubUser, Collaborator]}, \
                  credentials: {env: {}}}]\npoll: {interval: 20s, rate_limit: 20}\n";
    let start = Instant::now();
    let running = Running::start(exporter(config, clock, Wire::to(&simulator, Duration::from_millis(20))));
    sleep_until(start + Duration::from_mins(5)).await;
    let shown = running.scrape().await;
    running.stop().await;
    let names = shown.keys().filter(|series| series.starts_with("tencentcloud_cam_user_info{")).count();
    assert_eq!((names, shown[r#"tencentcloud_cam_account_user_discovery_up{account="prod"}"#]), (400, 1.0));

    let (kinds, arrivals) = by_action(&simulator.arrivals());
    assert!(densest_second(&arrivals) <= 20, "{}", densest_second(&arrivals));
    assert!(arrivals.iter().all(|arrival| arrival.outcome == Outcome::Answered));
    assert!(arrivals.len() > 299 * 14, "{}", arrivals.len());
    let (polls, others) = (kinds["ListAccessKeys"], kinds["ListUsers"] + kinds["ListAccounts"]);
    assert!(polls >= 8 * others, "{polls} polls beside {others}");
    // A list takes five pages and ten seconds, and waits for nine polls before each page.
    assert!(kinds["ListAccounts"] >= 5 * 300 / 20 && kinds["ListUsers"] >= 300 / 20, "{kinds:?}");
    let polled: BTreeSet<Option<u64>> =
        arrivals.iter().filter(|arrival| arrival.action == "ListAccessKeys").map(|arrival| arrival.target).collect();
    assert_eq!(polled.len(), 400);
}
