//! A reload takes up what is new, and loses nothing that was good.

use std::{
    os::unix::fs::symlink,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tencentcloud_simulator::{Behaviour, Fault, Times, User};

use crate::{
    exposition::user_with_one_key,
    world::{Exporter, Metrics, UIN, World, binary},
};

const LIFECYCLE: &[&str] = &["--web.enable-lifecycle"];
const OPTIONAL: &[&str] = &["--config.optional"];

fn world_of_three() -> World {
    World::new((UIN..UIN + 3).map(|uin| (uin, user_with_one_key())))
}

/// The world's configuration with these users, asked once a minute: what is polled again is polled for a reason.
fn config(world: &World, uins: &[u64]) -> String {
    let all = world.simulator.edit(|population| population.uins());
    world.config().replace(&format!("{all:?}"), &format!("{uins:?}")).replace("interval: 1s", "interval: 1m")
}

fn reload(exporter: &Exporter) -> (u16, String) {
    let answer = exporter.send("POST /-/reload HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    (answer.status, answer.body)
}

fn successful(metrics: &Metrics) -> Option<f64> {
    metrics.get("exporter_config_last_reload_successful")
}

fn answered(metrics: &Metrics, uin: u64) -> Option<f64> {
    metrics.get(&format!(r#"user_last_success_timestamp_seconds{{account="prod",uin="{uin}"}}"#))
}

#[test]
fn a_bad_configuration_changes_nothing_and_is_told_whole() {
    let world = world_of_three();
    let exporter = world.start_with(&config(&world, &[UIN]), LIFECYCLE);
    let before = exporter.until_answered(1);
    world.write("config.yaml", "accounts: [{name: prod, uins: [12a], credentials: {}}]\npoll: {rate_limit: 21}\n");
    let (status, result) = reload(&exporter);
    assert_eq!(status, 500);
    for fault in ["accounts[0].uins[0]", "accounts[0].credentials", "poll.rate_limit"] {
        assert!(result.contains(fault), "{result}");
    }
    let after = exporter.metrics();
    assert_eq!(successful(&after), Some(0.0));
    let loaded = "exporter_config_last_reload_success_timestamp_seconds";
    assert_eq!(after.get(loaded), before.get(loaded));
    assert_eq!(after.keys(), before.keys());

    world.write("config.yaml", &config(&world, &[UIN, UIN + 1]));
    assert_eq!(reload(&exporter), (200, "reloaded\n".to_owned()));
    assert_eq!(successful(&exporter.until_answered(2)), Some(1.0));
}

#[test]
fn users_who_are_gone_vanish_at_once_and_the_others_stay_as_they_were() {
    let world = world_of_three();
    let exporter = world.start_with(&config(&world, &[UIN, UIN + 1]), LIFECYCLE);
    let before = exporter.until_answered(2);
    world.write("config.yaml", &config(&world, &[UIN + 1, UIN + 2]));
    // Who stays is not asked again, and nobody else's answer is needed.
    world.simulator.inject(Some(UIN + 1), Fault::Hang, Times::UntilCleared);
    assert_eq!(reload(&exporter).0, 200);
    let at_once = exporter.scrape();
    assert!(!at_once.contains(&UIN.to_string()), "{at_once}");
    let after = exporter.until("the new user answered", |metrics| answered(metrics, UIN + 2).is_some());
    assert_eq!(answered(&after, UIN + 1), answered(&before, UIN + 1));
    let up = format!(r#"user_up{{account="prod",uin="{}"}}"#, UIN + 1);
    assert_eq!(after.get(&up), Some(1.0));
}

#[test]
fn an_account_that_is_gone_leaves_nothing_behind() {
    let world = world_of_three();
    let other = |name: &str| world.config().replace("name: prod", &format!("name: {name}"));
    let exporter = world.start_with(&other("first"), LIFECYCLE);
    exporter.until_answered(3);
    world.write("config.yaml", &other("second"));
    assert_eq!(reload(&exporter).0, 200);
    let exposition = exporter.scrape();
    assert!(!exposition.contains("first"), "{exposition}");
    exporter.until_answered(3);
}

#[test]
fn labels_that_show_too_much_are_gone_with_the_reload() {
    let world = world_of_three();
    let full = format!("{}keys: {{id_label: full}}\n", config(&world, &[UIN]));
    let exporter = world.start_with(&full, LIFECYCLE);
    let metrics = exporter.until_answered(1);
    assert!(metrics.keys().keys().any(|series| series.contains("AKIDtest1xx")));
    world.simulator.inject(None, Fault::Hang, Times::UntilCleared);
    world.write("config.yaml", &config(&world, &[UIN]));
    assert_eq!(reload(&exporter).0, 200);
    assert!(!exporter.scrape().contains("AKIDtest1xx"));
}

#[test]
fn who_failed_for_good_is_asked_again_at_once() {
    let world = world_of_three();
    let behave = |behaviour| {
        world.simulator.edit(|population| {
            population.users.insert(UIN, User { behaviour, ..user_with_one_key() });
        });
    };
    behave(Behaviour::Denied);
    let exporter = world.start_with(&config(&world, &[UIN]), LIFECYCLE);
    exporter.until("denied", |metrics| metrics.failures("denied") > 0.0);
    behave(Behaviour::Answers);
    assert_eq!(reload(&exporter).0, 200);
    exporter.until_answered(1);
}

#[test]
fn sighup_reloads() {
    let world = world_of_three();
    let exporter = world.start_with(&config(&world, &[UIN]), &[]);
    exporter.until_answered(1);
    world.write("config.yaml", &config(&world, &[UIN, UIN + 1]));
    exporter.signal("HUP");
    exporter.until_answered(2);
}

#[test]
fn a_request_reloads_only_where_that_is_allowed() {
    let world = world_of_three();
    let exporter = world.start();
    let (status, result) = reload(&exporter);
    assert_eq!(status, 403);
    assert!(result.contains("--web.enable-lifecycle"), "{result}");
    let get = exporter.get("/-/reload");
    assert_eq!(get.status, 405);
    assert!(get.head.contains("allow: post, put"), "{}", get.head);
}

#[test]
fn a_file_that_changes_is_taken_up_by_itself_however_it_is_swapped() {
    let world = world_of_three();
    // As a ConfigMap is mounted: the name leads through a link to a folder, which is swapped.
    let folder = |n: u64| {
        let folder = world.folder.path().join(format!("..{n}"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("config.yaml"), config(&world, &(UIN..UIN + n).collect::<Vec<_>>())).unwrap();
        folder
    };
    let data = world.folder.path().join("..data");
    symlink(folder(1), &data).unwrap();
    symlink("..data/config.yaml", world.folder.path().join("mounted.yaml")).unwrap();
    let exporter = Exporter::start(
        crate::world::binary().arg(format!("--config.file={}", world.folder.path().join("mounted.yaml").display())),
    );
    exporter.until_answered(1);
    let swap = world.folder.path().join("..data_tmp");
    symlink(folder(3), &swap).unwrap();
    std::fs::rename(swap, data).unwrap();
    exporter.until_answered(3);
}

#[test]
fn the_users_file_is_followed_and_its_last_good_list_kept() {
    let world = world_of_three();
    let list = world.write("uins.txt", &format!("{UIN}\n{} # and a comment\n", UIN + 1));
    let file = format!("uins_file: {}, uins: []", list.display());
    let exporter = world.start_with(&config(&world, &[]).replace("uins: []", &file), &[]);
    let up = |metrics: &Metrics| metrics.get(r#"account_uins_file_up{account="prod"}"#);
    assert_eq!(up(&exporter.until_answered(2)), Some(1.0));

    world.write("uins.txt", &format!("{UIN}\n10001306591x\n"));
    let wrong = exporter.until("refused", |metrics| up(metrics) == Some(0.0));
    assert_eq!(wrong.count("tencentcloud_cam_user_up"), 2, "the last good list stays");
    exporter.until_logged("uins.txt:2");

    std::fs::remove_file(&list).unwrap();
    world.write("uins.txt", &format!("{}\n{}\n", UIN + 1, UIN + 2));
    let changed = exporter.until("the new list", |metrics| answered(metrics, UIN + 2).is_some());
    assert_eq!((up(&changed), answered(&changed, UIN)), (Some(1.0), None));
}

#[test]
fn a_removed_user_whose_poll_fails_late_does_not_fail_for_ever() {
    let world = world_of_three();
    world.simulator.inject(Some(UIN), Fault::Hang, Times::UntilCleared);
    let config = |uins: &[u64]| config(&world, uins).replace("interval: 1m, timeout: 1s", "interval: 2s, timeout: 2s");
    let exporter = world.start_with(&config(&[UIN, UIN + 1]), LIFECYCLE);
    exporter.until_logged("poll failed");
    let polls = || world.simulator.arrivals().iter().filter(|arrival| arrival.target == Some(UIN)).count();
    let before = polls();
    exporter.until("its next poll", |_| polls() > before);
    world.write("config.yaml", &config(&[UIN + 1]));
    assert_eq!(reload(&exporter).0, 200);
    exporter.until("its end", |metrics| metrics.failures("timeout") >= 2.0);

    world.simulator.inject(Some(UIN + 1), Fault::Hang, Times::Next(1));
    exporter.until_logged("no poll of the account fails for this reason any more");
}

#[test]
fn a_new_user_in_the_file_is_the_only_request() {
    let world = world_of_three();
    let missing = UIN + 50;
    let list = world.write("uins.txt", &format!("{UIN}\n{missing}\n"));
    let users = format!("uins_file: {}, discover: {{include: [nobody]}}, uins: []", list.display());
    let exporter = world.start_with(&config(&world, &[]).replace("uins: []", &users), &[]);
    let requests =
        || world.simulator.arrivals().into_iter().map(|arrival| (arrival.action.to_string(), arrival.target));
    exporter.until("two polls and a list", |_| requests().count() == 3);

    world.write("uins.txt", &format!("{UIN}\n{missing}\n{}\n", UIN + 1));
    exporter.until("the new user", |metrics| answered(metrics, UIN + 1).is_some());
    assert_eq!(requests().skip(3).collect::<Vec<_>>(), [("ListAccessKeys".to_owned(), Some(UIN + 1))]);
}

#[test]
fn a_credential_that_is_gone_is_used_on_and_reported() {
    let world = world_of_three();
    let [id, key] = [("id", crate::world::SECRET_ID), ("key", crate::world::SECRET_KEY)]
        .map(|(name, text)| world.write(name, text).display().to_string());
    let files = format!("file: {{secret_id_path: {id}, secret_key_path: {key}}}");
    let exporter = world.start_with(&world.config().replace("env: {}", &files), &[]);
    exporter.until_answered(3);
    std::fs::remove_file(&id).unwrap();
    let failures = |metrics: &Metrics| metrics.get(r#"credential_refresh_failures_total{account="prod"}"#);
    let reported = exporter.until("reported", |metrics| failures(metrics) > Some(3.0));
    assert_eq!(Some(reported.failures("credentials")), Some(0.0));
    assert_eq!(reported.family("tencentcloud_cam_user_up").values().filter(|up| **up > 0.0).count(), 3);
}

#[test]
fn a_thousand_reloads_good_and_bad_cost_no_scrape_and_leave_nothing_over() {
    let world = world_of_three();
    let good = config(&world, &[UIN, UIN + 1, UIN + 2]);
    let exporter = Arc::new(world.start_with(&good, LIFECYCLE));
    let before = exporter.until_answered(3);
    let (stop, scrapes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let scraping = {
        let (exporter, stop, scrapes) = (Arc::clone(&exporter), Arc::clone(&stop), Arc::clone(&scrapes));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                // A scrape that fails panics, and so does the join below.
                assert_eq!(exporter.metrics().keys().len(), 3 * 7);
                scrapes.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(20));
            }
        })
    };
    let resources = |exporter: &Exporter| {
        let count = |what: &str| std::fs::read_dir(format!("/proc/{}/{what}", exporter.pid())).unwrap().count();
        (count("fd"), count("task"))
    };
    let (mut descriptors, mut threads) = (0, 0);
    for n in 0..1_000 {
        let bad = n % 2 == 1;
        world.write("config.yaml", if bad { "accounts: wrong" } else { &good });
        assert_eq!(reload(&exporter).0, if bad { 500 } else { 200 });
        if n == 100 {
            (descriptors, threads) = resources(&exporter);
        }
    }
    let (left, running) = resources(&exporter);
    stop.store(true, Ordering::Relaxed);
    scraping.join().unwrap();
    assert!(scrapes.load(Ordering::Relaxed) > 10, "there were scrapes meanwhile");
    assert!(left <= descriptors + 2 && running <= threads + 2, "{descriptors}, {threads} and then {left}, {running}");
    let after = exporter.metrics();
    assert_eq!((after.keys(), successful(&after)), (before.keys(), Some(0.0)));
}

#[test]
fn an_optional_configuration_may_be_wrong_or_come_later_and_ends_nothing() {
    let world = world_of_three();
    let wrong = "accounts: [{name: prod, uins: [12a], credentials: {}}]\npoll: {rate_limit: 21}\n";
    let exporter = world.start_with(wrong, OPTIONAL);
    assert_eq!(exporter.get("/-/healthy").status, 200);
    let metrics = exporter.metrics();
    let loaded = |metrics: &Metrics| metrics.get("exporter_config_last_reload_success_timestamp_seconds");
    assert_eq!((successful(&metrics), loaded(&metrics)), (Some(0.0), Some(0.0)));
    exporter.until_logged("accounts[0].uins[0]");
    exporter.until_logged("poll.rate_limit");
    let page = exporter.get("/").body;
    assert!(page.contains("the configuration cannot be used"), "{page}");
    assert!(page.contains("Nobody is polled until there is a configuration"), "{page}");

    world.write("config.yaml", &config(&world, &[UIN]));
    let metrics = exporter.until_answered(1);
    assert_eq!(successful(&metrics), Some(1.0));
    assert!(loaded(&metrics) > Some(0.0));
    let page = exporter.get("/").body;
    assert!(!page.contains("the configuration cannot be used"), "{page}");
}

#[test]
fn what_was_known_is_taken_up_by_an_optional_configuration_that_comes_late() {
    let world = world_of_three();
    let config = format!("{}state_file: {}\n", config(&world, &[UIN]), world.folder.path().join("state").display());
    let exporter = world.start_with(&config, &[]);
    let before = exporter.until_answered(1);
    exporter.stop();
    world.take_the_api_down();
    std::fs::remove_file(world.folder.path().join("config.yaml")).unwrap();

    let missing = format!("--config.file={}", world.folder.path().join("config.yaml").display());
    let exporter = Exporter::start(binary().arg(missing).args(OPTIONAL));
    assert_eq!(successful(&exporter.metrics()), Some(0.0));
    world.write("config.yaml", &config);
    let after = exporter.until("reloaded", |metrics| successful(metrics) == Some(1.0));
    assert_eq!(after.keys(), before.keys());
}

#[test]
fn a_configuration_that_is_gone_or_cannot_be_read_is_reported_until_it_is_back() {
    let world = world_of_three();
    let exporter = world.start_with(&config(&world, &[UIN]), LIFECYCLE);
    let before = exporter.until_answered(1);
    let path = world.folder.path().join("config.yaml");
    let aside = world.folder.path().join("aside.yaml");
    let pipe = || {
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
    };
    let folder = || std::fs::create_dir(&path).unwrap();
    let nothing = || ();
    let losses: [(&dyn Fn(), &str); 3] = [(&nothing, "no"), (&pipe, "not a file"), (&folder, "not a file")];
    for (number, (replace, _)) in losses.iter().enumerate() {
        std::fs::rename(&path, &aside).unwrap();
        replace();
        let lost = exporter.until("reported", |metrics| successful(metrics) == Some(0.0));
        assert_eq!(lost.keys(), before.keys(), "the last configuration stays in use");
        let (status, result) = reload(&exporter);
        assert_eq!(status, 500, "{result}");
        exporter.signal("HUP");
        let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
        std::fs::rename(&aside, &path).unwrap();
        exporter.until("back", |metrics| successful(metrics) == Some(1.0));
        let result = exporter.log().matches("cannot read the configuration file").count();
        assert!(result <= number + 1, "once each: {}", exporter.log());
    }
    assert!(exporter.log().contains("cannot read the configuration file"), "{}", exporter.log());
}

#[test]
fn a_configuration_that_is_gone_again_at_once_is_reported_again() {
    let world = world_of_three();
    let exporter = world.start_with(&config(&world, &[UIN]), LIFECYCLE);
    let path = world.folder.path().join("config.yaml");
    let aside = world.folder.path().join("aside.yaml");
    for _ in 0..2 {
        std::fs::rename(&path, &aside).unwrap();
        exporter.until("reported", |metrics| successful(metrics) == Some(0.0));
        std::fs::rename(&aside, &path).unwrap();
        let (status, result) = reload(&exporter);
        assert_eq!(status, 200, "{result}");
    }
    exporter.stop();
}

#[test]
fn a_configuration_from_a_pipe_is_read_once_and_not_followed() {
    let world = world_of_three();
    let text = config(&world, &[UIN]);
    world.write("config.yaml", &text);
    let script = format!("cat {}/config.yaml | \"$@\"", world.folder.path().display());
    let mut shell = std::process::Command::new("sh");
    shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    shell
        .env("TENCENTCLOUD_SECRET_ID", crate::world::SECRET_ID)
        .env("TENCENTCLOUD_SECRET_KEY", crate::world::SECRET_KEY);
    shell.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"), "check-config"]);
    let output = shell.arg("--config.file=/dev/stdin").stdin(std::process::Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let pipe = world.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = {
        let pipe = pipe.clone();
        thread::spawn(move || std::fs::write(pipe, text).unwrap())
    };
    let exporter = Exporter::start(binary().arg(format!("--config.file={}", pipe.display())).args(LIFECYCLE));
    writer.join().unwrap();
    assert_eq!(successful(&exporter.until_answered(1)), Some(1.0));
    let (status, result) = reload(&exporter);
    assert!(status == 500 && result.contains("not a regular file"), "{result}");
    assert_eq!(successful(&exporter.metrics()), Some(0.0));
}

#[test]
fn a_pipe_that_nobody_writes_ends_a_check() {
    let world = world_of_three();
    let pipe = world.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let listing = format!("uins_file: {}, uins: []", pipe.display());
    let config = world.write("config.yaml", &config(&world, &[]).replace("uins: []", &listing));
    let tls = format!("tls_server_config: {{cert_file: {0}, key_file: {0}}}", pipe.display());
    let web = world.write("web.yml", &tls);
    for (flag, result) in [
        (format!("--config.file={}", pipe.display()), "nothing has written it to its end within 5 s"),
        (format!("--config.file={}", config.display()), "accounts[0].uins_file: cannot read"),
        (format!("--web.config.file={}", pipe.display()), "not a file"),
        (format!("--web.config.file={}", web.display()), "tls_server_config.cert_file: cannot read"),
    ] {
        let output = binary().args(["check-config", &flag]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains(result), "{flag}: {text}");
    }
}
