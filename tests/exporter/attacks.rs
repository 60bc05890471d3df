//! Clients that mean harm, or are merely slow: they are got rid of, and a proper scraper does not notice.
//!
//! No test holds more than some 400 connections: not every machine lets a process have many more files.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tencentcloud_api::{AccessKey, AccessKeyId, KeyStatus, Uin};
use tencentcloud_cam_exporter::{
    inventory::{Account, AccountSettings, IdLabel, Inventory, Policy},
    state::{State, StateFile},
};
use tokio::time::Instant;

use crate::world::{Exporter, SECRET_ID, SECRET_KEY, World};

/// How long the exporter may take to get rid of a client. The longest that it means to is the ten seconds of a reader.
const SOON: Duration = Duration::from_secs(20);

/// The world of one attack. There is one at a time: together they have more connections than a process may have files.
struct Scene {
    _world: World,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

/// An exporter that knows so many users from a state file, and whose API is down: no connection is its own.
fn exporter(users: u64, flags: &[&str]) -> (Scene, Exporter) {
    let alone = ALONE.lock();
    let world = World::with_one_user();
    world.take_the_api_down();
    let state = world.folder.path().join("state");
    let uins: Vec<Uin> = (1..=users).map(|uin| Uin::try_from(100_000_000_000 + uin).unwrap()).collect();
    let day = Duration::from_hours(24);
    let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let settings = AccountSettings {
        policy: Policy { max_age: day, ..Policy::default() }.into(),
        id_label: IdLabel::Full,
        poll_interval: day,
        ..AccountSettings::default()
    };
    let account = Account::new("prod".parse().unwrap(), settings, uins.iter().copied());
    for uin in &uins {
        let key = |end| AccessKey {
            id: AccessKeyId::from(format!("AKID{:x>30}{end}", uin.to_string()).as_str()),
            status: KeyStatus::Active,
            created: at,
        };
        account.poll_succeeded(*uin, &[key("0"), key("1")], at);
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
    (Scene { _world: world, _alone: alone }, exporter)
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
    let (_scene, exporter) = exporter(1, &[]);
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
    let (_scene, exporter) = exporter(1, &[]);
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
    let (_scene, exporter) = exporter(1, &[]);
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
    let (_scene, exporter) = exporter(4_000, &[]);
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
fn a_scrape_takes_the_place_of_one_whose_reader_has_stalled() {
    let (_scene, exporter) = exporter(4_000, &["--web.max-requests=1"]);
    let size = exporter.scrape().len();
    let refused = || exporter.metrics().get(r#"exporter_http_refused_total{reason="limit"}"#);
    assert_eq!(refused(), Some(0.0));
    for count in 1..=10 {
        let mut stalled = connect(&exporter);
        stalled.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stalled.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        assert_eq!(refused(), Some(f64::from(count)));
        assert!(until_ended(stalled).len() < size, "it has been given all of it");
    }
}

/// Keeps so many connections to `address` that send `requests` and read nothing, until `over`. One that is closed or refused
/// comes back at once. Returns how many there have been.
fn besiege(address: SocketAddr, connections: usize, requests: &[u8], over: &AtomicBool) -> usize {
    let mut attackers: Vec<Option<TcpStream>> = (0..connections).map(|_| None).collect();
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        // Who attacks from elsewhere takes no processor of ours.
        thread::sleep(Duration::from_millis(1));
        for attacker in &mut attackers {
            let is_closed = attacker.as_ref().is_none_or(|stream| {
                let mut status = [0; 12];
                let closed = match stream.peek(&mut status) {
                    Ok(0) => true,
                    Ok(_) => status.ends_with(b"503"),
                    Err(error) => error.kind() != ErrorKind::WouldBlock,
                };
                closed || !matches!(stream.take_error(), Ok(None))
            });
            if is_closed {
                *attacker = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok();
                if let Some(stream) = attacker {
                    count += 1;
                    stream.set_nonblocking(true).unwrap();
                    let _ = stream.write(requests);
                }
            }
        }
    }
    count
}

/// Scrapes on new connections while so many attackers send `requests`. Every scrape must succeed, within the ten seconds that
/// Prometheus waits.
fn scrapes_succeed_besides(exporter: &Exporter, attackers: usize, requests: &[u8]) {
    let over = AtomicBool::new(false);
    let address = exporter.address();
    thread::scope(|scope| {
        let siege = [(); 2].map(|()| scope.spawn(|| besiege(address, attackers / 2, requests, &over)));
        let scraped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // The places are full from here on.
            while sockets(exporter) < 40 {
                thread::yield_now();
            }
            for _ in 0..10 {
                let started = Instant::now();
                let body = exporter.scrape();
                assert!(body.contains("tencentcloud_cam_exporter_http_refused_total"), "not complete");
                assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
            }
        }));
        over.store(true, Ordering::Relaxed);
        let came: usize = siege.map(|siege| siege.join().unwrap()).iter().sum();
        scraped.unwrap();
        assert!(came > attackers, "nobody came back: {came}");
    });
}

#[test]
fn three_hundred_stalled_readers_that_reconnect_keep_no_scraper_out() {
    let (_scene, exporter) = exporter(4_000, &[]);
    scrapes_succeed_besides(&exporter, 300, b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
    let refused = exporter.metrics().get(r#"exporter_http_refused_total{reason="limit"}"#);
    assert!(refused > Some(100.0), "{refused:?}");
}

#[test]
fn four_hundred_pipelining_clients_that_reconnect_keep_no_scraper_out() {
    let (_scene, exporter) = exporter(1_000, &[]);
    scrapes_succeed_besides(&exporter, 400, &b"GET / HTTP/1.1\r\nHost: test\r\n\r\n".repeat(300));
}

#[test]
fn half_sent_heads_that_reconnect_keep_no_scraper_out() {
    let (_scene, exporter) = exporter(1_000, &[]);
    scrapes_succeed_besides(&exporter, 400, b"GET /metrics HTTP/1.1\r\nHost: te");
}

/// The most memory that it has had, in MiB.
fn peak_memory(exporter: &Exporter) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", exporter.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

#[test]
fn connections_that_send_and_do_not_read_take_little_memory() {
    let (_scene, exporter) = exporter(100, &[]);
    exporter.scrape();
    let before = peak_memory(&exporter);
    for head in [60_000, 15_000, 0] {
        let request = format!("GET / HTTP/1.1\r\nHost: test\r\nX-Long: {}\r\n\r\n", "a".repeat(head));
        let connections: Vec<TcpStream> = (0..256)
            .map(|_| {
                let mut stream = connect(&exporter);
                stream.set_nonblocking(true).unwrap();
                while stream.write(request.as_bytes()).is_ok_and(|written| written == request.len()) {}
                stream
            })
            .collect();
        // One answer says that all that came before it has been read.
        exporter.scrape();
        drop(connections);
    }
    let after = peak_memory(&exporter);
    assert!(after <= before + 40, "{before} MiB before, {after} MiB after");
}

#[test]
fn without_file_descriptors_it_says_so_once_and_makes_room() {
    let world = World::with_one_user();
    let config = world.write("config.yaml", &world.config());
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 60 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tencentcloud-cam-exporter")]);
    limited.env("TENCENTCLOUD_SECRET_ID", SECRET_ID).env("TENCENTCLOUD_SECRET_KEY", SECRET_KEY);
    let exporter = Exporter::start(limited.arg(format!("--config.file={}", config.display())));
    exporter.until_answered(1);
    // More than there are file descriptors, and they stay.
    let idle: Vec<TcpStream> = (0..100).map(|_| connect(&exporter)).collect();
    for _ in 0..10 {
        exporter.scrape();
    }
    exporter.until_logged("cannot accept connections");
    let log = exporter.log();
    assert_eq!(log.matches("cannot accept connections").count(), 1, "{log}");
    drop(idle);
}
