//! A receiver of Alertmanager's notifications, which records them.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use tencentcloud_api::{Clock, SystemClock};

pub(super) struct Webhook {
    address: SocketAddr,
    output: Arc<Mutex<Vec<News>>>,
}

/// That an alert began to fire, or was resolved.
#[derive(Clone, Debug)]
pub(super) struct News {
    /// When it was sent.
    pub(super) at: Timestamp,
    /// The receiver.
    pub(super) receiver: String,
    /// `firing` or `resolved`.
    pub(super) status: String,
    /// Its name and labels, as [`printed`].
    pub(super) alert: String,
    /// Since when it fires.
    pub(super) since: Timestamp,
}

// === impl Webhook ===

impl Webhook {
    pub(super) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let output = Arc::new(Mutex::new(vec![]));
        thread::spawn({
            let output = Arc::clone(&output);
            move || {
                for notification in listener.incoming().filter_map(|client| receive(client.unwrap())) {
                    note(&mut output.lock(), &notification);
                }
            }
        });
        Self { address, output }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything received so far, in order.
    pub(super) fn received(&self) -> Vec<News> {
        self.output.lock().clone()
    }
}

// === impl News ===

impl News {
    pub(super) fn in_short(&self) -> (&str, &str, &str) {
        (&self.status, &self.receiver, &self.alert)
    }
}

/// Takes a notification, and says that it was taken.
fn receive(client: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(client);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            None if line == "\r\n" => break,
            None if line.is_empty() => return None,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    reader.into_inner().write_all(answer).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

/// Notes what is new in a notification, which lists all alerts of a group.
fn note(output: &mut Vec<News>, notification: &Value) {
    for alert in notification["alerts"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let news = News {
            at: SystemClock.now(),
            receiver: text(&notification["receiver"]),
            status: text(&alert["status"]),
            alert: printed(&alert["labels"]),
            since: text(&alert["startsAt"]).parse().unwrap(),
        };
        let same = |old: &News| old.in_short() == news.in_short() && old.since == news.since;
        if !output.iter().any(same) {
            output.push(news);
        }
    }
}

/// An alert's name and its other labels, as `PromQL` has them.
pub(super) fn printed(labels: &Value) -> String {
    let mut labels: BTreeMap<&str, &str> =
        labels.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let name = labels.remove("alertname").unwrap();
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{name}{{{}}}", labels.join(","))
}
