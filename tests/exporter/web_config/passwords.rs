//! A right password that was not checked before, among a hundred clients that try wrong ones.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use tokio::time::Instant;

use super::{Scene, credentials, get_as, until};

const ATTACKERS: usize = 100;

/// Wrong passwords that may be answered while the right one waits. Every other check is answered meanwhile, and a check
/// takes the same time on any machine as the right one's does.
const AHEAD: usize = 30;

/// How long a scrape waits for its answer, unless Prometheus is configured otherwise.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
struct Attack {
    user: &'static str,
    /// Whether a connection serves for all tries, or for one.
    keep_alive: bool,
    /// Whether it hangs up before it has its answer.
    hangs_up: bool,
}

/// Tries wrong passwords until `over`, and counts the answers.
fn attack(attack: Attack, address: SocketAddr, number: usize, answers: &AtomicUsize, over: &AtomicBool) {
    let mut kept: Option<TcpStream> = None;
    for attempt in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut stream) = kept.take().map_or_else(|| TcpStream::connect(address), Ok) else { return };
        let headers = credentials(attack.user, &format!("wrong {number} {attempt}"));
        let timeout = if attack.hangs_up { Duration::from_millis(300) } else { Duration::from_mins(2) };
        let _ = stream.set_read_timeout(Some(timeout));
        if write!(stream, "GET /metrics HTTP/1.1\r\nHost: test\r\n{headers}\r\n").is_err() {
            continue;
        }
        let mut answer = [0; 4096];
        match stream.read(&mut answer) {
            Ok(count) if answer[..count].starts_with(b"HTTP/1.1 401") => {
                answers.fetch_add(1, Ordering::Relaxed);
            }
            // Refused otherwise, or hung up.
            _ => continue,
        }
        if attack.keep_alive {
            kept = Some(stream);
        }
    }
}

/// Lets the right password in, while attackers of one kind are at work.
fn let_in(scene: &Scene, web: &str, kind: Attack) {
    let exporter = scene.start(web);
    let (answers, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for number in 0..ATTACKERS {
            let (address, answers, over) = (exporter.address(), &answers, &over);
            scope.spawn(move || attack(kind, address, number, answers, over));
        }
        if !kind.hangs_up {
            until("under attack", &exporter, || answers.load(Ordering::Relaxed) > 10);
        }
        let (before, started) = (answers.load(Ordering::Relaxed), Instant::now());
        let answer = get_as(&exporter, "prometheus", "right", "/metrics");
        let (ahead, elapsed) = (answers.load(Ordering::Relaxed) - before, started.elapsed());
        println!("{kind:?}: {} after {elapsed:?} and {ahead} others", answer.status);
        // Remembered, whatever goes on.
        let again = get_as(&exporter, "prometheus", "right", "/metrics");
        over.store(true, Ordering::Relaxed);
        // Those that wait for an answer are hung up on.
        drop(exporter);
        assert_eq!((answer.status, again.status), (200, 200), "{kind:?}: {answer:?}");
        assert!(ahead <= AHEAD && elapsed < SCRAPE_TIMEOUT, "{kind:?}: {ahead} others, {elapsed:?}");
    });
}

#[test]
fn a_right_password_gets_in_among_a_hundred_wrong_ones() {
    let scene = Scene::new();
    let hash = bcrypt::hash("right", 10).unwrap();
    let web = format!("basic_auth_users: {{prometheus: '{hash}'}}");
    for user in ["nobody", "prometheus"] {
        for (keep_alive, hangs_up) in [(true, false), (false, false), (false, true)] {
            let_in(&scene, &web, Attack { user, keep_alive, hangs_up });
        }
    }
}
