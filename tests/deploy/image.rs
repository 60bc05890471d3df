//! The container image, built by deploy/image/build and run by podman, as locked down as its documentation says.

mod container;
mod network;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use self::{
    container::{Container, build, built, inspected, output, run},
    network::{Api, Names},
};
use crate::pki::Authority;

/// What docs/image.md promises.
const MOST_BYTES: u64 = 15_000_000;

const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A folder that the user of the image can read.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Everything in a folder, with its mode and owner.
fn listed(root: &Path, folder: &Path, into: &mut BTreeMap<String, (u32, u32, u32)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let about = entry.metadata().unwrap();
        let path = entry.path().strip_prefix(root).unwrap().display().to_string();
        into.insert(path, (about.mode() & 0o7777, about.uid(), about.gid()));
        if about.is_dir() {
            listed(root, &entry.path(), into);
        }
    }
}

#[test]
#[ignore = "needs buildah, podman and runc"]
fn it_says_what_it_is_and_runs_as_nobody_special() {
    let told = output(Command::new(&built().program).arg("--version"));
    let revision = told.lines().find_map(|line| line.strip_prefix("revision:")).unwrap().trim();
    let label = |name: &str| inspected(&format!(r#"{{{{index .Config.Labels "org.opencontainers.image.{name}"}}}}"#));
    assert_eq!(label("title"), env!("CARGO_PKG_NAME"));
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(label("revision"), revision);
    assert_eq!(label("created").parse::<jiff::Timestamp>().unwrap().to_string(), label("created"));
    assert!(env!("CARGO_PKG_DESCRIPTION").starts_with(&label("description")), "{}", label("description"));

    assert_eq!(inspected("{{.Config.User}}"), "65532:65532");
    assert_eq!(inspected("{{json .Config.ExposedPorts}}"), r#"{"10047/tcp":{}}"#);
    assert_eq!(inspected("{{json .Config.Entrypoint}}"), r#"["/usr/bin/tencentcloud-cam-exporter"]"#);
    assert_eq!(inspected("{{json .Config.Cmd}}"), r#"["--config.file=/etc/cam-exporter/config.yaml"]"#);
}

#[test]
#[ignore = "needs buildah, podman and runc"]
fn it_holds_the_program_and_what_that_reads_and_nothing_else() {
    let root = built().mount();
    let mut found = BTreeMap::new();
    listed(&root, &root, &mut found);
    let roots = |path: &str| (path.to_owned(), (0o755, 0, 0));
    let file = |path: &str| (path.to_owned(), (0o644, 0, 0));
    let expected = BTreeMap::from([
        roots("etc"),
        roots("etc/cam-exporter"),
        file("etc/group"),
        file("etc/nsswitch.conf"),
        file("etc/passwd"),
        roots("etc/ssl"),
        roots("etc/ssl/certs"),
        file(&BUNDLE[1..]),
        roots("usr"),
        roots("usr/bin"),
        roots("usr/bin/tencentcloud-cam-exporter"),
        roots("var"),
        roots("var/lib"),
        ("var/lib/cam-exporter".to_owned(), (0o755, 65532, 65532)),
    ]);
    assert_eq!(found, expected);
    assert_eq!(fs::read(root.join(&BUNDLE[1..])).unwrap(), fs::read(BUNDLE).unwrap());
    let size: u64 = inspected("{{.Size}}").parse().unwrap();
    assert!(size < MOST_BYTES, "{size} bytes");
}

#[test]
#[ignore = "needs buildah, podman and runc"]
fn the_same_program_makes_the_same_image() {
    let folder = folder();
    // A copy is another file with another time; this one has another mode as well.
    let copy = folder.path().join("copy");
    fs::copy(&built().program, &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(build(&copy, "umask 077"), built().id);
}

#[test]
#[ignore = "needs buildah, podman and runc"]
fn it_runs_read_only_as_its_user_without_capabilities_until_it_is_told_to_stop() {
    let demo = Container::start(&[], &["demo", "--web.listen-address=127.0.0.1:0"]);
    let status = fs::read_to_string(format!("/proc/{}/status", demo.pid())).unwrap();
    let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
    assert_eq!(line("Uid:"), "65532\t65532\t65532\t65532");
    assert_eq!(line("Gid:"), "65532\t65532\t65532\t65532");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(line(set), "0000000000000000", "{set}");
    }
    assert_eq!(line("NoNewPrivs:"), "1");

    demo.until("a user of the demo is shown", |body| body.contains(r#"access_keys{account="demo","#));
    let (code, log) = demo.stop();
    assert_eq!(code, Some(0), "{log}");

    let refused = run(&[], &["list", "--demo", "--output=metrics", "--output-file=/keys.prom"]);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("Read-only file system"), "{text}");
}

#[test]
#[ignore = "needs buildah, podman and runc"]
fn it_tells_its_version() {
    let told = run(&[], &["--version"]);
    assert_eq!(String::from_utf8(told.stdout).unwrap(), output(Command::new(&built().program).arg("--version")));
}

/// Names come from a resolver and from /etc/hosts, and authorities from where the image has its own.
#[test]
#[ignore = "needs buildah, podman and runc"]
fn it_finds_hosts_by_name_and_trusts_the_authorities_of_the_image() {
    let folder = folder();
    let authority = Authority::new();
    let api = Api::start(&authority.issue(&["cam.example.test"]));
    let names = Names::serve("cam.example.test");
    let mount = |name: &str, text: &str, at: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        format!("--volume={}:{at}:ro", path.display())
    };
    let config = mount("config.yaml", &api.config("cam.example.test"), "/etc/cam-exporter/config.yaml");
    let secret_id = mount("secret_id", api.secret_id(), "/run/secrets/secret_id");
    let secret_key = mount("secret_key", api.secret_key(), "/run/secrets/secret_key");
    let resolver = mount("resolv.conf", &format!("nameserver {}\n", names.address()), "/etc/resolv.conf");
    let nowhere = mount("nowhere", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", "/etc/resolv.conf");
    let hosts = mount("hosts", "127.0.0.1 cam.example.test\n", "/etc/hosts");
    let bundle = mount("bundle.pem", &authority.certificate(), BUNDLE);
    let connect = |more: &[&String]| {
        let flags: Vec<&str> = [&config, &secret_id, &secret_key].iter().chain(more).map(|flag| flag.as_str()).collect();
        let output =
            run(&flags, &["check-config", "--connect", "--config.file=/etc/cam-exporter/config.yaml"]);
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };

    let told = connect(&[&resolver]);
    assert!(told.contains("UnknownIssuer"), "the image's own authorities have not signed this one: {told}");
    let told = connect(&[&resolver, &bundle]);
    assert!(told.contains("prod: ok: "), "{told}");
    assert!(names.asked() > 0, "the resolver was not asked");

    let asked = names.asked();
    let told = connect(&[&nowhere, &hosts, &bundle]);
    assert!(told.contains("prod: ok: "), "{told}");
    assert_eq!(names.asked(), asked, "/etc/hosts comes first");
}
