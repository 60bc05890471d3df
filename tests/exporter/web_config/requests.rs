//! Users, headers and the rate limit.

use super::{Scene, credentials, get_as, users};
use crate::world::{World, binary};

#[test]
fn every_path_asks_who_it_is() {
    let scene = Scene::new();
    let exporter = scene.start(&users(&[("alice", "a pass:word"), ("bob", "ünïcode")]));
    for path in ["/metrics", "/", "/-/healthy", "/-/ready", "/-/reload", "/nope"] {
        let answer = exporter.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (401, "unauthorized\n"), "{path}");
        assert!(answer.head.contains("\r\nwww-authenticate: basic"), "{}", answer.head);
    }
    // Twice, since the second time it is remembered.
    for _ in 0..2 {
        for (user, password, status) in [
            ("alice", "a pass:word", 200),
            ("bob", "ünïcode", 200),
            ("alice", "ünïcode", 401),
            ("alice", "a pass", 401),
            ("alice", "", 401),
            ("Alice", "a pass:word", 401),
            ("", "", 401),
        ] {
            assert_eq!(get_as(&exporter, user, password, "/-/healthy").status, status, "{user}:{password}");
        }
    }
    let right = credentials("alice", "a pass:word");
    for (headers, status) in [
        (right.as_str(), 200),
        (&right.replace("Basic", "bASIC"), 200),
        (&right.replace("Basic", "Bearer"), 401),
        (&right.replace("Basic ", "Basic"), 401),
        (&right.replace("\r\n", "!\r\n"), 401),
        (&right.repeat(2), 401),
        ("Authorization: Basic YWxpY2U=\r\n", 401),
        ("Authorization: \r\n", 401),
    ] {
        let request = format!("GET /-/healthy HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
        assert_eq!(exporter.send(&request).status, status, "{headers}");
    }
}

#[test]
fn the_five_headers_are_added_to_every_answer() {
    let scene = Scene::new();
    let headers = "http_server_config: {headers: {Strict-Transport-Security: max-age=9, X-Content-Type-Options: nosniff, \
        X-Frame-Options: sameorigin, X-XSS-Protection: '0', Content-Security-Policy: \"default-src\\n  'self'\"}}\n";
    let exporter = scene.start(&(headers.to_owned() + &users(&[("alice", "a")])));
    for (answer, status) in [
        (get_as(&exporter, "alice", "a", "/metrics"), 200),
        (get_as(&exporter, "alice", "a", "/nope"), 404),
        (exporter.get("/metrics"), 401),
    ] {
        assert_eq!(answer.status, status);
        for header in [
            "strict-transport-security: max-age=9",
            "x-content-type-options: nosniff",
            "x-frame-options: sameorigin",
            "x-xss-protection: 0",
            "content-security-policy: default-src   'self'",
        ] {
            assert_eq!(answer.head.matches(&format!("\r\n{header}")).count(), 1, "{header}: {}", answer.head);
        }
        assert_eq!(answer.head.matches("content-security-policy").count(), 1, "{}", answer.head);
    }
}

#[test]
fn too_many_requests_are_told_so_before_anything_else() {
    let scene = Scene::new();
    let exporter = scene.start(&("rate_limit: {interval: 1h, burst: 3}\n".to_owned() + &users(&[("alice", "a")])));
    let statuses: Vec<u16> = (0..5).map(|_| exporter.get("/metrics").status).collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let answer = get_as(&exporter, "alice", "a", "/metrics");
    assert_eq!((answer.status, answer.body.as_str()), (429, "too many requests\n"));
}

#[test]
fn an_empty_file_or_name_changes_nothing() {
    let scene = Scene::new();
    assert_eq!(scene.start("").get("/metrics").status, 200);
    let exporter = scene.world.start_with(&scene.world.config(), &["--web.config.file="]);
    assert_eq!(exporter.get("/metrics").status, 200);
}

#[test]
fn a_wrong_file_ends_the_start_with_all_its_faults() {
    let world = World::with_one_user();
    let config = format!("--config.file={}", world.write("config.yaml", &world.config()).display());
    let web =
        world.write("web.yml", "basic_auth_users: {alice: hunter2}\ntls_server_config: {cert_file: absent.pem}\n");
    let web = format!("--web.config.file={}", web.display());
    for arguments in
        [[config.as_str(), &web].as_slice(), &["demo", &web], &["check-config", &web], &["check-config", &config, &web]]
    {
        let output = binary().args(arguments).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        for result in
            ["web.yml", "basic_auth_users.alice: not a bcrypt hash", "tls_server_config: neither key_file nor key"]
        {
            assert!(text.contains(result), "{arguments:?}: {result}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.contains("1 account(s)"), arguments.len() == 3, "{arguments:?}: {text}");
    }
}

#[test]
fn a_check_takes_either_file_or_both() {
    let scene = Scene::new();
    let config = scene.world.write("config.yaml", &scene.world.config());
    let web = scene.world.write("web.yml", &(super::tls("") + &users(&[("alice", "a")])));
    let (config, web) = (format!("--config.file={}", config.display()), format!("--web.config.file={}", web.display()));
    for (arguments, lines) in [([config.as_str()].as_slice(), 1), (&[&web], 1), (&[&config, &web], 2)] {
        let output = binary().arg("check-config").args(arguments).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!((output.status.code(), text.lines().count()), (Some(0), lines), "{text}");
        assert_eq!(text.contains("web.yml: good: https, 1 user(s)\n"), arguments.contains(&web.as_str()), "{text}");
    }
}

#[test]
fn a_check_warns_of_what_is_unwise() {
    let scene = Scene::new();
    let hash = "$2y$15$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
    let web = scene.world.write("web.yml", &format!("basic_auth_users: {{alice: '{hash}'}}\n"));
    let output = binary().arg("check-config").arg(format!("--web.config.file={}", web.display())).output().unwrap();
    let (web, problem) = (web.display(), "a bcrypt hash of cost 15: each check takes some 2 s: use a cost of 10 to 14");
    let expected = format!("{web}: good: http, 1 user(s)\n{web}: warning: basic_auth_users.alice: {problem}\n");
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(0), expected));
}
