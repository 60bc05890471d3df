//! Files that a crash, a template or an editor has damaged: nobody gets in who did not before.

use std::fs;

use super::{Scene, get_as, until, users};
use crate::world::binary;

/// What a torn write, a text editor or a template leaves, and what is said to it.
const DAMAGED: &[(&[u8], &str)] = &[
    (&[0; 4096], "line 1: unexpected character U+0000"),
    (b"http_server_config: {}\n\0basic_auth_users: {alice: x}\n", "line 2: unexpected character U+0000"),
    (b"", "empty, and it was not before"),
    (b"# basic_auth_users:\n", "empty, and it was not before"),
    (b"\xef\xbb\xbf\n", "empty, and it was not before"),
    (b"---\n", "empty, and it was not before"),
    (b"null\n", "empty, and it was not before"),
    (b"basic_auth_users:\n", "basic_auth_users: blank"),
    (b"\xff\xfe{\0}\0\n\0", "line 1: not UTF-8"),
    (b"{\0}\0\n\0", "line 1: unexpected character U+0000"),
    (b"{}\n\xc3", "line 2: not UTF-8"),
    (b"{}\n---\nbasic_auth_users: {}\n", "line 2: a second document begins"),
    (b"a: &a [1]\nb: [*a, *a]\n", "line 2: aliases"),
    (b"{}}", "not YAML"),
];

#[test]
fn a_damaged_file_lets_nobody_in_and_says_why() {
    let scene = Scene::new();
    let good = users(&[("alice", "a")]);
    let exporter = scene.start(&good);
    let status = || get_as(&exporter, "alice", "a", "/metrics").status;
    assert_eq!(status(), 200);
    for (content, problem) in DAMAGED {
        fs::write(scene.world.folder.path().join("web.yml"), content).unwrap();
        let log = exporter.log().len();
        until(problem, &exporter, || {
            // Nobody gets in without a password meanwhile.
            assert!(matches!(exporter.get("/metrics").status, 401 | 500));
            status() == 500
        });
        until("logged", &exporter, || exporter.log()[log..].contains(problem));
        scene.world.write("web.yml", &good);
        until("restored", &exporter, || status() == 200);
        assert_eq!(exporter.get("/metrics").status, 401);
    }
    scene.world.write("web.yml", "{}");
    until("lifted on purpose", &exporter, || exporter.get("/metrics").status == 200);
}

#[test]
fn a_damaged_file_ends_the_start_and_an_empty_one_is_warned_of() {
    let scene = Scene::new();
    for (content, problem) in DAMAGED.iter().filter(|(_, problem)| !problem.starts_with("empty")) {
        let web = scene.world.folder.path().join("web.yml");
        fs::write(&web, content).unwrap();
        let output = binary().arg("check-config").arg(format!("--web.config.file={}", web.display())).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(problem), "{problem}: {text}");
    }
    let exporter = scene.start("# nothing yet\n");
    let warning = "the web configuration file is empty: no TLS is used and no password is required";
    until("warned", &exporter, || exporter.log().contains(warning));
    assert_eq!(exporter.get("/metrics").status, 200);
    scene.world.write("web.yml", &users(&[("alice", "a")]));
    until("filled", &exporter, || exporter.get("/metrics").status == 401);
    scene.world.write("web.yml", "# nothing yet\n");
    until("emptied", &exporter, || exporter.get("/metrics").status == 500);
}

#[test]
fn a_byte_order_mark_changes_nothing() {
    let scene = Scene::new();
    let exporter = scene.start(&format!("\u{feff}{}", users(&[("alice", "a")])));
    assert_eq!(exporter.get("/metrics").status, 401);
    assert_eq!(get_as(&exporter, "alice", "a", "/metrics").status, 200);
}
