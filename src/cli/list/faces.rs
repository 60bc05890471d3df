//! The one judge and those who show what it decides: for random inventories, the metrics, the page, the JSON, the CSV and
//! the table say what the assessment says.

mod cases;
mod mutants;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use tencentcloud_api::Clock;
use tencentcloud_cam_exporter::{
    app::Swept,
    inventory::{
        Account, Inventory, Listing,
        assessment::{AccountProblem, AccountState, Assessment, Finding, Moment, UserCounts},
    },
    language::Language,
    metrics::{self, Own},
    report::{self, Report, csv, json::Json},
    web::Status,
};

use self::cases::{ACCOUNTS, cases, inventory};
use super::table::{self, Look};

/// What every face shows.
#[derive(Clone)]
pub(super) struct Faces {
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
            page: status.overview(Language::English, true),
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
        for finding in Finding::ALL {
            let label = format!("finding=\"{}\"", finding.label());
            let (of_keys, of_users) =
                (samples("access_key_finding", &label).len(), samples("user_finding", &label).len());
            let UserCounts { at_limit, over_limit, console_login, .. } = assessment.users;
            let assessed = match finding {
                Finding::AtLimit => (0, at_limit - over_limit),
                Finding::OverLimit => (0, over_limit),
                Finding::ConsoleLogin => (0, console_login),
                Finding::AutoDisableSoon
                | Finding::VeryStale
                | Finding::Stale
                | Finding::Unused
                | Finding::RotationUnfinished
                | Finding::Inactive => (assessment.keys.with(finding), 0),
            };
            equal(finding.label(), (of_keys, of_users), assessed)?;
        }
        let logins: f64 = samples("user_finding", "finding=\"console_login\"").iter().sum();
        equal("console_login", logins, count(assessment.keys.with(Finding::ConsoleLogin)))?;
        let of_user = |series: &String| series.split("uin=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let prefix = format!("user_exempt{{account=\"{account}\"");
        let ended = self.metrics.iter().filter(|(series, value)| series.starts_with(&prefix) && **value < 0.5);
        let ended: BTreeSet<String> = ended.map(|(series, _)| of_user(series)).collect();
        equal("user_exempt", ended.len(), assessment.users.exemption_ended)?;
        for listing in Listing::ALL {
            let family = match listing {
                Listing::UinsFile => "account_uins_file_up",
                Listing::Caller => "account_caller_up",
                Listing::Users | Listing::TypedUsers => "account_user_discovery_up",
                Listing::Members => "account_organization_up",
                Listing::LastUses => "account_last_used_up",
            };
            let failed = |listing| assessment.problems.contains(&AccountProblem::ListingFailed(listing));
            // One family is for both.
            let has_failed = match listing {
                Listing::Users | Listing::TypedUsers => failed(Listing::Users) || failed(Listing::TypedUsers),
                Listing::UinsFile | Listing::Caller | Listing::Members | Listing::LastUses => failed(listing),
            };
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
        let exempt = keys.iter().filter(|key| !key["exempt"].as_array().unwrap().is_empty()).count();
        equal("exempt", exempt, assessment.keys.exempt)?;
        let soon = keys.iter().filter(|key| key["findings"].as_array().unwrap().contains(&"auto_disable_soon".into()));
        equal("no time", soon.filter(|key| key["auto_disabled_at"].is_null()).count(), 0)?;
        let ended: BTreeSet<String> = of("ended_exemptions").iter().map(|ended| ended["uin"].to_string()).collect();
        equal("ended exemptions", ended.len(), assessment.users.exemption_ended)?;
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
            || sum(|of| of.users.over_limit + of.keys.with(Finding::Stale)) > 0
            || sum(|of| of.keys.with(Finding::AutoDisableSoon) + of.users.exemption_ended) > 0;
        for (number, one, many) in [
            (
                sum(|of| of.keys.with(Finding::AutoDisableSoon)),
                "key is not used and will soon be disabled",
                "keys are not used and will soon be disabled",
            ),
            (
                sum(|of| of.users.exemption_ended),
                "user has an exemption that has ended",
                "users have exemptions that have ended",
            ),
        ] {
            let shown = [one, many].map(|words| self.page.contains(&format!(">{number} {words}")));
            equal(one, shown, [number == 1, number > 1])?;
        }
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
            (Finding::AutoDisableSoon, "expiring"),
            (Finding::VeryStale, "very stale"),
            (Finding::Stale, "stale"),
            (Finding::OverLimit, "over limit"),
            (Finding::Unused, "unused"),
            (Finding::RotationUnfinished, "rotating"),
            (Finding::ConsoleLogin, "console login"),
            (Finding::Inactive, "inactive"),
        ] {
            let number: usize = assessments.iter().map(|(_, of)| of.keys.with(finding)).sum();
            let shown = summary.split([':', ',', ';']).any(|part| part.trim() == format!("{number} {text}"));
            equal(&format!("table: {text} in {summary}"), shown, number > 0)?;
        }
        let exempt = sum(|of| of.keys.exempt);
        let shown = summary.split([':', ',', ';']).any(|part| part.trim() == format!("{exempt} exempt"));
        equal("table: exempt", shown, exempt > 0)?;
        equal("table: reasons", self.table.contains("why it is so"), exempt + sum(|of| of.users.exemption_ended) > 0)?;
        let shown = self.table.contains("Tencent Cloud has announced that it disables keys unused for 90 days");
        equal("table: announced", shown, sum(|of| of.keys.with(Finding::AutoDisableSoon)) > 0)?;
        let column = |name: &str| csv::columns().iter().position(|column| *column == name).unwrap();
        let mut rows = ::csv::Reader::from_reader(self.csv.as_bytes());
        let rows: Vec<::csv::StringRecord> = rows.records().map(Result::unwrap).collect();
        let cells = |name: &str| rows.iter().map(|row| row[column(name)].to_owned()).collect::<Vec<_>>();
        equal("CSV: exempt", cells("exempt").iter().filter(|cell| !cell.is_empty()).count(), exempt)?;
        for finding in Finding::OF_KEYS {
            let cells = cells("findings");
            let found = cells.iter().filter(|cell| cell.split(';').any(|found| found == finding.label())).count();
            equal(&format!("CSV: {}", finding.label()), found, sum_of(assessments, finding))?;
        }
        equal("table: listings", summary.contains("failed"), listings > 0)?;
        equal("table: failures", self.table.matches("failed: ").count() >= unanswered + missing, true)
    }
}

fn sum_of(assessments: &[(&str, Assessment)], finding: Finding) -> usize {
    assessments.iter().map(|(_, assessment)| assessment.keys.with(finding)).sum()
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
