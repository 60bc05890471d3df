//! `demo`: the real daemon on the embedded simulator.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use crate::world::{Exporter, Metrics, binary};

pub(crate) fn demo() -> Exporter {
    Exporter::start(binary().arg("demo"))
}

pub(crate) fn swept(exporter: &Exporter) -> Metrics {
    // Of 36 users, one is denied.
    exporter.until_answered(35)
}

#[test]
fn shows_a_believable_account() {
    let exporter = demo();
    let metrics = swept(&exporter);
    let ages = metrics.family("tencentcloud_cam_access_key_age_seconds");
    let max_age = metrics.get(r#"access_key_max_age_seconds{account="demo"}"#).unwrap();
    let stale = ages.values().filter(|age| **age > max_age).count();
    assert!(stale >= 10 && ages.len() - stale >= 10, "{stale} of {}", ages.len());
    let limit = metrics.get(r#"access_keys_limit{account="demo"}"#).unwrap();
    let counts = metrics.family("tencentcloud_cam_access_keys");
    let of_user =
        |uin: &str| counts.iter().filter(|(series, _)| series.contains(uin)).map(|(_, count)| count).sum::<f64>();
    let users = metrics.family("tencentcloud_cam_user_up");
    let totals: Vec<f64> =
        users.keys().map(|series| of_user(series.split("uin=\"").nth(1).unwrap().trim_end_matches("\"}"))).collect();
    assert!(totals.contains(&0.0) && totals.contains(&limit) && totals.contains(&(limit + 1.0)), "{totals:?}");
    let failures =
        |reason: &str| metrics.get(&format!(r#"poll_failures_total{{account="demo",reason="{reason}"}}"#)).unwrap();
    assert!(failures("denied") >= 1.0 && failures("user_not_found") >= 1.0);
    assert_eq!((failures("throttled"), failures("malformed"), failures("credentials")), (0.0, 0.0, 0.0));
}

#[test]
fn says_where_to_look() {
    let mut child = binary()
        .args(["demo", "--web.listen-address=127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let result: Vec<String> = lines.take_while(|line| !line.contains("Ctrl-C")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(result.iter().any(|line| line.contains("/metrics") && line.contains("http://127.0.0.1:")), "{result:?}");
}

#[test]
#[ignore = "needs promtool"]
fn promtool_finds_nothing_to_say() {
    let exporter = demo();
    swept(&exporter);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(exporter.scrape().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.is_empty(), "{said}");
}
