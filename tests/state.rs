//! The state file, saved by a process that is killed, and by one with an odd umask.
//!
//! That process is this test's own program, which an environment variable makes save and do nothing else.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]

use std::{
    env, fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use jiff::Timestamp;
use tencentcloud_api::{AccessKey, AccessKeyId, KeyStatus, Uin};
use tencentcloud_cam_exporter::{
    inventory::{Account, AccountSettings, IdLabel, Inventory, Policy},
    state::{State, StateFile},
};

/// Tells the process that saves where to.
const SAVE_TO: &str = "STATE_TEST_SAVE_TO";
/// Tells it the number of the first state.
const FIRST: &str = "STATE_TEST_FIRST";

const USERS: u64 = 200;

#[test]
fn a_kill_at_any_moment_leaves_a_whole_state() {
    if let Some(path) = env::var_os(SAVE_TO) {
        let first = env::var_os(FIRST).unwrap().to_str().unwrap().parse().unwrap();
        save_for_ever(&StateFile::new(path.into()), first);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = StateFile::new(folder.path().join("state"));
    let (mut last, mut hits) = (0, 0);
    file.save(&state(last)).unwrap();
    for kill in 1..=200 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["a_kill_at_any_moment_leaves_a_whole_state", "--exact"])
            .env(SAVE_TO, file.path())
            .env(FIRST, (last + 1).to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stderr.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        thread::sleep(Duration::from_micros(fastrand::u64(0..20_000)));
        child.kill().unwrap();
        child.wait().unwrap();

        hits += u32::from(folder.path().join(".state.tmp").exists());
        let found = file.load().unwrap().unwrap();
        // The one from before the child, or one of the child's.
        let number = (last..last + 1000).find(|number| found == state(*number));
        last = number.unwrap_or_else(|| panic!("after kill {kill} the state is none that was saved after {last}"));
    }
    assert!(hits > 0, "no kill was in the middle of a save");
}

#[test]
fn only_the_owner_may_read_it_whatever_the_umask() {
    if let Some(path) = env::var_os(SAVE_TO) {
        return StateFile::new(path.into()).save(&state(0)).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    for umask in ["0", "022", "0777"] {
        let path = folder.path().join(umask);
        let child = Command::new("sh")
            .args(["-c", r#"umask "$0" && exec "$@""#, umask])
            .arg(env::current_exe().unwrap())
            .args(["only_the_owner_may_read_it_whatever_the_umask", "--exact"])
            .env(SAVE_TO, &path)
            .stdout(Stdio::null())
            .status();
        assert!(child.unwrap().success(), "umask {umask}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600, "umask {umask}");
    }
}

/// Says so before each save, and so ends when nobody listens any more.
fn save_for_ever(file: &StateFile, first: u32) -> ! {
    for number in first.. {
        let state = state(number);
        io::stderr().write_all(b".").unwrap();
        file.save(&state).unwrap();
    }
    unreachable!()
}

/// The `number`-th state: no user is in it as in another.
fn state(number: u32) -> State {
    let second = Duration::from_secs(1);
    let settings = AccountSettings {
        policy: Policy { max_age: second, ..Policy::default() }.into(),
        id_label: IdLabel::Full,
        poll_interval: second,
        ..AccountSettings::default()
    };
    let uins = || (1..=USERS).map(|uin| Uin::try_from(100_000_000_000 + uin).unwrap());
    let account = Account::new("prod".parse().unwrap(), settings, uins());
    let at = Timestamp::from_second(number.into()).unwrap();
    // A shorter one over a longer one would show where it was not cut.
    let id = AccessKeyId::from("x".repeat(1 + number as usize * 37 % 100).as_str());
    for uin in uins() {
        account.poll_succeeded(uin, &[AccessKey { id: id.clone(), status: KeyStatus::Active, created: at }], at);
    }
    State::of(&Inventory::new(vec![Arc::new(account)]))
}
