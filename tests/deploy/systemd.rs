//! The systemd units: judged by systemd, and the program run as they have it, with its system calls watched.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use secrecy::ExposeSecret;
use tempfile::TempDir;
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Population, Simulator};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const NAME: &str = env!("CARGO_PKG_NAME");
const PROGRAM: &str = env!("CARGO_BIN_EXE_tencentcloud-cam-exporter");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/systemd");
const EXPORTER: &str = "tencentcloud-cam-exporter.service";
const TEXTFILE: &str = "tencentcloud-cam-textfile.service";
const TIMER: &str = "tencentcloud-cam-textfile.timer";
const CREDENTIALS: &str = "tencentcloud-cam-.service.d/credentials.conf";

/// What a service may be exposed at most, of ten.
const MOST_EXPOSED: f64 = 1.1;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(FOLDER).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All values of a setting, in the order in which they stand.
fn values(text: &str, key: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let value = |line: &str| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
    joined.lines().filter_map(value).collect()
}

/// The units as they are installed, but for the program, which is the one that was built.
fn installed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(Path::new(CREDENTIALS).parent().unwrap())).unwrap();
    for name in [EXPORTER, TEXTFILE, TIMER, CREDENTIALS] {
        let text = read(name).replace(&format!("ExecStart={NAME} "), &format!("ExecStart={PROGRAM} "));
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn systemd_analyze(units: &TempDir, arguments: &[&str]) -> (bool, String) {
    let path = format!("{}:", units.path().display());
    let mut command = Command::new("systemd-analyze");
    let output = command.env("SYSTEMD_UNIT_PATH", path).args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_has_nothing_to_say_of_the_units() {
    let units = installed();
    let path = |name: &str| units.path().join(name).display().to_string();
    let verify = ["verify", "--man=no", &path(EXPORTER), &path(TEXTFILE), &path(TIMER)];
    assert_eq!(systemd_analyze(&units, &verify), (true, String::new()));

    // That it would have something to say.
    let misspelt = read(EXPORTER).replace("DynamicUser=", "DynamicUsr=").replace("ExecStart=", "ExecStart=/nowhere/");
    fs::write(path(EXPORTER), misspelt).unwrap();
    let (_, result) = systemd_analyze(&units, &verify);
    assert!(result.contains("DynamicUsr") && result.contains("/nowhere/"), "{result}");
}

#[test]
#[ignore = "needs systemd-analyze"]
fn the_services_are_hardly_exposed() {
    let units = installed();
    for unit in [EXPORTER, TEXTFILE] {
        let path = units.path().join(unit).display().to_string();
        let (_, result) = systemd_analyze(&units, &["security", "--offline=true", "--no-pager", &path]);
        let (_, score) = result.split_once("Overall exposure level for ").unwrap_or_else(|| panic!("{result}"));
        let score: f64 = score.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(score <= MOST_EXPOSED, "{unit}: {score}\n{result}");
    }
}

/// What one service is denied and the other is not is on purpose, and stands here.
#[test]
fn both_services_are_locked_down_alike() {
    let lock = |unit| {
        let text = read(unit);
        let (_, text) = text.split_once("DynamicUser=yes\n").unwrap();
        let (text, _) = text.split_once("[Install]").unwrap_or((text, ""));
        let settings = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        settings.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (exporter, textfile) = (lock(EXPORTER), lock(TEXTFILE));
    let difference = |from: &BTreeSet<String>, other| from.difference(other).cloned().collect::<Vec<_>>();
    assert_eq!(difference(&exporter, &textfile), ["RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "UMask=0077"]);
    assert_eq!(
        difference(&textfile, &exporter),
        ["ProcSubset=pid", "RestrictAddressFamilies=AF_INET AF_INET6", "SocketBindDeny=any"]
    );
}

/// The program as a unit starts it, in a world of its own: an API, credentials and state.
struct Machine {
    folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

// === impl Machine ===

impl Machine {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let population = Population::demo(SystemClock.now());
        let uins = population.uins();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let endpoint = listener.local_addr().unwrap();
        let simulator = Arc::new(Simulator::new(Arc::new(SystemClock), population));
        runtime.spawn(tencentcloud_simulator::serve(listener, simulator, CancellationToken::new()));

        let folder = tempfile::tempdir().unwrap();
        let credential = Population::demo_credential();
        for name in ["state/cam-exporter", "textfile", "credentials"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("credentials/secret-id", credential.secret_id.expose_secret());
        write("credentials/secret-key", credential.secret_key.expose_secret());
        // As docs/systemd.md has it: the account's credentials are those that the units bring.
        let config = format!("accounts: [{{name: prod, uins: {:?}, endpoint: 'http://{endpoint}'}}]\n", &uins[..3]);
        write("config.yaml", &config);
        Self { folder, _runtime: runtime }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What systemd would run, with its environment, before `wrapper`'s eyes.
    fn command(&self, unit: &str, wrapper: &[&str]) -> Command {
        let (text, credentials) = (read(unit), read(CREDENTIALS));
        let arguments = values(&read("tencentcloud-cam-exporter.env"), "ARGS").pop().unwrap();
        let start = values(&text, "ExecStart").pop().unwrap();
        let line = format!("{PROGRAM}{}", start.strip_prefix(NAME).unwrap())
            .replace("$ARGS", arguments.trim_matches('"'))
            .replace("/etc/cam-exporter", &self.path(""))
            .replace("/var/lib/node_exporter/textfile", &self.path("textfile"))
            .replace("=:10047", "=127.0.0.1:0");
        let words: Vec<&str> = wrapper.iter().copied().chain(line.split_whitespace()).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear();
        for setting in values(&text, "Environment").into_iter().chain(values(&credentials, "Environment")) {
            let (name, value) = setting.split_once('=').unwrap();
            command.env(name, value.replace("%d", &self.path("credentials")).replace("%S", &self.path("state")));
        }
        command
    }
}

/// Reads the log until a line with `what`.
fn until(log: &mut impl BufRead, what: &str) {
    let mut read = String::new();
    while !read.lines().next_back().unwrap_or_default().contains(what) {
        assert_ne!(log.read_line(&mut read).unwrap(), 0, "it ended before {what:?}:\n{read}");
    }
}

fn signal(name: &str, child: &Child) {
    // The one that strace runs, which hands no signals on.
    let id = child.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let sent = Command::new("sh").args(["-c", &format!("kill -s {name} {children}")]).status().unwrap();
    assert!(sent.success());
}

/// All that is in these sets of system calls, and in those that they name.
fn calls(units: &TempDir, sets: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for set in sets {
        let (good, text) = systemd_analyze(units, &["syscall-filter", set]);
        assert!(good, "{text}");
        for name in text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if name.starts_with('@') {
                found.extend(calls(units, &[name]));
            } else {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

/// What the unit denies, the kernel would; so nothing may be asked of the kernel that the unit denies.
fn assert_allowed(unit: &str, trace: &str) {
    let text = read(unit);
    let filters = values(&text, "SystemCallFilter");
    let [allowed, denied] = filters.as_slice() else { panic!("{filters:?}") };
    let units = installed();
    let denied = calls(&units, &denied.trim_start_matches('~').split(' ').collect::<Vec<_>>());
    let mut allowed = calls(&units, &[allowed]);
    // systemd always allows these, whatever is denied.
    allowed.retain(|call| !denied.contains(call));
    allowed.extend(calls(&units, &["@default"]));

    let families = values(&text, "RestrictAddressFamilies").pop().unwrap();
    for line in trace.lines() {
        // strace -f: "1234  openat(AT_FDCWD, …". What begins otherwise is the rest of a call, a signal or an end.
        let call = line.split_once(' ').map_or("", |(_, rest)| rest.trim_start());
        let Some((name, arguments)) = call.split_once('(').filter(|(name, _)| !name.starts_with(['<', '+', '-']))
        else {
            continue;
        };
        assert!(allowed.contains(name), "{unit} denies {line}");
        if name == "socket" {
            assert!(
                families.split(' ').any(|family| arguments.starts_with(&format!("{family},"))),
                "{unit} denies {line}"
            );
        }
        assert!(!(arguments.contains("PROT_WRITE") && arguments.contains("PROT_EXEC")), "{unit} denies {line}");
    }
    assert!(trace.contains("socket(AF_INET"), "nothing was watched");
}

#[test]
#[ignore = "needs strace and systemd-analyze"]
fn the_exporter_starts_reloads_and_stops_within_what_its_unit_allows() {
    let machine = Machine::new();
    let trace = machine.path("trace");
    let mut command = machine.command(EXPORTER, &["strace", "-f", "-qq", "-o", &trace]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    until(&mut log, "listening");
    assert!(values(&read(EXPORTER), "ExecReload")[0].contains("-HUP"));
    signal("HUP", &child);
    until(&mut log, "reloaded");
    signal("TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(fs::metadata(machine.path("state/cam-exporter/state")).unwrap().is_file());
    assert_allowed(EXPORTER, &fs::read_to_string(&trace).unwrap());
}

#[test]
#[ignore = "needs strace and systemd-analyze"]
fn the_textfile_is_written_within_what_its_unit_allows() {
    let machine = Machine::new();
    let trace = machine.path("trace");
    let output = machine.command(TEXTFILE, &["strace", "-f", "-qq", "-o", &trace]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(machine.path("textfile/tencentcloud_cam.prom")).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("tencentcloud_cam_user_up{")).count(), 3, "{text}");
    assert_allowed(TEXTFILE, &fs::read_to_string(&trace).unwrap());
}
