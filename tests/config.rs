//! The configuration, from the outside: each file of `tests/config` against what is expected of it, the environment
//! over a file, and files that cannot be read.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without")]

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use proptest::prelude::*;
use tencentcloud_api::Region;
use tencentcloud_cam_exporter::{
    config::{Account, Config, Shard},
    environment::Environment,
};

const ONE: &str = "accounts: [{name: prod, uins: [100013065917], credentials: {env: {}}}]";

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    Config::parse(text, &variables.iter().copied().collect()).map_err(|faults| faults.to_string())
}

fn load(path: &Path) -> Result<Config, String> {
    Config::load(path, &Environment::default()).map_err(|faults| faults.to_string())
}

/// A configuration, one field a line.
fn describe(config: &Config) -> String {
    let account = |account: &Account| {
        let Account { name, uins, uins_file, include_self, discover, endpoint, sts_endpoint, region, .. } = account;
        let Account { credentials, poll, keys, shard_by, shard, organization, .. } = account;
        assert_eq!(*shard, Shard::WHOLE);
        let uins: Vec<String> = uins.iter().map(ToString::to_string).collect();
        let region = region.as_ref().map(Region::as_str);
        let organization = organization.as_ref().map(|it| format!("\n  organization: {it:?}")).unwrap_or_default();
        format!(
            "{name}\n  uins: [{}]\n  uins_file: {uins_file:?}\n  include_self: {include_self}\n  discover: {discover:?}\n  \
             endpoint: {endpoint}\n  sts_endpoint: {sts_endpoint}\n  region: {region:?}\n  credentials: {credentials:?}\n  \
             poll: {poll:?}\n  keys: {keys:?}\n  shard_by: {shard_by:?}{organization}",
            uins.join(", "),
        )
    };
    let Config { accounts, state_file } = config;
    let accounts: Vec<String> = accounts.iter().map(account).collect();
    format!("{}\nstate_file: {state_file:?}", accounts.join("\n"))
}

/// Compares each file of `folder` with the `.expect.txt` beside it, and reports all that differ. `UPDATE_CONFIG=1` writes them.
fn compare_all(folder: &str, outcome: impl Fn(Result<Config, String>) -> Result<String, String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (cases, expectations): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    assert!(!cases.is_empty(), "no cases in {}", folder.display());
    let mut differ = Vec::new();
    for case in &cases {
        let (outcome, file) = (outcome(load(case)), case.with_extension("expect.txt"));
        if let (Ok(found), Some(_)) = (&outcome, env::var_os("UPDATE_CONFIG")) {
            fs::write(&file, format!("{found}\n")).unwrap();
        }
        let expected = fs::read_to_string(&file);
        let expected = expected.unwrap_or_else(|error| panic!("{}: no expectation: {error}", case.display()));
        match outcome {
            Ok(found) if found == expected.trim_end() => {}
            Ok(found) => differ.push(format!("{}\nfound:\n{found}\nexpected:\n{expected}", case.display())),
            Err(problem) => differ.push(format!("{}: {problem}", case.display())),
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
    assert_eq!(cases.len(), expectations.len(), "an expectation without a case in {}", folder.display());
}

#[test]
fn right_files_load_as_expected() {
    // Relative paths are relative to the folder of the cases.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/valid").display().to_string();
    compare_all("valid", |outcome| outcome.map(|config| describe(&config).replace(&folder, ".")));
}

#[test]
fn relative_paths_are_relative_to_the_file_and_those_of_variables_to_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let text = "
        accounts:
          - name: prod
            uins_file: users/uins.txt
            credentials: {file: {secret_id_path: id, secret_key_path: /etc/cam/key, token_path: ../token}}
          - {name: profile, uins: [1], credentials: {profile: {path: credentials}}}
          - {name: home, uins: [1], credentials: {profile: {path: ~/credentials}}}
        state_file: state";
    fs::write(&file, text).unwrap();
    let at = |name: &str| format!("{:?}", folder.path().join(name));
    let config = describe(&load(&file).unwrap());
    for expected in [
        format!("uins_file: Some({})", at("users/uins.txt")),
        format!("secret_id: {}, secret_key: \"/etc/cam/key\", token: Some({})", at("id"), at("../token")),
        format!("Profile {{ path: Some({})", at("credentials")),
        "Profile { path: Some(\"~/credentials\")".to_owned(),
        format!("state_file: Some({})", at("state")),
    ] {
        assert!(config.contains(&expected), "{expected}: {config}");
    }

    let variables = [("CAM_EXPORTER__STATE_FILE", "other"), ("CAM_EXPORTER__ACCOUNTS__0__UINS_FILE", "uins.txt")];
    let config = Config::load(&file, &variables.into_iter().collect()).unwrap();
    assert_eq!(config.state_file.as_deref(), Some(Path::new("other")));
    assert_eq!(config.accounts[0].uins_file.as_deref(), Some(Path::new("uins.txt")));
    // Without a folder in its path, the file is in the working directory.
    assert_eq!(parse(text, &[]).unwrap().state_file.as_deref(), Some(Path::new("state")));
}

#[test]
fn the_default_timeout_is_at_most_the_interval() {
    let timeouts = |poll: &str| {
        let config = parse(&format!("{ONE}\npoll: {poll}"), &[]).unwrap();
        config.accounts[0].poll.timeout.get().as_secs()
    };
    for (poll, seconds) in
        [("{}", 10), ("{interval: 1s}", 1), ("{interval: 2s}", 2), ("{interval: 10s}", 10), ("{interval: 1d}", 10)]
    {
        assert_eq!(timeouts(poll), seconds, "{poll}");
    }
    let own = "accounts: [{name: prod, uins: [1], interval: 3s, credentials: {env: {}}}]";
    assert_eq!(parse(own, &[]).unwrap().accounts[0].poll.timeout.get().as_secs(), 3);
    // One that is given is not changed.
    assert!(parse(&format!("{own}\npoll: {{timeout: 10s}}"), &[]).unwrap_err().contains("longer than interval"));
}

#[test]
fn a_byte_order_mark_is_skipped_and_damage_is_refused() {
    assert_eq!(parse(&format!("\u{feff}{ONE}"), &[]), parse(ONE, &[]));
    for damaged in [format!("{ONE}\n\0poll: {{rate_limit: 21}}"), format!("{ONE}\n#\u{1b}"), "\0".repeat(4096)] {
        assert!(parse(&damaged, &[]).unwrap_err().contains("unexpected character U+00"), "{damaged:?}");
    }
}

#[test]
fn yes_and_no_are_read_in_every_spelling_of_yaml() {
    let with = |word: &str| {
        let text = format!(
            "accounts: [{{name: prod, uins: [1], discover: {word}, include_self: {word}, credentials: {{env: {{}}}}}}]\n\
             poll: {{last_used: {word}}}"
        );
        parse(&text, &[])
    };
    for (yes, no) in [("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ("On", "Off"), ("y", "n")] {
        assert_eq!((with(yes), with(no)), (with("true"), with("false")), "{yes}, {no}");
    }
    assert_eq!(with("enabled").unwrap_err().matches("neither true nor false: expected one of them").count(), 3);
}

#[test]
fn a_variable_that_is_not_utf_8_is_named_and_not_ignored() {
    let value = OsString::from_vec(b"secret\xff".to_vec());
    for name in ["CAM_EXPORTER__POLL__INTERVAL", "CAM_EXPORTER__STATE_FILE", "CAM_EXPORTER__ACCOUNTS__0__NAME"] {
        let environment = Environment::from_os([(name.into(), value.clone())]);
        let faults = Config::parse(ONE, &environment).unwrap_err().to_string();
        let named = format!("not UTF-8: set it again, in UTF-8 (from environment variable {name})");
        assert!(faults.contains(&named) && !faults.contains("secret"), "{name}: {faults}");
    }
    let name = OsString::from_vec(b"CAM_EXPORTER__POLL__INTER\xffVAL".to_vec());
    let faults = Config::parse(ONE, &Environment::from_os([(name, "1m".into())])).unwrap_err().to_string();
    assert!(faults.contains("unknown field"), "{faults}");
}

#[test]
fn wrong_files_are_refused_with_every_fault() {
    compare_all("invalid", |outcome| match outcome {
        Ok(_) => Err("loads, and should not".to_owned()),
        Err(faults) => Ok(faults),
    });
}

#[test]
fn the_example_loads() {
    let config = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yaml")).unwrap();
    // What it shows as defaults are the defaults.
    let uins = [("CAM_EXPORTER__ACCOUNTS__0__UINS", "100013065917,100013065918")];
    assert_eq!(config, parse(ONE, &uins).unwrap());
}

#[test]
fn files_that_cannot_be_read_are_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let absent = load(&folder.path().join("absent.yaml")).unwrap_err();
    assert_eq!(absent, "cannot be read: no such file or directory: check the path, the mount and the permissions");
    let directory = load(folder.path()).unwrap_err();
    assert_eq!(directory, "cannot be read: is a directory: check the path, the mount and the permissions");
    let large = folder.path().join("large.yaml");
    fs::write(&large, "#".repeat((1 << 20) - ONE.len() - 1) + "\n" + ONE).unwrap();
    assert!(load(&large).is_ok());
    fs::write(&large, "#".repeat((1 << 20) - ONE.len()) + "\n" + ONE).unwrap();
    let large = load(&large).unwrap_err();
    assert_eq!(large, "larger than 1 MiB, which no configuration is: check the path");
}

#[test]
fn a_check_reads_the_users_in_files_and_a_start_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = format!(
        "
        accounts:
          - {{name: file, uins_file: {}, credentials: {{env: {{}}}}}}
          - {{name: both, uins_file: {}, uins: [100], credentials: {{env: {{}}}}}}
        poll: {{rate_limit: RATE}}",
        path("file.txt").display(),
        path("both.txt").display(),
    );
    let config = path("config.yaml");
    let environment = Environment::default();
    let check = |rate| {
        fs::write(&config, text.replace("RATE", rate)).unwrap();
        Config::check(&config, &environment, Timestamp::UNIX_EPOCH).map_err(|faults| faults.to_string())
    };
    let absent = |name: &str| {
        format!(
            "cannot read {}: no such file or directory: check the path, the mount and the permissions",
            path(name).display()
        )
    };
    let (file, both) = (absent("file.txt"), absent("both.txt"));
    let expected = format!("accounts[0].uins_file: {file}\naccounts[1].uins_file: {both}");
    assert_eq!(check("5").unwrap_err(), expected);
    assert!(load(&config).is_ok());

    fs::write(path("file.txt"), "300\n100\n").unwrap();
    fs::write(path("both.txt"), "100013065917\n12a\n0\n").unwrap();
    let both = path("both.txt").display().to_string();
    let not_a_uin = "is not a UIN: expected an integer, such as 100013065917";
    // Beside what is wrong with the configuration itself.
    let expected = format!(
        "poll.rate_limit: \"21\" is out of range: expected 1 to 20 requests a second, the most that the API answers\n\
         accounts[1].uins_file: {both}:2: \"12a\" {not_a_uin}\n\
         accounts[1].uins_file: {both}:3: \"0\" {not_a_uin}"
    );
    assert_eq!(check("21").unwrap_err(), expected);

    fs::write(path("both.txt"), "100 # again\n200\n").unwrap();
    let good = describe(&check("5").unwrap());
    assert!(good.contains("  uins: [100, 300]\n") && good.contains("  uins: [100, 200]\n"), "{good}");
}

#[test]
fn variables_win_over_the_file() {
    let variables = [
        ("CAM_EXPORTER__POLL__INTERVAL", "1m"),
        ("CAM_EXPORTER__KEYS__LIMIT", "5"),
        ("CAM_EXPORTER__accounts__0__name", "test"),
        ("CAM_EXPORTER__ACCOUNTS__0__UINS", "1, 2"),
        ("CAM_EXPORTER__ACCOUNTS__0__UINS__1", "3"),
        ("CAM_EXPORTER__ACCOUNTS__0__UINS__2", "4"),
        ("CAM_EXPORTER__ACCOUNTS__0__RATE_LIMIT", "7"),
        ("CAM_EXPORTER__ACCOUNTS__0__REGION", "null"),
        ("CAM_EXPORTER__ACCOUNTS__1__NAME", "next"),
        ("CAM_EXPORTER__ACCOUNTS__1__UINS__0", "5"),
        ("CAM_EXPORTER__ACCOUNTS__1__CREDENTIALS__ENV", "{}"),
        ("CAM_EXPORTER__ACCOUNTS__1__ENDPOINT", ""),
        ("CAM_EXPORTER__NOT_SET", " "),
        ("CAM_EXPORTER_ELSE", "1"),
    ];
    let found = parse(ONE, &variables).unwrap();
    let file = "
        accounts:
          - {name: test, uins: [1, 3, 4], rate_limit: 7, credentials: {env: {}}}
          - {name: next, uins: [5], credentials: {env: {}}}
        poll: {interval: 1m}
        keys: {limit: 5}";
    assert_eq!(found, parse(file, &[]).unwrap());
}

#[test]
fn variables_set_what_is_expected_of_keys_and_of_some_users_keys() {
    let variables = [
        ("CAM_EXPORTER__KEYS__UNUSED_AFTER", "null"),
        ("CAM_EXPORTER__KEYS__AUTO_DISABLE_AFTER", "60d"),
        ("CAM_EXPORTER__KEYS__OVERRIDES__0__USERS", "svc-*, 100013065917"),
        ("CAM_EXPORTER__KEYS__OVERRIDES__0__ROTATION_GRACE", "null"),
        ("CAM_EXPORTER__KEYS__OVERRIDES__0__EXEMPT", "stale,unused"),
        ("CAM_EXPORTER__KEYS__OVERRIDES__0__UNTIL", "2027-03-01"),
        ("CAM_EXPORTER__ACCOUNTS__0__ROTATION_GRACE", "1d"),
    ];
    let file = "
        accounts: [{name: prod, uins: [100013065917], credentials: {env: {}}, rotation_grace: 1d}]
        keys:
          unused_after: null
          auto_disable_after: 60d
          overrides:
            - {users: ['svc-*', 100013065917], rotation_grace: null, exempt: [stale, unused], until: 2027-03-01}";
    let found = parse(ONE, &variables).unwrap();
    assert_eq!(found, parse(file, &[]).unwrap());
    assert_ne!(found, parse(&file.replace("unused_after: null", ""), &[]).unwrap());
}

#[test]
fn variables_alone_are_enough() {
    let variables = [
        ("CAM_EXPORTER__ACCOUNTS__0__NAME", "prod"),
        ("CAM_EXPORTER__ACCOUNTS__0__UINS", "100013065917"),
        ("CAM_EXPORTER__ACCOUNTS__0__CREDENTIALS__ENV", "{}"),
    ];
    assert_eq!(parse("", &variables), parse(ONE, &[]));
}

#[test]
fn a_fault_names_the_variable_it_comes_from() {
    for (name, value, fault) in [
        (
            "CAM_EXPORTER__POLL__RATE_LIMIT",
            "21",
            "poll.rate_limit: \"21\" is out of range: expected 1 to 20 requests a second, the most that the API \
             answers (from environment variable CAM_EXPORTER__POLL__RATE_LIMIT)",
        ),
        (
            "CAM_EXPORTER__POLL__INTERVALL",
            "1m",
            "poll.intervall: unknown field (did you mean interval?): expected interval, rate_limit, max_in_flight, \
             timeout, last_used, shard_by (from environment variable CAM_EXPORTER__POLL__INTERVALL)",
        ),
        (
            "CAM_EXPORTER__ACCOUNTS__0__UINS",
            "1,2,",
            "accounts[0].uins[2]: expected a single value, found nothing \
             (from environment variable CAM_EXPORTER__ACCOUNTS__0__UINS)",
        ),
        (
            "CAM_EXPORTER__ACCOUNTS__99999999__NAME",
            "x",
            "accounts: no place 99999999 in the list: the next one is 1 \
             (from environment variable CAM_EXPORTER__ACCOUNTS__99999999__NAME)",
        ),
        (
            "CAM_EXPORTER__ACCOUNTS__99999999999999999999__NAME",
            "x",
            "accounts: no place 18446744073709551615 in the list: the next one is 1 \
             (from environment variable CAM_EXPORTER__ACCOUNTS__99999999999999999999__NAME)",
        ),
        (
            "CAM_EXPORTER__ACCOUNTS__NAME",
            "x",
            "accounts: a list: expected the number of a place in it before __NAME \
             (from environment variable CAM_EXPORTER__ACCOUNTS__NAME)",
        ),
        (
            "CAM_EXPORTER__ACCOUNTS__0__0",
            "x",
            "accounts[0]: not a list: expected a field's name instead of __0 \
             (from environment variable CAM_EXPORTER__ACCOUNTS__0__0)",
        ),
        (
            "CAM_EXPORTER__ACCOUNTS__0__NAME__FIRST",
            "x",
            "accounts[0].name: a single value, without anything below it such as __FIRST \
             (from environment variable CAM_EXPORTER__ACCOUNTS__0__NAME__FIRST)",
        ),
        (
            "CAM_EXPORTER__ACCOUNTS",
            "x",
            "accounts: expected a list, found a single value (from environment variable CAM_EXPORTER__ACCOUNTS)",
        ),
        (
            "CAM_EXPORTER__",
            "x",
            "[\"\"]: unknown field: expected accounts, poll, keys, state_file \
             (from environment variable CAM_EXPORTER__)",
        ),
    ] {
        assert_eq!(parse(ONE, &[(name, value)]).unwrap_err(), fault, "{name}");
    }
}

#[test]
fn two_variables_for_one_value_are_refused() {
    let variables = [("CAM_EXPORTER__POLL__TIMEOUT", "1s"), ("CAM_EXPORTER__poll__timeout", "2s")];
    assert_eq!(
        parse(ONE, &variables).unwrap_err(),
        "poll.timeout: set by several environment variables: keep one of CAM_EXPORTER__POLL__TIMEOUT, \
         CAM_EXPORTER__poll__timeout",
    );
}

#[test]
fn a_deep_variable_does_not_overflow_the_stack() {
    let name = format!("CAM_EXPORTER{}", "__A".repeat(30_000));
    assert!(parse(ONE, &[(&name, "x")]).unwrap_err().starts_with("more than 16 levels"));
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    const SECRET: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
    let account = "accounts: [{name: prod, uins: [100013065917], credentials: ";
    for text in [
        format!("secret_key: {SECRET}\n{ONE}"),
        format!("? {{secret_key: {SECRET}}}\n: 1\n"),
        SECRET.to_owned(),
        format!("{SECRET}: 1\n{SECRET}: 2\n{ONE}"),
        format!("accounts: {SECRET}"),
        format!("accounts: [{SECRET}]"),
        format!("accounts: [{{name: prod, uins: [1], secret_key: {SECRET}, credentials: {{env: {{}}}}}}]"),
        format!("{account} {SECRET}}}]"),
        format!("{account} [{SECRET}]}}]"),
        format!("{account} {{{SECRET}}}}}]"),
        format!("{account} {{secret_key: {SECRET}}}}}]"),
        format!("{account} {{env: {SECRET}}}}}]"),
        format!("{account} {{env: {{TENCENTCLOUD_SECRET_KEY: {SECRET}}}}}}}]"),
        format!("{account} {{file: {SECRET}}}}}]"),
        format!("{account} {{file: {{secret_key: {SECRET}, secret_key_path: {SECRET}}}}}}}]"),
        format!("{account} {{profile: {SECRET}}}}}]"),
        format!("{account} {{assume_role: {{source: {SECRET}}}}}}}]"),
        format!("{account} {{env: {{}}}}, endpoint: 'https://id:{SECRET}@cam.tencentcloudapi.com'}}]"),
        format!("{account} {{env: {{}}}}, secret_key: \"{SECRET}"),
    ] {
        let faults = parse(&text, &[]).unwrap_err();
        assert!(!faults.contains(SECRET), "{text}\n{faults}");
    }
    for name in [
        "SECRET_KEY",
        "POLL",
        "KEYS__SECRET_KEY",
        "ACCOUNTS",
        "ACCOUNTS__0",
        "ACCOUNTS__7__SECRET_KEY",
        "ACCOUNTS__0__SECRET_KEY",
        "ACCOUNTS__0__NAME__SECRET_KEY",
        "ACCOUNTS__0__CREDENTIALS",
        "ACCOUNTS__0__CREDENTIALS__ENV",
        "ACCOUNTS__0__CREDENTIALS__SECRET_KEY",
        "ACCOUNTS__0__CREDENTIALS__ENV__SECRET_KEY",
    ] {
        let faults = parse(ONE, &[(&format!("CAM_EXPORTER__{name}"), SECRET)]).unwrap_err();
        assert!(faults.contains(name) && !faults.contains(SECRET), "{name}: {faults}");
    }
}

/// Each section with what it must have, as YAML in which `{}` stands for its fields, and the names of all its fields.
fn sections() -> Vec<(String, Vec<String>)> {
    let account = "{name: prod, uins: [1], credentials: {env: {}}";
    let sections = [
        ("", "{}"),
        ("accounts[]", "accounts: [{account}, {}}]"),
        ("poll", "accounts: [{account}}]\npoll: {{}}"),
        ("keys", "accounts: [{account}}]\nkeys: {{}}"),
        ("overrides", "accounts: [{account}}]\nkeys: {overrides: [{{}}]}"),
        ("discover", "accounts: [{account}, discover: {{}}}]"),
        ("organization", "accounts: [{account}, organization: {{}}}]"),
        ("last_used", "accounts: [{account}}]\npoll: {last_used: {{}}}"),
        ("credentials", "accounts: [{name: prod, uins: [1], credentials: {{}}}]"),
        ("file", "accounts: [{name: prod, uins: [1], credentials: {file: {{}}}}]"),
        ("profile", "accounts: [{name: prod, uins: [1], credentials: {profile: {{}}}}]"),
        ("cvm_role", "accounts: [{name: prod, uins: [1], credentials: {cvm_role: {{}}}}]"),
        ("assume_role", "accounts: [{name: prod, uins: [1], credentials: {assume_role: {{}}}}]"),
    ];
    let read = |(section, text): (&str, &str)| {
        let text = text.replace("{account}", account).replace("env: {}", "env: {EMPTY}");
        // The error about an unknown field lists the known ones.
        let faults = parse(&text.replace("{}", "nothing_called_so: 1").replace("{EMPTY}", "{}"), &[]).unwrap_err();
        let (_, known) = faults.split_once("unknown field: expected ").unwrap_or_else(|| panic!("{section}: {faults}"));
        (text, known.lines().next().unwrap().split(", ").map(str::to_owned).collect())
    };
    sections.into_iter().map(read).collect()
}

/// Each field of each section: YAML in which `@` stands for its value.
fn every_field() -> Vec<String> {
    let mut fields = vec![];
    for (text, known) in sections() {
        for field in known.iter().map(String::as_str).chain(["no_field_is_called_so"]) {
            for value in ["@", "[@]", "[[@]]", "{@: 1}", "{interval: @}"] {
                fields.push(text.replace("{}", &format!("{field}: {value}")).replace("{EMPTY}", "{}"));
            }
        }
    }
    fields
}

/// A field that is read and not used would change nothing.
#[test]
fn every_field_has_an_effect() {
    // Fields that others need.
    let companions = [
        ("accounts", "[{name: prod, uins: [1]}]"),
        ("users", "[a]"),
        ("limit", "1"),
        ("exempt", "[unused]"),
        ("role_name", "r"),
        ("role_arn", "'qcs::cam::uin/1:roleName/r'"),
        ("secret_id_path", "a"),
        ("secret_key_path", "b"),
    ];
    let values = [
        "false",
        "true",
        "1",
        "2",
        "59s",
        "58s",
        "3d",
        "[b]",
        "[2]",
        "[stale]",
        "[Collaborator]",
        "account",
        "user",
        "full",
        "hashed",
        "UTC",
        "2030-01-01",
        "c",
        "dd",
        "/e",
        "'https://f.test'",
        "'qcs::cam::uin/2:roleName/r'",
        "'qcs::cam::uin/3:roleName/r'",
        "{}",
        "{env: {}}",
        "{limit: 3}",
        "{interval: 59s}",
        "{role_name: r}",
        "{role_arn: 'qcs::cam::uin/1:roleName/r'}",
        "[{users: [a], limit: 3}]",
        "{secret_id_path: a, secret_key_path: b}",
        "[{name: a, uins: [1]}]",
        "[{name: b, uins: [1]}]",
    ];
    for (text, known) in sections() {
        let text = if text == "{}" { "{{}}".to_owned() } else { text };
        // What every section has is in all of them.
        for field in known.iter().filter(|field| !text.contains(&format!("{field}: "))) {
            let others = companions.iter().filter(|(name, _)| name != field && known.iter().any(|other| other == name));
            let others: Vec<String> = others.map(|(name, value)| format!("{name}: {value}")).collect();
            let with = |own: Option<&str>| {
                let own = own.map(|value| format!("{field}: {value}"));
                let fields: Vec<String> = own.into_iter().chain(others.iter().cloned()).collect();
                parse(&text.replace("{}", &fields.join(", ")).replace("{EMPTY}", "{}"), &[]).ok()
            };
            let mut outcomes: Vec<Config> = vec![];
            for config in std::iter::once(None).chain(values.map(Some)).filter_map(with) {
                if !outcomes.contains(&config) {
                    outcomes.push(config);
                }
            }
            // A source has only one valid value.
            let is_source = text.contains("credentials: {{}}");
            assert!(outcomes.len() > 1 || is_source && !outcomes.is_empty(), "{field} in {text}: {outcomes:?}");
        }
    }
}

/// Whether `text` has a part of `secret` by which it could be recognised.
fn tells(text: &str, secret: &str) -> bool {
    let characters: Vec<char> = secret.chars().collect();
    characters.windows(12).any(|part| text.contains(&part.iter().collect::<String>()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is pasted where, in a file or in a variable: errors have no part of it.
    #[test]
    fn no_field_repeats_a_secret(
        secret in "AKID[A-Za-z0-9]{32}|[A-Za-z0-9]{32}|[A-Za-z0-9+/]{43}=|[A-Za-z0-9_-]{60,200}|[0-9a-f]{64}|\
                   eyJ[A-Za-z0-9_-]{30}\\.[A-Za-z0-9_-]{40}\\.[A-Za-z0-9_-]{43}|https://hooks\\.test/[A-Za-z0-9/]{30}|\
                   http://user:[a-z0-9]{16}@host|[0-9]{40}|[A-Z0-9]{40}",
    ) {
        for field in every_field() {
            for quoted in [format!("\"{secret}\""), secret.clone()] {
                let text = field.replace('@', &quoted);
                if let Err(faults) = parse(&text, &[]) {
                    let host = secret.strip_prefix("https://hooks.test/");
                    prop_assert!(!tells(&faults, host.unwrap_or(&secret)), "{text}\n{faults}");
                }
            }
        }
        for name in ["STATE_FILE", "POLL__INTERVAL", "POLL__LAST_USED__INTERVAL", "KEYS__ID_LABEL", "ACCOUNTS__0__NAME",
            "ACCOUNTS__0__UINS", "ACCOUNTS__0__UINS__0", "ACCOUNTS__0__REGION", "ACCOUNTS__1__NAME"] {
            if let Err(faults) = parse(ONE, &[(&format!("CAM_EXPORTER__{name}"), &secret)]) {
                prop_assert!(!tells(&faults, secret.strip_prefix("https://hooks.test/").unwrap_or(&secret)), "{name}: {faults}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", value in "\\PC*") {
        let _ = parse(&text, &[("CAM_EXPORTER__ACCOUNTS__0__UINS", &value)]);
    }

    /// Pieces of YAML and of the schema, put together at random.
    #[test]
    fn no_pieces_of_yaml_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        let _ = parse(&pieces.concat(), &[]);
    }

    #[test]
    fn no_variable_panics(name in "(_{0,3}(ACCOUNTS|UINS|POLL|0|1|[A-Z0-9.é\\[\\]]{0,3})){0,6}", value in "\\PC*") {
        let _ = parse(ONE, &[(&format!("CAM_EXPORTER__{name}"), &value)]);
    }
}

/// What `no_pieces_of_yaml_panic` puts together.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "accounts", "name", "uins", "poll", "credentials", "env", "100013065917", "1", ":", ": ", "\n", "\n  ", "\n    ",
    "- ", "[", "]", "{", "}", ", ", "? ", "'", "\"", "\\", "|", ">", "|2-", "&a ", "*a", "!", "!!int ", "!<a>",
    "%YAML 1.2", "#", " #", "---", "\n---\n", "...", "\t", "~", "null", "<<", "@", "`", "\r\n", "\u{feff}", "\u{85}",
    "é", "\0",
];
