//! Whether the rules' tests notice a mistake in a rule.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    file::{self, Case, Rule, Suite},
    mutants::{Mutant, mutants},
    promtool,
};

/// Mistakes that make no difference: the rule, the change, and why. One that does make a difference must not be here.
const EQUIVALENT: &[(&str, &str, &str)] = &[];

/// The tests, with how long each takes, the shortest first.
struct Cases(Vec<(Case, Duration)>);

/// Which tests have lately noticed a mistake in a rule: mostly they notice the next one too.
type Noticed = Mutex<HashMap<String, usize>>;

// === impl Cases ===

impl Cases {
    /// All of them, which must pass.
    fn measured(suite: Suite, rules: &[Rule]) -> Self {
        let cases = Mutex::new(vec![]);
        in_parallel(&file::cases(suite, rules), |case, folder| {
            let started = Instant::now();
            let said = judge(case, rules, folder);
            assert_eq!(said, None, "{}", case.name);
            cases.lock().push((case.clone(), started.elapsed()));
        });
        let mut cases = cases.into_inner();
        cases.sort_by_key(|(_, took)| *took);
        Self(cases)
    }

    /// Whether a test fails with this rule in the place of that of its name.
    fn notice(&self, mutant: &Mutant, rules: &[Rule], noticed: &Noticed, folder: &Path) -> bool {
        let name = &mutant.rule.name;
        let rules: Vec<Rule> =
            rules.iter().map(|rule| if rule.name == *name { &mutant.rule } else { rule }).cloned().collect();
        let first = noticed.lock().get(name).copied();
        let others = (0..self.0.len()).filter(|number| Some(*number) != first);
        let mut concerned = first.into_iter().chain(others).filter(|number| self.0[*number].0.needs.contains(name));
        let by = concerned.find(|number| judge(&self.0[*number].0, &rules, folder).is_some());
        if let Some(number) = by {
            noticed.lock().insert(name.clone(), number);
        }
        by.is_some()
    }
}

/// What promtool has to say against the rules, if anything.
fn judge(case: &Case, rules: &[Rule], folder: &Path) -> Option<String> {
    let needed: Vec<&Rule> = rules.iter().filter(|rule| case.needs.contains(&rule.name)).collect();
    file::write(&needed, &folder.join("rules.yml"));
    case.write(&folder.join("test.yml"));
    promtool(&["test", "rules", "test.yml"], folder).err()
}

/// Does it with each item, on as many threads as there are processors, each with a folder of its own.
fn in_parallel<T: Sync>(items: &[T], work: impl Fn(&T, &Path) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                let folder = tempfile::tempdir().unwrap();
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item, folder.path());
                }
            });
        }
    });
}

#[test]
#[ignore = "needs promtool"]
fn every_mistake_in_a_rule_is_noticed() {
    let unnoticed = [every_mistake_is_noticed(file::KEYS), every_mistake_is_noticed(file::ACCOUNTS)].concat();
    assert!(unnoticed.is_empty(), "no test notices\n{}", unnoticed.join("\n"));
}

/// The mistakes that no test notices.
fn every_mistake_is_noticed(suite: Suite) -> Vec<String> {
    let started = Instant::now();
    let rules = suite.rules();
    let cases = Cases::measured(suite, &rules);
    let mutants: Vec<Mutant> = rules.iter().filter(|rule| !super::is_health(suite, rule)).flat_map(mutants).collect();
    let (number, noticed, survivors) = (mutants.len(), Noticed::default(), Mutex::new(vec![]));
    in_parallel(&mutants, |mutant, folder| {
        if !cases.notice(mutant, &rules, &noticed, folder) {
            survivors.lock().push((mutant.rule.name.clone(), mutant.change.clone()));
        }
    });
    let survivors = survivors.into_inner();
    let is_listed = |(rule, change): &&(String, String)| {
        EQUIVALENT.iter().any(|(name, equivalent, _)| rule == name && change == equivalent)
    };
    let (equivalent, unnoticed): (Vec<_>, Vec<_>) = survivors.iter().partition(is_listed);
    // Not by a macro that the harness listens to: whoever reads a run that went well should see it.
    let _ = writeln!(
        io::stderr(),
        "{:?}: {} tests, {number} mutants, {} equivalent, {} survivors, {:.0?}",
        suite.files,
        cases.0.len(),
        equivalent.len(),
        unnoticed.len(),
        started.elapsed()
    );
    unnoticed.iter().map(|(rule, change)| format!("{rule}\n{change}\n")).collect()
}
