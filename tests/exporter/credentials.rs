//! Every source of a credential works, and no poll fails that a careful client could have saved.

use std::{process::Command, thread, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Arrival, Fault, Identity, Machine, Outcome, Population, Rejection, Role, Times};

use crate::{
    exposition::user_with_one_key,
    world::{Exporter, Metrics, SECRET_ID, SECRET_KEY, UIN, World, bare_binary, binary, caller},
};

pub(crate) const ROLE: &str = "qcs::cam::uin/100000000001:roleName/exporter";
const ROLE_ID: u64 = 4_611_686_018_427_397_919;
pub(crate) const IDENTITY_TOKEN: &str = "eyJhbGciOiJub25lIn0.testtoken.one";

/// A world whose account has a role that may list keys: everybody here may take it on.
pub(crate) fn world_of(users: u64) -> World {
    let world = World::new((0..users).map(|n| (UIN + n, user_with_one_key())));
    add_role(&world);
    world
}

pub(crate) fn add_role(world: &World) {
    let role = Role {
        account: 100_000_000_001,
        name: "exporter".to_owned(),
        id: ROLE_ID,
        trusted_callers: vec![100_000_000_001],
        trusted_identities: vec![Identity { provider_id: "cls-test".to_owned(), token: IDENTITY_TOKEN.to_owned() }],
        permissions: ["cam:ListAccessKeys", "cam:ListUsers", "cam:GetSecurityLastUsed"].map(str::to_owned).into(),
        ..Role::default()
    };
    world.simulator.edit_roles(|roles| roles.push(role));
}

/// The arrivals for an action, of a world.
fn arrivals(world: &World, action: &str) -> Vec<Arrival> {
    world.simulator.arrivals().into_iter().filter(|arrival| arrival.action == action).collect()
}

fn failed_polls(metrics: &Metrics) -> f64 {
    metrics.family("tencentcloud_cam_poll_failures_total").values().sum()
}

fn polls(metrics: &Metrics) -> f64 {
    metrics.family("tencentcloud_cam_polls_total").values().sum()
}

pub(crate) fn refresh_failures(metrics: &Metrics) -> f64 {
    metrics.get(r#"credential_refresh_failures_total{account="prod"}"#).unwrap()
}

fn expiry(metrics: &Metrics) -> Option<f64> {
    metrics.get(r#"credential_expiry_timestamp_seconds{account="prod"}"#)
}

pub(crate) fn none_failed(metrics: &Metrics) {
    assert!(failed_polls(metrics) < f64::EPSILON, "{metrics:?}");
}

/// The exporter with that source, in an environment that has nothing but `variables`, once a user was answered.
fn answered(world: &World, credentials: &str, variables: &[(&str, &str)]) -> (Exporter, Metrics) {
    let exporter = started(world, &world.config_with(credentials), variables);
    let metrics = exporter.until_answered(world.simulator.edit(|population| population.uins().len()));
    none_failed(&metrics);
    (exporter, metrics)
}

pub(crate) fn started(world: &World, config: &str, variables: &[(&str, &str)]) -> Exporter {
    let mut command: Command = bare_binary();
    command.envs(variables.iter().copied());
    Exporter::start(world.with_config(&mut command, config))
}

pub(crate) const PAIR: [(&str, &str); 2] =
    [("TENCENTCLOUD_SECRET_ID", SECRET_ID), ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)];

mod source {
    use super::*;

    #[test]
    fn env_with_a_token_by_either_name() {
        for name in ["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"] {
            let users = [(UIN, user_with_one_key())];
            let world = World::of(Population { callers: vec![caller(Some("token"))], users: users.into() });
            let (_exporter, metrics) = answered(&world, "env: {}", &[PAIR[0], PAIR[1], (name, "token")]);
            assert_eq!(expiry(&metrics), None, "nobody says when it ends");
        }
    }

    #[test]
    fn profile_wherever_it_is() {
        let world = world_of(1);
        let ini = format!(
            "[default]\nsecret_id = no\nsecret_key = no\n[mine]\nsecret_id = {SECRET_ID}\nsecret_key = {SECRET_KEY}\n"
        );
        let file = world.write("credentials", &ini).display().to_string();
        answered(&world, &format!("profile: {{path: {file}, name: mine}}"), &[]);
        answered(&world, "profile: {name: mine}", &[("TENCENTCLOUD_CREDENTIALS_FILE", &file)]);

        std::fs::create_dir(world.folder.path().join(".tencentcloud")).unwrap();
        world.write(
            ".tencentcloud/credentials",
            &ini.replace("[default]\nsecret_id = no\nsecret_key = no\n", "").replace("mine", "default"),
        );
        let home = world.folder.path().display().to_string();
        answered(&world, "profile: {}", &[("HOME", &home)]);
        answered(&world, "profile: {path: ~/.tencentcloud/credentials}", &[("HOME", &home)]);

        let json = format!(r#"{{"secretId": "{SECRET_ID}", "secretKey": "{SECRET_KEY}"}}"#);
        let file = world.write("default.credential", &json).display().to_string();
        answered(&world, &format!("profile: {{path: {file}}}"), &[]);
    }

    #[test]
    fn assume_role_is_asked_for_once() {
        let world = world_of(20);
        world.simulator.edit_roles(|roles| roles[0].external_id = Some("extern:1".to_owned()));
        let role = format!(
            "assume_role: {{role_arn: '{ROLE}', external_id: 'extern:1', duration: 1h, source: {{env: {{}}}}}}"
        );
        let (exporter, metrics) = answered(&world, &role, &PAIR);
        drop(exporter);
        let left = expiry(&metrics).unwrap() - now();
        assert!((3_500.0..3_601.0).contains(&left), "{left}");
        assert_eq!(arrivals(&world, "AssumeRole").len(), 1);

        let numbered =
            format!("assume_role: {{role_arn: 'qcs::cam::uin/100000000001:role/{ROLE_ID}', external_id: 'extern:1'}}");
        answered(&world, &numbered, &PAIR);
    }

    #[test]
    fn two_accounts_that_take_on_one_role_do_it_once() {
        let world = world_of(2);
        let role = format!("assume_role: {{role_arn: '{ROLE}', source: {{env: {{}}}}}}");
        let first = world.config_with(&role);
        let (accounts, rest) = first.split_once("]\n").unwrap();
        let account = accounts.strip_prefix("accounts: [").unwrap();
        let second = account.replace("name: prod", "name: other");
        let config = format!("accounts: [{account}, {second}]\n{rest}");
        let exporter = started(&world, &config, &PAIR);
        exporter.until_answered(4);
        assert_eq!(arrivals(&world, "AssumeRole").len(), 1);
    }

    #[test]
    fn tke_oidc() {
        let world = world_of(1);
        let (_exporter, metrics) = answered(&world, "tke_oidc: {}", &tke(&world));
        assert!(expiry(&metrics).is_some());
        assert_eq!(arrivals(&world, "AssumeRoleWithWebIdentity").len(), 1);
    }

    #[test]
    fn cvm_role_by_name_or_as_it_is() {
        let world = world_of(3);
        world.simulator.set_machine(Some(machine(3_600)));
        let endpoint = format!("http://{}", world.metadata());
        for role in ["{}", "{role: exporter}"] {
            let before = world.simulator.metadata_requests();
            let (_exporter, metrics) =
                answered(&world, &format!("cvm_role: {role}"), &[("CAM_EXPORTER_METADATA_ENDPOINT", &endpoint)]);
            assert!(expiry(&metrics).is_some());
            assert_eq!(world.simulator.metadata_requests(), before + 1);
        }
    }
}

fn now() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
    let now = SystemClock.now().as_second() as f64;
    now
}

pub(crate) fn machine(seconds: i64) -> Machine {
    Machine {
        role: "exporter".to_owned(),
        lifetime: SignedDuration::from_secs(seconds),
        renewed_before_end: SignedDuration::from_secs(seconds * 6 / 10),
    }
}

/// The variables that TKE sets; the token is in the world's file `token`.
pub(crate) fn tke(world: &World) -> [(&'static str, &'static str); 4] {
    let file = world.write("token", IDENTITY_TOKEN).display().to_string();
    [
        ("TKE_REGION", "ap-shanghai"),
        ("TKE_PROVIDER_ID", "cls-test"),
        ("TKE_WEB_IDENTITY_TOKEN_FILE", file.leak()),
        ("TKE_ROLE_ARN", ROLE),
    ]
}

mod renewal {
    use super::*;

    /// Takes on the role for so many seconds at a time.
    fn role(seconds: u32) -> String {
        format!("assume_role: {{role_arn: '{ROLE}', duration: {seconds}s, source: {{env: {{}}}}}}")
    }

    #[test]
    fn goes_on_beside_the_polls() {
        let world = world_of(60);
        let (exporter, first) = answered(&world, &role(4), &PAIR);
        let later = exporter
            .until("polled through several ends", |metrics| expiry(metrics) > expiry(&first).map(|end| end + 8.0));
        none_failed(&later);
        assert!(refresh_failures(&later) < f64::EPSILON);
        let asked = arrivals(&world, "AssumeRole");
        assert!(
            asked.len() > 3 && asked.windows(2).all(|pair| pair[1].at - pair[0].at > Duration::from_secs(1)),
            "{asked:?}"
        );
        let refused =
            arrivals(&world, "ListAccessKeys").into_iter().filter(|arrival| arrival.outcome != Outcome::Answered);
        assert_eq!(refused.count(), 0);
    }

    #[test]
    fn waits_for_an_sts_that_throttles() {
        let world = world_of(20);
        let throttled = || Fault::Error(Rejection::new("RequestLimitExceeded", "Too many."));
        world.simulator.inject_into("AssumeRole", throttled(), Times::Next(2));
        let (exporter, first) = answered(&world, &role(12), &PAIR);
        assert_eq!(arrivals(&world, "AssumeRole").len(), 3);
        world.simulator.inject_into("AssumeRole", throttled(), Times::Next(2));
        let later = exporter.until("renewed", |metrics| expiry(metrics) > expiry(&first));
        none_failed(&later);
        assert!((refresh_failures(&later) - 4.0).abs() < f64::EPSILON, "{later:?}");
    }

    #[test]
    fn is_once_for_all_who_are_refused() {
        let world = world_of(60);
        let (exporter, first) = answered(&world, &role(3_600), &PAIR);
        world.simulator.revoke();
        exporter.until("refused", |_| {
            let refused = Outcome::Error("AuthFailure.SecretIdNotFound".to_owned());
            arrivals(&world, "ListAccessKeys").iter().any(|arrival| arrival.outcome == refused)
        });
        let later = exporter.until("polled on", |metrics| polls(metrics) > polls(&first) + 120.0);
        none_failed(&later);
        assert_eq!(arrivals(&world, "AssumeRole").len(), 2);
    }

    #[test]
    fn is_not_tried_for_ever_where_no_credential_is_accepted() {
        let world = world_of(10);
        let (exporter, _) = answered(&world, &role(3_600), &PAIR);
        let refusal = Fault::Error(Rejection::new("AuthFailure.TokenFailure", "No."));
        world.simulator.inject_into("ListAccessKeys", refusal, Times::UntilCleared);
        exporter.until("failed often", |metrics| metrics.failures("credentials") > 50.0);
        assert_eq!(arrivals(&world, "AssumeRole").len(), 2);
        world.simulator.clear();
        exporter.until("recovered", |metrics| metrics.of_user("user_up") == Some(1.0));
    }

    #[test]
    fn outlives_a_metadata_service_that_is_down_and_says_when_it_does_not() {
        let world = world_of(20);
        world.simulator.set_machine(Some(machine(14)));
        let endpoint = format!("http://{}", world.metadata());
        let (exporter, first) = answered(&world, "cvm_role: {}", &[("CAM_EXPORTER_METADATA_ENDPOINT", &endpoint)]);
        let down = || world.simulator.inject_into_metadata(Fault::Reset, Times::UntilCleared);
        down();
        let failing = exporter.until("missed", |metrics| refresh_failures(metrics) > 1.0);
        none_failed(&failing);
        world.simulator.clear();
        let renewed = exporter.until("renewed", |metrics| expiry(metrics) > expiry(&first));
        none_failed(&renewed);

        down();
        let failed = exporter.until("failed", |metrics| metrics.failures("credentials") > 0.0);
        assert!(expiry(&failed).unwrap() <= now(), "not before the old one has ended");
        assert_eq!(failed.keys(), first.keys(), "the last good keys are kept");
        assert!((failed_polls(&failed) - failed.failures("credentials")).abs() < f64::EPSILON);
        world.simulator.clear();
        exporter.until("recovered", |metrics| {
            metrics.family("tencentcloud_cam_user_up").values().all(|up| *up > 0.0) && expiry(metrics) > Some(now())
        });
    }

    #[test]
    fn reads_the_token_of_a_pod_anew() {
        let world = world_of(20);
        let exporter = started(&world, &world.config_with("tke_oidc: {}"), &tke(&world));
        let first = exporter.until_answered(20);
        // The kubelet has replaced the token, and everything that came of the old one is no longer good.
        world.write("token", "another.token\n");
        world.simulator.edit_roles(|roles| roles[0].trusted_identities[0].token = "another.token".to_owned());
        world.simulator.revoke();
        let later = exporter.until("polled on", |metrics| polls(metrics) > polls(&first) + 60.0);
        none_failed(&later);
        assert_eq!(arrivals(&world, "AssumeRoleWithWebIdentity").len(), 2);
    }

    #[test]
    fn of_a_profile_is_its_rotation() {
        let world = world_of(40);
        let profile = |key: &str| format!("[default]\nsecret_id = {SECRET_ID}\nsecret_key = {key}\n");
        let file = world.write("credentials", &profile(SECRET_KEY)).display().to_string();
        let config = world.config_with(&format!("profile: {{path: {file}}}")).replace("interval: 1s", "interval: 2s");
        let exporter = started(&world, &config, &[]);
        let mut last = exporter.until_answered(40);
        for generation in 0..3 {
            // The old one is revoked at once, and by its key: the file is written in place, under our eyes.
            let (id, key) = (format!("AKIDrotated{generation}"), format!("rotated{generation}"));
            world.write("credentials", &profile(&key).replace(SECRET_ID, &id));
            world.simulator.edit(|population| {
                population.callers[0].credential.secret_id = id.into();
                population.callers[0].credential.secret_key = key.into();
            });
            thread::sleep(Duration::from_millis(100));
            last = exporter.until("polled on", |metrics| polls(metrics) > polls(&last) + 80.0);
            none_failed(&last);
        }
    }

    #[test]
    fn goes_by_the_api_s_clock() {
        #[derive(Debug)]
        struct Ahead(SignedDuration);
        impl Clock for Ahead {
            fn now(&self) -> Timestamp {
                SystemClock.now() + self.0
            }
        }
        for hours in [5, -5] {
            let users = [(UIN, user_with_one_key())];
            let population = Population { callers: vec![caller(None)], users: users.into() };
            let world = World::at(std::sync::Arc::new(Ahead(SignedDuration::from_hours(hours))), population);
            add_role(&world);
            let (exporter, first) = answered(&world, &role(3_600), &PAIR);
            let later = exporter.until("polled on", |metrics| polls(metrics) > polls(&first) + 3.0);
            none_failed(&later);
            let asked = arrivals(&world, "AssumeRole");
            assert_eq!(asked.iter().filter(|arrival| arrival.outcome == Outcome::Answered).count(), 1);

            world.simulator.set_machine(Some(machine(3_600)));
            let endpoint = format!("http://{}", world.metadata());
            let (exporter, first) = answered(&world, "cvm_role: {}", &[("CAM_EXPORTER_METADATA_ENDPOINT", &endpoint)]);
            none_failed(&exporter.until("polled on", |metrics| polls(metrics) > polls(&first) + 3.0));
        }
    }
}

mod refusal {
    use super::*;

    fn refused(world: &World, credentials: &str, variables: &[(&str, &str)]) -> String {
        let exporter = started(world, &world.config_with(credentials), variables);
        exporter.until("refused", |metrics| metrics.failures("credentials") > 0.0);
        let (_, log) = exporter.stop();
        log
    }

    #[test]
    fn of_a_role_says_why() {
        let world = world_of(1);
        let role = |arn: &str| format!("assume_role: {{role_arn: '{arn}', source: {{env: {{}}}}}}");
        let log = refused(&world, &role("qcs::cam::uin/100000000001:roleName/nobody"), &PAIR);
        assert!(log.contains("AssumeRole: ResourceNotFound.RoleNotFound"), "{log}");
        world.simulator.edit_roles(|roles| roles[0].trusted_callers.clear());
        let log = refused(&world, &role(ROLE), &PAIR);
        assert!(log.contains("AssumeRole: AuthFailure.UnauthorizedOperation"), "{log}");
        let log = refused(&world, &role(ROLE), &[]);
        assert!(
            log.contains("the source of assume_role: environment variable TENCENTCLOUD_SECRET_ID is not set"),
            "{log}"
        );
    }

    /// Whatever the source, a credential that cannot be had counts.
    #[test]
    fn of_every_source_is_counted() {
        let world = world_of(1);
        let endpoint = format!("http://{}", world.metadata());
        let nowhere = "{path: /nowhere}";
        for source in [
            "env: {}",
            "file: {secret_id_path: /nowhere, secret_key_path: /nowhere}",
            &format!("profile: {nowhere}"),
            "profile: {}",
            "tke_oidc: {}",
            "cvm_role: {}",
            &format!("assume_role: {{role_arn: '{ROLE}', source: {{profile: {nowhere}}}}}"),
            &format!("assume_role: {{role_arn: '{ROLE}', source: {{env: {{}}}}}}"),
            &format!("assume_role: {{role_arn: '{ROLE}'}}"),
        ] {
            let variables = [("CAM_EXPORTER_METADATA_ENDPOINT", endpoint.as_str())];
            let exporter = started(&world, &world.config_with(source), &variables);
            exporter.until(source, |metrics| refresh_failures(metrics) > 1.0);
        }
    }

    #[test]
    fn of_a_machine_without_a_role_says_so() {
        let world = world_of(1);
        let endpoint = format!("http://{}", world.metadata());
        let log = refused(&world, "cvm_role: {}", &[("CAM_EXPORTER_METADATA_ENDPOINT", &endpoint)]);
        assert!(log.contains("the metadata service: the machine has no role"), "{log}");
        let log = refused(&world, "cvm_role: {}", &[("CAM_EXPORTER_METADATA_ENDPOINT", "http://192.0.2.1")]);
        assert!(log.contains("environment variable CAM_EXPORTER_METADATA_ENDPOINT is plain http"), "{log}");
    }

    #[test]
    fn for_a_role_that_may_not_list_keys_is_the_user_s() {
        let world = world_of(1);
        world.simulator.edit_roles(|roles| roles[0].permissions.clear());
        let exporter = started(
            &world,
            &world.config_with(&format!("assume_role: {{role_arn: '{ROLE}', source: {{env: {{}}}}}}")),
            &PAIR,
        );
        exporter.until("denied", |metrics| metrics.failures("denied") > 0.0);
    }

    #[test]
    fn keeps_a_good_key_from_nobody() {
        let world = world_of(1);
        let mut command = binary();
        let exporter = Exporter::start(world.with_config(&mut command, &world.config()));
        exporter.until_answered(1);
        let refusal = Fault::Error(Rejection::new("AuthFailure.SecretIdNotFound", "No."));
        world.simulator.inject(None, refusal, Times::UntilCleared);
        let failed = exporter.until("failed", |metrics| metrics.failures("credentials") > 0.0);
        assert_eq!(failed.of_user("user_up"), Some(0.0), "a key in the environment stays what it is");
    }
}
