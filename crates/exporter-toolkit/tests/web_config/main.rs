//! Which web configuration files are taken, what is said to the others, and whether Prometheus's own tool agrees.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]

mod cases;
#[path = "../support/pki.rs"]
mod pki;
mod tls_cases;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use exporter_toolkit::Guard;
use jiff::Timestamp;
use proptest::prelude::*;

use cases::{
    Case,
    Promtool::{Agrees, Deviates, TooOld},
    cases, folder,
};

#[expect(clippy::disallowed_methods, reason = "the files are as old as they are")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn write(folder: &Path, case: &Case) -> PathBuf {
    let path = folder.join("web.yml");
    fs::write(&path, &case.text).unwrap();
    path
}

#[test]
fn every_file_is_taken_or_refused_with_every_fault() {
    let folder = folder();
    let cases = cases(folder.path());
    assert!(cases.len() >= 100, "{} cases", cases.len());
    let mut differ = vec![];
    for case in &cases {
        let found = Guard::load(&write(folder.path(), case), now).err();
        let found = found.map(|faults| faults.to_string()).unwrap_or_default();
        let expected = case.faults.join("\n").replace("DIR/", &format!("{}/", folder.path().display()));
        if found != expected {
            differ.push(format!("{}\nfound:\n{found}\nexpected:\n{expected}", case.text));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

#[test]
#[ignore = "needs promtool"]
fn promtool_agrees_or_we_say_why_not() {
    let folder = folder();
    let mut differ = vec![];
    for case in &cases(folder.path()) {
        let path = write(folder.path(), case);
        let output = Command::new("promtool").args(["check", "web-config"]).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let (theirs, ours) = (output.status.success(), case.faults.is_empty());
        let as_told = match case.promtool {
            Agrees => theirs == ours,
            Deviates(_) => theirs != ours,
            TooOld => !theirs && (said.contains("not found in type") || said.contains("unknown curve")),
        };
        if !as_told {
            differ.push(format!("{}\n{:?}\npromtool: {said}\nours: {:?}", case.text, case.promtool, case.faults));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/web-configuration.md"));

#[test]
fn the_documented_example_is_good_and_every_field_and_deviation_is_documented() {
    let folder = folder();
    let path = folder.path().join("web.yml");
    let load = |text: &str| {
        fs::write(&path, text).unwrap();
        Guard::load(&path, now).map_err(|faults| faults.to_string())
    };
    let (_, example) = PAGE.split_once("```yaml\n").unwrap();
    let example = example.split("```").next().unwrap();
    assert_eq!(load(example).unwrap().summary(), "https, 1 user(s), a rate limit");
    for section in ["", "tls_server_config", "http_server_config", "rate_limit"] {
        let text = if section.is_empty() { "other: 1".to_owned() } else { format!("{section}: {{other: 1}}") };
        let fault = load(&text).unwrap_err();
        let (_, fields) = fault.lines().next().unwrap().split_once("unknown field: expected ").unwrap();
        for field in fields.split(", ") {
            assert!(PAGE.contains(&format!("`{field}`")) || PAGE.contains(&format!("### {field}")), "{field}");
        }
    }
    for case in cases(folder.path()) {
        if let Deviates(reason) = case.promtool {
            assert!(PAGE.contains(reason), "{reason}");
        }
    }
}

#[test]
fn what_is_unwise_is_accepted_with_a_warning() {
    let folder = folder();
    let path = folder.path().join("web.yml");
    let warnings = |text: &str| {
        fs::write(&path, text).unwrap();
        let warnings = Guard::load(&path, now).unwrap().warnings();
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let hash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
    let tls = |rest: &str| format!("tls_server_config: {{cert_file: server.pem, key_file: server.key, {rest}}}\n");
    let users = |cost: &str| format!("basic_auth_users: {{alice: '{}', bob: '{hash}'}}\n", hash.replace("$10$", cost));
    let system = "tls_server_config.client_auth_type: without client_ca_file, the certificates of every authority that the \
        system trusts are accepted: add client_ca_file";
    for policy in ["VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] {
        assert_eq!(warnings(&tls(&format!("client_auth_type: {policy}"))), [system]);
        assert!(warnings(&tls(&format!("client_auth_type: {policy}, client_ca_file: ca.pem"))).is_empty());
    }
    assert!(warnings(&(tls("client_auth_type: RequireAnyClientCert") + &users("$14$"))).is_empty());
    let slow = "basic_auth_users.alice: a bcrypt hash of cost 16: each check takes some 4 s: use a cost of 10 to 14";
    assert_eq!(warnings(&(tls("client_auth_type: VerifyClientCertIfGiven") + &users("$16$"))), [system, slow]);
}

#[test]
fn a_file_that_cannot_be_read_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &Path| Guard::load(path, now).unwrap_err().to_string();
    let absent = folder.path().join("absent.yml");
    let kind = "no such file or directory: check the path, the mount and the permissions";
    assert_eq!(load(&absent), format!("cannot read {}: {kind}", absent.display()));
    assert_eq!(load(folder.path()), format!("cannot read {}: not a file: check the path", folder.path().display()));
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    const SECRET: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
    let folder = folder();
    for text in [
        SECRET.to_owned(),
        format!("{SECRET}: 1\n{SECRET}: 2\n"),
        format!("password: {SECRET}"),
        format!("basic_auth_users: {SECRET}"),
        format!("basic_auth_users: {{alice: {SECRET}}}"),
        format!("basic_auth_users: {{alice: [{SECRET}]}}"),
        format!("basic_auth_users: {{alice: {{{SECRET}: {SECRET}}}}}"),
        format!("tls_server_config: {{cert: {SECRET}, key: {SECRET}}}"),
        format!("tls_server_config: {{cert: '-----BEGIN {SECRET}', key: '-----BEGIN PRIVATE KEY-----\\n{SECRET}'}}"),
        format!("tls_server_config: {{key: [{SECRET}]}}"),
        format!(
            "tls_server_config: {{cert_file: server.pem, key: \"-----BEGIN PRIVATE KEY-----\\n{SECRET}\\n-----END PRIVATE KEY-----\"}}"
        ),
        format!("basic_auth_users: {{alice: \"{SECRET}"),
    ] {
        let path = folder.path().join("web.yml");
        fs::write(&path, &text).unwrap();
        let faults = Guard::load(&path, now).unwrap_err().to_string();
        assert!(!faults.contains(SECRET), "{text}\n{faults}");
    }
}

proptest! {
    /// Pieces of YAML and of the schema, put together at random.
    #[test]
    fn no_pieces_of_yaml_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        fs::write(&path, pieces.concat()).unwrap();
        let _ = Guard::load(&path, now);
    }
}

/// What `no_pieces_of_yaml_panic` puts together.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "tls_server_config", "cert", "key_file", "client_auth_type", "RequireAnyClientCert", "cipher_suites", "min_version",
    "TLS12", "http_server_config", "http2", "headers", "X-Frame-Options", "basic_auth_users", "alice",
    "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi", "rate_limit", "interval", "burst", "1s", "1h2m.5s",
    "99999999999999999999h", "-1", ":", ": ", "\n", "\n  ", "- ", "[", "]", "{", "}", ", ", "? ", "'", "\"", "~", "null", "é",
    "-----BEGIN CERTIFICATE-----\n", "\0",
];
