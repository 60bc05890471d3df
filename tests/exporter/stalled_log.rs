//! Standard error that takes no more: a full pipe, or one that nobody reads any more.

use std::{
    io::{Write, pipe},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use tokio::time::Instant;

use crate::world::{Exporter, LogLines, World, binary};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Longer than a stop may take, by what a busy machine adds to it.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

const DROPPED: &str = "exporter_log_lines_dropped_total";

/// Sends what is no request, of which each is a line at level debug.
fn cause_lines(exporter: &Exporter) {
    for _ in 0..200 {
        let mut stream = TcpStream::connect(exporter.address()).unwrap();
        let _ = stream.write_all(b"\x01 junk\r\n\r\n");
    }
}

/// An exporter that logs at level debug and whose standard error is full.
fn stalled(world: &World) -> (Exporter, LogLines) {
    let mut command = binary();
    let command = world.with_config(&mut command, &world.config()).args(["--log.level=debug"]);
    let (exporter, lines) = Exporter::start_unread(LOOPBACK, command);
    let started = Instant::now();
    while exporter.metrics().get(DROPPED) == Some(0.0) {
        cause_lines(&exporter);
        assert!(started.elapsed() < Duration::from_mins(1), "no line is dropped");
    }
    (exporter, lines)
}

#[test]
fn stalled_stderr_stops_nothing() {
    let world = World::with_one_user();
    let (exporter, lines) = stalled(&world);
    let dropped = exporter.metrics().get(DROPPED);
    let polls = exporter.metrics().get(r#"polls_total{account="prod"}"#);
    exporter.until("polled again", |metrics| metrics.get(r#"polls_total{account="prod"}"#) > polls);
    for path in ["/-/healthy", "/-/ready", "/"] {
        assert_eq!(exporter.get(path).status, 200, "{path}");
    }
    cause_lines(&exporter);
    exporter.until("counted", |metrics| metrics.get(DROPPED) > dropped);

    let stopping = Instant::now();
    let (status, _) = exporter.stop();
    let took = stopping.elapsed();
    assert!(status.code() == Some(0) && took < STOPPED_WITHIN, "{status} after {took:?}");
    drop(lines);
}

#[test]
fn reader_that_returns_sees_how_many_lines_were_dropped() {
    let world = World::with_one_user();
    let (mut exporter, lines) = stalled(&world);
    exporter.read_on(lines);
    let started = Instant::now();
    while !exporter.log().contains("dropped log lines") {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", exporter.log());
        thread::sleep(Duration::from_millis(10));
    }
    let dropped = exporter.metrics().get(DROPPED).unwrap();
    let (status, log) = exporter.stop();
    assert_eq!(status.code(), Some(0));
    assert!(log.trim_end().ends_with("message=stopped"), "{log}");
    let reported: f64 =
        log.lines().filter_map(|line| line.split_once(" lines=")?.1.split(' ').next()?.parse::<f64>().ok()).sum();
    assert!((reported - dropped).abs() < f64::EPSILON, "{reported} of {dropped} are reported");
}

#[test]
fn closed_stderr_ends_nothing() {
    let world = World::with_one_user();
    let mut command = binary();
    let command = world.with_config(&mut command, &world.config()).args(["--log.level=debug"]);
    let (exporter, lines) = Exporter::start_unread(LOOPBACK, command);
    drop(lines);
    cause_lines(&exporter);
    exporter.until("counted", |metrics| metrics.get(DROPPED) > Some(100.0));
    let (status, _) = exporter.stop();
    assert_eq!(status.code(), Some(0));
}

/// How `command` ends, which must be soon.
fn ends(command: &mut Command) -> Option<i32> {
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if started.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn last_error_does_not_hang_on_a_full_pipe() {
    let (reader, writer) = pipe().unwrap();
    let mut output = writer.try_clone().unwrap();
    let filled = thread::spawn(move || while output.write_all(&[b'\n'; 4_096]).is_ok() {});
    let code = ends(binary().arg("--config.file=/nonexistent/config.yaml").stderr(writer));
    drop(reader);
    filled.join().unwrap();
    assert_eq!(code, Some(1));
}

#[test]
fn last_error_needs_no_stderr() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    for arguments in [&["--config.file=/nonexistent/config.yaml"][..], &["check-config", "--config.file=/nonexistent"]]
    {
        let code = ends(binary().args(arguments).stderr(writer.try_clone().unwrap()));
        assert_eq!(code, Some(1), "{arguments:?}");
    }
}
