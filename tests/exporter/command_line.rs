//! What may be typed, and what is said to what may not.

use crate::world::{Run, World, binary};

#[test]
fn version_says_what_it_was_built_from() {
    let run = Run::from(binary().arg("--version").output().unwrap());
    assert_eq!(run.code, Some(0));
    assert!(
        run.stdout.starts_with(concat!("tencentcloud-cam-exporter ", env!("CARGO_PKG_VERSION"), "\nrevision:")),
        "{run:?}"
    );
}

#[test]
fn help_tells_every_command_and_exit_code() {
    let run = Run::from(binary().arg("--help").output().unwrap());
    assert_eq!(run.code, Some(0));
    for result in ["demo", "check-config", "--config.file", "--web.listen-address", "--log.level", "Exit codes:"] {
        assert!(run.stdout.contains(result), "{result}: {}", run.stdout);
    }
}

#[test]
fn a_wrong_flag_is_named_and_mended() {
    for (arguments, result) in [
        (["--config.fil=a"].as_slice(), "'--config.file'"),
        (&["--web.listen-address=10047"], "expected [host]:port, such as :10047"),
        (&["--web.telemetry-path=metrics"], "expected / and then"),
        (&["--probe.listen-address=10048"], "expected [host]:port, such as :10047"),
        (&["--web.max-requests=-1"], "--web.max-requests"),
        (&["--log.level=loud"], "trace, debug, info, warn, error"),
        (&["demo", "--config.file=a"], "unexpected argument '--config.file'"),
        (&["demo", "--shard=0"], "unexpected argument '--shard'"),
        (&["--shard=3", "--total-shards=3"], "shard 3 of 3: expected 0 to 2"),
        (&["check-config", "--total-shards=0"], "0 shards: expected 1 to 10000"),
        (&["--shard=-1"], "invalid value '-1' for '--shard <N>'"),
        (&["check"], "'check-config'"),
    ] {
        let run = Run::from(binary().args(arguments).output().unwrap());
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(result), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_good_configuration_is_good() {
    let world = World::with_one_user();
    let run = Run::from(world.with_config(binary().arg("check-config"), &world.config()).output().unwrap());
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("1 account(s), 1 user(s)"), "{run:?}");
    assert!(world.simulator.arrivals().is_empty(), "nothing is asked");
}

#[test]
fn a_check_counts_the_users_of_files_and_of_the_shard() {
    let world = World::with_one_user();
    let list: Vec<String> = (1..=1_000).map(|uin| format!("{uin} # a user")).collect();
    let list = world.write("uins.txt", &list.join("\n"));
    let file = format!("uins_file: {}, shard_by: user, credentials", list.display());
    let config = world.config().replace("credentials", &file);
    let check = |flags: &[&str]| {
        let run = Run::from(world.with_config(binary().arg("check-config").args(flags), &config).output().unwrap());
        assert_eq!(run.code, Some(0), "{run:?}");
        let (_, users) = run.stdout.split_once("1 account(s), ").unwrap();
        users.strip_suffix(" user(s)\n").unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(check(&[]), 1_001);
    let shares = ["0", "1", "2"].map(|shard| check(&["--total-shards=3", "--shard", shard]));
    assert_eq!(shares.iter().sum::<usize>(), 1_001);
    assert!(shares.iter().all(|share| (270..400).contains(share)), "{shares:?}");
}

/// The configuration of the documentation's list of faults: both commands report each, with its path.
#[test]
fn every_fault_is_told_at_once() {
    let world = World::with_one_user();
    let path = world.write(
        "config.yaml",
        "
accounts:
  - name: prod
    uins: [100013065917, 12a]
    rate_limt: 5
    credentials: {env: {}, file: {secret_id_path: /a, secret_key_path: /b}}
  - name: prod
    uins: []
    credentials: {env: {}}
poll: {interval: 0s, rate_limit: 21}
",
    );
    let flag = format!("--config.file={}", path.display());
    for arguments in [["check-config", &flag].as_slice(), &[&flag]] {
        let run = Run::from(binary().args(arguments).output().unwrap());
        assert_eq!(run.code, Some(1), "{run:?}");
        for result in [
            &path.display().to_string(),
            "accounts[0].rate_limt: unknown",
            "accounts[0].uins[1]: \"12a\" is not a UIN: expected an integer, such as 100013065917",
            "accounts[0].credentials:",
            "accounts[1].name:",
            "accounts[1].uins:",
            "poll.interval:",
            "poll.rate_limit:",
        ] {
            assert!(run.stderr.contains(result), "{result}: {}", run.stderr);
        }
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let run = Run::from(binary().arg("--config.file=/nowhere/config.yaml").output().unwrap());
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("/nowhere/config.yaml"), "{run:?}");
}

#[test]
fn the_environment_is_laid_over_the_file() {
    let world = World::with_one_user();
    let check = |name: &str, value: &str| {
        Run::from(world.with_config(binary().arg("check-config").env(name, value), &world.config()).output().unwrap())
    };
    let run = check("CAM_EXPORTER__ACCOUNTS__0__UINS", "100013065917,100013065918");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("2 user(s)"), "{run:?}");
    let Run { code, stderr, .. } = check("CAM_EXPORTER__POLL__RATE_LIMIT", "21");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("poll.rate_limit") && stderr.contains("CAM_EXPORTER__POLL__RATE_LIMIT"), "{stderr}");
}
