//! Profiles of the official command line tool: who asks for what with each form of the file.
//!
//! The requests are those that the tool itself (version 3.1.189) sends with the same files, but for those that are refused
//! here: there the tool signs with a key that the file did not mean, or that has expired.

use jiff::SignedDuration;
use tencentcloud_api::{Clock, Credential, SystemClock};
use tencentcloud_simulator::{Caller, Machine, Population, Role};

use crate::{
    credentials::{ROLE, add_role, machine, refresh_failures, started},
    exposition::user_with_one_key,
    world::{SECRET_ID, SECRET_KEY, UIN, World, bare_binary, caller},
};

const KEY_OWNER: u64 = 100_000_000_001;
const LOGGED_IN: u64 = 100_000_000_002;
const MACHINE: u64 = 4_611_686_018_427_397_920;

/// A world in which everybody may list keys: the owner of a key, one who has logged in, a role, and the role of the machine.
fn world() -> World {
    let login =
        Credential { secret_id: "AKIDlogin".into(), secret_key: "loginkey".into(), token: Some("logintoken".into()) };
    let world = World::of(Population {
        callers: vec![caller(None), Caller { uin: LOGGED_IN, credential: login }],
        users: [(UIN, user_with_one_key())].into(),
    });
    add_role(&world);
    world.simulator.edit_roles(|roles| {
        let of_machine = Role { name: "machine".to_owned(), id: MACHINE, trusted_callers: vec![], ..roles[0].clone() };
        roles[0].trusted_callers.push(LOGGED_IN);
        roles.push(of_machine);
    });
    world.simulator.set_machine(Some(Machine { role: "machine".to_owned(), ..machine(3_600) }));
    world
}

/// The requests, and their callers.
fn requests(world: &World) -> Vec<String> {
    let who = |caller: Option<u64>| match caller {
        Some(KEY_OWNER) => "key",
        Some(LOGGED_IN) => "login",
        Some(MACHINE) => "machine",
        Some(_) => "role",
        None => "nobody",
    };
    let arrivals = world.simulator.arrivals().into_iter();
    let mut requests: Vec<String> = (0..world.simulator.metadata_requests()).map(|_| "metadata".to_owned()).collect();
    requests.extend(arrivals.map(|arrival| format!("{} by {}", arrival.action, who(arrival.caller))));
    requests
}

fn seconds_from_now(seconds: i64) -> i64 {
    (SystemClock.now() + SignedDuration::from_secs(seconds)).as_second()
}

fn key() -> String {
    format!(r#""secretId": "{SECRET_ID}", "secretKey": "{SECRET_KEY}""#)
}

fn login() -> &'static str {
    r#""secretId": "AKIDlogin", "secretKey": "loginkey", "token": "logintoken""#
}

fn role() -> String {
    format!(r#""role-arn": "{ROLE}", "role-session-name": "me""#)
}

#[test]
fn each_file_has_the_requests_of_the_tool_or_is_refused() {
    let (key, login, role, later, before) = (key(), login(), role(), seconds_from_now(3_600), seconds_from_now(-60));
    let assumed = ["AssumeRole by key", "ListAccessKeys by role"];
    let of_machine = ["metadata", "ListAccessKeys by machine"];
    let files: [(String, Result<&[&str], &str>); 12] = [
        (key.clone(), Ok(&["ListAccessKeys by key"])),
        (login.to_owned(), Ok(&["ListAccessKeys by login"])),
        (format!("{key}, {role}"), Ok(&assumed)),
        (format!(r#"{key}, {role}, "type": "default""#), Ok(&assumed)),
        (r#""type": "cvm-role""#.to_owned(), Ok(&of_machine)),
        (format!(r#"{key}, {role}, "type": "cvm-role""#), Ok(&of_machine)),
        (format!(r#"{login}, "type": "oauth", "expiresAt": {later}"#), Ok(&["ListAccessKeys by login"])),
        (format!(r#"{login}, "type": "sso", "expiresAt": {later}"#), Ok(&["ListAccessKeys by login"])),
        (format!(r#"{login}, "type": "oauth", "expiresAt": {before}"#), Err("log in again with `tccli auth login`")),
        (format!(r#"{login}, "type": "sso", "expiresAt": {before}"#), Err("log in again with `tccli sso login`")),
        (format!(r#"{key}, "role-arn": "{ROLE}""#), Err("has role-arn and no role-session-name")),
        (format!(r#"{key}, "type": "cvm_role""#), Err("has a type that is not one of")),
    ];
    for (file, expected) in files {
        let world = world();
        let path = world.write("default.credential", &format!("{{{file}}}")).display().to_string();
        let mut command = bare_binary();
        command.env("CAM_EXPORTER_METADATA_ENDPOINT", format!("http://{}", world.metadata()));
        let config = world.config_with(&format!("profile: {{path: {path}}}"));
        let output = world.with_config(command.args(["check-config", "--connect"]), &config).output().unwrap();
        let result = String::from_utf8(output.stdout).unwrap();
        match expected {
            Ok(expected) => {
                assert_eq!(requests(&world), expected, "{file}: {result}");
                assert!(result.contains("prod: ok: "), "{file}: {result}");
            }
            Err(expected) => {
                assert_eq!(requests(&world), Vec::<String>::new(), "{file}: {result}");
                assert!(result.contains("prod: credentials: ") && result.contains(expected), "{file}: {result}");
                assert!(result.contains("under `credentials"), "it names the field to use instead: {result}");
            }
        }
    }
}

#[test]
fn a_file_that_comes_to_name_somebody_else_is_followed() {
    let world = world();
    let endpoint = format!("http://{}", world.metadata());
    let write = |fields: &str| world.write("default.credential", &format!("{{{fields}}}"));
    let path = write(&key()).display().to_string();
    let config = world.config_with(&format!("profile: {{path: {path}}}"));
    let exporter = started(&world, &config, &[("CAM_EXPORTER_METADATA_ENDPOINT", &endpoint)]);
    let expiry = r#"credential_expiry_timestamp_seconds{account="prod"}"#;
    let last = || requests(&world).pop().unwrap_or_default();
    let until = |request: &str| {
        let metrics = exporter.until(request, |metrics| {
            last() == format!("ListAccessKeys by {request}") && metrics.of_user("user_up") == Some(1.0)
        });
        assert!(metrics.failures("credentials") < f64::EPSILON, "{metrics:?}");
        metrics
    };
    assert_eq!(until("key").get(expiry), None);
    write(&format!("{}, {}", key(), role()));
    assert!(until("role").get(expiry).is_some());
    write(&format!(r#"{}, "type": "cvm-role""#, key()));
    assert!(until("machine").get(expiry).is_some());
    let later = seconds_from_now(3_600);
    write(&format!(r#"{}, "type": "oauth", "expiresAt": {later}"#, login()));
    let metrics = until("login");
    #[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
    let later = later as f64;
    assert_eq!(metrics.get(expiry), Some(later));
    assert!(refresh_failures(&metrics) < f64::EPSILON);

    write(&format!(r#"{}, "type": "oauth", "expiresAt": {}"#, login(), seconds_from_now(-1)));
    let metrics = exporter.until("expired", |metrics| metrics.failures("credentials") > 1.0);
    assert!(refresh_failures(&metrics) > 0.0);
    assert!(!metrics.keys().is_empty(), "what was known is kept");
    let asked = world.simulator.arrivals().len();
    exporter.until("failed again", |metrics| metrics.failures("credentials") > 4.0);
    assert_eq!(world.simulator.arrivals().len(), asked, "nobody signs instead");
    write(&key());
    exporter.until("recovered", |metrics| metrics.of_user("user_up") == Some(1.0) && last() == "ListAccessKeys by key");
}

/// The key is rotated, and the old one revoked: the role is assumed with the new one.
#[test]
fn the_key_that_assumes_a_role_may_be_rotated() {
    let world = world();
    let write = |key: &str| world.write("default.credential", &format!("{{{key}, {}}}", role()));
    let path = write(&key()).display().to_string();
    let exporter = started(&world, &world.config_with(&format!("profile: {{path: {path}}}")), &[]);
    exporter.until_answered(1);
    write(&key().replace(SECRET_ID, "AKIDrotated"));
    world.simulator.edit(|population| population.callers[0].credential.secret_id = "AKIDrotated".into());
    world.simulator.revoke();
    let revoked = world.simulator.arrivals().len();
    exporter.until("assumed again", |_| requests(&world)[revoked..].contains(&"AssumeRole by key".to_owned()));
    let metrics = exporter.until("polled on", |metrics| metrics.of_user("user_up") == Some(1.0));
    assert!(metrics.failures("credentials") < f64::EPSILON, "{metrics:?}");
}
