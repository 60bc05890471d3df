//! The packages that deploy/packages/build makes, installed by dpkg and rpm into a copy of this machine.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::LazyLock,
};

use tempfile::TempDir;

const NAME: &str = env!("CARGO_PKG_NAME");
const CONFIG: &str = "/etc/cam-exporter/config.yaml";

/// The files of both packages; the Debian package compresses the man pages.
const FILES: [&str; 17] = [
    "/etc/cam-exporter/config.yaml",
    "/etc/default/tencentcloud-cam-exporter",
    "/usr/bin/tencentcloud-cam-exporter",
    "/usr/lib/systemd/system/tencentcloud-cam-exporter.service",
    "/usr/lib/systemd/system/tencentcloud-cam-textfile.service",
    "/usr/lib/systemd/system/tencentcloud-cam-textfile.timer",
    "/usr/lib/sysusers.d/tencentcloud-cam-exporter.conf",
    "/usr/share/bash-completion/completions/tencentcloud-cam-exporter",
    "/usr/share/doc/tencentcloud-cam-exporter/cam-policy.json",
    "/usr/share/doc/tencentcloud-cam-exporter/config.example.yaml",
    "/usr/share/doc/tencentcloud-cam-exporter/credentials.conf",
    "/usr/share/fish/vendor_completions.d/tencentcloud-cam-exporter.fish",
    "/usr/share/man/man1/tencentcloud-cam-exporter-check-config.1",
    "/usr/share/man/man1/tencentcloud-cam-exporter-demo.1",
    "/usr/share/man/man1/tencentcloud-cam-exporter-healthcheck.1",
    "/usr/share/man/man1/tencentcloud-cam-exporter-list.1",
    "/usr/share/man/man1/tencentcloud-cam-exporter.1",
];

/// The folder with both packages of the built program, as releases 1 and 2. Made once.
fn built() -> &'static Path {
    static PACKAGES: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        // Without symbols, as it is released.
        let program = folder.join("program");
        let compiled = env!("CARGO_BIN_EXE_tencentcloud-cam-exporter");
        succeeds(Command::new("strip").arg("-o").arg(&program).arg(compiled));
        for release in ["1", "2"] {
            let mut build = Command::new("deploy/packages/build");
            build.current_dir(env!("CARGO_MANIFEST_DIR")).arg(&program);
            succeeds(build.env("FAST", "1").env("RELEASE", release).env("PACKAGES", &folder));
        }
        folder
    });
    &PACKAGES
}

/// What a command that succeeds prints.
fn succeeds(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{command:?}: {status}\n{text}\n{}", String::from_utf8_lossy(&stderr));
    text
}

/// A copy of this machine's file system, with systemd not running, and with the packages in /packages. Changes are kept in memory
/// until it is dropped.
struct Machine {
    folder: TempDir,
    child: Child,
}

// === impl Machine ===

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"set -e
            mount -t tmpfs tmpfs "$1"
            mkdir "$1/upper" "$1/work" "$1/root"
            mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
            for shared in /proc /dev; do mount --rbind "$shared" "$1/root$shared"; done
            mount -t tmpfs tmpfs "$1/root/run"
            mkdir "$1/root/packages"
            mount --bind "$2" "$1/root/packages"
            echo ready
            exec cat"#;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).args([folder.path(), built()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "it needs root");
        Self { folder, child }
    }

    /// What a script that succeeds prints.
    fn sh(&self, script: &str) -> String {
        let mut command = Command::new("nsenter");
        command
            .args(["--mount", "--target", &self.child.id().to_string(), "chroot"])
            .arg(self.folder.path().join("root"));
        succeeds(command.args(["sh", "-c", &format!("exec 2>&1; set -e; {script}")]))
    }

    fn exists(&self, path: &str) -> bool {
        self.sh(&format!("test -e {path} && echo yes || echo no")) == "yes\n"
    }

    fn enabled(&self) -> String {
        self.sh(&format!("systemctl is-enabled {NAME} || :"))
    }

    /// What both packages bring works.
    fn assert_installed(&self) {
        let user = self.sh(&format!("getent passwd {NAME}"));
        assert!(user.ends_with(":/usr/sbin/nologin\n"), "{user}");
        let checked = self.sh(&format!("runuser -u {NAME} -- {NAME} check-config --config.file={CONFIG}"));
        assert!(checked.starts_with(&format!("{CONFIG}: good: 1 account(s)")), "{checked}");

        let units = format!("{NAME}.service tencentcloud-cam-textfile.service tencentcloud-cam-textfile.timer");
        assert_eq!(self.sh(&format!("systemd-analyze verify --man=no {units}")), "");
        assert_eq!(self.enabled(), "disabled\n");

        let completed = self.sh(&format!(
            "bash -c '. /usr/share/bash-completion/completions/{NAME}; COMP_WORDS=({NAME} che); COMP_CWORD=1
             _tencentcloud__cam__exporter {NAME} che {NAME}; echo ${{COMPREPLY[*]}}'"
        ));
        assert_eq!(completed, "check-config\n");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // `cat` ends, and with the last process of the name space its mounts.
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// The files of a package, without those that only it has.
fn assert_files(listed: &str, own: [&str; 2]) {
    let mut expected = [&FILES[..], &own].concat();
    expected.sort_unstable();
    let mut files: Vec<&str> = listed.lines().map(|file| file.trim_end_matches(".gz")).collect();
    files.sort_unstable();
    assert_eq!(files, expected);
}

#[test]
#[ignore = "needs root, cargo-deb, cargo-generate-rpm and systemd"]
fn deb_is_installed_upgraded_and_purged() {
    let machine = Machine::new();
    let dpkg = "dpkg --no-triggers --path-include='/usr/share/*'";
    machine.sh(&format!("{dpkg} --install /packages/{NAME}_*-1_*.deb"));
    let files = machine.sh(&format!("dpkg --listfiles {NAME} | while read file; do test -d $file || echo $file; done"));
    let completion = format!("/usr/share/zsh/vendor-completions/_{NAME}");
    assert_files(&files, [&format!("/usr/share/doc/{NAME}/copyright"), &completion]);
    machine.assert_installed();

    // The package changes its configuration as well.
    machine.sh(&format!("systemctl enable {NAME}; echo '# ours' >>{CONFIG}"));
    machine.sh(&format!(
        "cd /tmp; dpkg-deb --raw-extract /packages/{NAME}_*-2_*.deb new; echo '# theirs' >>new{CONFIG}
         dpkg-deb -Zgzip -z1 --build new; {dpkg} --force-confold --install new.deb"
    ));
    assert!(machine.sh(&format!("dpkg --status {NAME}")).contains("-2\n"));
    assert!(machine.sh(&format!("cat {CONFIG}")).ends_with("# ours\n"));
    assert!(machine.sh(&format!("cat {CONFIG}.dpkg-dist")).ends_with("# theirs\n"));
    assert_eq!(machine.enabled(), "enabled\n");

    machine.sh(&format!("{dpkg} --remove {NAME}"));
    assert!(!machine.exists(&format!("/usr/bin/{NAME}")));
    assert!(machine.sh(&format!("cat {CONFIG}")).ends_with("# ours\n"));
    machine.sh(&format!("{dpkg} --purge {NAME}"));
    for left in ["/etc/cam-exporter", &format!("/etc/systemd/system/multi-user.target.wants/{NAME}.service")] {
        assert!(!machine.exists(left), "{left}");
    }
}

#[test]
#[ignore = "needs root, cargo-deb, cargo-generate-rpm, rpm and systemd"]
fn rpm_is_installed_upgraded_and_erased() {
    let machine = Machine::new();
    let files = machine.sh(&format!("rpm -qlp /packages/{NAME}-*-1.*.rpm"));
    let completion = format!("/usr/share/zsh/site-functions/_{NAME}");
    assert_files(&files, [&format!("/usr/share/licenses/{NAME}/LICENSE"), &completion]);
    let flags = machine
        .sh(&format!("rpm -qp --queryformat '[%{{FILENAMES}} %{{FILEFLAGS:fflags}}\n]' /packages/{NAME}-*-1.*.rpm"));
    let kept: Vec<&str> = flags.lines().filter_map(|line| line.strip_suffix(" cn")).collect();
    assert_eq!(kept, ["/etc/cam-exporter/config.yaml", "/etc/default/tencentcloud-cam-exporter"]);

    // Debian has no database of RPM packages, which knows what they require.
    machine.sh(&format!("rpm --nodeps --install /packages/{NAME}-*-1.*.rpm"));
    machine.assert_installed();

    machine.sh(&format!("systemctl enable {NAME}; echo '# ours' >>{CONFIG}"));
    machine.sh(&format!("rpm --nodeps --upgrade /packages/{NAME}-*-2.*.rpm"));
    assert_eq!(machine.sh(&format!("rpm -q --queryformat '%{{RELEASE}}' {NAME}")), "2");
    assert!(machine.sh(&format!("cat {CONFIG}")).ends_with("# ours\n"));
    assert_eq!(machine.enabled(), "enabled\n");

    machine.sh(&format!("rpm --erase {NAME}"));
    let enabled = format!("/etc/systemd/system/multi-user.target.wants/{NAME}.service");
    for left in [CONFIG, &format!("/usr/bin/{NAME}"), &enabled] {
        assert!(!machine.exists(left), "{left}");
    }
    assert!(machine.sh(&format!("cat {CONFIG}.rpmsave")).ends_with("# ours\n"));
}
