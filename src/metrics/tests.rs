//! The prepared exposition against one that is written naively, through any history.

use std::{collections::BTreeSet, fmt::Write, io::Read, sync::Arc, time::Duration};

use flate2::read::GzDecoder;
use jiff::Timestamp;
use parking_lot::Mutex;
use proptest::{prelude::*, sample::select};
use tokio::runtime::{Builder, Runtime};

use super::{Format, Metrics, Own};
use crate::{
    clock::Clock,
    inventory::{Account, Facts, IdLabel, Inventory, Key, User},
    tencent::{AccessKey, KeyStatus, LastUse, Reason, Uin},
};

const FIRST: u64 = 100_013_000_000;

#[derive(Clone, Debug)]
enum Step {
    /// The account and the user, by number, and which of a few lists of keys.
    Listed(usize, u64, u64),
    NotFound(usize, u64),
    Failed(usize, u64),
    /// Which of the keys of such a list were last used, and when.
    Used(usize, u64, u64, Option<i64>),
    /// From which user on as many have names, which end like that.
    Found(usize, u64, u64, u64),
    ForgetLastUse(usize),
    /// From which user on the account has how many.
    Users(usize, u64, u64),
    Label(usize, IdLabel),
    /// Only this account, all in order, or all the other way round.
    Accounts(Option<usize>, bool),
    Passes(i64),
    Scraped,
}

#[derive(Debug)]
struct Hands(Mutex<Timestamp>);

struct World {
    accounts: [Arc<Account>; 2],
    inventory: Arc<Inventory>,
    clock: Arc<Hands>,
    metrics: Metrics,
    runtime: Runtime,
}

// === impl World ===

impl World {
    fn new() -> Self {
        let facts = Facts {
            key_limit: 2,
            key_max_age: Duration::from_secs(9),
            id_label: IdLabel::Full,
            poll_interval: Duration::from_secs(1),
        };
        let accounts = ["prod", "test-1"].map(|name| Arc::new(Account::new(name.parse().unwrap(), facts, [])));
        let inventory = Arc::new(Inventory::new(accounts.to_vec()));
        let clock = Arc::new(Hands(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())));
        let own = Own::new().unwrap();
        let metrics = Metrics::new(Arc::clone(&inventory), &own, Arc::<Hands>::clone(&clock)).unwrap();
        Self { accounts, inventory, clock, metrics, runtime: Builder::new_current_thread().build().unwrap() }
    }

    fn take(&self, step: &Step) {
        match step {
            Step::Listed(account, user, list) => {
                self.accounts[*account].listed(uin(*user), &keys(*user, *list), self.clock.now());
            }
            Step::NotFound(account, user) => self.accounts[*account].not_found(uin(*user), self.clock.now()),
            Step::Failed(account, user) => {
                self.accounts[*account].failed(uin(*user), Reason::Timeout, None, self.clock.now());
            }
            Step::Used(account, user, list, at) => {
                let last_use = at.map_or(LastUse::Never, |at| LastUse::At(Timestamp::from_second(at).unwrap()));
                let ids: Vec<_> = keys(*user, *list).into_iter().map(|key| key.id).collect();
                // Of every other key nothing is told.
                let told = ids.iter().step_by(2).cloned().collect::<BTreeSet<_>>();
                self.accounts[*account].used(uin(*user), &ids, |id| told.contains(id).then_some(last_use));
            }
            Step::Found(account, from, number, end) => {
                let name = |user: u64| format!("é\"\\\n{user}-{end}").into();
                self.accounts[*account].set_found((*from..from + number).map(|user| (uin(user), name(user))).collect());
            }
            Step::ForgetLastUse(account) => self.accounts[*account].forget_last_use(),
            Step::Users(account, from, number) => {
                self.accounts[*account].set_users(&(*from..from + number).map(uin).collect::<BTreeSet<Uin>>());
            }
            Step::Label(account, id_label) => {
                let account = &self.accounts[*account];
                account.set_facts(Facts { id_label: *id_label, ..account.facts() });
            }
            Step::Accounts(only, reversed) => {
                let mut accounts = self.accounts.to_vec();
                if *reversed {
                    accounts.reverse();
                }
                self.inventory.set_accounts(only.map_or(accounts, |only| vec![Arc::clone(&self.accounts[only])]));
            }
            Step::Passes(seconds) => {
                let mut now = self.clock.0.lock();
                *now = Timestamp::from_second(now.as_second() + seconds).unwrap();
            }
            Step::Scraped => self.compare(),
        }
    }

    /// Every format says what the naive exposition says.
    fn compare(&self) {
        let naive = naive(&self.inventory, self.clock.now());
        let text = self.scrape(Format::Text);
        let (users, rest) = text.split_once("# HELP tencentcloud_cam_access_keys_limit").unwrap();
        assert!(users == naive, "\n{}", first_difference(users, &naive));
        assert!(rest.contains("\ntencentcloud_cam_polls_total") || rest.contains("_exporter_build_info"));
        let open = self.scrape(Format::OpenMetrics);
        assert!(open.starts_with(&naive) && open.ends_with("\n# EOF\n"));
    }

    /// The body as text, which is the same with gzip.
    fn scrape(&self, format: Format) -> String {
        let body = |gzip| self.runtime.block_on(self.metrics.scrape(format, gzip)).unwrap().chunks().concat();
        let (plain, zipped) = (body(false), body(true));
        let (mut member, mut unzipped) = (GzDecoder::new(&zipped[..]), String::new());
        member.read_to_string(&mut unzipped).unwrap();
        assert!(member.into_inner().is_empty());
        let plain = String::from_utf8(plain).unwrap();
        let timeless = |text: &str| {
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("process_")).collect();
            lines.join("\n")
        };
        assert_eq!(timeless(&plain), timeless(&unzipped));
        plain
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

fn uin(number: u64) -> Uin {
    (FIRST + number).try_into().unwrap()
}

fn keys(user: u64, list: u64) -> Vec<AccessKey> {
    let statuses = [KeyStatus::Active, KeyStatus::Inactive, KeyStatus::Unknown];
    let key = |number: u64| AccessKey {
        id: format!("AKID{user}-{number}\"\\\né{}", "x".repeat(20)).as_str().into(),
        status: statuses[usize::try_from(list + number).unwrap() % 3],
        // Some are young, some are not made yet, and some are very old.
        created: Timestamp::from_second(
            1_767_225_600 - [3, 95, 999, -20, 86_400_000, 1_800_000_000][usize::try_from(user + number).unwrap() % 6],
        )
        .unwrap(),
    };
    (0..list % 4).map(key).collect()
}

/// A line at a time, from the definition of the families.
fn naive(inventory: &Inventory, local: Timestamp) -> String {
    type Lines<'a> = Box<dyn Fn(&User) -> Vec<(String, i64)> + 'a>;
    let status = |status: KeyStatus| format!(r#",status="{}""#, status.label());
    let escaped = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', "\\n");
    let id = |label: &str| format!(r#",access_key_id="{}""#, escaped(label));
    let of_keys = |user: &User| user.keys.as_deref().map(<[_]>::to_vec).unwrap_or_default();
    let statuses = [KeyStatus::Active, KeyStatus::Inactive, KeyStatus::Unknown];
    let families: [(&str, &str, Lines<'_>); 9] = [
        (
            "access_keys",
            "Access keys of the user by status, as last answered by the API, which is polled once every poll interval.",
            Box::new(move |user| {
                let number = |status| of_keys(user).iter().filter(|key| key.status == status).map(|_| 1).sum();
                let known = user.keys.is_some();
                statuses.iter().filter(|_| known).map(|each| (status(*each), number(*each))).collect()
            }),
        ),
        (
            "access_key_created_timestamp_seconds",
            "Unix time at which the access key was created.",
            Box::new(move |user| of_keys(user).iter().map(|key| (id(&key.label), key.created.as_second())).collect()),
        ),
        (
            "access_key_age_seconds",
            "Age of the access key at the scrape, by the exporter's clock.",
            Box::new(move |user| {
                let age = |created: Timestamp| (local.as_second() - created.as_second()).max(0);
                of_keys(user).iter().map(|key| (id(&key.label), age(key.created))).collect()
            }),
        ),
        (
            "access_key_status",
            "Status of the access key as last polled: 1 for the status it has, 0 for the others.",
            Box::new(move |user| {
                let keys = of_keys(user);
                let each = keys.iter().flat_map(|key| statuses.map(|each| (key, each)));
                each.map(|(key, each)| (id(&key.label) + &status(each), i64::from(key.status == each))).collect()
            }),
        ),
        (
            "access_key_last_used_timestamp_seconds",
            "Unix time at which the access key was last used, or the start of that day in keys.time_zone, told about a day late.",
            Box::new(move |user| {
                let at = |key: &Key| match key.last_use? {
                    LastUse::Never => None,
                    LastUse::At(time) => Some((id(&key.label), time.as_second())),
                };
                of_keys(user).iter().filter_map(at).collect()
            }),
        ),
        (
            "access_key_never_used",
            "Whether the access key was never used, as far as the API knows.",
            Box::new(move |user| {
                let never = |key: &Key| Some((id(&key.label), i64::from(key.last_use? == LastUse::Never)));
                of_keys(user).iter().filter_map(never).collect()
            }),
        ),
        (
            "user_info",
            "What the account calls the user that discovery found; always 1.",
            Box::new(move |user| {
                user.name.iter().map(|name| (format!(r#",user_name="{}""#, escaped(name)), 1)).collect()
            }),
        ),
        (
            "user_up",
            "Whether the last poll brought the user's access keys.",
            Box::new(|user| user.up.iter().map(|up| (String::new(), i64::from(*up))).collect()),
        ),
        (
            "user_last_success_timestamp_seconds",
            "Unix time at which the API last answered about the user.",
            Box::new(|user| user.answered.iter().map(|at| (String::new(), at.as_second())).collect()),
        ),
    ];
    let mut out = String::new();
    for (name, help, lines) in families {
        let mut samples = String::new();
        for account in inventory.accounts() {
            for (uin, user) in &*account.users() {
                for (labels, value) in lines(user) {
                    let account = account.name();
                    writeln!(samples, r#"tencentcloud_cam_{name}{{account="{account}",uin="{uin}"{labels}}} {value}"#)
                        .unwrap();
                }
            }
        }
        if !samples.is_empty() {
            write!(out, "# HELP tencentcloud_cam_{name} {help}\n# TYPE tencentcloud_cam_{name} gauge\n{samples}")
                .unwrap();
        }
    }
    out
}

fn first_difference(ours: &str, naive: &str) -> String {
    let mut lines = ours.lines().zip(naive.lines());
    lines
        .find(|(ours, naive)| ours != naive)
        .map_or("one is longer".to_owned(), |(ours, naive)| format!("{ours}\n{naive}"))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few users, so that they meet, or those at the ends of blocks.
    let user = || prop_oneof![3 => 0u64..6, 1 => select(vec![510u64, 511, 512, 513, 1024, 1030])];
    let account = || 0usize..2;
    let step = prop_oneof![
        6 => (account(), user(), 0u64..8).prop_map(|(account, user, list)| Step::Listed(account, user, list)),
        1 => (account(), user()).prop_map(|(account, user)| Step::NotFound(account, user)),
        2 => (account(), user()).prop_map(|(account, user)| Step::Failed(account, user)),
        3 => (account(), user(), 0u64..8, prop::option::of(1_700_000_000i64..1_700_000_009))
            .prop_map(|(account, user, list, at)| Step::Used(account, user, list, at)),
        1 => account().prop_map(Step::ForgetLastUse),
        2 => (account(), 0u64..4, select(vec![0u64, 2, 513]), 0u64..2)
            .prop_map(|(account, from, number, end)| Step::Found(account, from, number, end)),
        2 => (account(), 0u64..4, select(vec![0u64, 1, 5, 511, 512, 513, 1031]))
            .prop_map(|(account, from, number)| Step::Users(account, from, number)),
        1 => (account(), select(vec![IdLabel::Full, IdLabel::Masked, IdLabel::Hashed]))
            .prop_map(|(account, label)| Step::Label(account, label)),
        1 => (prop::option::of(account()), any::<bool>()).prop_map(|(only, reversed)| Step::Accounts(only, reversed)),
        3 => select(vec![0i64, 1, 1, 7, 80, 900, 100_000, -5]).prop_map(Step::Passes),
        6 => Just(Step::Scraped),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn says_what_a_naive_exposition_says_through_any_history(steps in steps()) {
        let world = World::new();
        for account in 0..2 {
            world.take(&Step::Users(account, 0, 600));
        }
        for step in &steps {
            world.take(step);
        }
        world.compare();
    }
}

#[test]
fn a_second_in_which_nothing_happens_is_written_once() {
    let world = World::new();
    world.take(&Step::Users(0, 0, 3));
    let scrape = || world.runtime.block_on(world.metrics.scrape(Format::Text, false)).unwrap();
    let first = scrape();
    assert!(Arc::ptr_eq(&first, &scrape()));
    world.take(&Step::Failed(0, 1));
    let second = scrape();
    assert!(!Arc::ptr_eq(&first, &second));
    world.take(&Step::Passes(1));
    assert!(!Arc::ptr_eq(&second, &scrape()));
}

#[test]
fn scrapes_at_one_time_share_the_work() {
    let world = World::new();
    world.take(&Step::Users(0, 0, 1000));
    let bodies = world.runtime.block_on(async {
        let scrape = || world.metrics.scrape(Format::Text, true);
        tokio::join!(scrape(), scrape(), scrape())
    });
    let (first, second, third) = (bodies.0.unwrap(), bodies.1.unwrap(), bodies.2.unwrap());
    assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&second, &third));
}

#[test]
fn a_body_that_is_being_read_does_not_change() {
    let world = World::new();
    world.take(&Step::Users(0, 0, 3));
    world.take(&Step::Listed(0, 1, 3));
    let scrape = || world.runtime.block_on(world.metrics.scrape(Format::Text, false)).unwrap();
    let first = scrape();
    let before = first.chunks().concat();
    world.take(&Step::Passes(1));
    assert_ne!(scrape().chunks().concat(), before);
    assert_eq!(first.chunks().concat(), before);
}
