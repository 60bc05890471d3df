//! What the exporter reports to systemd, with a socket of the test in its place, and the sockets that it takes from it.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::world::{Exporter, Run, World, binary, listening};

/// systemd's side.
struct Systemd {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Systemd {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { folder, socket }
    }

    fn start(&self, world: &World, variables: &[(&str, &str)]) -> Exporter {
        let mut command = binary();
        self.notified(&mut command).envs(variables.iter().copied());
        Exporter::start(world.with_config(&mut command, &world.config()))
    }

    fn notified<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"))
    }

    /// The next notification.
    fn next(&self) -> String {
        let mut bytes = [0; 256];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

#[test]
fn start_reload_and_stop_are_reported() {
    let (world, systemd) = (World::with_one_user(), Systemd::new());
    let exporter = systemd.start(&world, &[]);
    assert_eq!(systemd.next(), "READY=1\n");
    exporter.signal("HUP");
    let reloading = systemd.next();
    let (first, time) = reloading.split_once("MONOTONIC_USEC=").unwrap();
    assert!(first == "RELOADING=1\n" && time.trim().parse::<u64>().unwrap() > 0, "{reloading}");
    assert_eq!(systemd.next(), "READY=1\n");

    // The change of the file is noticed by itself.
    world.write("config.yaml", "accounts: 7");
    assert!(systemd.next().starts_with("RELOADING=1\n"));
    assert_eq!(systemd.next(), "READY=1\n", "the last valid configuration stays in use");
    assert!(exporter.stop().0.success());
    while systemd.next() != "STOPPING=1\n" {}
}

#[test]
fn watchdog_is_notified_without_end() {
    let (world, systemd) = (World::with_one_user(), Systemd::new());
    let exporter = systemd.start(&world, &[("WATCHDOG_USEC", "100000")]);
    assert_eq!(systemd.next(), "READY=1\n");
    for _ in 0..10 {
        assert_eq!(systemd.next(), "WATCHDOG=1\n");
    }
    assert!(exporter.stop().0.success());
}

#[test]
fn systemd_that_cannot_be_notified_is_logged_and_survived() {
    let (world, systemd) = (World::with_one_user(), Systemd::new());
    let nowhere = systemd.folder.path().join("nowhere");
    let exporter = systemd.start(&world, &[("NOTIFY_SOCKET", nowhere.to_str().unwrap())]);
    exporter.until_answered(1);
    let (status, log) = exporter.stop();
    assert!(status.success() && log.contains("cannot notify systemd"), "{log}");
}

#[test]
#[ignore = "needs systemd-socket-activate"]
fn serves_on_the_socket_of_systemd() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("systemd-socket-activate");
    command.arg(format!("--listen={address}")).arg(binary().get_program()).args(["demo", "--web.systemd-socket"]);
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    log.find(|line| line.contains("Listening on")).unwrap();
    // The first connection starts the exporter, which then takes it.
    assert_eq!(Exporter::get_at(address, "/-/healthy").status, 200);
    let line = log.find(|line| listening(line).is_some()).unwrap();
    assert!(listening(&line) == Some(address) && line.contains("on a socket of systemd"), "{line}");
    let reader = thread::spawn(|| log.for_each(drop));
    assert!(Exporter::get_at(address, "/metrics").body.contains("tencentcloud_cam_exporter_build_info"));

    let kill = format!("kill -s TERM {}", process.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert!(process.wait().unwrap().success());
    reader.join().unwrap();
}

#[test]
fn a_socket_that_systemd_does_not_pass_is_an_error() {
    let run = Run::from(binary().args(["demo", "--web.systemd-socket"]).output().unwrap());
    assert!(run.code != Some(0) && run.stderr.contains("systemd passes no socket: start the .socket unit"), "{run:?}");

    let both = Run::from(binary().args(["demo", "--web.systemd-socket", "--web.listen-address=:0"]).output().unwrap());
    assert_eq!(both.code, Some(2));

    // The variables of another process mean nothing to this one.
    for (variables, expected) in [
        ("LISTEN_PID=$$ LISTEN_FDS=1", "cannot use the sockets of systemd: fd 3 is not a socket"),
        ("LISTEN_PID=$$ LISTEN_FDS=4000000000", "cannot use the sockets of systemd: Bad file descriptor"),
        ("LISTEN_PID=$$ LISTEN_FDS=one", "cannot use the sockets of systemd: invalid LISTEN_FDS"),
        ("LISTEN_PID=1 LISTEN_FDS=1", "systemd passes no socket"),
    ] {
        let script = format!("{variables} exec \"$0\" demo --web.systemd-socket 3</dev/null");
        let run = Run::from(Command::new("sh").arg("-c").arg(script).arg(binary().get_program()).output().unwrap());
        assert!(run.code != Some(0) && run.stderr.contains(expected), "{run:?}");
    }
}
