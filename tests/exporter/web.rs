//! The HTTP server: routes, methods, statuses.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
};

use crate::world::{SECRET_ID, SECRET_KEY, World};

#[test]
fn the_paths_there_are() {
    let world = World::with_one_user();
    let exporter = world.start_with(&world.config(), &["--web.telemetry-path=/cam/metrics"]);
    let metrics = exporter.get("/cam/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", metrics.head);
    let page = exporter.get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.contains(r#"href="./cam/metrics""#), "{}", page.body);
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    assert_eq!(exporter.get("/-/healthy").status, 200);
    for absent in ["/metrics", "/nope", "/-/", "/cam/metrics/"] {
        assert_eq!(exporter.get(absent).status, 404, "{absent}");
    }
}

#[test]
fn head_and_get_without_a_body_and_nothing_else() {
    let world = World::with_one_user();
    let exporter = world.start();
    let head = exporter.send("HEAD /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer = exporter.send(&format!("{method} /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: get, head"), "{}", answer.head);
    }
    let body = exporter.send("GET /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(body.status, 413);
}

#[test]
fn a_head_has_bounds() {
    let world = World::with_one_user();
    let exporter = world.start();
    let with = |headers: &str| format!("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
    let within = format!("X-Long: {}\r\n", "a".repeat(16_000));
    assert_eq!(exporter.send(&with(&within)).status, 200);
    let long = format!("X-Long: {}\r\n", "a".repeat(17_000));
    assert_eq!(exporter.send(&with(&long)).status, 431);
    let uri = format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "a".repeat(17_000));
    assert_eq!(exporter.send(&uri).status, 431);
    let many = "X-Many: a\r\n".repeat(200);
    assert_eq!(exporter.send(&with(&many)).status, 431);
}

#[test]
fn half_a_head_is_cut_off_and_holds_nobody_up() {
    let world = World::with_one_user();
    let exporter = world.start();
    let mut slow = TcpStream::connect(exporter.address()).unwrap();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: te").unwrap();
    exporter.scrape();
    // The test ends when the exporter ends the connection.
    assert_eq!(slow.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn a_connection_serves_one_scrape_after_the_other() {
    let world = World::with_one_user();
    let exporter = world.start();
    let mut kept = TcpStream::connect(exporter.address()).unwrap();
    for _ in 0..3 {
        kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut answer = vec![];
        while !answer.ends_with(b"healthy\n") {
            let mut byte = [0];
            kept.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn connections_are_capped_and_those_that_idle_longest_make_room() {
    let world = World::with_one_user();
    let exporter = world.start();
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    };
    let hear = |stream: &mut TcpStream| {
        let mut answer = vec![];
        while !answer.ends_with(b"healthy\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    };
    let connected = |count: usize| -> Vec<TcpStream> {
        let connect = |_| {
            let mut stream = TcpStream::connect(exporter.address()).unwrap();
            ask(&mut stream);
            hear(&mut stream);
            stream
        };
        (0..count).map(connect).collect()
    };
    let mut first = connected(100);
    let mut then = connected(156);
    let mut last = connected(50);
    let sockets = std::fs::read_dir(format!("/proc/{}/fd", exporter.pid())).unwrap().count();
    assert!(sockets < 256 + 30, "{sockets} file descriptors");
    let ended = first.iter_mut().take(50).map(|stream| stream.read(&mut [0; 1]).unwrap_or(0));
    assert_eq!(ended.sum::<usize>(), 0, "these made room");
    for kept in first.iter_mut().skip(50).chain(&mut then).chain(&mut last) {
        ask(kept);
        hear(kept);
    }
}

#[test]
fn scrapes_one_after_the_other_are_never_too_many() {
    let world = World::with_one_user();
    for limit in ["--web.max-requests=1", "--web.max-requests=0"] {
        let exporter = world.start_with(&world.config(), &[limit]);
        for _ in 0..3 {
            assert_eq!(exporter.get("/metrics").status, 200, "{limit}");
        }
    }
}

#[test]
fn a_request_names_one_host() {
    let world = World::with_one_user();
    let exporter = world.start();
    let status = |head: &str| exporter.send(&format!("{head}\r\nConnection: close\r\n\r\n")).status;
    for valid in [
        "GET /metrics HTTP/1.1\r\nHost: exporter",
        "GET /metrics HTTP/1.1\r\nHost: [::1]:10047",
        "GET /metrics HTTP/1.1\r\nHost:",
        "GET http://exporter:10047/metrics HTTP/1.1\r\nHost: exporter:10047",
        "GET /metrics HTTP/1.0\r\nHost: exporter",
        "GET /metrics HTTP/1.0",
    ] {
        assert_eq!(status(valid), 200, "{valid}");
    }
    for invalid in [
        "GET /metrics HTTP/1.1",
        "GET http://exporter/metrics HTTP/1.1",
        "GET /metrics HTTP/1.1\r\nHost: exporter\r\nHost: exporter",
        "GET /metrics HTTP/1.0\r\nHost: exporter\r\nHost: other",
        "GET /metrics HTTP/1.1\r\nHost: a b",
        "GET /metrics HTTP/1.1\r\nHost: user@exporter",
        "GET /metrics HTTP/1.1\r\nHost: exporter/metrics",
        "GET /metrics HTTP/1.1\r\nHost: exporter:port",
        "GET /-/healthy HTTP/1.1",
    ] {
        assert_eq!(status(invalid), 400, "{invalid}");
    }
}

/// Wherever two readers could disagree about where a request ends, it is refused, and the connection closed.
#[test]
fn a_request_has_no_body_however_it_is_framed() {
    let world = World::with_one_user();
    let exporter = world.start();
    // `send` reads until the connection is closed.
    let status = |headers: &str| {
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: test\r\n{headers}\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n"
        );
        let answer = exporter.send(&request);
        assert!(!answer.body.contains("HTTP/1.1"), "{headers}: {answer:?}");
        answer.status
    };
    for (headers, expected) in [
        ("Content-Length: 5", 413),
        ("Content-Length: 5\r\nContent-Length: 5", 413),
        ("Content-Length: 5\r\nExpect: 100-continue", 413),
        ("Transfer-Encoding: chunked", 413),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 413),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: 5, 6", 400),
        ("Content-Length: +5", 400),
        ("Transfer-Encoding: gzip", 400),
        ("Transfer-Encoding: chunked, identity", 400),
    ] {
        assert_eq!(status(headers), expected, "{headers}");
    }
}

#[test]
fn an_upgrade_is_not_made() {
    let world = World::with_one_user();
    let exporter = world.start();
    for protocol in ["h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "websocket"] {
        let request = format!(
            "GET /-/healthy HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, close\r\nUpgrade: {protocol}\r\n\r\n"
        );
        assert_eq!(exporter.send(&request).status, 200, "{protocol}");
    }
}

#[test]
fn a_pipelined_request_is_the_last_of_its_connection() {
    let world = World::with_one_user();
    let exporter = world.start();
    let answer = exporter.send(&"GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n".repeat(10));
    let text = format!("{}\r\n\r\n{}", answer.head, answer.body).to_ascii_lowercase();
    assert_eq!(text.matches("http/1.1 200 ok").count(), 2, "{text}");
    assert_eq!(text.matches("connection: close").count(), 1, "{text}");
}

/// In a network namespace of its own, where the system has IPv6 sockets take IPv6 alone.
#[test]
#[ignore = "needs unshare, ip and bash"]
fn a_bare_port_accepts_ipv4_where_the_system_keeps_it_from_ipv6_sockets() {
    const SCRIPT: &str = r#"
        ip link set lo up && echo 1 > /proc/sys/net/ipv6/bindv6only || exit 1
        "$0" "$@" & trap "kill $!" EXIT
        for _ in {1..300}; do
            (exec 3<> /dev/tcp/127.0.0.1/10047 && printf 'GET /-/healthy HTTP/1.0\r\n\r\n' >&3 && cat <&3) && exit
            sleep 0.1
        done"#;
    let world = World::with_one_user();
    let config = world.write("config.yaml", &world.config());
    let output = Command::new("unshare")
        .args(["--map-root-user", "--net", "bash", "-c", SCRIPT, env!("CARGO_BIN_EXE_tencentcloud-cam-exporter")])
        .arg(format!("--config.file={}", config.display()))
        .env("TENCENTCLOUD_SECRET_ID", SECRET_ID)
        .env("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)
        .output()
        .unwrap();
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.starts_with("HTTP/1.0 200"), "{output:?}");
}
