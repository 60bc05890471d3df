//! Temporary credentials whose issuer is out of reach for hours.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use jiff::SignedDuration;
use tencentcloud_cam_exporter::{app::Listeners, web::Routes};
use tencentcloud_simulator::{Fault, Key, Machine, Outcome, Population, Role, Simulator, Times, User};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::harness::{TestClock, Wire, exporter};

const FIRST: u64 = 100_013_000_000;

const HOUR: Duration = Duration::from_hours(1);

/// The value of a series, whose name is given as it is printed.
async fn value(routes: &Routes, series: &str) -> f64 {
    let request = Request::get("/metrics").body(Empty::<Bytes>::new()).unwrap();
    let body = routes.answer(&request).await.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series}"));
    line.trim().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_hour_costs_no_poll_and_three_cost_only_those_after_the_end() {
    let clock = TestClock::at("2026-01-01T00:00:00Z");
    let key = Key::new("AKIDx", "Active", "2025-01-01T00:00:00Z".parse().unwrap());
    let users = (FIRST..FIRST + 20).map(|uin| (uin, User::with_keys([key.clone()]))).collect();
    let simulator = Arc::new(Simulator::new(Arc::clone(&clock) as _, Population { callers: vec![], users }));
    simulator.edit_roles(|roles| {
        roles.push(Role {
            account: FIRST,
            name: "exporter".to_owned(),
            id: 1,
            permissions: vec!["cam:ListAccessKeys".to_owned()],
            ..Role::default()
        });
    });
    simulator.set_machine(Some(Machine {
        role: "exporter".to_owned(),
        lifetime: SignedDuration::from_hours(2),
        renewed_before_end: SignedDuration::from_mins(90),
    }));
    let uins = simulator.edit(|population| population.uins());
    let config = format!("accounts: [{{name: prod, uins: {uins:?}, credentials: {{cvm_role: {{}}}}}}]");
    let app = exporter(&config, clock, Wire::to(&simulator, Duration::from_millis(10)));
    let (routes, shutdown) = (app.routes(), CancellationToken::new());
    let running = tokio::spawn(app.run(Listeners::default(), shutdown.clone()));
    sleep(Duration::from_mins(5)).await;

    let failed = r#"tencentcloud_cam_poll_failures_total{account="prod",reason="credentials"}"#;
    let missed = r#"tencentcloud_cam_credential_refresh_failures_total{account="prod"}"#;
    let expiry = r#"tencentcloud_cam_credential_expiry_timestamp_seconds{account="prod"}"#;
    let unavailable = || Fault::Answer(Response::builder().status(503).body(Bytes::new()).unwrap());
    for outage in 0..24 {
        // Each begins at another place in the life of the credential.
        sleep(Duration::from_mins(60 + 5 * outage)).await;
        simulator.inject_into_metadata(unavailable(), Times::UntilCleared);
        sleep(HOUR).await;
        simulator.clear();
    }
    assert!(value(&routes, missed).await > 100.0, "there were outages at a renewal");
    assert!(value(&routes, failed).await < 1.0);
    let refused = simulator.arrivals().into_iter().filter(|arrival| arrival.outcome != Outcome::Answered).count();
    assert_eq!(refused, 0);
    let asked = simulator.metadata_requests();
    assert!(asked < 24 * 60 * 5, "{asked}");

    sleep(HOUR).await;
    simulator.inject_into_metadata(unavailable(), Times::UntilCleared);
    let end = value(&routes, expiry).await;
    sleep(3 * HOUR).await;
    assert!((value(&routes, expiry).await - end).abs() < 1.0, "the one that has ended");
    let lost = value(&routes, failed).await;
    assert!(lost > 0.0);
    simulator.clear();
    sleep(Duration::from_mins(10)).await;
    let after = value(&routes, failed).await;
    sleep(HOUR).await;
    assert!((value(&routes, failed).await - after).abs() < 0.5, "all is well again");
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
