//! What fires, by promtool: the scrapes are its input series, and each minute it is asked which alerts fire.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    process::Command,
};

use jiff::Timestamp;

use super::{
    Firing,
    day::{Day, MINUTES, START},
};

const TARGET: &str = r#"job="tencentcloud-cam-exporter",instance="exporter:10047""#;

/// Labels that identify an alert within an account.
const LABELS: [&str; 2] = ["access_key_id", "uin"];

/// Which alerts fire in each minute of `day` under `rules`.
pub(super) fn firing(rules: &str, day: &Day) -> Firing {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yml"), rules).unwrap();
    std::fs::write(folder.path().join("test.yml"), test(day)).unwrap();
    let output = Command::new("promtool")
        .args(["test", "rules", "test.yml"])
        .current_dir(folder.path())
        .output()
        .unwrap_or_else(|error| panic!("promtool is needed, which Debian's package prometheus has: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(stderr.contains("FAILED") || stdout.contains("SUCCESS"), "{}\n{stdout}{stderr}", output.status);
    parsed(&stderr)
}

fn test(day: &Day) -> String {
    let mut series: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
    for (minute, scrape) in day.scrapes.iter().enumerate() {
        for (name, value) in scrape.iter().flatten() {
            series.entry(name).or_insert_with(|| vec![None; MINUTES])[minute] = Some(since_start(*value));
        }
    }
    let up = day.scrapes.iter().map(|scrape| Some(f64::from(u8::from(scrape.is_some())))).collect();
    series.insert("up", up);
    let mut text =
        "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n".to_owned();
    for (name, values) in series {
        let name = match name.strip_suffix('}') {
            Some(labelled) => format!("{labelled},{TARGET}}}"),
            None => format!("{name}{{{TARGET}}}"),
        };
        writeln!(text, "      - {{series: '{name}', values: '{}'}}", notation(&values)).unwrap();
    }
    text.push_str("    promql_expr_test:\n");
    for minute in 0..MINUTES {
        let ask = "expr: 'ALERTS{alertstate=\"firing\"}', exp_samples: []";
        writeln!(text, "      - {{{ask}, eval_time: {minute}m}}").unwrap();
    }
    text
}

/// The first minute of a test is 1970 for promtool, so times count from the start of the day.
fn since_start(value: f64) -> f64 {
    let start = START.parse::<Timestamp>().unwrap().as_duration().as_secs_f64();
    if value > 1e9 && value.is_finite() { value - start } else { value }
}

/// Values as promtool reads them. A series that a scrape does not have any more is stale at once, as it is for Prometheus.
fn notation(values: &[Option<f64>]) -> String {
    let mut was_there = false;
    let values = values.iter().map(|value| {
        let text = match value {
            Some(value) => value.to_string(),
            None if was_there => "stale".to_owned(),
            None => "_".to_owned(),
        };
        was_there = value.is_some();
        text
    });
    values.collect::<Vec<_>>().join(" ")
}

/// Reads what promtool found where nothing was expected.
fn parsed(output: &str) -> Firing {
    let mut firing = vec![BTreeSet::new(); MINUTES];
    let mut minute = 0;
    for line in output.lines() {
        if let Some((_, time)) = line.split_once(", time: ") {
            minute = minutes(time.trim_end_matches(','));
        }
        for sample in line.split("{__name__=\"ALERTS\"").skip(1) {
            let label = |name: &str| {
                let (_, value) = sample.split_once(&format!(" {name}=\""))?;
                Some(value.split('"').next().unwrap())
            };
            let alert = label("alertname").unwrap().trim_start_matches("TencentCloudCam");
            let labels: Vec<String> =
                LABELS.iter().filter_map(|name| Some(format!("{name}=\"{}\"", label(name)?))).collect();
            firing[minute].insert(format!("{alert}{{{}}}", labels.join(",")));
        }
    }
    firing
}

/// How many minutes `1d1h5m` are.
fn minutes(time: &str) -> usize {
    let (mut minutes, mut number) = (0, 0);
    for letter in time.chars() {
        let unit = match letter {
            'd' => 24 * 60,
            'h' => 60,
            'm' => 1,
            's' => 0,
            digit => {
                number = 10 * number + digit.to_digit(10).unwrap_or_else(|| panic!("{time}")) as usize;
                continue;
            }
        };
        minutes += unit * std::mem::take(&mut number);
    }
    minutes
}
