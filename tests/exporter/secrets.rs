//! No secret is told to anybody.

use tencentcloud_cam_exporter::simulator::{Fault, Population, Rejection, Times, User};

use crate::world::{Exporter, SECRET_ID, SECRET_KEY, UIN, World, binary, caller, key};

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
