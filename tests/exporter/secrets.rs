//! No secret is shown anywhere.

use secrecy::ExposeSecret;
use tencentcloud_simulator::{Fault, Population, Rejection, Times, User};

use crate::{
    credentials::{IDENTITY_TOKEN, ROLE, machine, tke, world_of},
    world::{Exporter, SECRET_ID, SECRET_KEY, UIN, World, binary, caller, key},
};

const TOKEN: &str = "testtoken-0123456789-abcdef";

/// Whole ids are no secrets, but masked they must be masked everywhere.
const KEY_ID: &str = "AKIDwholexxxxxxxxxxxxxxxxxxxxxxxxxxx";

fn assert_silent(place: &str, text: &str) {
    assert!(!text.is_empty(), "{place}: there is nothing to look at");
    for secret in [SECRET_ID, SECRET_KEY, TOKEN, KEY_ID] {
        assert!(!text.contains(secret), "{place} tells {secret}: {text}");
    }
}

fn world() -> World {
    let users = [(UIN, User::with_keys([key("AKIDwhole", "Active", "2024-01-02T03:04:05Z")]))];
    World::of(Population { callers: vec![caller(Some(TOKEN))], users: users.into() })
}

/// Everything that a running exporter shows, while the API says all that it knows of us.
fn assert_silent_in_all_weather(world: &World, exporter: Exporter, what: &str) {
    exporter.until_answered(1);
    let quoting = format!("id {SECRET_ID} key {SECRET_KEY} token {TOKEN}");
    let body =
        format!(r#"{{"Response":{{"AccessKeys":[{{"AccessKeyId":"{KEY_ID}","Status":7}}],"RequestId":"{quoting}"}}}}"#);
    let weather = [
        ("credentials", Fault::Error(Rejection::new("AuthFailure.TokenFailure", &quoting))),
        ("other", Fault::Error(Rejection::new(&quoting, &quoting))),
        ("malformed", Fault::Answer(http::Response::new(body.into()))),
        ("http_status", Fault::Answer(http::Response::builder().status(403).body(quoting.clone().into()).unwrap())),
        ("connection", Fault::Reset),
        ("timeout", Fault::Hang),
    ];
    for (reason, fault) in weather {
        world.simulator.clear();
        world.simulator.inject(None, fault, Times::UntilCleared);
        exporter.until(reason, |metrics| metrics.failures(reason) > 0.0);
    }
    for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/nope"] {
        let answer = exporter.get(path);
        assert_silent(&format!("{what}: {path}"), &(answer.head + &answer.body));
    }
    let (_, log) = exporter.stop();
    assert!(log.contains("malformed"), "the log is that of all weathers: {log}");
    assert_silent(&format!("{what}: the log"), &log);
}

#[test]
fn of_the_environment() {
    for format in ["logfmt", "json"] {
        let world = world();
        let config = world.write("config.yaml", &world.config());
        let exporter = Exporter::start(
            binary()
                .env("TENCENTCLOUD_TOKEN", TOKEN)
                .arg(format!("--config.file={}", config.display()))
                .args(["--log.level=trace", &format!("--log.format={format}")]),
        );
        assert_silent_in_all_weather(&world, exporter, format);
    }
}

#[test]
fn of_files() {
    let world = world();
    let [id, key, token] = [("id", SECRET_ID), ("key", SECRET_KEY), ("token", TOKEN)]
        .map(|(name, text)| world.write(name, text).display().to_string());
    let files = format!("file: {{secret_id_path: {id}, secret_key_path: {key}, token_path: {token}}}");
    let exporter = world.start_with(&world.config().replace("env: {}", &files), &["--log.level=trace"]);
    assert_silent_in_all_weather(&world, exporter, "files");
}

#[test]
fn of_a_profile() {
    let world = world();
    let profile = format!("[default]\nsecret_id = {SECRET_ID}\nsecret_key = {SECRET_KEY}\ntoken = {TOKEN}\n");
    for text in
        [profile.clone(), format!(r#"{{"secretId":"{SECRET_ID}","secretKey":"{SECRET_KEY}","token":"{TOKEN}"}}"#)]
    {
        world.simulator.clear();
        let path = world.write("credentials", &text).display().to_string();
        let exporter = world.start_with(
            &world.config().replace("env: {}", &format!("profile: {{path: {path}}}")),
            &["--log.level=trace"],
        );
        assert_silent_in_all_weather(&world, exporter, "a profile");
    }
    // Half of it, and what is none.
    for text in [
        &profile.replace("secret_id", "id"),
        &format!("{{{profile}"),
        &profile.replace(SECRET_ID, &format!("{SECRET_ID} x")),
    ] {
        let path = world.write("credentials", text).display().to_string();
        let exporter = world.start_with(
            &world.config().replace("env: {}", &format!("profile: {{path: {path}}}")),
            &["--log.level=trace"],
        );
        exporter.until("refused", |metrics| metrics.failures("credentials") > 0.0);
        assert_silent("the log", &exporter.stop().1);
    }
}

/// Temporary credentials, and those they were issued for, whatever the issuer's response says.
#[test]
fn that_are_temporary() {
    let role = format!("assume_role: {{role_arn: '{ROLE}', source: {{env: {{}}}}}}");
    for source in [role.as_str(), "tke_oidc: {}", "cvm_role: {}"] {
        for weather in ["an error", "another shape", "a proxy"] {
            let world = world_of(1);
            world.simulator.set_machine(Some(machine(3_600)));
            let mut command = binary();
            command.envs(tke(&world)).env("CAM_EXPORTER_METADATA_ENDPOINT", format!("http://{}", world.metadata()));
            let exporter =
                Exporter::start(world.with_config(&mut command, &world.config_with(source)).arg("--log.level=trace"));
            exporter.until_answered(1);

            let issued = world.simulator.issued();
            let issued: Vec<&str> = issued
                .iter()
                .flat_map(|credential| {
                    [Some(&credential.secret_id), Some(&credential.secret_key), credential.token.as_ref()]
                })
                .flatten()
                .map(ExposeSecret::expose_secret)
                .collect();
            assert_eq!(issued.len(), 3);
            let asker =
                if source.starts_with("tke") { IDENTITY_TOKEN.to_owned() } else { format!("{SECRET_ID} {SECRET_KEY}") };
            let fault = match weather {
                "an error" => Fault::Error(Rejection::new(format!("Quoting.{asker}"), format!("quoting {asker}"))),
                "another shape" => Fault::Answer(http::Response::new(
                    format!(r#"{{"Response":{{"Credentials":{{"Token":"{0}","TmpSecretId":"{0}","TmpSecretKey":["{0}"]}},"ExpiredTime":"{0}","RequestId":"r"}},"Code":"Success","TmpSecretId":"{0}","TmpSecretKey":["{0}"]}}"#, issued[1]).into(),
                )),
                _ => Fault::Answer(http::Response::builder().status(407).body(format!("{asker} {issued:?}").into()).unwrap()),
            };
            for action in ["AssumeRole", "AssumeRoleWithWebIdentity"] {
                world.simulator.inject_into(action, fault.clone(), Times::UntilCleared);
            }
            world.simulator.inject_into_metadata(fault, Times::UntilCleared);
            let refusal = Rejection::new("AuthFailure.TokenFailure", format!("quoting {issued:?}"));
            world.simulator.inject_into("ListAccessKeys", Fault::Error(refusal), Times::UntilCleared);
            exporter.until("refused", |metrics| {
                metrics.failures("credentials") > 0.0
                    && metrics.get(r#"credential_refresh_failures_total{account="prod"}"#) > Some(0.0)
            });
            let pages: String = ["/", "/metrics"].map(|path| exporter.get(path).body).concat();
            let result = exporter.stop().1 + &pages;
            assert_silent(source, &result);
            for secret in issued.into_iter().chain([IDENTITY_TOKEN]) {
                assert!(!result.contains(secret), "{source}, {weather}: {secret} is shown: {result}");
            }
        }
    }
}

#[test]
fn that_are_no_secrets_for_a_stray_blank() {
    let world = world();
    let [id, key] = [("id", SECRET_ID), ("key", &format!("{SECRET_KEY} {SECRET_KEY}"))]
        .map(|(name, text)| world.write(name, text).display().to_string());
    let files = format!("file: {{secret_id_path: {id}, secret_key_path: {key}}}");
    let exporter = world.start_with(&world.config().replace("env: {}", &files), &["--log.level=trace"]);
    exporter.until("refused", |metrics| metrics.failures("credentials") > 0.0);
    let (_, log) = exporter.stop();
    assert_silent("the log", &log);
}

#[test]
fn pasted_into_the_configuration() {
    let world = world();
    let endpoint = format!("http://{}", world.endpoint);
    let pasted = [
        format!(
            "accounts: [{{name: prod, uins: [1], endpoint: '{endpoint}', credentials: {{env: {{secret_key: {SECRET_KEY}}}}}}}]"
        ),
        format!("accounts: [{{name: prod, uins: [1], credentials: {SECRET_KEY}}}]"),
        format!(
            "accounts: [{{name: prod, uins: [1], credentials: {{file: {{secret_id: {SECRET_ID}, secret_key: {SECRET_KEY}}}}}}}]"
        ),
        format!("secret_key: {SECRET_KEY}"),
        format!("secret_key: {SECRET_KEY}: {SECRET_ID}"),
        format!("accounts: [{{name: prod, uins: [1], credentials: {{profile: {{token: {TOKEN}}}}}}}]"),
    ];
    for config in pasted {
        let path = world.write("config.yaml", &config);
        let output = binary().arg("check-config").arg(format!("--config.file={}", path.display())).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{config}");
        assert_silent(
            &config.replace(SECRET_KEY, "…"),
            &String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        );
    }
}
