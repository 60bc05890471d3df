//! What is known outlives a restart.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use sha2::{Digest as _, Sha256};
use tencentcloud_simulator::{Key, User};

use crate::world::{Exporter, Metrics, Run, UIN, World, binary, listening};

fn config(world: &World) -> String {
    format!("{}state_file: {}\n", world.config(), world.folder.path().join("state").display())
}

fn answered(metrics: &Metrics) -> Option<f64> {
    metrics.of_user("user_last_success_timestamp_seconds")
}

#[test]
fn a_start_shows_the_last_good_keys_with_their_old_success_times_though_the_api_is_down() {
    let world = World::with_one_user();
    let exporter = world.start_with(&config(&world), &[]);
    exporter.until_answered(1);
    world.take_the_api_down();
    let before = exporter.until("down", |metrics| metrics.of_user("user_up") == Some(0.0));
    assert_eq!(exporter.stop().0.code(), Some(0));

    let state = world.folder.path().join("state");
    assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o600);
    let exporter = world.start_with(&config(&world), &[]);
    let after = exporter.metrics();
    assert_eq!((after.keys(), answered(&after)), (before.keys(), answered(&before)), "from the first scrape on");
    assert!(!after.keys().is_empty());
}

#[test]
fn a_file_that_is_damaged_is_put_aside_and_told_of() {
    let world = World::with_one_user();
    let state = world.write("state", "tencentcloud-cam-exporter state 1 sha256:00\n{}");
    let exporter = world.start_with(&config(&world), &[]);
    exporter.until_answered(1);
    assert!(world.folder.path().join("state.unusable").exists());
    let (_, log) = exporter.stop();
    assert!(log.contains("level=warn") && log.contains("state.unusable"), "{log}");
    assert!(state.exists(), "the next one is saved in its place");
}

#[test]
fn a_file_that_cannot_be_read_is_not_written_over() {
    let world = World::with_one_user();
    std::fs::create_dir(world.folder.path().join("state")).unwrap();
    let run = Run::from(world.with_config(&mut binary(), &config(&world)).output().unwrap());
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(run.stderr.matches("cannot read the state file").count(), 1, "{run:?}");
    assert!(!run.stderr.contains("started"), "it did not start: {run:?}");
    assert!(run.stderr.contains("/state"), "{run:?}");
}

#[test]
fn a_file_is_saved_while_running_too() {
    let world = World::with_one_user();
    let exporter = world.start_with(&config(&world), &[]);
    exporter.until("saved", |_| world.folder.path().join("state").exists());
}

/// A state file of these rows, with the checksum that it must have.
fn file_of(rows: &str) -> String {
    let sum = hex::encode(Sha256::digest(format!("3\n{rows}")));
    format!("tencentcloud-cam-exporter state 3 sha256:{sum}\n{rows}")
}

fn row(account: &str, uin: u64, created: i64) -> String {
    format!(
        r#"{{"account":"{account}","id_label":"masked","uin":{uin},"up":true,"answered":1767225600,"keys":[{{"label":"AKID****","status":"Active","created":{created}}}]}}"#
    ) + "\n"
}

fn resident_bytes(metrics: &Metrics) -> f64 {
    metrics.family("process_resident_memory_bytes")["process_resident_memory_bytes"]
}

#[test]
fn keys_that_look_alike_are_two_series_before_and_after_a_restart() {
    let key = |id: &str| Key::new(id, "Active", "2024-01-02T03:04:05Z".parse().unwrap());
    // Both masks are the same, and the hashes of both start alike.
    let keys = ["AKIDaaaa000000000000000018180001", "AKIDaaaa000000000000000263090001"].map(key);
    let world = World::new([(UIN, User::with_keys(keys))]);
    let exporter = world.start_with(&config(&world), &[]);
    let before = exporter.until_answered(1);
    assert_eq!(before.count("tencentcloud_cam_access_key_created_timestamp_seconds"), 2);
    exporter.stop();
    world.take_the_api_down();
    let exporter = world.start_with(&config(&world), &[]);
    assert_eq!(exporter.metrics().keys(), before.keys());
    let (_, log) = exporter.stop();
    assert!(!log.contains("skipped invalid rows"), "{log}");
}

#[test]
fn a_row_that_cannot_be_used_voids_no_other() {
    let world = World::new([(UIN, User::default()), (UIN + 1, User::default())]);
    world.take_the_api_down();
    let rows = [row("prod", UIN, 1_700_000_000), row("prod", UIN + 1, -62_135_596_800), "{}\n".to_owned()].concat();
    world.write("state", &file_of(&rows));
    let exporter = world.start_with(&config(&world), &[]);
    let metrics = exporter.metrics();
    assert_eq!(metrics.count("tencentcloud_cam_access_key_created_timestamp_seconds"), 1);
    assert_eq!(answered(&metrics), Some(1_767_225_600.0));
    let (_, log) = exporter.stop();
    assert_eq!(log.matches("rows=2").count(), 1, "{log}");
}

#[test]
fn a_large_file_of_others_is_not_kept_in_memory() {
    let world = World::new([(UIN, User::default())]);
    world.take_the_api_down();
    let rows: String = (0..200_000).map(|n| row("another", UIN + n, 1_700_000_000)).collect();
    let state = world.write("state", &file_of(&(rows + &row("prod", UIN, 1_700_000_000))));
    let exporter = world.start_with(&config(&world), &[]);
    let metrics = exporter.metrics();
    assert!(answered(&metrics).is_some());
    assert!(resident_bytes(&metrics) < 50e6, "{} bytes", resident_bytes(&metrics));
    exporter.stop();

    std::fs::write(&state, "").unwrap();
    std::fs::File::options().write(true).open(&state).unwrap().set_len(300 << 20).unwrap();
    let exporter = world.start_with(&config(&world), &[]);
    assert!(resident_bytes(&exporter.metrics()) < 50e6);
    let (_, log) = exporter.stop();
    assert!(log.contains("is not a state file of this exporter"), "{log}");
}

#[test]
fn a_pipe_or_a_device_in_its_place_holds_up_no_start() {
    let world = World::with_one_user();
    let path = world.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    for path in [path.as_path(), std::path::Path::new("/dev/zero")] {
        let config = format!("{}state_file: {}\n", world.config(), path.display());
        let run = Run::from(world.with_config(&mut binary(), &config).output().unwrap());
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains("not a file"), "{run:?}");
    }
}

#[test]
#[ignore = "needs strace"]
fn a_file_on_a_mount_that_hangs_ends_the_start_and_keeps_probes_alive() {
    let world = World::with_one_user();
    let path = world.write("config.yaml", &config(&world));
    let state = world.write("state", "whatever is in it");
    let exporter = env!("CARGO_BIN_EXE_tencentcloud-cam-exporter");
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=openat", "-e", "inject=openat:delay_enter=300s", "-P"])
        .arg(&state)
        .arg(exporter)
        .arg(format!("--config.file={}", path.display()))
        .args(["--web.listen-address=127.0.0.1:0", "--probe.listen-address=127.0.0.1:0"])
        .envs(binary().get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("strace is needed: {error}"));
    let log = BufReader::new(strace.stderr.take().unwrap());
    let mut lines = log.lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("listening for probes")).unwrap();
    let probes = listening(&line).unwrap();
    assert_eq!(Exporter::get_at(probes, "/-/healthy").status, 200, "while the file hangs");
    let rest: Vec<String> = lines.take_while(|line| !line.contains("cannot read the state file")).collect();
    assert!(!rest.iter().any(|line| line.contains("started")), "{rest:?}");
    strace.kill().unwrap();
    strace.wait().unwrap();
    // The read goes on now, and what it finds is put aside.
    let is_kept = |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text == "whatever is in it");
    assert!(is_kept(&state) || is_kept(&state.with_extension("unusable")));
}
