//! Random days: the exporter on a paused clock, with deaths, outages and changes of keys at random times. It is scraped
//! every minute, the rules are evaluated over what it showed, and the alerts are compared with what docs/alerts promises.
//!
//! `DAYS=30 cargo test --test polling -- --include-ignored --nocapture days::` plays as many.

mod day;
mod oracle;
mod promtool;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
};

use day::Day;
use oracle::Verdict;

/// A test plays this many; `DAYS` says how many otherwise.
const DAYS: u64 = 2;

/// What is firing in each minute of a day, as `Alert{uin="…"}`.
type Firing = Vec<BTreeSet<String>>;

fn rules() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules.yml");
    std::fs::read_to_string(path).unwrap()
}

/// What comes of `day` under `rules`.
fn judged(day: &Day, rules: &str) -> Verdict {
    oracle::judge(day, &promtool::firing(rules, day))
}

fn total(verdicts: &BTreeMap<u64, Verdict>, of: fn(&Verdict) -> &Vec<String>) -> usize {
    verdicts.values().map(|verdict| of(verdict).len()).sum()
}

#[expect(clippy::disallowed_methods, reason = "nobody sets variables here")]
fn days() -> u64 {
    env::var("DAYS").map_or(DAYS, |days| days.parse().unwrap())
}

#[test]
#[ignore = "needs promtool"]
fn no_alarm_is_false_none_is_missed_and_none_flaps() {
    let (days, rules) = (days(), rules());
    let mut verdicts = BTreeMap::new();
    for seed in 0..days {
        let verdict = judged(&day::play(seed), &rules);
        println!("day {seed}: {} alerts were due, {} fired", verdict.due.len(), verdict.fired.len());
        for fault in verdict.faults() {
            println!("  {fault}");
        }
        verdicts.insert(seed, verdict);
    }
    let faults =
        [total(&verdicts, |of| &of.false_alarms), total(&verdicts, |of| &of.missed), total(&verdicts, |of| &of.flaps)];
    println!("{days} days: {} false alarms, {} missed, {} flaps", faults[0], faults[1], faults[2]);
    assert!(verdicts.values().all(|verdict| !verdict.due.is_empty()), "a day on which nothing is due shows nothing");
    assert_eq!(faults, [0, 0, 0]);
}

/// Rules that are wrong are found out.
#[test]
#[ignore = "needs promtool"]
fn a_mistake_in_the_rules_is_noticed() {
    let (rules, day) = (rules(), day::play(0));
    let of = |from: &str, to: &str| {
        assert!(rules.contains(from), "{from}");
        judged(&day, &rules.replace(from, to))
    };
    assert!(!of("for: 5m", "for: 4h").missed.is_empty(), "alerts that come hours late are not noticed");
    let forgetful = of("ALERTS{", "ALERTS{alertstate=\"none\",");
    assert!(!forgetful.missed.is_empty(), "alerts that end with the exporter are not noticed");
    let hasty = of("finding=\"very_stale\"", "finding=\"stale\"");
    assert!(!hasty.false_alarms.is_empty(), "alerts on keys that are in order are not noticed");
}
