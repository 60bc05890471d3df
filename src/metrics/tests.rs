use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::Read,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use exporter_toolkit::{Compressor, Names, PIECE, Scrape};
use flate2::read::GzDecoder;
use http_body::Body;
use jiff::Timestamp;
use tencentcloud_api::{AccessKey, Clock, Code, KeyStatus, LastUse, ListAccessKeys, ListUsers, Reason, Uin};

use super::{Families, Format, Metrics, Own};
use crate::inventory::{
    Account, AccountSettings, ConfiguredListings, Failure, FoundUser, IdLabel, Inventory, Override, Policy,
    assessment::Finding,
};

const FIRST: u64 = 100_013_000_000;
const FORMATS: [Format; 3] = [Format::Text, Format::OpenMetrics, Format::Protobuf];

/// The first second of 2026.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        second(1_767_225_600)
    }
}

struct World {
    accounts: [Arc<Account>; 2],
    own: Own,
    metrics: Metrics,
    compressor: Compressor,
}

// === impl World ===

impl World {
    /// Two accounts, the first with so many users.
    fn new(users: u64) -> Self {
        let settings = AccountSettings {
            policy: Policy { max_age: Duration::from_millis(9_500), ..Policy::default() }.into(),
            id_label: IdLabel::Full,
            poll_interval: Duration::from_secs(1),
            listings: ConfiguredListings { last_uses: true, ..ConfiguredListings::default() },
            ..AccountSettings::default()
        };
        let account = |name: &str, users: u64| {
            Arc::new(Account::new(name.parse().unwrap(), settings.clone(), (0..users).map(uin)))
        };
        let accounts = [account("prod", users), account("test-1", 1)];
        let inventory = Arc::new(Inventory::new(accounts.to_vec()));
        let own = Own::new().unwrap();
        let metrics = Metrics::new(inventory, &own, Arc::new(Stopped), Families::default()).unwrap();
        Self { accounts, own, metrics, compressor: Compressor::new() }
    }

    fn scrape(&self, format: Format, gzip: bool) -> Scrape {
        let cursor = self.metrics.scrape(format, &Names::default()).unwrap();
        Scrape::new(Box::new(cursor), gzip.then(|| self.compressor.clone())).unwrap()
    }

    /// The body without what differs from one process to the next.
    fn text(&self, format: Format) -> String {
        let text = String::from_utf8(rest(self.scrape(format, false)).concat()).unwrap();
        let volatile = ["process_", "tencentcloud_cam_exporter_build_info", "tencentcloud_cam_api_request_duration"];
        let steady = text.split_inclusive('\n').filter(|line| {
            let name = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")).unwrap_or(line);
            !volatile.iter().any(|volatile| name.starts_with(volatile))
        });
        steady.collect()
    }
}

fn failure(reason: Reason, code: Option<&'static str>, at: Timestamp) -> Failure {
    Failure::new(reason, code, &reason.label(), at)
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn uin(number: u64) -> Uin {
    (FIRST + number).try_into().unwrap()
}

fn key(id: &str, created: i64) -> AccessKey {
    AccessKey { id: id.into(), status: KeyStatus::Active, created: second(created) }
}

/// The pieces that have not been taken yet; a waiting reader is woken at once.
fn rest(mut scrape: Scrape) -> Vec<Vec<u8>> {
    let mut pieces = vec![];
    loop {
        match Pin::new(&mut scrape).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => {}
            Poll::Ready(Some(frame)) => pieces.push(frame.unwrap().into_data().unwrap().to_vec()),
            Poll::Ready(None) => {
                assert!(scrape.is_end_stream());
                return pieces;
            }
        }
    }
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let (mut member, mut all) = (GzDecoder::new(bytes), vec![]);
    member.read_to_end(&mut all).unwrap();
    assert!(member.into_inner().is_empty(), "some readers stop after the first member");
    all
}

/// Every kind of user, key, value and label.
fn world_of_everything() -> World {
    let world = World::new(6);
    let [prod, _] = &world.accounts;
    let four = FoundUser { name: "é\"\\\nfour".into(), console_login: Some(true) };
    let seven = FoundUser { name: "seven".into(), console_login: Some(false) };
    prod.set_found([(uin(1), four), (uin(7), seven), (uin(8), "eight".into())].into());
    let exempt = |users: &str, finding, until| Override {
        users: vec![users.parse().unwrap()],
        exempt: [finding].into_iter().collect(),
        until: Some(second(until)),
        ..Override::default()
    };
    let overrides = [
        exempt("*four", Finding::VeryStale, 1_767_225_601),
        exempt("seven", Finding::Stale, 1_767_225_600),
        exempt(&uin(2).to_string(), Finding::AtLimit, 1_767_225_601),
    ];
    prod.set_settings(AccountSettings { overrides: overrides.into(), ..prod.settings() });
    let odd = AccessKey { status: KeyStatus::Unknown, ..key("AKID\"\\\né", 1_767_225_700) };
    prod.poll_succeeded(uin(1), &[key("AKIDb", 1_700_000_000), odd], second(1_767_225_599));
    let inactive = AccessKey { status: KeyStatus::Inactive, ..key("AKIDc", -86_400) };
    prod.poll_succeeded(uin(2), &[key("AKIDa", 1_767_225_600), inactive], second(1_767_000_000));
    let ids = ["AKIDa".into(), "AKIDc".into()];
    prod.used(uin(2), &ids, |id| {
        Some(if id.expose() == "AKIDa" { LastUse::Never } else { LastUse::At(second(1_767_139_200)) })
    });
    prod.poll_failed(uin(3), failure(Reason::Timeout, None, second(1_767_225_499)));
    prod.poll_succeeded(uin(3), &[], second(1_767_225_500));
    prod.poll_failed(uin(4), failure(Reason::UserNotFound, None, second(1_767_225_501)));
    prod.poll_failed(uin(5), failure(Reason::Timeout, None, second(1_767_225_502)));
    world.accounts[1].begin();
    world.accounts[1].poll_succeeded(uin(0), &[], second(1_767_225_599));
    let (name, other) = (prod.name(), world.accounts[1].name());
    let counted = world.own.account(name);
    let keys = counted.action::<ListAccessKeys>();
    let _ = counted.action::<ListUsers>();
    counted.poll_succeeded();
    counted.poll_failed(Reason::Timeout);
    keys.request(Duration::from_millis(20));
    keys.error(&Code::new("RequestLimitExceeded"));
    keys.error(&Code::new("Undocumented"));
    let _ = world.own.account(other);
    world
}

/// On a clock that stands still: an outage begins when an account was not answered for a while.
#[tokio::test(start_paused = true)]
async fn every_kind_of_series_is_written_as_the_golden_files_have_it() {
    let world = world_of_everything();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for (format, name) in [(Format::Text, "exposition.prom"), (Format::OpenMetrics, "exposition.openmetrics")] {
        let text = world.text(format);
        if env::var_os("UPDATE_EXPOSITION").is_some() {
            fs::write(folder.join(name), &text).unwrap();
        }
        let golden = fs::read_to_string(folder.join(name)).unwrap();
        let difference = text.lines().zip(golden.lines()).find(|(ours, golden)| ours != golden);
        assert!(text == golden, "{name}: {difference:?}: UPDATE_EXPOSITION=1 writes it\n{text}");
    }
}

/// Families that no user of an account has are left out by what is counted of the account.
#[tokio::test(start_paused = true)]
async fn a_user_alone_has_the_series_that_it_has_among_others() {
    let series_of = |world: &World, number: u64| {
        let label = format!(",uin=\"{}\"", uin(number));
        world.text(Format::Text).lines().filter(|line| line.contains(&label)).map(str::to_owned).collect::<Vec<_>>()
    };
    for number in [0, 1, 2, 3, 4, 5, 7, 8] {
        let world = world_of_everything();
        let (among_others, [prod, _]) = (series_of(&world, number), &world.accounts);
        let user = Arc::clone(&prod.users()[&uin(number)]);
        let found = user
            .name
            .as_ref()
            .map(|name| (uin(number), FoundUser { name: Arc::clone(name), console_login: user.console_login }));
        prod.set_configured(&if found.is_none() { [uin(number)].into() } else { BTreeSet::new() });
        prod.set_found(found.into_iter().collect());
        assert_eq!(prod.users().len(), 1);
        assert_eq!(series_of(&world, number), among_others);
    }
}

#[test]
fn lengths_in_protobuf_add_up() {
    let world = world_of_everything();
    // Some families are longer than a piece.
    world.accounts[0].set_configured(&(0..3_000).map(uin).collect());
    for user in 10..3_000 {
        world.accounts[0].poll_failed(uin(user), failure(Reason::Denied, None, Timestamp::UNIX_EPOCH));
    }
    let bytes = rest(world.scrape(Format::Protobuf, false)).concat();
    let (mut left, mut families) = (&bytes[..], 0);
    while !left.is_empty() {
        let digits = left.iter().position(|byte| *byte < 0x80).unwrap() + 1;
        let length = left[..digits].iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        left = &left[digits + length..];
        assert!(left.len() < bytes.len());
        families += 1;
    }
    assert!(families > 20, "{families}");
}

#[test]
fn a_body_of_many_pieces_is_of_one_moment_though_everything_changes() {
    let world = World::new(2_000);
    let [prod, _] = &world.accounts;
    let list = |created: i64| {
        for user in 0..2_000 {
            prod.poll_succeeded(uin(user), &[key("AKIDa", created), key("AKIDb", created - 1)], second(created));
        }
    };
    list(1_700_000_000);
    for format in FORMATS {
        for gzip in [false, true] {
            list(1_700_000_000);
            let before = world.scrape(format, gzip);
            assert_eq!(before.size_hint().exact(), None);
            list(1_600_000_000);
            prod.set_configured(&BTreeSet::from([uin(5_000)]));
            let pieces = rest(before);
            prod.set_configured(&(0..2_000).map(uin).collect());
            assert!(pieces.len() > 4 && pieces.iter().all(|piece| piece.len() < PIECE + PIECE / 4));
            let bytes = if gzip { unzipped(&pieces.concat()) } else { pieces.concat() };
            if format != Format::Protobuf {
                is_of_one_moment(str::from_utf8(&bytes).unwrap());
            }
        }
    }
}

fn is_of_one_moment(text: &str) {
    let mut series = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(series.insert(name, value.parse::<f64>().unwrap()).is_none(), "twice: {name}");
    }
    let created = |family: &str| {
        let name = format!("tencentcloud_cam_access_key_{family}_seconds{{");
        series.iter().filter(move |(series, _)| series.starts_with(&name)).map(|(_, value)| *value)
    };
    assert_eq!(created("created_timestamp").count(), 4_000);
    let moments = created("created_timestamp").zip(created("age")).map(|(created, age)| created + age);
    assert!(moments.into_iter().all(|moment| (moment - 1_767_225_600.0).abs() < 0.5));
}

#[test]
fn a_small_body_tells_its_length() {
    let world = World::new(3);
    for format in FORMATS {
        for gzip in [false, true] {
            let scrape = world.scrape(format, gzip);
            let length = scrape.size_hint().exact().unwrap();
            let pieces = rest(scrape);
            assert_eq!((pieces.len(), pieces[0].len() as u64), (1, length));
        }
    }
}

#[test]
fn a_scrape_that_is_dropped_lets_go_of_the_users() {
    let world = World::new(2_000);
    for user in 0..2_000 {
        world.accounts[0].poll_succeeded(uin(user), &[key("AKIDa", 0)], Timestamp::UNIX_EPOCH);
    }
    let held = || Arc::strong_count(&world.accounts[0].users()[&uin(0)]);
    let scrapes = [true, false].map(|gzip| world.scrape(Format::Text, gzip));
    assert_eq!(held(), 3);
    drop(scrapes);
    assert_eq!(held(), 1);
}

#[test]
fn an_account_that_is_forgotten_has_no_counters() {
    let world = world_of_everything();
    let series = || world.text(Format::Text).matches("_total{account=\"prod\"").count();
    assert!(series() > 15);
    world.own.forget(world.accounts[0].name());
    assert_eq!(series(), 0);
}
