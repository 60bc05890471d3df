//! What a scrape shows of a healthy account.

use tencentcloud_simulator::{NoKeys, User};

use crate::world::{UIN, World, key};

pub(crate) fn user_with_one_key() -> User {
    User::with_keys([key("AKIDtest1", "Active", "2024-01-02T03:04:05Z")])
}

#[test]
fn keys_ages_statuses_and_counts() {
    let world = World::with_one_user();
    let exporter = world.start();
    let metrics = exporter.until_answered(1);
    let of_key = |family: &str, end: &str| {
        metrics.get(&format!(r#"{family}{{account="prod",uin="{UIN}",access_key_id="AKIDtest****xxxx{end}}}"#))
    };

    // Two ids that look alike when masked get different labels.
    let created = metrics.family("tencentcloud_cam_access_key_created_timestamp_seconds");
    assert_eq!(created.len(), 2, "{metrics:?}");
    assert_eq!(of_key("access_key_created_timestamp_seconds", ""), None, "neither takes the plain mask");
    let mut times: Vec<f64> = created.values().copied().collect();
    times.sort_by(f64::total_cmp);
    assert_eq!(times, [1_672_628_645.0, 1_704_164_645.0]);

    let count = |status: &str| metrics.get(&format!(r#"access_keys{{account="prod",uin="{UIN}",status="{status}"}}"#));
    assert_eq!(["Active", "Inactive", "Unknown"].map(count), [Some(1.0), Some(1.0), Some(0.0)]);
    let statuses = metrics.family("tencentcloud_cam_access_key_status");
    assert_eq!(
        (statuses.len(), statuses.values().sum::<f64>()),
        (6, 2.0),
        "each key has every status, and one of them"
    );

    assert_eq!(metrics.of_user("user_up"), Some(1.0));
    let account = |family: &str| metrics.get(&format!(r#"{family}{{account="prod"}}"#));
    assert_eq!(account("account_up"), Some(1.0));
    assert_eq!(account("account_users"), Some(1.0));
    assert_eq!(account("account_poll_interval_seconds"), Some(1.0));
    assert_eq!(account("account_rate_limit_requests_per_second"), Some(20.0));
    assert_eq!(account("access_keys_limit"), Some(2.0));
    assert_eq!(account("access_key_max_age_seconds"), Some(90.0 * 86_400.0));
    assert_eq!(account("clock_skew_seconds").map(|skew| skew.abs() <= 1.0), Some(true));
    assert!(metrics.get("exporter_config_last_reload_successful") == Some(1.0));
}

#[test]
fn ages_grow_though_the_api_is_down() {
    let world = World::with_one_user();
    let exporter = world.start();
    let age = |metrics: &crate::world::Metrics| {
        *metrics.family("tencentcloud_cam_access_key_age_seconds").values().next().unwrap()
    };
    let before = age(&exporter.until_answered(1));
    world.take_the_api_down();
    exporter.until("older", |metrics| metrics.of_user("user_up") == Some(0.0) && age(metrics) > before);
}

#[test]
fn a_key_that_is_deleted_is_gone_and_one_that_is_made_is_there() {
    let world = World::with_one_user();
    let exporter = world.start();
    exporter.until_answered(1);
    world.simulator.edit(|population| {
        population.users.insert(UIN, User::with_keys([key("AKIDnew", "Active", "2025-01-02T03:04:05Z")]));
    });
    let metrics = exporter.until("one key", |metrics| metrics.count("tencentcloud_cam_access_key_age_seconds") == 1);
    let created =
        r#"access_key_created_timestamp_seconds{account="prod",uin="100013065917",access_key_id="AKIDnewx****xxxx"}"#;
    assert_eq!(metrics.get(created), Some(1_735_787_045.0));
}

#[test]
fn a_user_without_keys_has_none_rather_than_nothing() {
    let users = [NoKeys::Empty, NoKeys::Null, NoKeys::Absent].map(|no_keys| User { no_keys, ..User::default() });
    let world = World::new((UIN..).zip(users));
    let exporter = world.start();
    let metrics = exporter.until_answered(3);
    let counts = metrics.family("tencentcloud_cam_access_keys");
    assert_eq!((counts.len(), counts.values().sum::<f64>()), (9, 0.0), "{metrics:?}");
}

#[test]
fn ids_are_labelled_as_told() {
    let world = World::with_one_user();
    for (label, expected) in [
        ("full", format!("{:x<36}", "AKIDtest1")),
        // printf AKIDtest1xxxxxxxxxxxxxxxxxxxxxxxxxxx | sha256sum
        ("hashed", "907f8ba375627e54".to_owned()),
    ] {
        let exporter = world.start_with(&format!("{}keys: {{id_label: {label}}}\n", world.config()), &[]);
        exporter.until_answered(1);
        assert!(exporter.scrape().contains(&format!(r#"access_key_id="{expected}""#)), "{}", exporter.scrape());
    }
}

#[test]
fn times_are_read_in_the_zone_that_is_configured() {
    let world = World::new([(UIN, user_with_one_key())]);
    let exporter = world.start_with(&format!("{}keys: {{time_zone: '+07:30'}}\n", world.config()), &[]);
    let metrics = exporter.until_answered(1);
    let created = metrics.family("tencentcloud_cam_access_key_created_timestamp_seconds");
    assert_eq!(created.values().copied().collect::<Vec<_>>(), [1_704_164_645.0 + 1_800.0]);
}
