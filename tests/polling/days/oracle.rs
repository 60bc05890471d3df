//! What docs/alerts promises for a day, and whether the alerts kept it.
//!
//! For each alert there are minutes in which it must fire, minutes in which it must not, and minutes between, in which the
//! exporter may not know yet, or may have known nothing for an hour.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Firing,
    day::{Day, Exporter, Truth},
};

/// Within so many minutes every user is polled, if nothing is in the way.
const POLLED: usize = 8;

/// Within so many, it is asked about every last use as well.
const ASKED: usize = 20;

/// A user who was refused is asked again within so many.
const FORGIVEN: usize = 66;

/// The wait of most alerts, and a minute until the next evaluation.
const WAIT: usize = 5 + 2;

/// How long at least an alert is held while nothing is known.
const HELD: usize = 55;

/// How long users have not been answered about when the account is down: two intervals, as much again until the last of
/// their polls.
const OUTAGE: usize = 2 * 5 + 5 + 2;

/// The same for a user, whose alert waits for three.
const FAILING: usize = 3 * 5 + 5 + 2;

/// What became of a day.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) due: BTreeSet<String>,
    pub(super) fired: BTreeSet<String>,
    pub(super) false_alarms: Vec<String>,
    pub(super) missed: Vec<String>,
    pub(super) flaps: Vec<String>,
    events: Vec<String>,
}

/// For how many minutes on end something has been so.
#[derive(Clone, Copy, Debug, Default)]
struct Run(usize);

/// What an alert has to do in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    Fire,
    BeSilent,
    Either,
}

/// What is known of a user, or of all of them.
#[derive(Clone, Copy, Debug, Default)]
struct Knowledge {
    /// For how long the exporter could poll.
    pollable: Run,
    /// For how long no poll was refused.
    unrefused: Run,
    /// For how long the exporter has shown nothing: it is away, or has started without memory and had no answer yet.
    blind: Run,
    was_refused: bool,
    is_blank: bool,
}

// === impl Run ===

impl Run {
    fn note(&mut self, is_so: bool) {
        self.0 = if is_so { self.0 + 1 } else { 0 };
    }

    fn is(self, minutes: usize) -> bool {
        self.0 >= minutes
    }
}

// === impl Knowledge ===

impl Knowledge {
    fn note(&mut self, truth: &Truth, is_refused: bool) {
        self.pollable.note(truth.alive() && truth.api && truth.lists && !is_refused);
        self.unrefused.note(!is_refused);
        self.was_refused |= is_refused;
        self.is_blank = (self.is_blank || truth.exporter == Exporter::Blank) && !self.is_fresh(POLLED);
        self.blind.note(!truth.alive() || self.is_blank);
    }

    /// Whether the exporter has been able to learn all of what was so in the last `minutes`.
    fn is_fresh(&self, minutes: usize) -> bool {
        self.pollable.is(minutes) && (!self.was_refused || self.unrefused.is(FORGIVEN))
    }
}

/// What the alert on a fact about keys has to do: `due` is whether it is so, in each minute.
fn of_keys(day: &Day, uin: Option<u64>, lag: usize, wait: usize, due: impl Fn(&Truth) -> bool) -> Vec<Duty> {
    let (mut knowledge, mut known, mut known_not) = (Knowledge::default(), Run::default(), Run::default());
    let (mut must, mut ever) = (false, false);
    let duties = day.truth.iter().map(|truth| {
        let (is_due, is_refused) = (due(truth), uin.is_some_and(|uin| truth.denied.contains(&uin)));
        knowledge.note(truth, is_refused);
        ever |= is_due;
        known.note(is_due && knowledge.pollable.0 > 0);
        known_not.note(!is_due && knowledge.pollable.0 > 0);
        let is_fresh = knowledge.is_fresh(lag);
        must |= known.is(lag + wait) && is_fresh;
        must &= is_due && !knowledge.blind.is(HELD);
        if must {
            Duty::Fire
        } else if !ever || (is_fresh && known_not.is(lag + 2)) {
            Duty::BeSilent
        } else {
            Duty::Either
        }
    });
    duties.collect()
}

/// What an alert has to do that fires after `long` minutes of failing, where `fails` says who fails.
fn of_failing(day: &Day, uin: Option<u64>, long: usize, fails: impl Fn(&Truth) -> bool) -> Vec<Duty> {
    let (mut failing, mut answered, mut blind, mut refused) =
        (Run::default(), Run::default(), Run::default(), Run::default());
    let (mut must, mut ever, mut ever_refused) = (false, false, false);
    let duties = day.truth.iter().map(|truth| {
        let fails = fails(truth);
        let is_refused = uin.map_or(!truth.denied.is_empty(), |uin| truth.denied.contains(&uin));
        ever_refused |= is_refused;
        refused.note(!is_refused);
        failing.note(fails && truth.exporter == Exporter::Running);
        answered.note(!fails && truth.alive() && truth.lists);
        blind.note(!truth.alive());
        ever |= fails;
        must |= failing.is(long + WAIT);
        must &= fails && !blind.is(HELD);
        let has_recovered = answered.is(POLLED + 2) && (!ever_refused || refused.is(FORGIVEN));
        if must {
            Duty::Fire
        } else if !ever || has_recovered {
            Duty::BeSilent
        } else {
            Duty::Either
        }
    });
    duties.collect()
}

/// What an alert on the exporter itself has to do.
fn of_exporter(day: &Day, wait: usize) -> Vec<Duty> {
    let (mut dead, mut alive) = (Run::default(), Run::default());
    let duties = day.truth.iter().map(|truth| {
        dead.note(!truth.alive());
        alive.note(truth.alive());
        if dead.is(wait + 2) {
            Duty::Fire
        } else if alive.is(2) || dead.0 + 1 < wait && alive.0 == 0 {
            Duty::BeSilent
        } else {
            Duty::Either
        }
    });
    duties.collect()
}

/// What each alert that may have to do something has to do.
fn duties(day: &Day) -> BTreeMap<String, Vec<Duty>> {
    let mut all = BTreeMap::new();
    let facts: BTreeSet<&String> = day.truth.iter().flat_map(|truth| &truth.due).collect();
    for fact in facts {
        let lag = if fact.contains("Unused") || fact.contains("AutoDisable") { ASKED } else { POLLED };
        let wait = if fact.contains("Collapsed") { 15 + 2 } else { WAIT };
        all.insert(fact.clone(), of_keys(day, user_of(fact), lag, wait, |truth| truth.due.contains(fact)));
    }
    for uin in super::day::users() {
        let fails = |truth: &Truth| !truth.api || truth.denied.contains(&uin);
        for alert in ["PollFailing", "InventoryStale"] {
            all.insert(format!("{alert}{{uin=\"{uin}\"}}"), of_failing(day, Some(uin), FAILING, fails));
        }
    }
    all.insert("AccountDown{}".to_owned(), of_failing(day, None, OUTAGE, |truth| !truth.api));
    all.insert("UserDiscoveryFailing{}".to_owned(), of_failing(day, None, 30, |truth| !truth.lists));
    all.insert("ExporterDown{}".to_owned(), of_exporter(day, 5));
    all.insert("ExporterAbsent{}".to_owned(), of_exporter(day, 15));
    all
}

fn user_of(alert: &str) -> Option<u64> {
    let (_, uin) = alert.split_once("uin=\"")?;
    uin.split('"').next()?.parse().ok()
}

/// Compares what fired with what had to.
pub(super) fn judge(day: &Day, firing: &Firing) -> Verdict {
    let duties = duties(day);
    let mut verdict = Verdict { events: day.events.clone(), ..Verdict::default() };
    verdict.fired = firing.iter().flatten().cloned().collect();
    let silent = vec![Duty::BeSilent; day.truth.len()];
    for alert in verdict.fired.iter().chain(duties.keys()).collect::<BTreeSet<_>>() {
        let duties = duties.get(alert).unwrap_or(&silent);
        if duties.contains(&Duty::Fire) {
            verdict.due.insert(alert.clone());
        }
        let fired: Vec<bool> = firing.iter().map(|firing| firing.contains(alert)).collect();
        let first = |duty: Duty, fires: bool| {
            duties.iter().zip(&fired).position(|(one, fired)| *one == duty && *fired == fires)
        };
        if let Some(minute) = first(Duty::BeSilent, true) {
            verdict.false_alarms.push(format!("false alarm in minute {minute}: {alert}"));
        }
        if let Some(minute) = first(Duty::Fire, false) {
            verdict.missed.push(format!("not firing in minute {minute}: {alert}"));
        }
        // It ends and comes back although it never had to be silent.
        let mut ended = None;
        for (minute, (duty, fires)) in duties.iter().zip(&fired).enumerate() {
            match (duty, fires) {
                (Duty::BeSilent, _) => ended = None,
                (_, false) if minute > 0 && fired[minute - 1] => ended = Some(minute),
                (_, true)
                    if ended.is_some_and(|ended| minute - ended < HELD && is_constant(day, alert, ended, minute)) =>
                {
                    verdict
                        .flaps
                        .push(format!("ends in minute {} and is back in {minute}: {alert}", ended.unwrap_or(0)));
                    ended = None;
                }
                _ => {}
            }
        }
    }
    verdict
}

/// Whether nothing about the fact behind `alert` changes between these minutes.
fn is_constant(day: &Day, alert: &str, from: usize, to: usize) -> bool {
    day.truth[from.saturating_sub(POLLED)..=to].iter().all(|truth| truth.due.contains(alert))
}

// === impl Verdict ===

impl Verdict {
    /// All that is wrong, with what happened on that day.
    pub(super) fn faults(&self) -> Vec<&String> {
        let faults: Vec<&String> = self.false_alarms.iter().chain(&self.missed).chain(&self.flaps).collect();
        if faults.is_empty() { faults } else { faults.into_iter().chain(&self.events).collect() }
    }
}
