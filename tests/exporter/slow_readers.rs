//! Scrapes whose readers take little at a time, of an inventory that is large and changes.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::Duration,
};

use tencentcloud_api::{AccessKey, AccessKeyId, Clock, KeyStatus, SystemClock, Uin};
use tencentcloud_cam_exporter::{
    inventory::{Account, AccountSettings, IdLabel, Inventory, Policy},
    state::{State, StateFile},
};
use tencentcloud_simulator::{Key, User};

use crate::world::{Answer, Exporter, UIN, World};

const ACCOUNTS: u64 = 100;
const USERS: u64 = 100;

/// Readers that begin in each of as many seconds. All take so much between two seconds, which is not too little to be
/// waited for.
const SECONDS: usize = 8;
const READERS: usize = 15;
const TAKEN: usize = 512 << 10;

/// A reader may cost a pointer for each user, numbers for each account, and a piece of the body: some 200 KiB. The rest is
/// what an allocator and a build without optimization may take. A body of 20 MB for each second is five times as much.
const BOUND_KIB: u64 = 40 << 10;

fn id(uin: u64, number: u64) -> String {
    format!("{:x<36}", format!("AKID{uin}k{number}"))
}

fn created(uin: u64, number: u64) -> i64 {
    1_600_000_000 + i64::try_from((uin * 7_919 + number) % 100_000_000).unwrap()
}

/// An exporter of ten thousand users that it knows from a state file and polls in ten minutes.
fn exporter() -> (World, Exporter) {
    let second = |second| jiff::Timestamp::from_second(second).unwrap();
    let users = (0..ACCOUNTS * USERS).map(|user| {
        let uin = UIN + user;
        (uin, User::with_keys([0, 1].map(|number| Key::new(id(uin, number), "Active", second(created(uin, number))))))
    });
    let world = World::new(users);
    let settings = AccountSettings {
        policy: Policy { max_age: Duration::from_hours(1), ..Policy::default() }.into(),
        id_label: IdLabel::Full,
        poll_interval: Duration::from_mins(10),
        ..AccountSettings::default()
    };
    let (mut accounts, mut config) = (vec![], String::from("accounts:\n"));
    for index in 0..ACCOUNTS {
        let name = format!("account-{index}");
        let uins: Vec<u64> = (UIN + index * USERS..UIN + (index + 1) * USERS).collect();
        let account =
            Account::new(name.parse().unwrap(), settings.clone(), uins.iter().map(|uin| Uin::try_from(*uin).unwrap()));
        for uin in &uins {
            let key = |number| AccessKey {
                id: AccessKeyId::from(id(*uin, number).as_str()),
                status: KeyStatus::Active,
                created: second(created(*uin, number)),
            };
            account.poll_succeeded((*uin).try_into().unwrap(), &[key(0), key(1)], SystemClock.now());
        }
        accounts.push(Arc::new(account));
        writeln!(
            config,
            "- {{name: {name}, uins: {uins:?}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}",
            world.endpoint
        )
        .unwrap();
    }
    let state = world.folder.path().join("state");
    StateFile::new(state.clone()).save(&State::of(&Inventory::new(accounts))).unwrap();
    writeln!(config, "poll: {{interval: 10m}}\nkeys: {{id_label: full}}\nstate_file: {}", state.display()).unwrap();
    let exporter = world.start_with(&config, &["--web.max-requests=0"]);
    (world, exporter)
}

fn resident_kib(exporter: &Exporter) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", exporter.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Waits until the second is another one.
fn next_second() {
    let before = SystemClock.now().as_second();
    while SystemClock.now().as_second() == before {
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn slow_readers_cost_little_and_each_gets_a_body_of_one_moment() {
    let (_world, exporter) = exporter();
    let whole = exporter.scrape();
    assert!(whole.len() > 15 << 20, "{}: what the system buffers could be all of it", whole.len());
    let mut head = String::new();
    let mut stream = TcpStream::connect(exporter.address()).unwrap();
    stream.write_all(b"HEAD /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    stream.read_to_string(&mut head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head:?}");

    let before = resident_kib(&exporter);
    let mut last = 0..=0;
    let mut readers: Vec<(TcpStream, Vec<u8>)> = vec![];
    for _ in 0..SECONDS {
        let begun = SystemClock.now().as_second();
        for _ in 0..READERS {
            let mut stream = TcpStream::connect(exporter.address()).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
            readers.push((stream, vec![]));
        }
        for (stream, taken) in &mut readers {
            let length = taken.len();
            taken.resize(length + TAKEN, 0);
            stream.read_exact(&mut taken[length..]).unwrap();
        }
        last = begun..=SystemClock.now().as_second();
        next_second();
    }
    let grown = resident_kib(&exporter).saturating_sub(before);
    assert!(grown < BOUND_KIB, "{grown} KiB more for {} readers", readers.len());

    let (mut stream, mut taken) = readers.pop().unwrap();
    drop(readers);
    stream.read_to_end(&mut taken).unwrap();
    let body = Answer::parse(str::from_utf8(&taken).unwrap()).body;
    let mut users = 0;
    let mut moments: Vec<i64> = vec![];
    for line in body.lines() {
        if line.starts_with("tencentcloud_cam_user_up{") {
            users += 1;
        }
        let Some(series) = line.strip_prefix("tencentcloud_cam_access_key_age_seconds{") else { continue };
        let (labels, age) = series.rsplit_once("} ").unwrap();
        let label = |name: &str| labels.split_once(name).unwrap().1.split('"').next().unwrap();
        let number = label("access_key_id=\"").trim_end_matches('x').rsplit_once('k').unwrap().1.parse().unwrap();
        moments.push(age.parse::<i64>().unwrap() + created(label("uin=\"").parse().unwrap(), number));
    }
    assert_eq!((users, moments.len() as u64), (ACCOUNTS * USERS, 2 * ACCOUNTS * USERS));
    moments.dedup();
    assert_eq!(moments.len(), 1, "{moments:?}");
    assert!(last.contains(&moments[0]), "{moments:?}, and it was asked for in {last:?}");
}
