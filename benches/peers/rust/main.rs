//! Exposes the users of a file the way exporters in Rust usually do: `GaugeVec`s that are reset and set at each scrape,
//! behind axum and tower-http's compression. It polls nothing.
//!
//! Usage: peer ADDRESS FILE

use std::{
    env, fs,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use prometheus::{IntGaugeVec, Opts, Registry, TEXT_FORMAT, TextEncoder};
use serde::Deserialize;
use tower_http::compression::CompressionLayer;

const STATUSES: [&str; 3] = ["Active", "Inactive", "Unknown"];
const USER: &[&str] = &["account", "uin"];
const KEY: &[&str] = &["account", "uin", "access_key_id"];

#[derive(Deserialize)]
struct User {
    account: String,
    uin: String,
    answered: i64,
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    status: String,
    created: i64,
}

struct Exporter {
    users: Vec<User>,
    registry: Registry,
    counts: IntGaugeVec,
    created: IntGaugeVec,
    age: IntGaugeVec,
    status: IntGaugeVec,
    up: IntGaugeVec,
    answered: IntGaugeVec,
}

impl Exporter {
    fn new(users: Vec<User>) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(format!("tencentcloud_cam_{name}"), help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            prometheus::Result::Ok(gauges)
        };
        Ok(Self {
            users,
            counts: gauges(
                "access_keys",
                "Number of access keys of the user by status.",
                &["account", "uin", "status"],
            )?,
            created: gauges(
                "access_key_created_timestamp_seconds",
                "Unix time at which the access key was created.",
                KEY,
            )?,
            age: gauges("access_key_age_seconds", "Age of the access key at the scrape.", KEY)?,
            status: gauges(
                "access_key_status",
                "Status of the access key: 1 for the current status, 0 for the others.",
                &["account", "uin", "access_key_id", "status"],
            )?,
            up: gauges("user_up", "Whether the last poll of the user succeeded.", USER)?,
            answered: gauges("user_last_success_timestamp_seconds", "Unix time of the last successful poll.", USER)?,
            registry,
        })
    }

    fn scrape(&self) -> prometheus::Result<String> {
        for gauges in [&self.counts, &self.created, &self.age, &self.status, &self.up, &self.answered] {
            gauges.reset();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        for user in &self.users {
            let labels = [user.account.as_str(), user.uin.as_str()];
            for key in &user.keys {
                let labels = [labels[0], labels[1], key.id.as_str()];
                self.created.with_label_values(&labels).set(key.created);
                self.age.with_label_values(&labels).set(now - key.created);
                for status in STATUSES {
                    let labels = [labels[0], labels[1], labels[2], status];
                    self.status.with_label_values(&labels).set((status == key.status).into());
                }
            }
            for status in STATUSES {
                let number = user.keys.iter().filter(|key| key.status == status).count();
                self.counts.with_label_values(&[labels[0], labels[1], status]).set(number as i64);
            }
            self.up.with_label_values(&labels).set(1);
            self.answered.with_label_values(&labels).set(user.answered);
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

async fn metrics(State(exporter): State<Arc<Mutex<Exporter>>>) -> impl IntoResponse {
    let scrape = exporter
        .lock()
        .map_err(|error| error.to_string())
        .and_then(|exporter| exporter.scrape().map_err(|error| error.to_string()));
    match scrape {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [address, file] = env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: peer ADDRESS FILE")?;
    let exporter = Exporter::new(serde_json::from_str(&fs::read_to_string(file)?)?)?;
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .layer(CompressionLayer::new())
        .with_state(Arc::new(Mutex::new(exporter)));
    axum::serve(tokio::net::TcpListener::bind(address).await?, routes).await?;
    Ok(())
}
