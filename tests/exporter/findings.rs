//! What is found of users and keys, with overrides for some: by the built binary, wherever it is shown.

use jiff::SignedDuration;
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Key, User};

use crate::world::{Exporter, Metrics, UIN, World, binary};

fn key(id: &str, status: &str, days: i32) -> Key {
    Key::new(format!("{id:x<36}"), status, SystemClock.now() - SignedDuration::from_hours(24) * days)
}

/// The world's configuration, in which users are found, with these fields of `keys`.
fn config(world: &World, keys: &str) -> String {
    let all = world.simulator.edit(|population| population.uins());
    let found = world.config().replace(&format!("uins: {all:?}"), "discover: {interval: 1s}");
    assert!(found.contains("discover"), "{found}");
    format!("{}\nkeys: {{{keys}}}\n", found.replace("poll: {", "poll: {last_used: true, "))
}

/// The names of the findings of a user and its keys, in their order.
fn found(metrics: &Metrics, uin: u64) -> Vec<String> {
    let mut found = vec![];
    for family in ["tencentcloud_cam_access_key_finding", "tencentcloud_cam_user_finding"] {
        let of_user = metrics.family(family);
        let series = of_user.keys().filter(|series| series.contains(&format!("uin=\"{uin}\"")));
        found.extend(
            series.map(|series| series.split_once("finding=\"").unwrap().1.split('"').next().unwrap().to_owned()),
        );
    }
    found.sort();
    found
}

fn of_user(metrics: &Metrics, family: &str, uin: u64) -> Option<f64> {
    metrics.get(&format!(r#"{family}{{account="prod",uin="{uin}"}}"#))
}

fn reload(exporter: &Exporter) {
    let answer = exporter.send("POST /-/reload HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// One of each kind.
fn world() -> World {
    let two = [key("AKIDold", "Active", 50), key("AKIDnew", "Active", 20)];
    World::new([
        (UIN, User::with_keys([key("AKIDstale", "Active", 100)]).named("svc-a")),
        (UIN + 1, User::with_keys([key("AKIDbreak", "Active", 200)]).named("break-glass")),
        (UIN + 2, User::with_keys(two).named("rotating")),
        (UIN + 3, User::with_keys([key("AKIDhers", "Active", 3)]).named("alice").with_console_login()),
        (UIN + 4, User::default().named("console-only").with_console_login()),
        (UIN + 5, User::with_keys([key("AKIDidle", "Active", 80)]).named("idle")),
    ])
}

fn until_all_known(exporter: &Exporter) -> Metrics {
    exporter.until_answered(6);
    exporter.until("last uses", |metrics| metrics.count("tencentcloud_cam_access_key_never_used") == 6)
}

#[test]
fn overrides_by_name_and_by_uin_change_what_is_found_and_a_reload_takes_them_over() {
    let world = world();
    let exporter = world.start_with(&config(&world, ""), &["--web.enable-lifecycle"]);
    let metrics = until_all_known(&exporter);
    let stale = ["auto_disable_soon", "stale", "unused"];
    assert_eq!(found(&metrics, UIN), stale);
    assert_eq!(found(&metrics, UIN + 1), ["auto_disable_soon", "stale", "unused", "very_stale"]);
    assert_eq!(found(&metrics, UIN + 2), ["at_limit", "rotation_unfinished", "unused"]);
    assert_eq!(found(&metrics, UIN + 3), ["console_login"]);
    assert_eq!(found(&metrics, UIN + 4), Vec::<String>::new(), "it has no key");
    assert_eq!(found(&metrics, UIN + 5), ["auto_disable_soon", "unused"]);
    let logins = (0..6).map(|number| of_user(&metrics, "user_console_login", UIN + number).unwrap());
    assert_eq!(logins.collect::<Vec<_>>(), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    assert_eq!(metrics.count("tencentcloud_cam_user_exempt"), 0);

    let overrides = format!(
        "auto_disable_after: null, overrides: [{{users: ['svc-*', {}], max_age: 150d, unused_after: null}}, \
         {{users: [{}], limit: 3, rotation_grace: 30d, unused_after: 60d}}, {{users: [rotating], limit: 1}}, \
         {{users: [alice], exempt: [console_login], until: 2999-01-01}}, \
         {{users: ['*-only', idle], exempt: [unused], until: 2001-01-01, reason: over}}]",
        UIN + 1,
        UIN + 2,
    );
    world.write("config.yaml", &config(&world, &overrides));
    reload(&exporter);
    let metrics = exporter.metrics();
    assert_eq!(found(&metrics, UIN), Vec::<String>::new());
    assert_eq!(found(&metrics, UIN + 1), ["stale"]);
    assert_eq!(found(&metrics, UIN + 2), ["over_limit"], "the later one wins");
    assert_eq!(found(&metrics, UIN + 3), Vec::<String>::new());
    assert_eq!(found(&metrics, UIN + 5), ["unused"], "that exemption is over");
    let exempt = |uin: u64, finding: &str| {
        metrics.get(&format!(r#"user_exempt{{account="prod",uin="{uin}",finding="{finding}"}}"#))
    };
    assert_eq!(exempt(UIN + 3, "console_login"), Some(1.0));
    assert_eq!((exempt(UIN + 4, "unused"), exempt(UIN + 5, "unused")), (Some(0.0), Some(0.0)));
    assert_eq!(metrics.count("tencentcloud_cam_user_exempt"), 3);

    world.write("config.yaml", &config(&world, "auto_disable_after: null"));
    reload(&exporter);
    assert_eq!(found(&exporter.metrics(), UIN), ["stale", "unused"]);
}

#[test]
fn who_may_log_in_is_known_after_a_restart_and_only_of_users_that_were_found() {
    let world = world();
    let state = world.write("state", "");
    std::fs::remove_file(&state).unwrap();
    let config = format!("{}state_file: {}\n", config(&world, ""), state.display());
    let exporter = world.start_with(&config, &[]);
    let login = |metrics: &Metrics| of_user(metrics, "user_console_login", UIN + 3);
    assert_eq!(login(&exporter.until_answered(6)), Some(1.0));
    exporter.stop();
    world.take_the_api_down();
    let exporter = world.start_with(&config, &[]);
    let metrics = exporter.until("restored", |metrics| login(metrics).is_some());
    assert_eq!((login(&metrics), of_user(&metrics, "user_console_login", UIN)), (Some(1.0), Some(0.0)));
    assert_eq!(found(&metrics, UIN + 3), ["console_login"]);
    exporter.stop();
}

#[test]
fn a_user_that_is_only_listed_has_no_login() {
    let world = World::new([(UIN, User::with_keys([key("AKIDa", "Active", 3)]).with_console_login())]);
    let exporter = world.start();
    let metrics = exporter.until_answered(1);
    assert_eq!((of_user(&metrics, "user_console_login", UIN), found(&metrics, UIN)), (None, vec![]));
}

const OVERRIDES: &str = "overrides: [{users: [break-glass], exempt: [stale, unused], reason: for emergencies}, \
                         {users: [svc-a], exempt: [stale], until: 2001-01-01, reason: was old}]";

#[test]
fn the_page_shows_what_is_exempt_what_has_ended_and_what_will_be_disabled() {
    let world = world();
    let exporter = world.start_with(&config(&world, OVERRIDES), &[]);
    until_all_known(&exporter);
    let page = |path: &str| exporter.get(path).body;
    let overview = page("/");
    assert!(overview.contains("3 keys are not used and will soon be disabled by Tencent Cloud"), "{overview}");
    assert!(overview.contains("Tencent Cloud has announced that it disables keys unused for 90 days"), "{overview}");
    assert!(overview.contains("1 user has an exemption that has ended"), "{overview}");
    assert!(overview.contains("exempt from stale</span> (<bdi>for emergencies</bdi>)"), "{overview}");
    let keys = page("/?show=keys&finding=auto_disable_soon");
    assert!(keys.contains("will be disabled on ") && keys.contains("may be disabled any day since "), "{keys}");
    let ended = page("/?show=users&state=exemption_ended");
    assert!(ended.contains("svc-a") && !ended.contains("break-glass"), "{ended}");
    assert!(ended.contains("exemption from stale ended 2001-01-01</span> (<bdi>was old</bdi>)"), "{ended}");
    let logins = page("/?show=users&state=console_login");
    assert!(logins.contains("alice") && logins.contains("1 of 2 and console login"), "{logins}");
    assert!(!logins.contains("console-only"), "{logins}");
    let rotations = page("/?show=keys&finding=rotation_unfinished");
    assert!(rotations.contains("AKIDoldx") && !rotations.contains("AKIDnewx"), "{rotations}");
    assert!(page("/?show=keys&finding=console_login").contains("AKIDhers"));
    assert!(page("/?show=keys&finding=very_stale").contains("None."), "it is exempt");
}

#[test]
fn list_shows_what_is_exempt_what_has_ended_and_what_will_be_disabled() {
    let world = world();
    let file = world.write("config.yaml", &config(&world, OVERRIDES));
    let list = |flags: &[&str]| {
        let output =
            binary().arg("list").arg(format!("--config.file={}", file.display())).args(flags).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, table) = list(&[]);
    assert_eq!(code, Some(0), "{table}");
    let verdict =
        |label: &str| table.lines().find(|line| line.contains(label)).unwrap().split("  ").last().unwrap().trim();
    assert_eq!(verdict("AKIDstal"), "expiring, stale");
    assert_eq!(verdict("AKIDbrea"), "expiring, exempt");
    assert_eq!(verdict("AKIDoldx"), "unused, rotating");
    assert_eq!(verdict("AKIDnewx"), "ok");
    assert_eq!(verdict("AKIDhers"), "console login");
    for text in [
        "expiring: Tencent Cloud has announced that it disables keys unused for 90 days\n",
        "exempt: prod: 1 key from very stale, stale, unused\n  for emergencies\n",
        "exemption: prod: user 100013065917 (svc-a): from very stale, stale ended on 2001-01-01\n  was old\n",
    ] {
        assert!(table.contains(text), "{text}\n{table}");
    }
    assert!(table.ends_with(": 3 expiring, 1 stale, 3 unused, 1 rotating, 1 console login, 1 exempt\n"), "{table}");
    let (_, json) = list(&["--output=json", "--only=findings"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let exempt = json["keys"].as_array().unwrap().iter().find(|key| key["user_name"] == "break-glass").unwrap();
    let expected = serde_json::json!([
        {"finding": "very_stale", "until": null, "reason": "for emergencies"},
        {"finding": "stale", "until": null, "reason": "for emergencies"},
        {"finding": "unused", "until": null, "reason": "for emergencies"},
    ]);
    assert_eq!((&exempt["exempt"], &exempt["findings"]), (&expected, &serde_json::json!(["auto_disable_soon"])));
    assert_eq!(json["ended_exemptions"][0]["until"], "2001-01-01T00:00:00Z");
    assert!(json["keys"].as_array().unwrap().iter().all(|key| key["user_name"] != "console-only"));
    for (finding, code) in
        [("very-stale", 0), ("auto-disable-soon", 1), ("rotation-unfinished", 1), ("console-login", 1)]
    {
        assert_eq!(list(&["--output=csv", &format!("--fail-on={finding}")]).0, Some(code), "{finding}");
    }
    let (_, metrics) = list(&["--output=metrics"]);
    assert!(metrics.contains(r#"user_exempt{account="prod",uin="100013065918",finding="stale"} 1"#), "{metrics}");
}

#[test]
fn check_config_warns_of_what_has_no_effect() {
    let world = World::with_one_user();
    let overrides = format!(
        "keys: {{overrides: [{{users: ['svc-*', {UIN}], max_age: 1d}}, \
         {{users: ['*'], exempt: [stale], until: 2001-01-01}}, {{users: ['*'], exempt: [stale], until: 2999-01-01}}]}}\n"
    );
    let check = |config: &str| {
        let file = world.write("config.yaml", config);
        let output = binary().arg("check-config").arg(format!("--config.file={}", file.display())).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.replace(&file.display().to_string(), "FILE").lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        check(&format!("{}\n{overrides}", world.config())),
        [
            "FILE: warning: keys.overrides[0].users[0]: matches none of the UINs that are listed, and names are known with discover only",
            "FILE: warning: keys.overrides[1].until: the exemption ended on 2001-01-01: remove it, or give it a later until",
        ]
    );
    let found = world.config().replace(&format!("uins: [{UIN}]"), "discover: true");
    assert_eq!(check(&format!("{found}\n{overrides}")).len(), 1, "the users of discovery are not known");
}
