//! What is known outlives a restart.

use std::os::unix::fs::PermissionsExt;

use crate::world::{Metrics, World};

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
    let path = world.write("config.yaml", &config(&world));
    let output = crate::world::binary().arg(format!("--config.file={}", path.display())).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(told.matches("cannot read the state file").count(), 1, "{told}");
    assert!(!told.contains("started"), "it did not start: {told}");
    assert!(told.contains("/state"), "{told}");
}

#[test]
fn a_file_is_saved_while_running_too() {
    let world = World::with_one_user();
    let exporter = world.start_with(&config(&world), &[]);
    exporter.until("saved", |_| world.folder.path().join("state").exists());
}
