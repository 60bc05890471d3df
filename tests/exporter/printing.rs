//! Output that cannot be written, and threads that cannot be started: an exit code, and never a panic.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, BufRead, BufReader},
    os::unix::{
        fs::PermissionsExt,
        process::{CommandExt, ExitStatusExt},
    },
    process::{Command, Output, Stdio},
};

use crate::world::{World, bare_binary, binary};

/// The user nobody, to which the limit on processes applies.
const NOBODY: u32 = 65_534;

/// A pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full_disk() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

fn no_panic(output: &Output, what: &str) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.signal().is_none() && !text.contains("panicked"), "{what}: {:?}: {text}", output.status);
    text
}

#[test]
fn a_standard_output_that_cannot_be_written_is_an_error_and_one_that_nobody_reads_is_not() {
    let world = World::with_one_user();
    let config = format!("--config.file={}", world.write("config.yaml", &world.config()).display());
    for (arguments, code) in [
        (["check-config", &config].as_slice(), 1),
        (&["check-config", "--connect", &config], 1),
        (&["list", &config], 2),
        (&["list", "--output=json", &config], 2),
        (&["--help"], 1),
        (&["list", "--help"], 1),
        (&["--version"], 1),
    ] {
        let full = binary().args(arguments).stdout(full_disk()).output().unwrap();
        let text = no_panic(&full, &format!("{arguments:?}"));
        assert_eq!(full.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains("cannot write to standard output"), "{arguments:?}: {text}");

        let unread = binary().args(arguments).stdout(closed_pipe()).output().unwrap();
        let text = no_panic(&unread, &format!("{arguments:?}"));
        assert_eq!(unread.status.code(), Some(0), "{arguments:?}: {text}");
    }
}

#[test]
fn a_standard_error_that_cannot_be_written_changes_nothing() {
    let world = World::with_one_user();
    let good = format!("--config.file={}", world.write("config.yaml", &world.config()).display());
    let wrong = format!("--config.file={}", world.write("wrong.yaml", "accounts: []").display());
    for (arguments, code) in [
        (["check-config", &good].as_slice(), 0),
        (&["check-config", &wrong], 1),
        (&["list", &good], 0),
        (&["list", &wrong], 2),
        (&[&wrong], 1),
        (&["--no-such-flag"], 2),
        (&["--shard=3"], 2),
    ] {
        for stderr in [full_disk(), closed_pipe()] {
            let output = binary().args(arguments).stderr(stderr).output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        }
        // Closed from the start.
        let script = "exec \"$@\" >&- 2>&-";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_tencentcloud-cam-exporter")]).args(arguments);
        let status = shell.env("TENCENTCLOUD_SECRET_ID", crate::world::SECRET_ID);
        let status = status.env("TENCENTCLOUD_SECRET_KEY", crate::world::SECRET_KEY).status().unwrap();
        assert_eq!(status.code(), Some(code), "closed: {arguments:?}");
    }
}

#[test]
fn the_demo_serves_though_nobody_reads_what_it_prints() {
    for stdout in [closed_pipe(), full_disk()] {
        let mut demo = bare_binary();
        demo.args(["demo", "--web.listen-address=127.0.0.1:0"]).stdout(stdout).stderr(Stdio::piped());
        let mut child = demo.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("polling")), "it does not poll");
        let kill = format!("kill -s TERM {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        // Until it has ended.
        lines.for_each(drop);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_system_that_allows_no_thread_is_an_error_that_says_so() {
    let world = World::with_one_user();
    let config = world.write("config.yaml", &world.config());
    let config_flag = format!("--config.file={}", config.display());
    // Where another user can execute it.
    fs::set_permissions(world.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let program = world.folder.path().join("exporter");
    let built = env!("CARGO_BIN_EXE_tencentcloud-cam-exporter");
    if fs::hard_link(built, &program).is_err() {
        // Another process copies it: a file that this one has open for writing, and with it each child that starts meanwhile,
        // cannot be executed.
        assert!(Command::new("cp").arg(built).arg(&program).status().unwrap().success());
    }
    for (arguments, code) in [
        ([&config_flag, "--web.listen-address=127.0.0.1:0"].as_slice(), 1),
        (&["demo", "--web.listen-address=127.0.0.1:0"], 1),
        (&["list", &config_flag], 2),
        (&["check-config", "--connect", &config_flag], 1),
    ] {
        // dash and bash name the option differently.
        let script = "ulimit -u 0 2>/dev/null || ulimit -p 0 && exec \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(&program).args(arguments).env_clear();
        if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            shell.uid(NOBODY).gid(NOBODY);
        }
        let output = shell.output().unwrap();
        let text = no_panic(&output, &format!("{arguments:?}"));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains("cannot start a thread: raise the limit on processes"), "{arguments:?}: {text}");
    }
}
