//! A day: events of the exporter and the API, and what is scraped.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use fastrand::Rng;
use http::Request;
use http_body_util::{BodyExt, Empty};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tencentcloud_cam_exporter::app::Listeners;
use tencentcloud_simulator::{Behaviour, Caller, Fault, Field, Key, Population, Rejection, Simulator, Times, User};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::harness::{TestClock, Wire, exporter};

pub(super) const MINUTES: usize = 26 * 60;

/// Nothing happens before.
const QUIET: usize = 60;

pub(super) const START: &str = "2026-03-01T00:00:00Z";
const FIRST: u64 = 100_013_000_000;
const USERS: u64 = 7;
const DAY: SignedDuration = SignedDuration::from_hours(24);

const CONFIG: &str = "accounts: [{name: prod, discover: {interval: 5m}, uins: [100013000000, 100013000001], \
                      credentials: {env: {}}}]\n\
                      poll: {interval: 5m, last_used: {interval: 5m}}\n\
                      keys: {id_label: full}\n";

/// Everything about a day.
pub(super) struct Day {
    /// What was scraped in each minute; nothing where there was nobody to scrape.
    pub(super) scrapes: Vec<Option<BTreeMap<String, f64>>>,
    /// What was so in each minute.
    pub(super) truth: Vec<Truth>,
    /// What happened, to debug a failure.
    pub(super) events: Vec<String>,
}

/// What is so in a minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// What the exporter does.
    pub(super) exporter: Exporter,
    /// Whether the API answers.
    pub(super) api: bool,
    /// Whether it lists users.
    pub(super) lists: bool,
    /// Users whose polls are refused.
    pub(super) denied: BTreeSet<u64>,
    /// What is due, as `Alert{uin="…"}`.
    pub(super) due: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Exporter {
    #[default]
    Away,
    /// It has started in this minute and remembers nothing.
    Blank,
    Running,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// The process dies, so many minutes long, at once or after a SIGTERM.
    Death(usize, bool),
    /// The API answers with errors, so many minutes long.
    Outage(usize),
    /// Users cannot be listed.
    Unlisted(usize),
    /// A user's polls are refused.
    Denied(u64, usize),
    NewKey(u64),
    Deleted(u64),
    Disabled(u64),
    /// Most keys are deleted.
    Collapse,
}

/// What runs while the exporter is alive.
struct Process {
    routes: Arc<tencentcloud_cam_exporter::web::Routes>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The API, and what is wrong with it until which minute.
struct Api {
    simulator: Arc<Simulator>,
    outage: usize,
    unlisted: usize,
    denied: BTreeMap<u64, usize>,
    made: u64,
    /// How many keys there were in each minute.
    keys: Vec<usize>,
}

// === impl Truth ===

impl Truth {
    /// Whether the exporter runs.
    pub(super) fn alive(&self) -> bool {
        self.exporter != Exporter::Away
    }
}

// === impl Event ===

impl Event {
    fn random(random: &mut Rng) -> Self {
        let user = FIRST + random.u64(0..USERS);
        match random.u8(0..11) {
            0 | 1 => Self::Death(random.usize(0..50), random.bool()),
            2 => Self::Death(random.usize(0..3), random.bool()),
            3 | 4 => Self::Outage(random.usize(2..80)),
            5 => Self::Unlisted(random.usize(2..50)),
            6 => Self::Denied(user, random.usize(5..200)),
            7 => Self::NewKey(user),
            8 => Self::Deleted(user),
            9 => Self::Disabled(user),
            _ => Self::Collapse,
        }
    }
}

// === impl Process ===

impl Process {
    fn start(config: &str, clock: Arc<TestClock>, simulator: &Arc<Simulator>) -> Self {
        let app = exporter(config, clock, Wire::to(simulator, Duration::from_millis(100)));
        let (routes, stop) = (app.routes(), CancellationToken::new());
        let running = app.run(Listeners::default(), stop.clone());
        Self { routes, stop, task: tokio::spawn(async move { running.await.unwrap() }) }
    }

    async fn stop(self, is_killed: bool) {
        if is_killed {
            self.task.abort();
            let _ = self.task.await;
        } else {
            self.stop.cancel();
            self.task.await.unwrap();
        }
    }

    async fn scrape(&self) -> BTreeMap<String, f64> {
        let request = Request::get("/metrics").body(Empty::<Bytes>::new()).unwrap();
        let body = self.routes.answer(&request).await.into_body().collect().await.unwrap().to_bytes();
        let lines = std::str::from_utf8(&body).unwrap().lines();
        let samples = lines.filter(|line| line.starts_with("tencentcloud_cam_"));
        // No rule reads these, and each of them changes every minute.
        let samples =
            samples.filter(|line| !line.contains("_bucket{") && !line.contains("_age_seconds{account=\"prod\",uin"));
        samples
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
            .collect()
    }
}

// === impl Api ===

impl Api {
    fn new(clock: &Arc<TestClock>, random: &mut Rng) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let caller = Caller { uin: FIRST - 1, credential: Population::demo_credential() };
        let population = Population { callers: vec![caller], users: BTreeMap::new() };
        let simulator = Arc::new(Simulator::new(Arc::clone(clock) as _, population));
        let mut api = Self { simulator, outage: 0, unlisted: 0, denied: BTreeMap::new(), made: 0, keys: vec![] };
        for uin in FIRST..FIRST + USERS {
            let keys = (0..random.usize(1..4)).map(|_| {
                let minutes = SignedDuration::from_mins(random.i64(0..24 * 60));
                // Some pass a limit within the day: 90 days, 180 days, 45 days and 75 days without use, a week.
                let age = DAY * *random.choice(&[2, 7, 20, 90, 100, 180, 300]).unwrap() - minutes;
                let idle = DAY * *random.choice(&[1, 1, 3, 45, 60, 75, 80]).unwrap() - minutes;
                let key =
                    Key::new(api.next_id(), *random.choice(&["Active", "Active", "Inactive"]).unwrap(), start - age);
                if idle < age { key.used(start - idle) } else { key }
            });
            let user = User::with_keys(keys.collect::<Vec<_>>()).named(format!("user-{uin}"));
            api.simulator.edit(|population| population.users.insert(uin, user));
        }
        api
    }

    fn next_id(&mut self) -> String {
        self.made += 1;
        format!("AKID{:032}", self.made)
    }

    /// What becomes of it by `event`, in that minute.
    fn change(&mut self, event: Event, minute: usize, now: Timestamp) {
        let of = |uin: u64, change: &dyn Fn(&mut Vec<Key>)| {
            self.simulator.edit(|population| change(&mut population.users.get_mut(&uin).unwrap().keys));
        };
        match event {
            Event::Death(..) => {}
            Event::Outage(minutes) => self.outage = minute + minutes,
            Event::Unlisted(minutes) => self.unlisted = minute + minutes,
            Event::Denied(uin, minutes) => drop(self.denied.insert(uin, minute + minutes)),
            Event::NewKey(uin) => {
                let key = Key::new(self.next_id(), "Active", now);
                self.simulator.edit(|population| population.users.get_mut(&uin).unwrap().keys.push(key));
            }
            Event::Deleted(uin) => of(uin, &|keys| drop(keys.pop())),
            Event::Disabled(uin) => {
                of(uin, &|keys| keys.iter_mut().for_each(|key| "Inactive".clone_into(&mut key.status)));
            }
            Event::Collapse => (FIRST + 2..FIRST + USERS).for_each(|uin| of(uin, &Vec::clear)),
        }
    }

    /// Sets what is wrong with it in that minute.
    fn finish(&mut self, minute: usize) {
        self.denied.retain(|_, until| *until > minute);
        self.simulator.clear();
        let error = || Fault::Error(Rejection::new("InternalError", "An outage."));
        if self.outage > minute {
            self.simulator.inject(None, error(), Times::UntilCleared);
            self.simulator.inject_into("ListUsers", error(), Times::UntilCleared);
            self.simulator.inject_into("GetSecurityLastUsed", error(), Times::UntilCleared);
        } else if self.unlisted > minute {
            self.simulator.inject_into("ListUsers", error(), Times::UntilCleared);
        }
        self.simulator.edit(|population| {
            for (uin, user) in &mut population.users {
                user.behaviour = if self.denied.contains_key(uin) { Behaviour::Denied } else { Behaviour::Answers };
            }
        });
    }

    fn truth(&mut self, minute: usize, now: Timestamp) -> Truth {
        let mut truth = Truth {
            api: self.outage <= minute,
            lists: self.outage <= minute && self.unlisted <= minute,
            denied: self.denied.keys().copied().collect(),
            ..Truth::default()
        };
        let keys = self.simulator.edit(|population| {
            let users = population.users.iter();
            truth.due = users.flat_map(|(uin, user)| due(*uin, user, now)).collect();
            population.users.values().map(|user| user.keys.len()).sum()
        });
        self.keys.push(keys);
        // The alert ends by itself a day after.
        let most = self.keys.iter().rev().take(24 * 60).copied().max().unwrap_or_default();
        if keys == 0 && most > 0 || most >= 10 && 2 * keys < most {
            truth.due.insert("InventoryCollapsed{}".to_owned());
        }
        truth
    }
}

/// What docs/alerts says of a user's keys, for those alerts that only wait for five minutes.
fn due(uin: u64, user: &User, now: Timestamp) -> Vec<String> {
    let mut due = vec![];
    let of_user = format!("uin=\"{uin}\"");
    let active = || user.keys.iter().filter(|key| key.status == "Active");
    let age = |key: &Key| now.duration_since(created(key));
    for key in active() {
        let idle = match &key.last_used_date {
            Field::Value(date) => now.duration_since(at_eight(&format!("{date}T00:00:00"))),
            Field::Absent | Field::Null => age(key),
        };
        for (alert, is_due) in [
            ("AccessKeyStale", age(key) > DAY * 90),
            ("AccessKeyVeryStale", age(key) > DAY * 180),
            ("AccessKeyUnused", idle > DAY * 45),
            ("AccessKeyAutoDisableSoon", idle > DAY * 74),
        ] {
            if is_due {
                due.push(format!("{alert}{{access_key_id=\"{}\",{of_user}}}", key.access_key_id));
            }
        }
    }
    let newest = active().max_by_key(|key| created(key));
    if newest.is_some_and(|newest| age(newest) > DAY * 7) {
        let older = active().filter(|key| newest.is_some_and(|newest| newest.access_key_id != key.access_key_id));
        due.extend(older.map(|key| format!("RotationUnfinished{{access_key_id=\"{}\",{of_user}}}", key.access_key_id)));
    }
    let keys = user.keys.len();
    for (alert, is_due) in [("UserAtKeyLimit", keys >= 2), ("UserOverKeyLimit", keys > 2)] {
        if is_due {
            due.push(format!("{alert}{{{of_user}}}"));
        }
    }
    due
}

fn created(key: &Key) -> Timestamp {
    at_eight(&key.create_time.replace(' ', "T"))
}

/// The time in China.
fn at_eight(local: &str) -> Timestamp {
    jiff::tz::offset(8).to_timestamp(local.parse().unwrap()).unwrap()
}

pub(super) fn users() -> impl Iterator<Item = u64> {
    FIRST..FIRST + USERS
}

/// The day of that seed.
pub(super) fn play(seed: u64) -> Day {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(played(seed))
}

async fn played(seed: u64) -> Day {
    let mut random = Rng::with_seed(seed);
    let (clock, start) = (TestClock::at(START), Instant::now());
    let mut api = Api::new(&clock, &mut random);
    let folder = TempDir::new().unwrap();
    let remembers = random.bool();
    let state = if remembers { format!("state_file: {}/state\n", folder.path().display()) } else { String::new() };
    let config = format!("{CONFIG}{state}");
    let mut planned: BTreeMap<usize, Vec<Event>> = BTreeMap::new();
    for _ in 0..random.usize(4..12) {
        planned.entry(random.usize(QUIET..MINUTES - 30)).or_default().push(Event::random(&mut random));
    }
    let mut day = Day {
        scrapes: vec![],
        truth: vec![],
        events: planned.iter().map(|(minute, events)| format!("{minute}: {events:?}")).collect(),
    };
    let mut process = Some(Process::start(&config, Arc::clone(&clock), &api.simulator));
    let (mut dead_until, mut is_blank) = (0, true);
    for minute in 0..MINUTES {
        let now = START.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(i64::try_from(minute).unwrap());
        for event in planned.remove(&minute).unwrap_or_default() {
            api.change(event, minute, now);
            if let Event::Death(minutes, is_killed) = event {
                dead_until = dead_until.max(minute + minutes);
                if let Some(process) = process.take() {
                    process.stop(is_killed).await;
                }
            }
        }
        api.finish(minute);
        if process.is_none() && dead_until <= minute {
            process = Some(Process::start(&config, Arc::clone(&clock), &api.simulator));
            is_blank = !remembers;
        }
        // Prometheus scrapes and evaluates somewhere within the minute.
        sleep_until(start + Duration::from_secs(60 * minute as u64 + 30)).await;
        let scrape = match &process {
            Some(process) => Some(process.scrape().await),
            None => None,
        };
        let running = if std::mem::take(&mut is_blank) { Exporter::Blank } else { Exporter::Running };
        let exporter = if process.is_some() { running } else { Exporter::Away };
        day.truth.push(Truth { exporter, ..api.truth(minute, now) });
        day.scrapes.push(scrape);
        sleep_until(start + Duration::from_secs(60 * (minute as u64 + 1))).await;
    }
    if let Some(process) = process {
        process.stop(false).await;
    }
    day
}
