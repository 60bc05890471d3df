//! Ways to see nothing: the page at `/` says what is wrong, since when, with which error, and what to do; and no account is
//! up.

use std::{process::Command, thread, time::Duration};

use http::Response;
use tencentcloud_simulator::{Fault, Rejection, Times};
use tokio::time::Instant;

use crate::world::{Answer, Exporter, SECRET_ID, SECRET_KEY, UIN, World, bare_binary, binary};

const TIMEOUT: Duration = Duration::from_secs(30);

/// What the page has to say.
struct Expected<'a> {
    title: &'a str,
    /// The alerts whose runbooks it leads to.
    runbooks: &'a [&'a str],
    /// Texts of "Needs attention".
    shows: &'a [&'a str],
    account_up: Option<f64>,
}

/// The page, as soon as it has all of these texts.
fn until_shown(exporter: &Exporter, shown: &[&str]) -> Answer {
    let started = Instant::now();
    loop {
        let page = exporter.get("/");
        let said = text(&page.body);
        let Some(missing) = shown.iter().find(|text| !said.contains(**text)) else { return page };
        assert!(started.elapsed() < TIMEOUT, "never {missing}: {said}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What a reader sees of some HTML.
fn text(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('<') {
        text.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
    }
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text, |text, (entity, character)| text.replace(entity, character))
}

fn title(page: &Answer) -> &str {
    page.body.split_once("<title>").unwrap().1.split_once(" – ").unwrap().0
}

/// The part of the page under the heading of that id.
fn part<'a>(page: &'a Answer, id: &str) -> &'a str {
    let (_, part) = page.body.split_once(&format!(r#"<h2 id="{id}">"#)).unwrap_or_else(|| panic!("no {id}: {page:?}"));
    part.split("</section>").next().unwrap()
}

/// Checks that the page tells all of that, as soon as it has the texts.
fn tells(exporter: &Exporter, expected: &Expected<'_>) -> Answer {
    let page = until_shown(exporter, expected.shows);
    let attention = part(&page, "attention");
    let said = text(attention);
    assert_eq!(title(&page), expected.title, "{said}");
    for shown in expected.shows {
        assert!(said.contains(shown), "no {shown}: {said}");
    }
    for alert in expected.runbooks {
        assert!(attention.contains(&format!("/docs/alerts/{alert}.md\">Runbook</a>")), "no {alert}: {attention}");
    }
    assert!(said.contains(", since 2"), "since when: {said}");
    for secret in [SECRET_ID, SECRET_KEY] {
        assert!(!page.body.contains(secret), "it tells {secret}");
    }
    assert_eq!(account_up(exporter), expected.account_up, "{said}");
    page
}

fn account_up(exporter: &Exporter) -> Option<f64> {
    exporter.metrics().get(r#"account_up{account="prod"}"#)
}

/// A configuration of one account with these fields.
fn config(world: &World, fields: &str) -> String {
    let endpoint = format!("http://{}", world.endpoint);
    format!(
        "accounts: [{{name: prod, {fields}, endpoint: '{endpoint}', sts_endpoint: '{endpoint}', \
         credentials: {{env: {{}}}}}}]\n\
         poll: {{interval: 1s, timeout: 1s, rate_limit: 20}}\n"
    )
}

fn denied() -> Fault {
    Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "you are not authorized"))
}

/// The end of a text with a request id.
fn has_request_id(said: &str) -> bool {
    said.split("(request id ").skip(1).any(|rest| rest.split_once(')').is_some_and(|(id, _)| id.len() == 36))
}

fn with_secret_files(world: &World, fields: &str) -> String {
    let (id, key) = (world.write("secret-id", SECRET_ID), world.write("secret-key", SECRET_KEY));
    let files = format!("file: {{secret_id_path: {}, secret_key_path: {}}}", id.display(), key.display());
    config(world, fields).replace("env: {}", &files)
}

#[test]
fn a_listing_of_users_that_is_refused() {
    let world = World::with_one_user();
    world.simulator.inject_into("ListUsers", denied(), Times::UntilCleared);
    let exporter = world.start_with(&config(&world, "discover: true"), &[]);
    let page = tells(
        &exporter,
        &Expected {
            title: "2 problems",
            runbooks: &["TencentCloudCamAccountDown", "TencentCloudCamUserDiscoveryFailing"],
            shows: &[
                "1 account is down: prod",
                "no user is known, as a list of them failed",
                "1 account cannot list its users: prod",
                "AuthFailure.UnauthorizedOperation: you are not authorized",
                "Give the calling user a policy that allows cam:ListUsers on the resource *",
            ],
            account_up: Some(0.0),
        },
    );
    assert!(
        has_request_id(&text(part(&page, "attention"))) && has_request_id(&text(part(&page, "accounts"))),
        "{page:?}"
    );
    assert!(!page.body.contains("cam:ListAccessKeys"), "the other permission is not missing: {page:?}");
}

#[test]
fn an_endpoint_that_is_away() {
    let world = World::with_one_user();
    world.take_the_api_down();
    for fields in ["discover: true", "include_self: true", "organization: {role_name: exporter}"] {
        let endpoint = format!("role_name: exporter, endpoint: 'http://{}'", world.endpoint);
        let exporter = world.start_with(&config(&world, &fields.replace("role_name: exporter", &endpoint)), &[]);
        let shows = ["1 account is down: prod", "cannot connect", "Check DNS, network policy, proxy."];
        let runbooks = ["TencentCloudCamAccountDown"];
        tells(&exporter, &Expected { title: "2 problems", runbooks: &runbooks, shows: &shows, account_up: Some(0.0) });
    }
}

#[test]
fn an_endpoint_that_never_answers_is_not_well_before_the_timeout_nor_after() {
    let world = World::with_one_user();
    world.simulator.inject(None, Fault::Hang, Times::UntilCleared);
    let fields = format!("discover: true, uins: [{UIN}]");
    let config = config(&world, &fields);
    let exporter = world.start_with(&config.replace("interval: 1s, timeout: 1s", "interval: 60s, timeout: 60s"), &[]);
    let page = exporter.get("/");
    assert_eq!(title(&page), "Starting", "{page:?}");
    let awaited = text(part(&page, "awaited"));
    assert!(awaited.contains("the list of users (discover), in 1 account: prod"), "{awaited}");
    assert!(awaited.contains("the keys of 1 user, in 1 account: prod"), "{awaited}");
    assert_eq!(account_up(&exporter), None);
    let exporter = world.start_with(&config, &[]);
    let shows = [
        "1 account is down: prod",
        "1 account cannot list its users: prod",
        "no answer within 1 s",
        "1 user cannot be polled",
    ];
    let runbooks = ["TencentCloudCamAccountDown", "TencentCloudCamUserDiscoveryFailing", "TencentCloudCamPollFailing"];
    tells(&exporter, &Expected { title: "3 problems", runbooks: &runbooks, shows: &shows, account_up: Some(0.0) });
}

#[test]
fn a_secret_that_is_missing() {
    let world = World::with_one_user();
    let exporter = Exporter::start(world.with_config(&mut bare_binary(), &config(&world, "discover: true")));
    let shows = ["1 account is down: prod", "environment variable TENCENTCLOUD_SECRET_ID is not set: set it"];
    let runbooks = ["TencentCloudCamAccountDown", "TencentCloudCamUserDiscoveryFailing"];
    tells(&exporter, &Expected { title: "2 problems", runbooks: &runbooks, shows: &shows, account_up: Some(0.0) });

    let exporter = Exporter::start(world.with_config(&mut bare_binary(), &config(&world, &format!("uins: [{UIN}]"))));
    let shows = [
        "1 account is down: prod",
        "no last poll of its 1 user brought keys",
        "1 user cannot be polled",
        "environment variable TENCENTCLOUD_SECRET_ID is not set: set it",
    ];
    let runbooks = ["TencentCloudCamAccountDown", "TencentCloudCamPollFailing"];
    tells(&exporter, &Expected { title: "2 problems", runbooks: &runbooks, shows: &shows, account_up: Some(0.0) });
}

#[test]
fn a_secret_that_is_deleted() {
    let world = World::with_one_user();
    let config = with_secret_files(&world, &format!("discover: {{interval: 1s}}, uins: [{UIN}]"));
    let exporter = world.start_with(&config, &[]);
    exporter.until_answered(1);
    std::fs::remove_file(world.folder.path().join("secret-id")).unwrap();
    let shows =
        ["1 account cannot renew its credential: prod", "The last valid one stays in use", "check the path, the mount"];
    let runbooks = ["TencentCloudCamCredentialExpiring"];
    tells(&exporter, &Expected { title: "2 problems", runbooks: &runbooks, shows: &shows, account_up: Some(1.0) });
    // At the next start there is no last good one.
    drop(exporter);
    let exporter = world.start_with(&config, &[]);
    let shows =
        ["1 account is down: prod", "1 account cannot list its users: prod", "cannot read", "1 user cannot be polled"];
    let runbooks = ["TencentCloudCamAccountDown", "TencentCloudCamUserDiscoveryFailing", "TencentCloudCamPollFailing"];
    tells(&exporter, &Expected { title: "3 problems", runbooks: &runbooks, shows: &shows, account_up: Some(0.0) });
}

#[test]
fn a_key_that_is_deleted_in_the_console() {
    let world = World::with_one_user();
    let exporter = world.start_with(&config(&world, "discover: {interval: 1s}"), &[]);
    exporter.until_answered(1);
    world.simulator.edit(|population| population.callers.clear());
    let shows = [
        "1 account is down: prod",
        "1 account cannot list its users: prod",
        "AuthFailure.SecretIdNotFound",
        "The exporter's own key was deleted or disabled",
        "1 user cannot be polled",
    ];
    let runbooks = ["TencentCloudCamAccountDown", "TencentCloudCamUserDiscoveryFailing", "TencentCloudCamPollFailing"];
    exporter.until("down", |metrics| metrics.get(r#"account_up{account="prod"}"#) == Some(0.0));
    // The key is stale as well.
    tells(&exporter, &Expected { title: "4 problems", runbooks: &runbooks, shows: &shows, account_up: Some(0.0) });
}

#[test]
fn a_caller_that_is_a_role_or_may_not_ask_who_it_is() {
    let role = r#"{"Response":{"UserId":"4611686018427397919:session","Type":"CAMRole","RequestId":"1"}}"#;
    let role = Response::builder().header("content-type", "application/json").body(role.into()).unwrap();
    for (fault, output) in [
        (Fault::Answer(role), "leave include_self out. To poll users, name them under uins, or set discover: true."),
        (denied(), "Give the calling user a policy that allows sts:GetCallerIdentity on the resource *"),
    ] {
        let world = World::with_one_user();
        world.simulator.inject_into("GetCallerIdentity", fault, Times::UntilCleared);
        let exporter = world.start_with(&config(&world, "include_self: true"), &[]);
        let shows = ["1 account is down: prod", "1 account cannot find the user that asks: prod", output];
        let runbooks = ["TencentCloudCamAccountDown", "TencentCloudCamCallerUnknown"];
        tells(&exporter, &Expected { title: "2 problems", runbooks: &runbooks, shows: &shows, account_up: Some(0.0) });
    }
}

#[test]
fn an_organization_that_may_not_be_listed() {
    let world = World::with_one_user();
    world.simulator.inject_into("DescribeOrganizationMembers", denied(), Times::UntilCleared);
    let fields = format!("organization: {{role_name: exporter, endpoint: 'http://{}'}}", world.endpoint);
    let exporter = world.start_with(&config(&world, &fields), &[]);
    let shows = [
        "1 account is down: prod",
        "1 account cannot list its organization: prod",
        "AuthFailure.UnauthorizedOperation",
        "a policy that allows organization:DescribeOrganizationMembers on the resource *",
    ];
    let runbooks = ["TencentCloudCamAccountDown", "TencentCloudCamOrganizationDiscoveryFailing"];
    tells(&exporter, &Expected { title: "2 problems", runbooks: &runbooks, shows: &shows, account_up: Some(0.0) });
}

#[test]
fn a_file_of_users_that_is_missing() {
    let world = World::with_one_user();
    let fields = format!("uins_file: {}", world.folder.path().join("nothing").display());
    let exporter = world.start_with(&config(&world, &fields), &[]);
    let shows = ["1 account is down: prod", "1 account has a uins_file that cannot be used: prod", "/nothing"];
    let runbooks = ["TencentCloudCamAccountDown", "TencentCloudCamUinsFileUnusable"];
    tells(&exporter, &Expected { title: "2 problems", runbooks: &runbooks, shows: &shows, account_up: Some(0.0) });
}

#[test]
fn the_base_for_kubernetes_without_its_secret() {
    let world = World::with_one_user();
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kubernetes/base/config.yaml");
    let config = std::fs::read_to_string(base).unwrap();
    let state = world.folder.path().join("state");
    let config = config.replace("/var/lib/tencentcloud-cam-exporter/state", &state.display().to_string());
    // Where a Secret is not there, Kubernetes does not start the pod; where one of its keys is not, there is no such file.
    let exporter = Exporter::start(world.with_config(&mut bare_binary(), &config));
    let page = until_shown(&exporter, &["1 account cannot list its users: main"]);
    assert_eq!(title(&page), "2 problems");
    let said = text(part(&page, "attention"));
    let file = "cannot read /etc/tencentcloud-cam-exporter/credentials/secret-id: ";
    for shown in ["1 account is down: main", file, ": check the path, the mount and the permissions", ", since 2"] {
        assert!(said.contains(shown), "no {shown}: {said}");
    }
    assert_eq!(exporter.metrics().get(r#"account_up{account="main"}"#), Some(0.0));
}

#[test]
fn a_listing_that_is_refused_beside_users_that_are_listed() {
    let world = World::with_one_user();
    world.simulator.inject_into("ListUsers", denied(), Times::UntilCleared);
    let exporter = world.start_with(&config(&world, &format!("discover: true, uins: [{UIN}]")), &[]);
    exporter.until_answered(1);
    let shows = ["1 account cannot list its users: prod", "a policy that allows cam:ListUsers on the resource *"];
    let runbooks = ["TencentCloudCamUserDiscoveryFailing"];
    // The key is stale as well. The account is polled, so it is up.
    let page =
        tells(&exporter, &Expected { title: "2 problems", runbooks: &runbooks, shows: &shows, account_up: Some(1.0) });
    let account = text(part(&page, "accounts"));
    assert!(
        account.contains("prod up") && account.contains("its users cannot be listed (discover), since 2"),
        "{account}"
    );
}

#[test]
fn a_configuration_that_is_missing() {
    let mut command: Command = binary();
    let exporter = Exporter::start(command.args(["--config.file=/nonexistent/config.yaml", "--config.optional"]));
    let page = exporter.get("/");
    assert_eq!(title(&page), "1 problem", "{page:?}");
    let said = text(part(&page, "attention"));
    assert!(said.contains("the configuration cannot be used: the log and check-config tell why"), "{said}");
}
