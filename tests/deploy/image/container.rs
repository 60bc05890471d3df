//! The image and containers of it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long something that must happen may take to. Only a test that fails waits so long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// runc also works where cgroups of both versions are mounted, and there crun does not.
const PODMAN: [&str; 3] = ["podman", "--runtime=runc", "--cgroup-manager=cgroupfs"];

/// The flags of docs/image.md. The limits are those of a shell: podman's own are more than some machines allow.
const LOCKED_DOWN: [&str; 9] = [
    "run",
    "--rm",
    "--network=host",
    "--http-proxy=false",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=1024:1024",
];

pub(super) struct Image {
    pub(super) program: PathBuf,
    pub(super) id: String,
}

/// A container that listens. Removed when dropped.
pub(super) struct Container {
    name: String,
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<thread::JoinHandle<()>>,
}

/// The image of this tree, built once.
pub(super) fn built() -> &'static Image {
    static IMAGE: LazyLock<Image> = LazyLock::new(|| {
        let program = PathBuf::from(output(&mut script("deploy/image/compile", "")).trim());
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(program);
        let id = build(&program, "");
        Image { program, id }
    });
    &IMAGE
}

/// Makes an image of a program, in a shell that has run `before`. Returns its id.
pub(super) fn build(program: &Path, before: &str) -> String {
    output(script("deploy/image/build", before).arg(program)).trim().to_owned()
}

fn script(path: &str, before: &str) -> Command {
    let mut command = Command::new("bash");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-c", &format!("{before}\nexec {path} \"$@\""), path]);
    command
}

/// What a command that succeeds prints.
pub(super) fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn podman(arguments: &[&str]) -> Command {
    let mut command = Command::new(PODMAN[0]);
    command.args(&PODMAN[1..]).args(arguments);
    command
}

/// What the image's configuration says, in the template language of podman.
pub(super) fn inspected(template: &str) -> String {
    output(&mut podman(&["image", "inspect", "--format", template, &built().id])).trim().to_owned()
}

/// Runs the image, with more flags of podman, until it ends.
pub(super) fn run(flags: &[&str], arguments: &[&str]) -> Output {
    podman(&LOCKED_DOWN).args(flags).arg(&built().id).args(arguments).output().unwrap()
}

// === impl Image ===

impl Image {
    /// Where its files can be seen.
    pub(super) fn mount(&self) -> PathBuf {
        output(&mut podman(&["image", "mount", &self.id])).trim().into()
    }
}

// === impl Container ===

impl Container {
    /// Starts one, and waits until it listens.
    pub(super) fn start(flags: &[&str], arguments: &[&str]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("cam-exporter-test-{}-{number}", std::process::id());
        let mut child = podman(&LOCKED_DOWN)
            .args(["--name", &name])
            .args(flags)
            .arg(&built().id)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let Some(line) = lines.next().map(Result::unwrap) else {
                panic!("it ended before it listened: {}", log.lock());
            };
            *log.lock() += &(line.clone() + "\n");
            if let Some((_, rest)) = line.split_once("address=").filter(|_| line.contains("listening")) {
                break rest.split(' ').next().unwrap().parse().unwrap();
            }
        };
        let reader = thread::spawn({
            let log = Arc::clone(&log);
            move || lines.map_while(Result::ok).for_each(|line| *log.lock() += &(line + "\n"))
        });
        Self { name, child, address, log, reader: Some(reader) }
    }

    /// Its process, as the machine knows it.
    pub(super) fn pid(&self) -> u32 {
        output(&mut podman(&["inspect", "--format", "{{.State.Pid}}", &self.name])).trim().parse().unwrap()
    }

    /// Scrapes from outside until `holds`, which is `what` should come about.
    pub(super) fn until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let started = Instant::now();
        loop {
            let mut stream = TcpStream::connect(self.address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            if answer.starts_with("HTTP/1.1 200") && holds(&answer) {
                return;
            }
            assert!(started.elapsed() < TIMEOUT, "never {what}; log:\n{}\n{answer}", self.log.lock());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it as an orchestrator does. Tells its exit code, and all that it logged.
    pub(super) fn stop(mut self) -> (Option<i32>, String) {
        output(&mut podman(&["kill", "--signal=TERM", &self.name]));
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        (code, self.log.lock().clone())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = podman(&["rm", "--force", "--time=0", &self.name]).stdout(Stdio::null()).status();
            let _ = self.child.wait();
        }
    }
}
