//! What a face would have to say wrongly to be caught.

use serde_json::Value;
use tencentcloud_api::{KeyStatus, Reason};
use tencentcloud_cam_exporter::inventory::assessment::Finding;

use super::{
    Faces, assessed,
    cases::{Case, Listed, Said, Used, inventory},
};

/// What makes a face say something else.
type Mutation = Box<dyn Fn(&mut Faces)>;

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
        configured: [false; 6],
        listed: Default::default(),
        rate: 20.0,
        credential_problem: false,
        console_login: vec![],
        exempt: vec![],
    };
    let bad = Case {
        users: vec![vec![Said::Keys(1, keys)], vec![Said::Failed(Reason::Denied)], vec![Said::Missing]],
        configured: [false, false, true, false, false, false],
        listed: [vec![], vec![], vec![Listed::Failed], vec![], vec![], vec![]],
        console_login: vec![Some(true)],
        exempt: vec![(0, vec![Finding::Unused], 1), (1, vec![Finding::Inactive], -1)],
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
        ("users", Box::new(set(series("account_users{"), 7.0))),
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
        ("user finding", Box::new(unset(series("user_finding")))),
        (
            "console login",
            Box::new(set(series("user_finding{account=\"two\",uin=\"100000000001\",finding=\"console"), 1.0)),
        ),
        ("exempt", Box::new(set(series("user_exempt{account=\"two\",uin=\"100000000002\",finding=\"inactive"), 1.0))),
        ("json exempt", Box::new(|faces| faces.json["keys"][0]["exempt"] = Value::Array(vec![]))),
        ("json time", Box::new(|faces| faces.json["keys"][0]["auto_disabled_at"] = Value::Null)),
        ("json ended", Box::new(|faces| faces.json["ended_exemptions"] = Value::Array(vec![]))),
        ("page disabled", Box::new(page(">1 key is not used", ">2 keys are not used"))),
        ("page ended", Box::new(page("have exemptions that", "had exemptions that"))),
        ("csv exempt", Box::new(|faces| faces.csv = faces.csv.replace(",unused,", ",,"))),
        ("csv finding", Box::new(|faces| faces.csv = faces.csv.replace("rotation_unfinished", "rotation_finished"))),
        ("table exempt", Box::new(table("1 exempt", "2 exempt"))),
        ("table reason", Box::new(table("why it is so", ""))),
        ("table announced", Box::new(table("has announced", "has denied"))),
        ("table failure", Box::new(table("failed: ", "ok"))),
    ];
    for (name, mutate) in mutants {
        let mut mutant = faces.clone();
        mutate(&mut mutant);
        assert!(mutant.agree_with(&assessed).is_err(), "{name} is not caught");
    }
}
