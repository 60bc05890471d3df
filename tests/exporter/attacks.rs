//! Clients that mean harm, or are merely slow: they are got rid of, and a proper scraper does not notice.
//!
//! No test holds more than some 400 connections: not every machine lets a process have many more files.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::Timestamp;
use tencentcloud_cam_exporter::{
    inventory::{Account, Facts, IdLabel, Inventory},
    state::{State, StateFile},
    tencent::{AccessKey, AccessKeyId, KeyStatus, Uin},
};
use tokio::time::Instant;

use crate::world::{Exporter, World};

/// How long the exporter may take to get rid of a client. The longest that it means to is the ten seconds of a reader.
const SOON: Duration = Duration::from_secs(20);

/// An exporter that knows so many users from a state file, and whose API is down: no connection is its own.
fn exporter(users: u64, flags: &[&str]) -> (World, Exporter) {
    let world = World::with_one_user();
    world.take_the_api_down();
    let state = world.folder.path().join("state");
    let uins: Vec<Uin> = (1..=users).map(|uin| Uin::try_from(100_000_000_000 + uin).unwrap()).collect();
    let day = Duration::from_hours(24);
    let facts = Facts { key_limit: 2, key_max_age: day, id_label: IdLabel::Full, poll_interval: day };
    let account = Account::new("prod".parse().unwrap(), facts, uins.iter().copied());
    for uin in &uins {
        let key = |end| AccessKey {
            id: AccessKeyId::from(format!("AKID{:x>30}{end}", uin.to_string()).as_str()),
            status: KeyStatus::Active,
            created: Timestamp::UNIX_EPOCH,
        };
        account.listed(*uin, &[key("0"), key("1")], Timestamp::UNIX_EPOCH);
    }
    StateFile::new(state.clone()).save(&State::of(&Inventory::new(vec![Arc::new(account)]))).unwrap();
    let uins: Vec<String> = uins.iter().map(Uin::to_string).collect();
    let config = format!(
        "accounts: [{{name: prod, uins: [{}], endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 24h}}\nkeys: {{id_label: full}}\nstate_file: {}\n",
        uins.join(","),
        world.endpoint,
        state.display()
    );
    let exporter = world.start_with(&config, flags);
    (world, exporter)
}

/// The sockets that it has.
fn sockets(exporter: &Exporter) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", exporter.pid())).unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// Waits until it has no more sockets than it had.
fn returns_to(before: usize, exporter: &Exporter) {
    let started = Instant::now();
    while sockets(exporter) > before {
        assert!(started.elapsed() < SOON, "{} sockets, and {before} before", sockets(exporter));
        thread::sleep(Duration::from_millis(10));
    }
}

fn connect(exporter: &Exporter) -> TcpStream {
    let stream = TcpStream::connect(exporter.address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// What it answers until it ends the connection, which must be soon.
fn until_ended(mut stream: TcpStream) -> String {
    let mut answer = vec![];
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("still connected: {error}"),
        _ => String::from_utf8_lossy(&answer).into_owned(),
    }
}

/// Attacks while a proper scraper scrapes, which must not notice.
fn while_scraped(exporter: &Exporter, attack: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut scrapes = 0;
            while !over.load(Ordering::Relaxed) {
                exporter.scrape();
                scrapes += 1;
                thread::sleep(Duration::from_millis(20));
            }
            scrapes
        });
        // However the attack ends, the scraper must.
        let attacked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attack));
        over.store(true, Ordering::Relaxed);
        let count = scraper.join().unwrap();
        attacked.unwrap();
        assert!(count > 0);
    });
}

#[test]
fn a_thousand_half_sent_heads() {
    let (_world, exporter) = exporter(1, &[]);
    exporter.scrape();
    let before = sockets(&exporter);
    while_scraped(&exporter, || {
        let mut half = VecDeque::new();
        for _ in 0..1_000 {
            let mut stream = connect(&exporter);
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: te").unwrap();
            half.push_back(stream);
            if half.len() > 400 {
                assert_eq!(until_ended(half.pop_front().unwrap()), "");
            }
        }
        for stream in half {
            assert_eq!(until_ended(stream), "");
        }
    });
    returns_to(before, &exporter);
}

#[test]
fn connections_that_idle() {
    let (_world, exporter) = exporter(1, &[]);
    exporter.scrape();
    let before = sockets(&exporter);
    let mut idle = vec![];
    while_scraped(&exporter, || {
        for _ in 0..300 {
            let mut stream = connect(&exporter);
            stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            idle.push(stream);
        }
    });
    assert!(sockets(&exporter) <= before + 256);
    idle.clear();
    returns_to(before, &exporter);
}

#[test]
fn heads_that_are_too_big() {
    let (_world, exporter) = exporter(1, &[]);
    exporter.scrape();
    let before = sockets(&exporter);
    while_scraped(&exporter, || {
        let header = format!("GET /metrics HTTP/1.1\r\nHost: test\r\nX-Long: {}\r\n\r\n", "a".repeat(400_000));
        let uri = format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "a".repeat(1_000_000));
        for request in [header, uri] {
            for _ in 0..50 {
                let mut stream = connect(&exporter);
                // It does not read all of it: the rest cannot be sent, and whatever it said may be lost.
                let _ = stream.write_all(request.as_bytes());
                let answer = until_ended(stream);
                let status = answer.get(9..12).unwrap_or("431");
                assert!(["414", "431"].contains(&status), "{answer}");
            }
        }
    });
    returns_to(before, &exporter);
}

/// The slow are five times as many as scrapes may be under way, and yet a proper scraper finds a place every time.
#[test]
fn readers_of_a_byte_a_second() {
    let (_world, exporter) = exporter(4_000, &[]);
    let size = exporter.scrape().len();
    assert!(size > 4 << 20, "{size}: what the system buffers could be all of it");
    let before = sockets(&exporter);
    while_scraped(&exporter, || {
        let ask = |_| {
            let mut stream = connect(&exporter);
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
            let mut start = [0; 12];
            stream.read_exact(&mut start).unwrap();
            assert_eq!(&start, b"HTTP/1.1 200");
            stream
        };
        let mut slow: Vec<TcpStream> = (0..200).map(ask).collect();
        let started = Instant::now();
        // The scraper has one. What the system holds for the slow they may read for a long time yet. Those for whom it makes
        // a little room now and then are not stalled, and have half a minute of waiting, and a second for each 64 KiB.
        while sockets(&exporter) > before + 1 {
            assert!(started.elapsed() < 5 * SOON, "{} sockets, and {before} before", sockets(&exporter));
            thread::sleep(Duration::from_secs(1));
            slow.retain_mut(|stream| stream.read_exact(&mut [0]).is_ok());
        }
    });
    returns_to(before, &exporter);
}

#[test]
fn too_many_scrapes_at_a_time_are_told_to_come_again() {
    let (_world, exporter) = exporter(4_000, &["--web.max-requests=1"]);
    let patience = Instant::now() + Duration::from_secs(30);
    // How many are at one time is not ours to say: they are asked for together until some are.
    loop {
        let mut scrapes: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(exporter.address()).unwrap()).collect();
        for scrape in &mut scrapes {
            scrape.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        }
        let answers: Vec<String> = scrapes
            .iter_mut()
            .map(|scrape| {
                let mut answer = String::new();
                scrape.read_to_string(&mut answer).unwrap();
                answer
            })
            .collect();
        let (answered, refused): (Vec<&String>, Vec<_>) =
            answers.iter().partition(|answer| answer.starts_with("HTTP/1.1 200"));
        assert!(!answered.is_empty());
        assert!(refused.iter().all(|answer| answer.starts_with("HTTP/1.1 503")), "{refused:?}");
        if refused.first().is_some_and(|answer| answer.contains("1 scrape")) {
            break;
        }
        assert!(Instant::now() < patience, "no two scrapes were ever under way at once");
    }
    assert_eq!(exporter.get("/metrics").status, 200);
}
