//! What `check-config --connect` says of random accounts is what `list` finds out about them.

use std::{fmt::Write, net::SocketAddr, thread};

use fastrand::Rng;
use serde_json::Value;
use tencentcloud_simulator::{Behaviour, Fault, Population, Rejection, Times, User};

use crate::world::{World, binary, caller, key};

/// Accounts in each of so many configurations.
const ACCOUNTS: usize = 12;
const CONFIGURATIONS: u64 = 10;

const FIRST: u64 = 100_013_000_001;

/// An account with an API of its own, and where its users come from.
struct Random {
    name: String,
    world: World,
    uins: Vec<u64>,
    include_self: bool,
    discover: bool,
    sts: SocketAddr,
}

/// What is said of a question, in the order in which they are asked.
type Said = Vec<(String, String)>;

// === impl Random ===

impl Random {
    fn new(number: usize, random: &mut Rng) -> Self {
        let caller_uin = caller(None).uin;
        let behaviours = [Behaviour::Answers, Behaviour::Answers, Behaviour::DoesNotExist, Behaviour::Denied];
        let mut user = |uin| {
            let keys =
                (0..random.usize(0..3)).map(|one| key(&format!("AKID{uin}{one}"), "Active", "2024-01-02T03:04:05Z"));
            User { behaviour: *random.choice(&behaviours).unwrap(), ..User::with_keys(keys) }
        };
        let users = (FIRST..FIRST + 3).chain([caller_uin]).map(|uin| (uin, user(uin))).collect();
        let callers = if random.u8(0..6) == 0 { vec![] } else { vec![caller(None)] };
        let world = World::of(Population { callers, users });
        for (action, code) in [
            ("ListUsers", "UnauthorizedOperation"),
            ("ListUsers", "InternalError"),
            ("GetCallerIdentity", "UnauthorizedOperation"),
        ] {
            if random.u8(0..5) == 0 {
                world.simulator.inject_into(
                    action,
                    Fault::Error(Rejection::new(code, "So it is.")),
                    Times::UntilCleared,
                );
            }
        }
        let away = SocketAddr::from(([127, 0, 0, 1], 1));
        Self {
            name: format!("account-{number}"),
            uins: (FIRST..FIRST + random.u64(0..3)).collect(),
            include_self: random.bool(),
            discover: random.bool(),
            sts: if random.u8(0..6) == 0 { away } else { world.endpoint },
            world,
        }
    }

    fn has_users(&self) -> bool {
        !self.uins.is_empty() || self.include_self || self.discover
    }

    fn config(&self) -> String {
        let Self { name, world, uins, include_self, discover, sts } = self;
        format!(
            "{{name: {name}, uins: {uins:?}, include_self: {include_self}, discover: {discover}, \
             endpoint: 'http://{}', sts_endpoint: 'http://{sts}', credentials: {{env: {{}}}}}}",
            world.endpoint
        )
    }

    /// What `connect` has to say of each question, where `list` says `found`.
    fn expected(&self, found: &Value) -> Said {
        let reason_of = |list: &str, of: &str, one: &str| {
            let all = found[list].as_array().unwrap().iter();
            let mut all = all.filter(|entry| entry["account"] == *self.name && entry[of] == *one);
            all.next().map_or("ok".to_owned(), |entry| entry["reason"].as_str().unwrap().to_owned())
        };
        let (of_user, of_listing) = (
            |uin: u64| reason_of("failures", "uin", &uin.to_string()),
            |listing| reason_of("failed_listings", "listing", listing),
        );
        let mut said = vec![];
        if let Some(first) = self.uins.first() {
            said.push(("keys".to_owned(), of_user(*first)));
        }
        if self.include_self {
            let of_caller = of_listing("include_self");
            said.push(("own keys".to_owned(), if of_caller == "ok" { of_user(caller(None).uin) } else { of_caller }));
        }
        if self.discover {
            said.push(("users".to_owned(), of_listing("discover")));
        }
        said
    }

    /// What `lines`, those of `connect`, say of each question.
    fn said(&self, lines: &str) -> Said {
        let prefix = format!("{}: ", self.name);
        let lines: Vec<&str> = lines.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
        let asked = [("keys", !self.uins.is_empty()), ("own keys", self.include_self), ("users", self.discover)];
        let asked: Vec<&str> =
            asked.into_iter().filter(|(_, is_asked)| *is_asked).map(|(question, _)| question).collect();
        assert_eq!(asked.len(), lines.len(), "{lines:?}");
        let verdict = |line: &&str| line.split(": ").next().unwrap().to_owned();
        asked.into_iter().map(str::to_owned).zip(lines.iter().map(verdict)).collect()
    }
}

fn agree(accounts: &[Random], lines: &str, found: &Value) -> Result<(), String> {
    let mut faults = String::new();
    for account in accounts {
        let (said, expected) = (account.said(lines), account.expected(found));
        if said != expected {
            writeln!(faults, "{}: --connect says {said:?}, list {expected:?}", account.name).unwrap();
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What `--connect` prints and what `list` finds, of random accounts.
fn both(seed: u64) -> (Vec<Random>, String, Value) {
    let mut random = Rng::with_seed(seed);
    let accounts: Vec<Random> =
        (0..).map(|number| Random::new(number, &mut random)).filter(Random::has_users).take(ACCOUNTS).collect();
    let config = accounts.iter().map(Random::config).collect::<Vec<_>>().join(",\n  ");
    let config = format!("accounts: [\n  {config}]\npoll: {{interval: 1m, timeout: 5s}}\n");
    let output = |arguments: &[&str]| {
        let output = accounts[0].world.with_config(binary().args(arguments), &config).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (lines, found) = (output(&["check-config", "--connect"]), output(&["list", "--output=json"]));
    let found = serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}"));
    (accounts, lines, found)
}

/// Of how many questions both say that they fail.
fn faults(seed: u64) -> usize {
    let (accounts, lines, found) = both(seed);
    if let Err(disagreement) = agree(&accounts, &lines, &found) {
        panic!("seed {seed}:\n{disagreement}\n{lines}\n{found:#}");
    }
    accounts.iter().flat_map(|account| account.said(&lines)).filter(|(_, said)| said != "ok").count()
}

#[test]
fn connect_says_what_list_finds_out() {
    // Most of the time goes by waiting for retries.
    let faults = thread::scope(|scope| {
        let all: Vec<_> = (0..CONFIGURATIONS).map(|seed| scope.spawn(move || faults(seed))).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum::<usize>()
    });
    assert!(faults > 40, "only {faults} questions went wrong");
}

#[test]
fn a_connect_that_says_something_else_is_caught() {
    let (accounts, lines, found) = both(0);
    assert_eq!(agree(&accounts, &lines, &found), Ok(()));
    for line in lines.lines().filter(|line| line.starts_with("account-")) {
        let (account, said) = line.split_once(": ").unwrap();
        let mutant = match said.strip_prefix("ok: ") {
            Some(good) => format!("{account}: denied: {good}"),
            None => format!("{account}: ok: {said}"),
        };
        assert!(agree(&accounts, &lines.replace(line, &mutant), &found).is_err(), "{line}");
    }
}
