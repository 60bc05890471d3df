//! `check-config --connect`: a line for each account, and advice about failures.

use std::{process::Command, sync::Arc};

use http::Response;
use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Behaviour, Fault, Population, Rejection, Times, User, UserType};

use crate::{
    organization::{self, FIRST},
    world::{Run, UIN, World, binary, caller, key},
};

#[derive(Debug)]
struct Off(SignedDuration);

impl Clock for Off {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }
}

fn user() -> User {
    User::with_keys([key("AKIDone", "Active", "2024-01-02T03:04:05Z")])
}

fn command(world: &World, config: &str) -> Command {
    let config = world.write("config.yaml", config);
    let mut command = binary();
    command.args(["check-config", "--connect"]).arg(format!("--config.file={}", config.display()));
    command
}

/// The exit code, what is said of accounts, and what is said in the end.
fn result(mut command: Command) -> (Option<i32>, String, String) {
    let Run { code, stdout, stderr } = command.output().unwrap().into();
    assert!(!stdout.contains("AKIDsomebodyelse") && !stderr.contains("AKIDsomebodyelse"), "{stdout}{stderr}");
    let (good, accounts) = stdout.split_once('\n').unwrap_or_else(|| panic!("{stdout}{stderr}"));
    assert!(good.contains(": good: "), "{stdout}");
    (code, accounts.to_owned(), stderr)
}

/// What is said of the one account of `world`, which cannot be polled.
fn refused(world: &World, config: &str) -> String {
    let (code, accounts, error) = result(command(world, config));
    assert_eq!((code, accounts.lines().count()), (Some(1), 1), "{accounts}{error}");
    assert!(error.contains("1 of 1 account cannot be polled"), "{error}");
    accounts
}

#[test]
fn an_account_that_can_be_polled_costs_one_call() {
    let world = World::new([(UIN, user()), (UIN + 1, user())]);
    let (code, accounts, error) = result(command(&world, &world.config()));
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert_eq!(accounts, format!("prod: ok: user {UIN} has 1 key\n"));
    assert_eq!(world.simulator.arrivals().len(), 1);
}

#[test]
fn a_permission_that_is_missing_is_named() {
    let world = World::new([(UIN, User { behaviour: Behaviour::Denied, ..user() })]);
    let said = refused(&world, &world.config());
    assert!(said.starts_with("prod: denied: http://") && said.contains("AuthFailure.UnauthorizedOperation"), "{said}");
    assert!(said.contains("a policy that allows `cam:ListAccessKeys` on the resource `*`"), "{said}");
}

#[test]
fn each_source_of_users_is_asked_for() {
    let caller = caller(None).uin;
    let world = World::new([(caller, user())]);
    world.simulator.inject_into(
        "ListUsers",
        Fault::Error(Rejection::new("UnauthorizedOperation", "no")),
        Times::UntilCleared,
    );
    let fields = "name: prod, discover: true, include_self: true,";
    let config = world.config_with("env: {}").replace("name: prod,", fields);
    let (code, said, error) = result(command(&world, &config));
    assert_eq!(code, Some(1), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let [keys, own, users] = lines[..] else { panic!("{said}") };
    assert_eq!(keys, format!("prod: ok: user {caller} has 1 key"));
    assert!(own.starts_with("prod: ok: the caller has "), "{own}");
    assert!(users.starts_with("prod: denied: http://") && users.contains("`cam:ListUsers`"), "{users}");
    assert!(error.contains("1 of 1 account cannot be polled"), "{error}");
}

#[test]
fn users_of_other_types_are_asked_for() {
    let collaborator = || user().named("carol").of_type(UserType::Collaborator);
    let world = World::new([(UIN, collaborator()), (UIN + 1, collaborator())]);
    let fields = "name: prod, discover: {user_types: [Collaborator, MessageReceiver]},";
    let config = world.config().replace("name: prod,", fields);
    let ok = format!(
        "prod: ok: user {UIN} has 1 key\nprod: ok: 0 users to be found\n\
         prod: ok: 2 users of type Collaborator on the first page\n"
    );
    assert_eq!(result(command(&world, &config)), (Some(0), ok, String::new()));
    for (code, reason, advice) in [
        ("UnauthorizedOperation", "denied", "Give the calling user a policy that allows `cam:ListAccounts`"),
        ("InvalidAction", "rejected", "change or remove `user_types`"),
    ] {
        world.simulator.clear();
        world.simulator.inject_into("ListAccounts", Fault::Error(Rejection::new(code, "no")), Times::UntilCleared);
        let (status, said, _) = result(command(&world, &config));
        assert_eq!(status, Some(1), "{said}");
        let line = said.lines().last().unwrap();
        assert!(line.starts_with(&format!("prod: {reason}: http://")) && line.contains(advice), "{line}");
    }
}

#[test]
fn who_asks_is_asked_of_sts() {
    let world = World::new([(UIN, user())]);
    let config = world.config_with("env: {}").replace("name: prod,", "name: prod, include_self: true,");
    let sts = format!("sts_endpoint: 'http://{}'", world.endpoint);
    let (code, said, _) = result(command(&world, &config.replace(&sts, "sts_endpoint: 'http://127.0.0.1:1'")));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("prod: connect: http://127.0.0.1:1/: cannot connect"), "{said}");
}

#[test]
fn each_way_to_fail_is_told_with_what_to_do() {
    let rejected = |code: &str| Fault::Error(Rejection::new(code, "So it is."));
    for (fault, reason, advice) in [
        (rejected("RequestLimitExceeded"), "throttled", "Lower `poll.rate_limit`"),
        (rejected("InternalError"), "server_error", "Wait."),
        (rejected("AuthFailure.TokenFailure"), "credentials", "renew all three parts"),
        (rejected("OperationDenied.UinNotMatch"), "denied", "another root account"),
        (rejected("NobodyKnows"), "other", "NobodyKnows: So it is."),
        (
            Fault::Answer(Response::builder().status(404).body("gone".into()).unwrap()),
            "http_status",
            "`endpoint` is wrong",
        ),
        (Fault::Reset, "connection", "Wait."),
        (Fault::Hang, "timeout", "raise `poll.timeout`"),
    ] {
        let world = World::new([(UIN, user())]);
        world.simulator.inject(None, fault, Times::UntilCleared);
        let said = refused(&world, &world.config());
        assert!(said.starts_with(&format!("prod: {reason}: http://{}", world.endpoint)), "{reason}: {said}");
        assert!(said.contains(advice) && !said.contains("The log"), "{advice}: {said}");
    }
}

#[test]
fn a_user_who_does_not_exist_is_named() {
    let world = World::new([(UIN, User { behaviour: Behaviour::DoesNotExist, ..user() })]);
    let said = refused(&world, &world.config());
    assert!(said.contains("user_not_found") && said.contains("Remove it from `uins`"), "{said}");
}

#[test]
fn a_wrong_credential_is_told_apart_from_none() {
    let world = World::new([(UIN, user())]);
    let said = |name: &str, value: Option<&str>| {
        let mut command = command(&world, &world.config());
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
        let (code, accounts, _) = result(command);
        assert_eq!(code, Some(1), "{accounts}");
        accounts
    };
    let unknown = said("TENCENTCLOUD_SECRET_ID", Some("AKIDsomebodyelse"));
    assert!(unknown.contains("AuthFailure.SecretIdNotFound") && unknown.contains("enable it, or create"), "{unknown}");
    let wrong = said("TENCENTCLOUD_SECRET_KEY", Some("anotherkey"));
    assert!(wrong.contains("AuthFailure.SignatureFailure") && wrong.contains("copy both again"), "{wrong}");
    let absent = said("TENCENTCLOUD_SECRET_ID", None);
    assert!(
        absent.starts_with("prod: credentials: environment variable TENCENTCLOUD_SECRET_ID is not set: "),
        "{absent}"
    );
    assert_eq!(absent.lines().count(), 1, "{absent}");
}

#[test]
fn a_clock_that_is_wrong_is_told_and_gone_by() {
    for (ahead, said) in [(600, "s behind the API's clock"), (-90, "s ahead of the API's clock")] {
        let users = [(UIN, user())].into();
        let off = Arc::new(Off(SignedDuration::from_secs(ahead)));
        let world = World::at(off, Population { callers: vec![caller(None)], users });
        let (code, accounts, error) = result(command(&world, &world.config()));
        assert_eq!(code, Some(0), "{accounts}{error}");
        assert!(accounts.contains("prod: ok: ") && accounts.contains(said), "{accounts}");
        assert!(accounts.contains("the local clock is ") && accounts.contains("fix it"), "{accounts}");
    }
}

#[test]
fn an_endpoint_that_is_wrong_is_named() {
    let world = World::new([(UIN, user())]);
    let tls = world.config().replace("http://", "https://");
    let said = refused(&world, &tls);
    assert!(said.starts_with(&format!("prod: tls: https://{}", world.endpoint)), "{said}");
    assert!(said.contains("intercepting proxy"), "{said}");
    world.take_the_api_down();
    let said = refused(&world, &world.config());
    assert!(said.starts_with(&format!("prod: connect: http://{}", world.endpoint)), "{said}");
    assert!(said.contains("Check DNS"), "{said}");
}

#[test]
fn every_account_has_its_line_in_order() {
    let (world, denied) =
        (World::new([(UIN, user())]), World::new([(UIN, User { behaviour: Behaviour::Denied, ..user() })]));
    let account = |name: &str, endpoint| {
        format!("{{name: {name}, uins: [{UIN}], endpoint: 'http://{endpoint}', credentials: {{env: {{}}}}}}")
    };
    let accounts = [account("one", denied.endpoint), account("two", world.endpoint), account("three", denied.endpoint)];
    let (code, said, error) = result(command(&world, &format!("accounts: [{}]", accounts.join(", "))));
    assert_eq!(code, Some(1), "{said}");
    let starts = ["one: denied: ", "two: ok: ", "three: denied: "];
    assert!(said.lines().zip(starts).all(|(line, start)| line.starts_with(start)), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(error.contains("2 of 3 accounts cannot be polled"), "{error}");
}

#[test]
fn nobody_is_asked_while_the_configuration_is_wrong() {
    let world = World::new([(UIN, user())]);
    let run = Run::from(command(&world, &world.config().replace("20", "21")).output().unwrap());
    assert_eq!(run.code, Some(1));
    assert!(world.simulator.arrivals().is_empty());
}

#[test]
fn an_organization_is_listed_and_the_role_of_a_member_taken_on() {
    let world = organization::world(60);
    let members = organization::config(&world, "").replace("discover: {interval: 1s}, ", "");
    let (code, said, error) = result(command(&world, &members));
    assert_eq!((code, error.as_str()), (Some(0), ""), "{said}");
    assert_eq!(said, format!("org: ok: the organization has 60 members\n{FIRST}: ok: 2 users to be found\n"));
    assert_eq!(world.simulator.arrivals().len(), 3, "the members, the role, and the member's users");

    let with_users = organization::config(&world, "exclude: ['team 1']");
    let (_, said, _) = result(command(&world, &with_users));
    let starts = ["org: ok: 0 users to be found", "org: ok: the organization", &format!("{}: ok: ", FIRST + 1)];
    assert!(said.lines().zip(starts).all(|(line, start)| line.starts_with(start)), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");

    let (code, said, _) = result(command(&world, &organization::config(&world, "include: [nobody]")));
    assert_eq!((code, said.lines().count()), (Some(0), 2), "nobody's role is proved: {said}");
}

#[test]
fn a_member_whose_role_is_of_no_use_is_told_apart_from_a_list_that_is_denied() {
    let world = organization::world(2);
    let config = organization::config(&world, "");
    world.simulator.edit_roles(|roles| roles[0].permissions.clear());
    let (code, said, error) = result(command(&world, &config));
    let line = said.lines().last().unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(line.starts_with(&format!("{FIRST}: denied: ")) && line.contains("allows `cam:ListUsers`"), "{said}");
    assert!(error.contains("1 of 2 accounts cannot be polled"), "{error}");

    world.simulator.edit_roles(|roles| roles[0].trusted_callers.clear());
    let (_, said, _) = result(command(&world, &config));
    let line = said.lines().last().unwrap();
    assert!(line.starts_with(&format!("{FIRST}: credentials: ")) && line.contains("AssumeRole: "), "{said}");

    let denied = Fault::Error(Rejection::new("AuthFailure.UnauthorizedOperation", "no"));
    world.simulator.inject_into("DescribeOrganizationMembers", denied, Times::UntilCleared);
    let (code, said, error) = result(command(&world, &config));
    assert_eq!((code, said.lines().count()), (Some(1), 2), "{said}");
    assert!(said.contains("org: denied: ") && said.contains("`organization:DescribeOrganizationMembers`"), "{said}");
    assert!(error.contains("1 of 1 account cannot be polled"), "{error}");
}
