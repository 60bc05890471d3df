//! The page at `/`.

use std::{collections::BTreeSet, path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};
use tencentcloud_api::{AccessKey, Clock, KeyStatus, SystemClock, Uin};
use tencentcloud_cam_exporter::{
    inventory::{Account, AccountSettings, IdLabel, Inventory, Policy},
    state::{State, StateFile},
};
use tencentcloud_simulator::{Behaviour, User};

use crate::{
    chromium::Chromium,
    world::{Answer, Exporter, SECRET_ID, SECRET_KEY, UIN, World, key},
};

const USERS: usize = 5;

/// One user who is well, one who may not be listed, one who does not exist, one with a key too many, and one with an old
/// key and one that is disabled.
fn troubled_world() -> World {
    let now = SystemClock.now().to_string();
    let behaving = |behaviour| User { behaviour, ..User::default() };
    World::new([
        (UIN, User::with_keys([key("AKIDwell", "Active", &now)])),
        (UIN + 1, behaving(Behaviour::Denied)),
        (UIN + 2, behaving(Behaviour::DoesNotExist)),
        (UIN + 3, User::with_keys(["AKIDa", "AKIDb", "AKIDc"].map(|id| key(id, "Active", &now)))),
        (
            UIN + 4,
            User::with_keys([
                key("AKIDold", "Active", "2015-01-02T03:04:05Z"),
                key("AKIDoff", "Inactive", "2014-01-02T03:04:05Z"),
            ]),
        ),
    ])
}

/// The exporter of a world, once every user has been polled. The interval is long: what is shown stays.
fn polled(world: &World, config: &str) -> Exporter {
    let exporter = world.start_with(&config.replace("interval: 1s", "interval: 10m"), &[]);
    exporter.until("all users polled", |metrics| metrics.count("tencentcloud_cam_user_up") == USERS);
    exporter
}

fn page(exporter: &Exporter) -> Answer {
    let answer = exporter.get("/");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("content-type: text/html; charset=utf-8"), "{}", answer.head);
    answer
}

/// The part of the page under the heading of that id.
fn part<'a>(page: &'a Answer, id: &str) -> &'a str {
    let (_, part) = page.body.split_once(&format!(r#"<h2 id="{id}">"#)).unwrap_or_else(|| panic!("no {id}: {page:?}"));
    part.split("</section>").next().unwrap()
}

#[test]
fn tells_what_is_wrong_and_what_to_do_about_it() {
    let world = troubled_world();
    let exporter = polled(&world, &world.config());
    let page = page(&exporter);
    assert!(page.body.contains("<title>4 problems – Tencent Cloud CAM exporter</title>"), "{page:?}");
    let shows = |id: &str, texts: &[String]| {
        for text in texts {
            assert!(part(&page, id).contains(text), "no {text}: {}", part(&page, id));
        }
    };
    shows("accounts", &["prod".into(), "5 users".into(), "1 failing".into(), "of 20 a second".into()]);
    let advice = "Give the calling user a policy that allows <code>cam:ListAccessKeys</code> on the resource";
    shows("failing", &[(UIN + 1).to_string(), "denied".into(), advice.into(), "never answered".into()]);
    shows("absent", &[(UIN + 2).to_string(), "Remove it from <code>uins</code>".into()]);
    shows("limit", &[(UIN + 3).to_string(), "3 of 2".into(), "over".into()]);
    shows("keys", &[(UIN + 4).to_string(), "AKIDoldx****xxxx".into(), "Inactive".into(), "stale".into()]);
    let (first, others) = part(&page, "keys").split_once("AKIDoldx").unwrap();
    assert!(
        !first.contains("AKID") && !others.contains("stale"),
        "the stale key comes first; one that is disabled is not"
    );
    for secret in [SECRET_ID, SECRET_KEY, &format!("{:x<36}", "AKIDold")] {
        assert!(!page.body.contains(secret), "it tells {secret}");
    }
}

#[test]
fn says_when_all_is_well_and_when_it_no_longer_is() {
    let world = World::new([(UIN, User::default())]);
    let exporter = world.start();
    exporter.until_answered(1);
    let title = |exporter: &Exporter| {
        page(exporter).body.split_once(" – Tencent").unwrap().0.rsplit('>').next().unwrap().to_owned()
    };
    assert_eq!(title(&exporter), "All well");
    world.take_the_api_down();
    exporter.until("down", |metrics| metrics.of_user("user_up") == Some(0.0));
    assert_eq!(title(&exporter), "2 problems");
    let page = page(&exporter);
    assert!(page.body.contains("1 account is down: prod") && part(&page, "failing").contains("connect"), "{page:?}");
    assert!(part(&page, "failing").contains("answered "), "the last answer is not forgotten: {page:?}");
}

#[test]
fn nothing_but_its_own_style_is_let_in() {
    let world = troubled_world();
    let page = page(&world.start());
    let style = page.body.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = STANDARD.encode(Sha256::digest(style)).to_ascii_lowercase();
    let policy = page.head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).unwrap();
    let directives: BTreeSet<&str> = policy.split("; ").collect();
    let style = format!("style-src 'sha256-{hash}'");
    let expected = [
        "default-src 'none'",
        &style,
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ];
    assert_eq!(directives, expected.into());
    for forbidden in ["<script", "style=", "src=", "http://localhost", "onload"] {
        assert!(!page.body.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn loads_itself_again_unless_held_still() {
    let world = World::with_one_user();
    let exporter = world.start();
    let refreshes = |path: &str| exporter.get(path).body.contains(r#"http-equiv="refresh""#);
    assert!(refreshes("/") && !refreshes("/?still"));
    assert!(page(&exporter).body.contains(r#"href="?still""#));
    assert!(exporter.get("/?still").body.contains(r#"href="?""#) && refreshes("/?"));
}

#[test]
fn ten_thousand_users_make_no_long_page() {
    const MANY: u64 = 10_000;
    let world = World::new([]);
    world.take_the_api_down();
    let uins: Vec<String> = (0..MANY).map(|number| (UIN + number).to_string()).collect();
    let uins = world.write("uins.txt", &uins.join("\n"));
    let state = world.folder.path().join("state");
    remember(MANY, &state);
    let config = format!(
        "accounts: [{{name: prod, uins_file: {}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\nstate_file: {}\n",
        uins.display(),
        world.endpoint,
        state.display()
    );
    let exporter = world.start_with(&config, &[]);
    exporter.until("one has failed", |metrics| metrics.failures("connect") > 0.0);
    let page = page(&exporter);
    assert!(page.body.contains(">10,000</dd>") && page.body.contains(">20,000</dd>"), "{page:?}");
    assert!(part(&page, "keys").contains("50 of 20,000") && part(&page, "limit").contains("50 of 10,000"), "{page:?}");
    assert!(page.body.len() < 60_000, "{} bytes", page.body.len());
}

/// Leaves a state file of so many users with two keys each.
pub(crate) fn remember(users: u64, state: &Path) {
    let day = Duration::from_hours(24);
    let settings = AccountSettings {
        policy: Policy { max_age: 90 * day, ..Policy::default() }.into(),
        id_label: IdLabel::Masked,
        poll_interval: day,
        ..AccountSettings::default()
    };
    let uins = || (0..users).map(|number| Uin::try_from(UIN + number).unwrap());
    let account = Account::new("prod".parse().unwrap(), settings, uins());
    let now = SystemClock.now();
    for uin in uins() {
        let key =
            |id: String| AccessKey { id: id.as_str().into(), status: KeyStatus::Active, created: now - 100 * day };
        account.poll_succeeded(uin, &[key(format!("AKIDfirst{uin:0>27}")), key(format!("AKIDsecond{uin:0>26}"))], now);
    }
    StateFile::new(state.to_owned()).save(&State::of(&Inventory::new(vec![account.into()]))).unwrap();
}

/// Links that a finger may miss: smaller than the 24 pixels that WCAG 2.2 asks for at level AA, or over one another.
pub(crate) const MISSED: &str = r"(() => {
    const links = [...document.links].map(a => [a.outerHTML, a.getBoundingClientRect()]);
    const small = links.filter(([, r]) => r.width < 24 || r.height < 24);
    const over = (r, s) => r.left < s.right - 0.5 && s.left < r.right - 0.5 && r.top < s.bottom - 0.5 && s.top < r.bottom - 0.5;
    const close = links.filter(([, r], n) => links.slice(n + 1).some(([, s]) => over(r, s)));
    return [...small, ...close].map(([html, r]) => `${r.width} x ${r.height}: ${html}`);
})()";

/// Elements whose text is too faint to read: below the contrast of 4.5 that WCAG 2.2 asks for at level AA.
pub(crate) const FAINT: &str = r"(() => {
    const channels = colour => colour.match(/[\d.]+/g).map(Number);
    const luminance = colour => {
        const linear = channels(colour).slice(0, 3).map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (channels(colour)[3] !== 0) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const contrast = element => {
        const [dark, light] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const speaks = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    return [...document.body.querySelectorAll('*')].filter(e => speaks(e) && contrast(e) < 4.5).map(e => e.outerHTML);
})()";

/// Elements that reach out of the window on the right, or out of their section.
pub(crate) const OUTSIDE: &str = "[...document.body.querySelectorAll('*')].filter(e => {
    const right = e => e ? e.getBoundingClientRect().right : WIDTH;
    return right(e) > Math.min(WIDTH, right(e.closest('section'))) + 0.5;
}).map(e => e.outerHTML)";

/// The longest names there are leave the window as little as short ones. Leaves its pictures in target/tmp, to be looked
/// at.
#[test]
#[ignore = "needs chromium"]
fn a_browser_shows_it_whole_and_has_nothing_to_say() {
    let world = troubled_world();
    let long = world.config().replace("name: prod", &format!("name: {:-<64}", "prod")) + "keys: {id_label: full}\n";
    let mut chromium = Chromium::start();
    let exempt = world.config()
        + "keys: {overrides: [{users: ['*'], exempt: [stale, unused], reason: used in emergencies by those on call}]}\n";
    for (what, config, problems) in
        [("short", world.config(), "4 problems"), ("long", long, "4 problems"), ("exempt", exempt, "exempt from stale")]
    {
        let exporter = polled(&world, &config);
        shows_it_whole(&exporter, &mut chromium, what, problems);
    }
    assert!(chromium.console().is_empty(), "{:?}", chromium.console());
}

fn shows_it_whole(exporter: &Exporter, chromium: &mut Chromium, what: &str, problems: &str) {
    let mut backgrounds = BTreeSet::new();
    for (width, scheme) in [(1200, "light"), (1200, "dark"), (390, "light"), (360, "light"), (360, "dark")] {
        chromium.appear(width, scheme);
        chromium.load(&format!("http://{}/", exporter.address()));
        let text = chromium.evaluate("document.body.innerText").as_str().unwrap().to_owned();
        for shown in [problems, "prod", "AuthFailure.UnauthorizedOperation", "cam:ListAccessKeys", "AKIDoldx"] {
            assert!(text.contains(shown), "{width} {scheme}: no {shown}: {text}");
        }
        assert_eq!(chromium.evaluate(&OUTSIDE.replace("WIDTH", &width.to_string())), json!([]), "{width} {scheme}");
        assert!(chromium.evaluate("document.documentElement.scrollWidth").as_u64().unwrap() <= width.into());
        assert_eq!(chromium.evaluate(FAINT), json!([]), "{width} {scheme}");
        assert_eq!(chromium.evaluate(MISSED), json!([]), "{width} {scheme}");
        let background = chromium.evaluate("getComputedStyle(document.body).backgroundColor");
        backgrounds.insert(background.as_str().unwrap().to_owned());
        let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("status-page-{what}-{width}-{scheme}.png"));
        std::fs::write(picture, chromium.picture()).unwrap();
    }
    assert_eq!(backgrounds.len(), 2, "light and dark: {backgrounds:?}");
}
