//! Whether the rules' tests notice a mistake in a rule.

use std::{
    env,
    io::{self, Write as _},
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    file::{self, Case, Rule},
    mutants::{Mutant, mutants},
    promtool,
};

/// Mistakes that make no difference: the rule, the change, and why. One that does make a difference must not be here.
const EQUIVALENT: &[(&str, &str, &str)] = &[(
    "account:tencentcloud_cam_poll_interval_seconds:effective",
    "- tencentcloud_cam_account_shortest_poll_interval_seconds > tencentcloud_cam_account_poll_interval_seconds\n\
     + tencentcloud_cam_account_shortest_poll_interval_seconds >= tencentcloud_cam_account_poll_interval_seconds",
    "if both are equal, it does not matter which one is taken",
)];

/// A test, with those of its checks that need the current rule.
struct Test {
    case: Case,
    weight: usize,
    /// How many mistakes in the rule it has noticed.
    noticed: AtomicUsize,
    /// Set once it has passed with the rule as it is.
    passed: OnceLock<()>,
}

/// What became of the mistakes in one or more rules.
#[derive(Default)]
struct Outcome {
    mutants: usize,
    equivalent: usize,
    /// The mistakes that no test notices.
    survivors: Vec<String>,
}

// === impl Test ===

impl Test {
    fn of(case: Case) -> Self {
        Self { weight: case.weight(), case, noticed: AtomicUsize::new(0), passed: OnceLock::new() }
    }

    /// How much it has to compute until it notices a mistake, by those it has noticed.
    fn cost(&self) -> usize {
        self.weight / (1 + self.noticed.load(Ordering::Relaxed))
    }

    /// Whether it fails with this rule in the place of that of its name.
    fn notices(&self, mutant: &Rule, rules: &[Rule], folder: &Path) -> bool {
        let with_mutant = rules.iter().map(|rule| if rule.name == mutant.name { mutant } else { rule });
        let notices = judge(&self.case, &with_mutant.cloned().collect::<Vec<_>>(), folder).is_some();
        if notices {
            self.passed.get_or_init(|| assert_eq!(judge(&self.case, rules, folder), None, "{}", self.case.name));
            self.noticed.fetch_add(1, Ordering::Relaxed);
        }
        notices
    }
}

// === impl Outcome ===

impl Outcome {
    fn add(&mut self, other: Self) {
        self.mutants += other.mutants;
        self.equivalent += other.equivalent;
        self.survivors.extend(other.survivors);
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

/// Printed at once: a whole run takes long.
fn print(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// `MUTATE` selects rules by a part of their names, and `MUTATE_TESTS` tests.
#[test]
#[ignore = "needs promtool"]
fn every_mistake_in_a_rule_is_noticed() {
    let [part, tests] =
        ["MUTATE", "MUTATE_TESTS"].map(|name| env::var_os(name).unwrap_or_default().into_string().unwrap());
    let mut total = Outcome::default();
    for suite in [file::KEYS, file::ACCOUNTS] {
        let rules = suite.rules();
        // The rules that both files have are tested once.
        let is_mutated = |rule: &&Rule| rule.name.contains(&part) && !super::is_in_both(suite, rule);
        let mut cases = file::cases(suite, &rules);
        cases.retain(|case| case.name.contains(&tests));
        for rule in rules.iter().filter(is_mutated) {
            total.add(every_mistake_is_noticed(rule, &rules, &cases));
        }
    }
    let Outcome { mutants, equivalent, survivors } = total;
    print(&format!("{mutants} mutants, {equivalent} equivalent, {} survivors", survivors.len()));
    assert!(mutants > 0, "no rule is named {part}");
    assert!(survivors.is_empty(), "no test notices\n{}", survivors.join("\n"));
}

/// Makes every mistake in this rule.
fn every_mistake_is_noticed(rule: &Rule, rules: &[Rule], cases: &[Case]) -> Outcome {
    let started = Instant::now();
    let tests = cases.iter().filter_map(|case| case.only(&rule.name, rules));
    let tests: Vec<Test> = tests.map(Test::of).collect();
    let mutants = mutants(rule);
    let outcome = Mutex::new(Outcome { mutants: mutants.len(), ..Outcome::default() });
    in_parallel(&mutants, |Mutant { rule: mutant, change, equivalent }, folder| {
        let is_listed = |(name, listed, _): &(&str, &str, &str)| rule.name == *name && change == listed;
        if equivalent.is_some() || EQUIVALENT.iter().any(is_listed) {
            outcome.lock().equivalent += 1;
            return;
        }
        let mut cheapest_first: Vec<&Test> = tests.iter().collect();
        cheapest_first.sort_by_cached_key(|test| test.cost());
        if !cheapest_first.iter().any(|test| test.notices(mutant, rules, folder)) {
            let survivor = format!("{}\n{change}\n", rule.name);
            print(&survivor);
            outcome.lock().survivors.push(survivor);
        }
    });
    let outcome = outcome.into_inner();
    let Outcome { mutants, equivalent, survivors } = &outcome;
    print(&format!(
        "{}: {mutants} mutants, {equivalent} equivalent, {} survivors, {} tests, {:.0?}",
        rule.name,
        survivors.len(),
        tests.len(),
        started.elapsed()
    ));
    outcome
}
