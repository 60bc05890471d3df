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

use tempfile::TempDir;
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Key, User};

use self::{
    container::{Container, build, built, inspected, output, run},
    network::{Api, Names},
};
use crate::pki::Authority;

/// What docs/image.md promises.
const MOST_BYTES: u64 = 15_000_000;

const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What docs/image.md promises for a hundred users with two keys each.
const MOST_KIB: u64 = 11 * 1024;

/// Files for a container, in a folder that the user of the image can read.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// The flag that shows a file with that text at a place in the container.
    fn mount(&self, name: &str, text: &str, at: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        format!("--volume={}:{at}:ro", path.display())
    }

    /// The flags for a configuration, and for the caller that `api` knows.
    fn mount_config(&self, config: &str, api: &Api) -> [String; 3] {
        [
            self.mount("config.yaml", config, "/etc/cam-exporter/config.yaml"),
            self.mount("secret_id", api.secret_id(), "/run/secrets/secret_id"),
            self.mount("secret_key", api.secret_key(), "/run/secrets/secret_key"),
        ]
    }
}

fn borrowed(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
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
    let result = output(Command::new(&built().program).arg("--version"));
    let revision = result.lines().find_map(|line| line.strip_prefix("revision:")).unwrap().trim();
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
    let files = Files::new();
    // A copy is another file with another time; this one has another mode as well. Another process makes it: a file that this
    // one has open for writing, and with it each child that starts meanwhile, cannot be executed.
    let copy = files.0.path().join("copy");
    output(Command::new("install").args(["-m", "700"]).args([&built().program, &copy]));
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
    let result = run(&[], &["--version"]);
    assert_eq!(String::from_utf8(result.stdout).unwrap(), output(Command::new(&built().program).arg("--version")));
}

/// Names come from a resolver and from /etc/hosts, and authorities from where the image has its own.
#[test]
#[ignore = "needs buildah, podman and runc"]
fn it_finds_hosts_by_name_and_trusts_the_authorities_of_the_image() {
    let files = Files::new();
    let authority = Authority::new();
    let api = Api::start(&authority.issue(&["cam.example.test"]), None);
    let names = Names::serve("cam.example.test");
    let config = files.mount_config(&api.config("cam.example.test"), &api);
    let resolver = files.mount("resolv.conf", &format!("nameserver {}\n", names.address()), "/etc/resolv.conf");
    let hosts = files.mount("hosts", "127.0.0.1 cam.example.test\n", "/etc/hosts");
    let bundle = files.mount("bundle.pem", &authority.certificate(), BUNDLE);
    let connect = |more: &[&str]| {
        let arguments = ["check-config", "--connect", "--config.file=/etc/cam-exporter/config.yaml"];
        let output = run(&[&borrowed(&config), more].concat(), &arguments);
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };

    let result = connect(&[&resolver]);
    assert!(result.contains("UnknownIssuer"), "the image's own authorities have not signed this one: {result}");
    let result = connect(&[&resolver, &bundle]);
    assert!(result.contains("prod: ok: "), "{result}");
    assert!(names.asked() > 0, "the resolver was not asked");

    let asked = names.asked();
    let result = connect(&[&resolver, &hosts, &bundle]);
    assert!(result.contains("prod: ok: "), "{result}");
    assert_eq!(names.asked(), asked, "/etc/hosts comes first");
}

#[test]
#[ignore = "needs buildah, podman and runc"]
fn it_takes_little_memory() {
    let files = Files::new();
    let now = SystemClock.now();
    let key = |uin: u64, number: u64| Key::new(format!("AKID{number}{uin:0>31}"), "Active", now);
    let users = (100_013_065_900..).take(100).map(|uin| (uin, User::with_keys([key(uin, 1), key(uin, 2)])));
    let authority = Authority::new();
    let api = Api::start(&authority.issue(&["localhost"]), Some(users.collect()));
    // All authorities of the image, and one more: what the exporter keeps of them counts.
    let authorities = fs::read_to_string(BUNDLE).unwrap() + &authority.certificate();
    let mut flags = files.mount_config(&api.config("localhost"), &api).to_vec();
    flags.push(files.mount("bundle.pem", &authorities, BUNDLE));
    let arguments = ["--config.file=/etc/cam-exporter/config.yaml", "--web.listen-address=127.0.0.1:0"];
    let exporter = Container::start(&borrowed(&flags), &arguments);
    let polled =
        |body: &str| body.lines().filter(|line| line.ends_with("} 1") && line.contains("_cam_user_up{")).count();
    exporter.until("all are polled", |body| polled(body) == 100);
    // And all of them a second time.
    exporter.until("all are polled again", |body| {
        let polls = body.lines().find_map(|line| line.strip_prefix(r#"tencentcloud_cam_polls_total{account="prod"} "#));
        polls.unwrap().parse::<u32>().unwrap() >= 200
    });
    let status = fs::read_to_string(format!("/proc/{}/status", exporter.pid())).unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < MOST_KIB, "{status}");
}
