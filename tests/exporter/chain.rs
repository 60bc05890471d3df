//! Where no source is named: the first that is set up is used, and one that is set up and broken is not passed over.

use std::os::unix::fs::symlink;

use crate::{
    credentials::{PAIR, ROLE, machine, none_failed, refresh_failures, started, tke, world_of},
    world::{SECRET_ID, SECRET_KEY, World},
};

/// Names and values.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// Nobody answers there.
const NOWHERE: (&str, &str) = ("CAM_EXPORTER_METADATA_ENDPOINT", "http://127.0.0.1:1");

fn config(world: &World) -> String {
    world.config_with("env: {}").replace(", credentials: {env: {}}", "")
}

fn chooses(world: &World, variables: &[(&str, &str)], source: &str) {
    let exporter = started(world, &config(world), variables);
    let metrics = exporter.until_answered(1);
    none_failed(&metrics);
    assert!(refresh_failures(&metrics) < f64::EPSILON, "what is not set up has not failed");
    let (_, log) = exporter.stop();
    assert!(log.contains(&format!("source={source}")), "{log}");
}

#[test]
fn takes_the_first_that_has_one() {
    let world = world_of(1);
    world.simulator.set_machine(Some(machine(3_600)));
    let endpoint = format!("http://{}", world.metadata());
    let mut variables = vec![("CAM_EXPORTER_METADATA_ENDPOINT", endpoint.as_str())];
    chooses(&world, &variables, "cvm_role");
    variables.extend(tke(&world));
    chooses(&world, &variables, "tke_oidc");
    let profile = format!("[default]\nsecret_id = {SECRET_ID}\nsecret_key = {SECRET_KEY}\n");
    let profile = world.write("credentials", &profile).display().to_string();
    variables.push(("TENCENTCLOUD_CREDENTIALS_FILE", &profile));
    chooses(&world, &variables, "profile");
    variables.extend(PAIR);
    chooses(&world, &variables, "env");
}

#[test]
fn what_is_set_to_nothing_is_not_set_up() {
    let world = world_of(1);
    world.simulator.set_machine(Some(machine(3_600)));
    let endpoint = format!("http://{}", world.metadata());
    let empty = [
        "TENCENTCLOUD_SECRET_ID",
        "TENCENTCLOUD_SECRET_KEY",
        "TENCENTCLOUD_TOKEN",
        "TENCENTCLOUD_ROLE_ARN",
        "TENCENTCLOUD_CREDENTIALS_FILE",
        "TKE_PROVIDER_ID",
        "TKE_ROLE_ARN",
    ];
    let mut variables: Vec<_> = empty.map(|name| (name, " ")).into();
    variables.extend([("TKE_REGION", "ap-shanghai"), ("CAM_EXPORTER_METADATA_ENDPOINT", &endpoint)]);
    chooses(&world, &variables, "cvm_role");
}

#[test]
fn says_of_each_why_it_has_none() {
    let world = world_of(1);
    let exporter = started(&world, &config(&world), &[NOWHERE, ("HOME", "/nowhere")]);
    let metrics = exporter.until("refused", |metrics| metrics.failures("credentials") > 0.0);
    assert!(refresh_failures(&metrics) > 0.0);
    let (_, log) = exporter.stop();
    for output in [
        "env: environment variable TENCENTCLOUD_SECRET_ID is not set",
        "profile: there is no credentials file, neither of /nowhere/.tencentcloud/credentials nor /etc/tencentcloud/credentials",
        "tke_oidc: environment variable TKE_REGION is not set",
        "cvm_role: the metadata service: cannot connect",
    ] {
        assert!(log.contains(output), "{output}: {log}");
    }
}

/// The machine has a role with which everything would be answered.
#[test]
fn what_is_set_up_and_broken_is_not_passed_over() {
    let world = world_of(1);
    world.simulator.set_machine(Some(machine(3_600)));
    let endpoint = format!("http://{}", world.metadata());
    let [region, provider, file, role] = tke(&world);
    let home = |name: &str| {
        let home = world.folder.path().join(name);
        std::fs::create_dir_all(home.join(".tencentcloud")).unwrap();
        home
    };
    let [other_section, dangling] = ["other section", "dangling"].map(home);
    std::fs::write(other_section.join(".tencentcloud/credentials"), "[other]\nsecret_id = a\nsecret_key = b\n")
        .unwrap();
    symlink("/nowhere", dangling.join(".tencentcloud/credentials")).unwrap();
    let [other_section, dangling] = [other_section, dangling].map(|home| home.display().to_string());
    let (not_set, no_file) = ("is not set: set it beside", "/nowhere: no such file or directory");
    let cases: [(Variables<'_>, &str, &str); 12] = [
        (&[PAIR[0]], "env: environment variable TENCENTCLOUD_SECRET_KEY ", not_set),
        (&[PAIR[0], (PAIR[1].0, "")], "env: environment variable TENCENTCLOUD_SECRET_KEY ", not_set),
        (&[PAIR[1]], "env: environment variable TENCENTCLOUD_SECRET_ID ", not_set),
        (
            &[("TENCENTCLOUD_TOKEN", "token")],
            "env: environment variable TENCENTCLOUD_SECRET_ID ",
            "beside TENCENTCLOUD_TOKEN",
        ),
        (
            &[("TENCENTCLOUD_ROLE_ARN", ROLE)],
            "env: environment variable TENCENTCLOUD_ROLE_ARN ",
            "`credentials.assume_role`",
        ),
        (&[("TENCENTCLOUD_CREDENTIALS_FILE", "/nowhere")], "profile: ", no_file),
        (&[("HOME", &other_section)], "profile: ", "has no section [default]"),
        (&[("HOME", &dangling)], "profile: ", ".tencentcloud/credentials: no such file or directory"),
        (&[region, provider, (file.0, "/nowhere"), role], "tke_oidc: ", no_file),
        (&[provider, file, role], "tke_oidc: environment variable TKE_REGION ", not_set),
        (&[region, file, role], "tke_oidc: environment variable TKE_PROVIDER_ID ", not_set),
        (&[region, provider, file], "tke_oidc: environment variable TKE_ROLE_ARN ", not_set),
    ];
    for (variables, link, output) in cases {
        let mut variables = variables.to_vec();
        variables.push(("CAM_EXPORTER_METADATA_ENDPOINT", &endpoint));
        let exporter = started(&world, &config(&world), &variables);
        let metrics = exporter.until("failed twice", |metrics| metrics.failures("credentials") > 1.0);
        assert!(refresh_failures(&metrics) > 0.0, "{output}");
        let (_, log) = exporter.stop();
        assert!(log.contains(&format!("the source {link}")) && log.contains(output), "{link}{output}: {log}");
        assert!(log.contains("No other source is used instead"), "{log}");
    }
    assert_eq!((world.simulator.metadata_requests(), world.simulator.arrivals()), (0, vec![]), "nobody was asked");
}

#[test]
fn a_machine_with_two_roles_has_none_until_one_is_named() {
    use tencentcloud_simulator::{Fault, Times};
    let world = world_of(1);
    world.simulator.set_machine(Some(machine(3_600)));
    let roles = Fault::Answer(http::Response::new("exporter\nadministrator\n".into()));
    world.simulator.inject_into_metadata(roles, Times::UntilCleared);
    let endpoint = format!("http://{}", world.metadata());
    let exporter = started(&world, &config(&world), &[("CAM_EXPORTER_METADATA_ENDPOINT", &endpoint)]);
    exporter.until("refused", |metrics| metrics.failures("credentials") > 0.0);
    exporter.until_logged("the machine has several roles: name one as `cvm_role.role`");
    assert_eq!(world.simulator.arrivals(), []);
}
