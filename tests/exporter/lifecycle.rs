//! Start, probes and stop.

use std::{net::TcpListener, process::Command};

use tencentcloud_simulator::{Fault, Times};

use crate::world::{Exporter, Run, World, binary};

fn stops_with_0_on(signal: &str) {
    let world = World::with_one_user();
    world.simulator.inject(None, Fault::Hang, Times::UntilCleared);
    let exporter = world.start();
    exporter.until("polling", |_| !world.simulator.arrivals().is_empty());
    exporter.signal(signal);
    let (status, log) = exporter.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains(&format!("signal=SIG{signal}")) && log.trim_end().ends_with("message=stopped"), "{log}");
}

#[test]
fn sigterm_stops_it_though_a_poll_hangs() {
    stops_with_0_on("TERM");
}

#[test]
fn sigint_stops_it_too() {
    stops_with_0_on("INT");
}

#[test]
fn certificate_authorities_that_cannot_be_read_freeze_nothing() {
    let world = World::with_one_user();
    let pipe = world.folder.path().join("authorities.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let config = world.config().replace("http://", "https://").replace("interval: 1s, timeout: 1s", "interval: 10s");
    let config = world.write("config.yaml", &config);
    let exporter =
        Exporter::start(binary().arg(format!("--config.file={}", config.display())).env("SSL_CERT_FILE", &pipe));
    exporter.until("failed", |metrics| metrics.failures("tls") > 0.0);
    exporter.until_logged("check SSL_CERT_FILE");
    assert_eq!(exporter.get("/-/healthy").status, 200);
    let (status, log) = exporter.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn readiness_waits_for_a_poll_attempt_and_not_for_the_api() {
    let world = World::with_one_user();
    world.simulator.inject(None, Fault::Hang, Times::UntilCleared);
    let exporter = world.start();
    exporter.until("polling", |_| !world.simulator.arrivals().is_empty());
    let (ready, healthy) = (exporter.get("/-/ready"), exporter.get("/-/healthy"));
    assert_eq!((ready.status, healthy.status), (503, 200), "the first poll is still under way");
    exporter.until("timed out", |metrics| metrics.failures("timeout") > 0.0);
    assert_eq!(exporter.get("/-/ready").status, 200, "it has been attempted");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let world = World::with_one_user();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let flag = format!("--web.listen-address={address}");
    let run = Run::from(world.with_config(binary().arg(flag), &world.config()).output().unwrap());
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains(&format!("cannot listen on {address}")), "{run:?}");
    assert!(run.stderr.contains("--web.listen-address"), "{run:?}");
}

#[test]
fn a_rotated_secret_is_used_without_a_restart() {
    let world = World::with_one_user();
    let id = world.write("id", "AKIDthatisnotknown\n");
    let key = world.write("key", crate::world::SECRET_KEY);
    let files = format!("file: {{secret_id_path: {}, secret_key_path: {}}}", id.display(), key.display());
    let exporter = world.start_with(&world.config().replace("env: {}", &files), &[]);
    exporter.until("refused", |metrics| metrics.failures("credentials") > 0.0);
    world.write("id", crate::world::SECRET_ID);
    exporter.until_answered(1);
}

#[test]
fn an_absent_secret_is_a_failure_with_a_reason_and_no_end() {
    let world = World::with_one_user();
    let key = world.write("key", crate::world::SECRET_KEY);
    let absent = world.folder.path().join("id");
    let files = format!("file: {{secret_id_path: {}, secret_key_path: {}}}", absent.display(), key.display());
    let exporter = world.start_with(&world.config().replace("env: {}", &files), &[]);
    exporter.until("failed", |metrics| metrics.failures("credentials") > 0.0);
    exporter.until_logged(&absent.display().to_string());
    assert!(world.simulator.arrivals().is_empty(), "nothing is sent unsigned");
}

#[test]
fn a_configuration_that_comes_through_a_pipe_is_read_once() {
    let world = World::with_one_user();
    let pipe = world.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let (pipe, config) = (pipe.clone(), world.config());
        move || std::fs::write(pipe, config).unwrap()
    });
    let exporter = Exporter::start(binary().arg(format!("--config.file={}", pipe.display())));
    writer.join().unwrap();
    exporter.until_answered(1);
}
