//! What `list` says and leaves alone where something failed: an error is no answer.

use std::fs;

use serde_json::{Value, json};
use tencentcloud_simulator::{Behaviour, Fault, Rejection, Times};

use super::{Run, behaving, command, files::output_file, fine, list, user};
use crate::world::{UIN, World};

fn refusal() -> Fault {
    Fault::Error(Rejection::new("UnauthorizedOperation", "You may not."))
}

/// What `list` says where the requests for `action` are refused, which `configured` makes it ask for.
fn refused(action: &str, configured: &str, flags: &[&str]) -> (World, Run) {
    let world = fine();
    world.simulator.inject_into(action, refusal(), Times::UntilCleared);
    let endpoint = format!("http://{}", world.endpoint);
    let configured = configured.replace("ENDPOINT", &endpoint);
    let config = world
        .config()
        .replace("{name: prod,", &format!("{{name: prod, sts_endpoint: '{endpoint}', {configured},"))
        .replace("interval: 1s", "interval: 1m, last_used: true");
    let run = Run::from(command(&world, &config, flags).output().unwrap());
    (world, run)
}

/// Each listing, the action that it asks for and the configuration that makes it ask.
const LISTINGS: [(&str, &str, &str); 5] = [
    ("discover", "ListUsers", "discover: true"),
    ("user_types", "ListAccounts", "discover: {user_types: [Collaborator]}"),
    ("include_self", "GetCallerIdentity", "include_self: true"),
    ("organization", "DescribeOrganizationMembers", "organization: {role_name: exporter, endpoint: 'ENDPOINT'}"),
    ("last_used", "GetSecurityLastUsed", "discover: false"),
];

#[test]
fn a_listing_that_failed_is_in_the_json_and_in_the_table() {
    for (listing, action, configured) in LISTINGS {
        let (_, run) = refused(action, configured, &["--output=json"]);
        assert_eq!(run.code, Some(2), "{listing}: {run:?}");
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&json["complete"], json["failures"].as_array().unwrap().len()), (&false.into(), 0), "{json}");
        let [failed] = &json["failed_listings"].as_array().unwrap()[..] else { panic!("{listing}: {json}") };
        let (code, reason) = (&failed["code"], &failed["reason"]);
        assert_eq!((&failed["account"], &failed["listing"]), (&"prod".into(), &listing.into()));
        assert_eq!((code, reason), (&"UnauthorizedOperation".into(), &"denied".into()));
        let (error, advice) = (failed["error"].as_str().unwrap(), failed["advice"].as_str().unwrap());
        assert!(error.starts_with("UnauthorizedOperation: You may not. (request id "), "{error}");
        assert!(advice.contains(&format!(":{action}`")), "{advice}");
        let since: jiff::Timestamp = failed["since"].as_str().unwrap().parse().unwrap();
        let generated: jiff::Timestamp = json["generated"].as_str().unwrap().parse().unwrap();
        assert!(since <= generated, "{json}");

        let (_, run) = refused(action, configured, &[]);
        let row = run.stdout.lines().find(|line| line.starts_with("denied: prod: ")).unwrap();
        assert!(row.ends_with(&format!("({listing})")), "{row}");
        assert!(run.stdout.contains("  UnauthorizedOperation: You may not. (request id "), "{}", run.stdout);
        assert!(run.stdout.contains("; 1 listing failed\n"), "{}", run.stdout);
        assert!(run.stderr.contains(&format!("1 listing failed: {listing} of prod (denied)")), "{}", run.stderr);
        assert_eq!(run.code, Some(2), "{run:?}");
    }
}

#[test]
fn nobody_found_is_not_nobody_there() {
    let world = fine();
    world.simulator.inject_into("ListUsers", refusal(), Times::UntilCleared);
    let config = world.config().replace(&format!("uins: [{UIN}]"), "discover: true");
    let run = Run::from(command(&world, &config, &[]).output().unwrap());
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stdout.ends_with("\n1 account, users and keys unknown; 1 listing failed\n"), "{}", run.stdout);
    let run = Run::from(command(&world, &config, &["--output=json"]).output().unwrap());
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&json["complete"], &json["accounts"][0]["up"]), (&false.into(), &false.into()), "{json}");
    assert_eq!((&json["keys"], &json["failures"]), (&json!([]), &json!([])));
}

#[test]
fn complete_is_what_was_answered_about_everybody() {
    for (behaviour, complete) in
        [(Behaviour::Answers, true), (Behaviour::DoesNotExist, true), (Behaviour::Denied, false)]
    {
        let world = World::new([(UIN, user([("AKIDfine", "Active", 3)])), (UIN + 1, behaving(behaviour))]);
        let run = list(&world, &["--output=json"]);
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&json["complete"], &json["accounts"][0]["up"]), (&complete.into(), &true.into()), "{behaviour:?}");
        assert_eq!(run.code, Some(if behaviour == Behaviour::Answers { 0 } else { 2 }));
    }
}

#[test]
fn an_error_leaves_the_file_as_it_was_unless_it_may_be_incomplete() {
    for output in ["--output=metrics", "--output=json", "--output=csv", "--output=table"] {
        let world = World::new([(UIN, user([("AKIDfine", "Active", 3)])), (UIN + 1, behaving(Behaviour::Denied))]);
        let file = world.write("keys", "old");
        let run = list(&world, &[output, &output_file(&file)]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        for text in [
            &format!("1 of 2 user(s) could not be polled: {} is left as it was", file.display()),
            "denied: prod: user 100013065918\n  AuthFailure.UnauthorizedOperation: ",
            "(request id ",
            "Give the calling user a policy",
        ] {
            assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "old", "{output}");
        let run = list(&world, &[output, &output_file(&file), "--allow-incomplete"]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert_ne!(fs::read_to_string(&file).unwrap(), "old", "{output}");
    }
}

#[test]
fn a_listing_that_failed_leaves_the_file_as_it_was() {
    for (listing, action, configured) in LISTINGS {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.prom");
        fs::write(&file, "old").unwrap();
        let (_, run) = refused(action, configured, &["--output=metrics", &output_file(&file)]);
        assert_eq!(run.code, Some(2), "{listing}: {run:?}");
        assert!(run.stderr.contains("is left as it was") && run.stderr.contains("(request id "), "{}", run.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap(), "old", "{listing}");
    }
}

#[test]
fn a_user_that_does_not_exist_is_an_answer_and_replaces_the_file() {
    let world = World::new([(UIN, user([("AKIDfine", "Active", 3)])), (UIN + 1, behaving(Behaviour::DoesNotExist))]);
    let file = world.write("keys.prom", "old");
    let run = list(&world, &["--output=metrics", &output_file(&file)]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(fs::read_to_string(&file).unwrap().contains("tencentcloud_cam_user_up"));
}

#[test]
fn where_everybody_is_throttled_it_says_so_and_does_not_hammer() {
    let world = World::new((0..3).map(|place| (UIN + place, user([("AKIDfine", "Active", 3)]))));
    let throttle = Fault::Error(Rejection::new("RequestLimitExceeded", "Too many."));
    world.simulator.inject(None, throttle, Times::UntilCleared);
    let run = list(&world, &["--output=json"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    let failures = json["failures"].as_array().unwrap();
    assert_eq!((failures.len(), &json["complete"], &json["accounts"][0]["up"]), (3, &false.into(), &false.into()));
    for failure in failures {
        assert_eq!((&failure["reason"], &failure["code"]), (&"throttled".into(), &"RequestLimitExceeded".into()));
        assert!(failure["since"].is_string() && failure["error"].as_str().unwrap().contains("request id"), "{failure}");
    }
    assert!(world.simulator.arrivals().len() <= 18, "{}", world.simulator.arrivals().len());
}

#[test]
fn one_who_is_throttled_keeps_none_of_the_others_from_being_listed() {
    let world = World::new((0..20).map(|place| (UIN + place, user([("AKIDfine", "Active", 3)]))));
    let throttle = Fault::Error(Rejection::new("RequestLimitExceeded", "Too many."));
    world.simulator.inject(Some(UIN), throttle, Times::UntilCleared);
    let run = list(&world, &[]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert_eq!(run.stdout.matches("AKIDfine").count(), 19, "{}", run.stdout);
    assert!(
        run.stdout.contains("prod     100013065917  -                 -       -    failed: throttled\n"),
        "{run:?}"
    );
    assert!(run.stderr.contains("1 of 20 user(s) could not be polled"), "{}", run.stderr);
    let arrivals = world.simulator.arrivals();
    let throttled = arrivals.iter().filter(|arrival| arrival.target == Some(UIN)).count();
    assert_eq!(arrivals.len() - throttled, 19, "each of the others is asked about once");
    assert!((2..=5).contains(&throttled), "{throttled}");
}
