//! What the exporter reports to systemd, with a socket of the test in its place.

use std::{os::unix::net::UnixDatagram, process::Command, time::Duration};

use tempfile::TempDir;

use crate::world::{Exporter, World, binary};

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
