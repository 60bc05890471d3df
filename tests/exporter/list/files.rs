//! Where the list goes into a file.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{Run, command, list, mixed, stopped, user};
use crate::world::{UIN, World};

#[test]
#[ignore = "needs promtool"]
fn promtool_finds_nothing_to_say_of_the_file() {
    let world = mixed();
    let file = world.folder.path().join("keys.prom");
    assert_eq!(list(&world, &["--output=metrics", &output_file(&file)]).code, Some(0));
    let promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(fs::File::open(file).unwrap()).output().unwrap();
    let said = String::from_utf8(promtool.stderr).unwrap();
    assert!(promtool.status.success() && said.is_empty(), "{said}");
}

pub(super) fn output_file(path: &Path) -> String {
    format!("--output-file={}", path.display())
}

/// The names of what is in the world's folder.
fn names(world: &World) -> Vec<String> {
    let entries = fs::read_dir(&world.folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn old_file(world: &World) -> PathBuf {
    world.write("keys.json", "old")
}

#[test]
fn a_file_is_replaced_and_can_be_read_by_all() {
    let world = mixed();
    let file = old_file(&world);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = command(&world, &world.config(), &["--output=json", &output_file(&file), "--fail-on=stale"]);
    let run = Run::from(command.output().unwrap());
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    let json: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(json["keys"].as_array().unwrap().len(), 6);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(names(&world), ["config.yaml", "keys.json"], "nothing else is left");
}

#[test]
fn a_link_stays_one() {
    let world = mixed();
    let (file, link) = (old_file(&world), world.folder.path().join("link"));
    symlink("keys.json", &link).unwrap();
    assert_eq!(list(&world, &["--output=json", &output_file(&link)]).code, Some(0));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&file).unwrap().starts_with('{'));
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let world = mixed();
    let file = old_file(&world);
    let list = command(&world, &world.config(), &["--output=json", &output_file(&file)]);
    let words = list.get_args().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
    // A file may be no larger than 512 bytes, as if the disk were full.
    let limited = format!("trap '' XFSZ; ulimit -f 1; exec {} {words}", list.get_program().to_str().unwrap());
    let mut shell = Command::new("sh");
    shell.env_clear().envs(list.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = Run::from(shell.args(["-c", &limited]).output().unwrap());
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains(&format!("cannot write {}: ", file.display())), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(names(&world), ["config.yaml", "keys.json"], "nothing half written is left");
}

#[test]
fn ctrl_c_leaves_the_old_file() {
    let world = World::new([(UIN, user([("AKIDfine", "Active", 3)])), (UIN + 1, user([]))]);
    let file = old_file(&world);
    let run = stopped(&world, "INT", &[&output_file(&file)]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("is left as it was"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(names(&world), ["config.yaml", "keys.json"]);
}
