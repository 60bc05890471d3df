//! When alerts fired, as Prometheus itself has recorded it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::webhook::printed;
use crate::prometheus::server::Prometheus;

/// An alert, and since when it fired.
pub(super) type Firing = (String, Timestamp);

/// Each time that an alert fired, once.
pub(super) fn firings(prometheus: &Prometheus) -> BTreeSet<Firing> {
    // Since when an alert is active: it is another time for each time that it fires.
    let active_since = samples(prometheus, "ALERTS_FOR_STATE");
    let mut firings = BTreeMap::new();
    for (alert, samples) in samples(prometheus, r#"ALERTS{alertstate="firing"}"#) {
        for at in samples.into_keys() {
            let activity = active_since[&alert][&at].clone();
            firings.entry((alert.clone(), activity)).or_insert(at);
        }
    }
    firings.into_iter().map(|((alert, _), at)| (alert, at)).collect()
}

/// All samples that there are of a metric of alerts, by alert and time.
fn samples(prometheus: &Prometheus, selector: &str) -> BTreeMap<String, BTreeMap<Timestamp, String>> {
    let series = |series: &Value| {
        let mut labels = series["metric"].clone();
        labels.as_object_mut().unwrap().retain(|name, _| !["__name__", "alertstate"].contains(&name.as_str()));
        let samples = series["values"].as_array().unwrap().iter().map(sample);
        (printed(&labels), samples.collect())
    };
    prometheus.query(&format!("{selector}[1d]")).unwrap().iter().map(series).collect()
}

fn sample(sample: &Value) -> (Timestamp, String) {
    let seconds = sample[0].to_string();
    let (whole, thousandths) = seconds.split_once('.').unwrap_or((&seconds, ""));
    let milliseconds = format!("{whole}{thousandths:0<3}").parse().unwrap();
    (Timestamp::from_millisecond(milliseconds).unwrap(), sample[1].as_str().unwrap().to_owned())
}
