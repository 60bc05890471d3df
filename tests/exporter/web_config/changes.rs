//! The files change while it runs.

use std::io::{Read, Write};

use super::{Scene, credentials, get_as, tls, until, users};
use crate::{pki::Pair, tls_client::TlsClient, world::Answer};

#[test]
fn a_file_that_breaks_answers_nobody_until_it_is_mended() {
    let scene = Scene::new();
    let good = users(&[("alice", "a")]);
    let exporter = scene.start(&good);
    let status = || get_as(&exporter, "alice", "a", "/metrics").status;
    assert_eq!(status(), 200);
    for broken in ["basic_auth_users: {alice: plain}", "basic_auth_users: {", "what: 1"] {
        scene.world.write("web.yml", broken);
        until("broken", &exporter, || status() == 500);
        let answer = exporter.get("/-/healthy");
        let text = "the web configuration cannot be used: see the log\n";
        assert_eq!((answer.status, answer.body.as_str()), (500, text));
        scene.world.write("web.yml", &good);
        until("valid again", &exporter, || status() == 200);
    }
    std::fs::remove_file(scene.world.folder.path().join("web.yml")).unwrap();
    until("gone", &exporter, || status() == 500);
    scene.world.write("web.yml", &users(&[("alice", "b")]));
    until("another password", &exporter, || status() == 401);
    assert_eq!(get_as(&exporter, "alice", "b", "/metrics").status, 200);
    let (_, log) = exporter.stop();
    assert_eq!(log.matches("invalid web configuration").count(), 4, "{log}");
    assert_eq!(log.matches("web configuration is valid again").count(), 4, "{log}");
}

#[test]
fn over_tls_a_file_that_breaks_refuses_requests_and_handshakes() {
    let scene = Scene::new();
    let exporter = scene.start(&tls(""));
    let client = scene.client();
    let mut kept = client.connect(exporter.address()).unwrap();
    kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut answer = vec![];
    while !answer.ends_with(b"healthy\n") {
        let mut byte = [0];
        kept.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    scene.world.write("web.yml", "tls_server_config: {cert_file: absent.pem, key_file: server.key}");
    until("refused", &exporter, || client.get(exporter.address(), "/metrics").is_err());
    kept.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    kept.read_to_string(&mut text).unwrap();
    assert_eq!(Answer::parse(&text).status, 500);
    scene.world.write("web.yml", &tls(""));
    until("valid again", &exporter, || client.get(exporter.address(), "/metrics").is_ok());
}

#[test]
fn a_new_certificate_is_served_and_half_of_one_is_not() {
    let scene = Scene::new();
    let exporter = scene.start(&tls(""));
    let client = scene.client();
    let served = || client.get(exporter.address(), "/-/healthy").unwrap().certificate;
    let first = served();
    let next = scene.authority.issue(&["localhost"]);
    scene.world.write("server.pem", &next.certificate);
    // For long enough that it is noticed.
    let noticed = std::time::Duration::from_millis(2_500);
    let started = tokio::time::Instant::now();
    while started.elapsed() < noticed {
        assert_eq!(served(), first);
    }
    scene.world.write("server.key", &next.key);
    until("the new one", &exporter, || served() != first);
    assert!(!exporter.log().contains("invalid web configuration"), "{}", exporter.log());
}

#[test]
fn another_policy_for_clients_holds_for_the_next_handshake() {
    let scene = Scene::new();
    let exporter = scene.start(&tls(""));
    let stranger = Pair::self_signed("stranger");
    let known = scene.authority.issue(&["known"]);
    let client = |own: &Pair| TlsClient::with(&scene.authority.certificate(), Some(own), rustls::ALL_VERSIONS);
    let (stranger, known) = (client(&stranger), client(&known));
    assert!(stranger.get(exporter.address(), "/metrics").is_ok());
    scene.world.write("web.yml", &tls("client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"));
    until("refused", &exporter, || stranger.get(exporter.address(), "/metrics").is_err());
    assert!(known.get(exporter.address(), "/metrics").is_ok());
}

#[test]
fn what_needs_a_restart_is_said_once_and_does_not_change() {
    let scene = Scene::new();
    let exporter = scene.start(&tls(""));
    scene.world.write("web.yml", "rate_limit: {interval: 1h, burst: 1}");
    let said = || exporter.log().contains("fields=\"tls_server_config, rate_limit\"");
    until("said", &exporter, || {
        assert!(scene.client().get(exporter.address(), "/metrics").is_ok());
        said()
    });
    for _ in 0..3 {
        assert_eq!(scene.client().get(exporter.address(), "/metrics").unwrap().answer.status, 200);
    }
    let (_, log) = exporter.stop();
    assert_eq!(log.matches("need a restart").count(), 1, "{log}");
}

#[test]
fn no_secret_is_told() {
    let scene = Scene::new();
    let (web, key) = (
        users(&[("alice", "hunter2hunter2")]),
        std::fs::read_to_string(scene.world.folder.path().join("server.key")).unwrap(),
    );
    let hash = web.split('\'').nth(3).unwrap().to_owned();
    let inline = format!("tls_server_config: {{cert_file: server.pem, key: {key:?}}}\n");
    let exporter = scene.start_with(&(inline + &web), &["--log.level=trace"]);
    let mut shown = String::new();
    for (user, password) in [("alice", "hunter2hunter2"), ("alice", "wrongwrong"), ("mallory", "hunter2hunter2")] {
        let mut stream = scene.client().connect(exporter.address()).unwrap();
        let headers = credentials(user, password);
        write!(stream, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n").unwrap();
        stream.read_to_string(&mut shown).unwrap();
    }
    scene
        .world
        .write("web.yml", &format!("basic_auth_users: {{alice: hunter2hunter2}}\ntls_server_config: {{key: {key:?}}}"));
    until("broken", &exporter, || scene.client().get(exporter.address(), "/").is_err());
    let (_, log) = exporter.stop();
    assert!(log.contains("not a bcrypt hash") && shown.contains("401") && shown.contains("200 OK"), "{log}\n{shown}");
    let line = key.lines().nth(1).unwrap();
    let encoded = credentials("alice", "hunter2hunter2");
    for secret in ["hunter2", "wrongwrong", &hash, &hash[30..], line, encoded.split(' ').nth(2).unwrap().trim()] {
        assert!(!log.contains(secret) && !shown.contains(secret), "{secret}: {log}\n{shown}");
    }
}
