//! Attempts to get in without credentials.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{Scene, credentials, get_as, users};

/// What CVE-2022-46146 was: a right password whose remembered form is that of a wrong one for another user.
#[test]
fn a_forged_request_does_not_open_the_door_for_another() {
    let scene = Scene::new();
    let hash = |password| bcrypt::hash(password, 4).unwrap();
    let (of_alice, of_mallory) = (hash("right"), hash("known"));
    // Joined, her name, hash and password read as Alice's name, hash and what she claims is Alice's password.
    let mallory = format!("alice{of_alice}");
    let exporter = scene.start(&format!("basic_auth_users: {{alice: '{of_alice}', '{mallory}': '{of_mallory}'}}"));
    let status = |user: &str, password: &str| get_as(&exporter, user, password, "/metrics").status;
    assert_eq!(status(&mallory, "known"), 200);
    assert_eq!(status("alice", &format!("{of_mallory}known")), 401);
    // As it was published: by the hash that the toolkit takes for unknown users.
    let fake = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
    let unknown = format!("bob{of_alice}");
    assert_eq!(status(&unknown, "fakepassword"), 401);
    assert_eq!(status("alice", &format!("{fake}fakepassword")), 401);
    assert_eq!(status("alice", "right"), 200);
}

const ATTACKERS: usize = 50;
const TRIES: usize = 200;

#[test]
fn ten_thousand_wrong_passwords_open_nothing_and_hold_no_scraper_up() {
    let scene = Scene::new();
    let exporter = scene.start(&users(&[("prometheus", "right"), ("alice", "other")]));
    assert_eq!(get_as(&exporter, "prometheus", "right", "/metrics").status, 200);
    let (address, before, over) = (exporter.address(), resident(exporter.pid()), AtomicBool::new(false));
    let (over, scrapes) = thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut scrapes = 0;
            while !over.load(Ordering::Relaxed) {
                let answer = get_as(&exporter, "prometheus", "right", "/metrics");
                assert_eq!(answer.status, 200, "{answer:?}");
                scrapes += 1;
            }
            scrapes
        });
        let attackers: Vec<_> = (0..ATTACKERS).map(|number| scope.spawn(move || attack(address, number))).collect();
        let refused: usize = attackers.into_iter().map(|attacker| attacker.join().unwrap()).sum();
        over.store(true, Ordering::Relaxed);
        (refused, scraper.join().unwrap())
    });
    assert_eq!(over, ATTACKERS * TRIES);
    assert!(scrapes > 50, "{scrapes} scrapes");
    let grown = resident(exporter.pid()).saturating_sub(before);
    assert!(grown < 20 << 10, "{grown} KiB more");
    assert_eq!(get_as(&exporter, "alice", "other", "/metrics").status, 200);
}

/// Tries passwords on one connection. Tells how many were refused.
fn attack(address: SocketAddr, number: usize) -> usize {
    let mut stream = TcpStream::connect(address).unwrap();
    let refused = |attempt: usize| {
        let user = ["prometheus", "alice", "nobody"][attempt % 3];
        let headers = credentials(user, &format!("wrong {number} {attempt}"));
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: test\r\n{headers}\r\n").unwrap();
        matches!(status(&mut stream), 401 | 503)
    };
    (0..TRIES).map(refused).filter(|refused| *refused).count()
}

/// Reads an answer to its end, and tells its status.
fn status(stream: &mut TcpStream) -> u16 {
    let (mut read, mut buffer) = (vec![], [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "hung up: {}", String::from_utf8_lossy(&read));
        read.extend(&buffer[..count]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ").unwrap();
        if body.len() == length.split("\r\n").next().unwrap().parse::<usize>().unwrap() {
            return head.split(' ').nth(1).unwrap().parse().unwrap();
        }
    }
}

/// The memory that a process takes, in KiB.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
