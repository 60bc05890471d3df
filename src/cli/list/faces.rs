//! The one judge and those who show what it decides: for random inventories, the metrics, the page, the JSON, the CSV and
//! the table say what the assessment says.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;
use tencentcloud_cam_exporter::{
    app::Swept,
    clock::Clock,
    inventory::{
        Account, ConfiguredListings, Facts, Failure, IdLabel, Inventory, Listing, ListingFailure,
        assessment::{AccountProblem, AccountState, Assessment, Finding, Moment},
    },
    metrics::{self, Own},
    report::{self, Report, json::Json},
    tencent::{AccessKey, KeyStatus, LastUse, Reason, Uin},
    web::Status,
};

use super::table::{self, Look};

const ACCOUNTS: [&str; 3] = ["one", "two", "three"];

/// What the API says of a user, in the order in which it says it.
#[derive(Clone, Debug)]
enum Said {
    /// Keys, so many minutes ago: their ages in days, their statuses and their last uses.
    Keys(i64, Vec<(i32, KeyStatus, Used)>),
    Failed(Reason),
    Missing,
}

/// When a key was last used.
#[derive(Clone, Copy, Debug)]
enum Used {
    Unknown,
    Never,
    DaysAgo(i32),
}

#[derive(Clone, Copy, Debug)]
enum Listed {
    Succeeded,
    Failed,
}

#[derive(Clone, Debug)]
struct Case {
    users: Vec<Vec<Said>>,
    configured: [bool; 5],
    listed: [Vec<Listed>; 5],
    rate: f64,
    credential_problem: bool,
}

/// What makes a face say something else.
type Mutation = Box<dyn Fn(&mut Faces)>;

/// What every face shows.
#[derive(Clone)]
struct Faces {
    metrics: BTreeMap<String, f64>,
    page: String,
    json: Value,
    csv: String,
    table: String,
}

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        now()
    }
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn cases() -> impl Strategy<Value = Vec<Case>> {
    let days = 0..200;
    let key = (
        days.clone(),
        select(KeyStatus::ALL.to_vec()),
        prop_oneof![Just(Used::Unknown), Just(Used::Never), days.prop_map(Used::DaysAgo)],
    );
    let said = prop_oneof![
        3 => (0i64..60, vec(key, 0..4)).prop_map(|(minutes, keys)| Said::Keys(minutes, keys)),
        1 => select(vec![Reason::Denied, Reason::Timeout, Reason::Credentials]).prop_map(Said::Failed),
        1 => Just(Said::Missing),
    ];
    let listed = || vec(select(vec![Listed::Succeeded, Listed::Failed]), 0..3);
    let case = (
        vec(vec(said, 0..4), 0..5),
        any::<[bool; 5]>(),
        [listed(), listed(), listed(), listed(), listed()],
        select(vec![1.0, 20.0]),
        prop::bool::weighted(0.1),
    );
    let case = case.prop_map(|(users, configured, listed, rate, credential_problem)| Case {
        users,
        configured,
        listed,
        rate,
        credential_problem,
    });
    vec(case, 1..=ACCOUNTS.len())
}

fn account(name: &str, case: &Case) -> Arc<Account> {
    let [uins_file, caller, users, members, last_uses] = case.configured;
    let listings = ConfiguredListings { uins_file, caller, users, members, last_uses };
    let facts = Facts { id_label: IdLabel::Full, listings, ..Facts::default() };
    let uin = |place: usize| Uin::try_from(100_000_000_001 + place as u64).unwrap();
    let account = Account::new(name.parse().unwrap(), facts.clone(), (0..case.users.len()).map(uin));
    let day = SignedDuration::from_hours(24);
    for (place, said) in
        case.users.iter().enumerate().flat_map(|(place, all)| all.iter().map(move |said| (place, said)))
    {
        match said {
            Said::Keys(minutes, keys) => {
                let id = |number: usize| format!("AKID{name}{place:x>20}{number:x>8}");
                let keys: Vec<_> = keys.iter().enumerate().collect();
                let listed: Vec<AccessKey> = keys
                    .iter()
                    .map(|(number, (days, status, _))| AccessKey {
                        id: id(*number).as_str().into(),
                        status: *status,
                        created: now() - day * *days,
                    })
                    .collect();
                account.listed(uin(place), &listed, now() - SignedDuration::from_mins(*minutes));
                account.used(uin(place), listed.iter().map(|key| &key.id), |of| {
                    let (_, (_, _, used)) = keys.iter().find(|(number, _)| of.expose() == id(*number))?;
                    match used {
                        Used::Unknown => None,
                        Used::Never => Some(LastUse::Never),
                        Used::DaysAgo(days) => Some(LastUse::At(now() - day * *days)),
                    }
                });
            }
            Said::Failed(reason) => account.failed(uin(place), Failure::new(*reason, None, &"what was said", now())),
            Said::Missing => account.failed(uin(place), Failure::new(Reason::UserNotFound, None, &"no user", now())),
        }
    }
    for (listing, all) in Listing::ALL.into_iter().zip(&case.listed).filter(|(one, _)| facts.listings.contains(*one)) {
        for listed in all {
            match listed {
                Listed::Succeeded => account.listing_succeeded(listing, now()),
                Listed::Failed => {
                    let error = format!("{} of {name} (request id 7)", listing.label()).into();
                    let (reason, code) = (Some(Reason::Denied), Some("UnauthorizedOperation"));
                    account.listing_failed(listing, ListingFailure { reason, code, error, since: now() });
                }
            }
        }
    }
    account.note(|progress| (progress.rate, progress.rate_limit) = (Some(case.rate), Some(20.0)));
    account.set_credential_problem(case.credential_problem.then(|| "no credential file".into()), now());
    Arc::new(account)
}

// === impl Faces ===

impl Faces {
    fn of(inventory: &Arc<Inventory>) -> Self {
        let own = Arc::new(Own::new().unwrap());
        own.config_loaded(now());
        let status = Status::new(Arc::clone(inventory), own, Arc::new(Stopped), "/metrics".parse().unwrap());
        let metrics = String::from_utf8(metrics::of_inventory(inventory, now())).unwrap();
        let samples = metrics.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.trim_start_matches("tencentcloud_cam_").to_owned(), value.parse().unwrap())
        });
        let report = Report::of(&Swept { inventory: Arc::clone(inventory), at: now(), is_whole: true });
        Self {
            metrics: samples.collect(),
            page: status.overview(true),
            json: serde_json::to_value(Json::of(&report)).unwrap(),
            csv: String::from_utf8(report::csv::write(&report).unwrap()).unwrap(),
            table: table::draw(&report, Look::default()),
        }
    }

    /// The samples of `family` in `account` whose labels contain `label`.
    fn samples(&self, family: &str, account: &str, label: &str) -> Vec<f64> {
        let prefix = format!("{family}{{account=\"{account}\"");
        let of_family = self.metrics.iter().filter(|(series, _)| series.starts_with(&prefix) && series.contains(label));
        of_family.map(|(_, value)| *value).collect()
    }

    /// A number at the top of the page.
    fn number(&self, name: &str) -> usize {
        let after = self.page.split(&format!("<dt>{name}</dt>")).nth(1).unwrap();
        let number = after.split('>').nth(1).unwrap().split('<').next().unwrap();
        number.replace(',', "").parse().unwrap()
    }

    /// Whether all of it is what `assessments` have.
    fn agree_with(&self, assessments: &[(&str, Assessment)]) -> Result<(), String> {
        for (account, assessment) in assessments {
            self.metrics_agree(account, assessment).map_err(|fault| format!("metrics of {account}: {fault}"))?;
            self.json_agrees(account, assessment).map_err(|fault| format!("JSON of {account}: {fault}"))?;
        }
        self.page_agrees(assessments).map_err(|fault| format!("page: {fault}"))?;
        self.lists_agree(assessments)
    }

    fn metrics_agree(&self, account: &str, assessment: &Assessment) -> Result<(), String> {
        let samples = |family: &str, label: &str| self.samples(family, account, label);
        let down = samples("user_up", "").iter().filter(|up| **up < 0.5).count();
        let missing = samples("user_missing", "").len();
        equal("users", samples("account_users", "").iter().sum(), count(assessment.users.total))?;
        equal("failing", down - missing, assessment.users.failing)?;
        equal("missing", missing, assessment.users.missing)?;
        equal("account_up", samples("account_up", ""), assessment.state.up().map(truth).into_iter().collect())?;
        for finding in [Finding::Stale, Finding::Unused, Finding::Inactive] {
            let series = samples("access_key_finding", &format!("finding=\"{}\"", finding.label())).len();
            equal(finding.label(), series, assessment.keys.with(finding))?;
        }
        for listing in Listing::ALL {
            let family = match listing {
                Listing::UinsFile => "account_uins_file_up",
                Listing::Caller => "account_caller_up",
                Listing::Users => "account_user_discovery_up",
                Listing::Members => "account_organization_up",
                Listing::LastUses => "account_last_used_up",
            };
            let has_failed = assessment.problems.contains(&AccountProblem::ListingFailed(listing));
            equal(family, samples(family, "").contains(&0.0), has_failed)?;
        }
        Ok(())
    }

    fn json_agrees(&self, account: &str, assessment: &Assessment) -> Result<(), String> {
        let of = |list: &str| -> Vec<&Value> {
            let all = self.json[list].as_array().unwrap().iter();
            all.filter(|entry| entry["account"] == *account).collect()
        };
        let found = |entries: &[&Value], label: &str| {
            entries.iter().filter(|key| key["findings"].as_array().unwrap().contains(&label.into())).count()
        };
        let (keys, failures) = (of("keys"), of("failures"));
        equal("keys", keys.len(), assessment.keys.total)?;
        for finding in Finding::ALL {
            equal(finding.label(), found(&keys, finding.label()), assessment.keys.with(finding))?;
        }
        let users = assessment.users;
        let missing = failures.iter().filter(|failure| failure["reason"] == "user_not_found").count();
        equal("failures", failures.len(), users.failing + users.missing + users.unknown)?;
        equal("missing", missing, users.missing)?;
        let failed = |problem: &&AccountProblem| matches!(problem, AccountProblem::ListingFailed(_));
        equal("failed listings", of("failed_listings").len(), assessment.problems.iter().filter(failed).count())?;
        let accounts = self.json["accounts"].as_array().unwrap();
        let up = &accounts.iter().find(|one| one["name"] == *account).unwrap()["up"];
        equal("up", up.as_bool(), assessment.state.up())
    }

    fn page_agrees(&self, assessments: &[(&str, Assessment)]) -> Result<(), String> {
        let sum =
            |of: fn(&Assessment) -> usize| assessments.iter().map(|(_, assessment)| of(assessment)).sum::<usize>();
        for (name, number) in [
            ("Users", sum(|of| of.users.total)),
            ("Keys", sum(|of| of.keys.total)),
            ("Stale keys", sum(|of| of.keys.with(Finding::Stale))),
            ("At key limit", sum(|of| of.users.at_limit)),
            ("Failing users", sum(|of| of.users.failing)),
        ] {
            equal(name, self.number(name), number)?;
        }
        let has_problem = sum(|of| of.problems.len() + of.users.failing + of.users.late + of.users.missing) > 0
            || sum(|of| of.users.over_limit + of.keys.with(Finding::Stale)) > 0;
        let is_proven = assessments.iter().all(|(_, assessment)| assessment.is_proven());
        let title = self.page.split("<title>").nth(1).unwrap().split(" –").next().unwrap();
        let says = (title.contains("problem"), title == "All well", title == "Starting");
        equal(title, says, (has_problem, !has_problem && is_proven, !has_problem && !is_proven))?;
        for (account, assessment) in assessments {
            let row = self.page.split(&format!(">{account}<")).nth(1).ok_or("no row")?;
            let row = row.split("</tr>").next().unwrap();
            let state = match assessment.state {
                AccountState::Down => ">down<",
                AccountState::Up => ">up<",
                AccountState::Empty => ">no users here<",
                AccountState::Unknown => ">not polled yet<",
            };
            equal(account, row.contains(state), true)?;
            for listing in Listing::ALL {
                let has_failed = assessment.problems.contains(&AccountProblem::ListingFailed(listing));
                let error = format!("{} of {account} (request id 7)", listing.label());
                equal(&error, row.contains(&error), has_failed)?;
            }
        }
        Ok(())
    }

    /// What is said of all accounts together.
    fn lists_agree(&self, assessments: &[(&str, Assessment)]) -> Result<(), String> {
        let sum =
            |of: fn(&Assessment) -> usize| assessments.iter().map(|(_, assessment)| of(assessment)).sum::<usize>();
        let failed = |problem: &AccountProblem| matches!(problem, AccountProblem::ListingFailed(_));
        let listings: usize =
            assessments.iter().map(|(_, of)| of.problems.iter().filter(|problem| failed(problem)).count()).sum();
        let (unanswered, missing) = (sum(|of| of.users.failing + of.users.unknown), sum(|of| of.users.missing));
        equal("JSON: complete", self.json["complete"].as_bool(), Some(listings + unanswered == 0))?;
        let keys = sum(|of| of.keys.total);
        equal("CSV: rows", self.csv.lines().count(), 1 + listings + unanswered + missing + keys)?;
        let (_, rows) = self.csv.split_once("\r\n").ok_or("CSV: no head")?;
        let of_listings = Listing::ALL.iter().map(|listing| rows.matches(&format!(",{},", listing.label())).count());
        equal("CSV: listings", of_listings.sum(), listings)?;
        let summary = self.table.lines().last().unwrap();
        for (finding, text) in [
            (Finding::Stale, "stale"),
            (Finding::OverLimit, "over limit"),
            (Finding::Unused, "unused"),
            (Finding::Inactive, "inactive"),
        ] {
            let number: usize = assessments.iter().map(|(_, of)| of.keys.with(finding)).sum();
            let told = summary.split([':', ',', ';']).any(|part| part.trim() == format!("{number} {text}"));
            equal(&format!("table: {text} in {summary}"), told, number > 0)?;
        }
        equal("table: listings", summary.contains("failed"), listings > 0)?;
        equal("table: failures", self.table.matches("failed: ").count() >= unanswered + missing, true)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "most are numbers")]
fn equal<T: PartialEq + std::fmt::Debug>(what: &str, shown: T, assessed: T) -> Result<(), String> {
    if shown == assessed { Ok(()) } else { Err(format!("{what}: {shown:?} is shown, and {assessed:?} is so")) }
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn count(number: usize) -> f64 {
    number as f64
}

fn truth(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn inventory(cases: &[Case]) -> Arc<Inventory> {
    Arc::new(Inventory::new(ACCOUNTS.iter().zip(cases).map(|(name, case)| account(name, case)).collect()))
}

fn assessed(inventory: &Inventory) -> Vec<(&'static str, Assessment)> {
    let assess = |account: Arc<Account>| account.assess(&account.snapshot(), Moment::now(now()));
    ACCOUNTS.into_iter().zip(inventory.accounts().into_iter().map(assess)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_face_says_what_the_assessment_says(cases in cases()) {
        let inventory = inventory(&cases);
        prop_assert_eq!(Faces::of(&inventory).agree_with(&assessed(&inventory)), Ok(()));
    }
}

#[test]
fn a_face_that_says_something_else_is_caught() {
    let day = |days, status, used| (days, status, used);
    let keys = vec![
        day(100, KeyStatus::Active, Used::Never),
        day(10, KeyStatus::Active, Used::Unknown),
        day(10, KeyStatus::Inactive, Used::Unknown),
    ];
    let good = Case {
        users: vec![vec![Said::Keys(1, vec![day(10, KeyStatus::Active, Used::Unknown)])]],
        configured: [false; 5],
        listed: Default::default(),
        rate: 20.0,
        credential_problem: false,
    };
    let bad = Case {
        users: vec![vec![Said::Keys(1, keys)], vec![Said::Failed(Reason::Denied)], vec![Said::Missing]],
        configured: [false, false, true, false, false],
        listed: [vec![], vec![], vec![Listed::Failed], vec![], vec![]],
        ..good.clone()
    };
    let inventory = inventory(&[good, bad]);
    let (faces, assessed) = (Faces::of(&inventory), assessed(&inventory));
    assert_eq!(faces.agree_with(&assessed), Ok(()));
    let series = |start: &str| faces.metrics.keys().find(|series| series.starts_with(start)).unwrap().clone();
    let set = |series: String, value: f64| {
        move |faces: &mut Faces| {
            faces.metrics.insert(series.clone(), value);
        }
    };
    let unset = |series: String| {
        move |faces: &mut Faces| {
            faces.metrics.remove(&series);
        }
    };
    let page =
        |from: &'static str, to: &'static str| move |faces: &mut Faces| faces.page = faces.page.replacen(from, to, 1);
    let table =
        |from: &'static str, to: &'static str| move |faces: &mut Faces| faces.table = faces.table.replace(from, to);
    let mutants: Vec<(&str, Mutation)> = vec![
        ("account_up", Box::new(set("account_up{account=\"two\"}".to_owned(), 0.0))),
        ("user_up", Box::new(set(series("user_up{account=\"one\""), 0.0))),
        ("user_missing", Box::new(unset(series("user_missing")))),
        ("finding", Box::new(unset(series("access_key_finding")))),
        ("discovery_up", Box::new(set(series("account_user_discovery_up"), 1.0))),
        ("users", Box::new(set(series("account_users"), 7.0))),
        ("title", Box::new(page("problems –", "All well –"))),
        (
            "headline",
            Box::new(|faces| {
                let (before, after) = faces.page.split_once("<title>").unwrap();
                faces.page = format!("{before}<title>All well – {}", after.split_once(" – ").unwrap().1);
            }),
        ),
        ("state", Box::new(page(">up<", ">down<"))),
        ("why", Box::new(|faces| faces.page = faces.page.replace("(request id 7)", ""))),
        ("complete", Box::new(|faces| faces.json["complete"] = true.into())),
        ("json finding", Box::new(|faces| faces.json["keys"][0]["findings"] = Value::Array(vec![]))),
        ("json failure", Box::new(|faces| faces.json["failures"] = Value::Array(vec![]))),
        ("json listing", Box::new(|faces| faces.json["failed_listings"] = Value::Array(vec![]))),
        ("json up", Box::new(|faces| faces.json["accounts"][0]["up"] = Value::Null)),
        (
            "csv row",
            Box::new(|faces| {
                faces.csv = faces.csv.rsplit_once("\r\n").unwrap().0.rsplit_once("\r\n").unwrap().0.to_owned();
            }),
        ),
        ("csv listing", Box::new(|faces| faces.csv = faces.csv.replace(",discover,", ",,"))),
        ("table finding", Box::new(table("1 stale", "2 stale"))),
        ("table failure", Box::new(table("failed: ", "ok"))),
    ];
    for (name, mutate) in mutants {
        let mut mutant = faces.clone();
        mutate(&mut mutant);
        assert!(mutant.agree_with(&assessed).is_err(), "{name} is not caught");
    }
}
