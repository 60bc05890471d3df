//! `healthcheck`, as an image without curl uses it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};

use crate::world::{World, bare_binary};

/// The exit code and standard error of a check of `url`.
fn check(url: &str) -> (Option<i32>, String) {
    let output = bare_binary().args(["healthcheck", url]).output().unwrap();
    assert_eq!(output.stdout, b"");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// A server whose one answer is `response`.
fn answering(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/-/healthy", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        assert!(head.count() > 1);
        stream.write_all(response.as_bytes()).unwrap();
    });
    url
}

#[test]
fn running_exporter_is_healthy_and_ready() {
    let world = World::with_one_user();
    let exporter = world.start();
    exporter.until_answered(1);
    for path in ["healthy", "ready"] {
        let url = format!("http://{}/-/{path}", exporter.address());
        assert_eq!(check(&url), (Some(0), String::new()), "{path}");
    }
    let (code, error) = check(&format!("http://{}/nowhere", exporter.address()));
    assert!(code == Some(1) && error.contains("answers 404 Not Found"), "{error}");
}

#[test]
fn anything_but_200_is_a_failure() {
    for (response, expected) in [
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "answers 503 Service Unavailable"),
        ("HTTP/1.1 302 Found\r\nLocation: /-/ready\r\nContent-Length: 0\r\n\r\n", "answers 302 Found"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "no answer from http://127.0.0.1:"),
    ] {
        let (code, error) = check(&answering(response));
        assert!(code == Some(1) && error.contains(expected), "{error}");
    }
}

#[test]
fn server_that_is_away_or_silent_is_a_failure() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/-/healthy", silent.local_addr().unwrap());
    let (code, error) = check(&url);
    assert!(code == Some(1) && error.contains("no answer from"), "{error}");
    drop(silent);
    let (code, error) = check(&url);
    assert!(code == Some(1) && error.contains("no answer from"), "{error}");
    assert_eq!(check("not a URL").0, Some(2));
}
