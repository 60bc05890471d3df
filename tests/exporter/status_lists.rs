//! The whole lists at `/?show=…`, and the pages behind a proxy.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use reqwest::Url;
use serde_json::json;
use tencentcloud_simulator::{Behaviour, Fault, Rejection, Times, User};

use crate::{
    chromium::Chromium,
    status_page::{FAINT, MISSED, OUTSIDE, remember},
    world::{Answer, Exporter, UIN, World},
};

fn page(exporter: &Exporter, query: &str) -> Answer {
    let answer = exporter.get(&format!("/{query}"));
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    assert!(answer.head.contains("content-type: text/html; charset=utf-8"), "{}", answer.head);
    answer
}

/// An exporter that knows so many users from before a restart, with two stale keys each.
fn remembering(users: u64, world: &World) -> Exporter {
    world.take_the_api_down();
    let uins: Vec<String> = (0..users).map(|number| (UIN + number).to_string()).collect();
    let (uins, state) = (world.write("uins.txt", &uins.join("\n")), world.folder.path().join("state"));
    remember(users, &state);
    let config = format!(
        "accounts: [{{name: prod, uins_file: {}, endpoint: 'http://{}', credentials: {{env: {{}}}}}}]\nstate_file: {}\n",
        uins.display(),
        world.endpoint,
        state.display()
    );
    world.start_with(&config, &[])
}

/// The address behind a link with that text.
fn link(page: &Answer, text: &str) -> Option<String> {
    let (before, _) = page.body.split_once(&format!("\">{text}</a>"))?;
    Some(before.rsplit_once("href=\"").unwrap().1.replace("&amp;", "&"))
}

/// Every user in the rows of a list, which begins there and goes on with "Next".
fn walked(exporter: &Exporter, query: &str) -> Vec<u64> {
    let (mut users, mut next) = (vec![], Some(query.to_owned()));
    while let Some(query) = next {
        let page = page(exporter, &query);
        let rows = page.body.split("uin=").skip(1).map(|after| after.split('"').next().unwrap().parse().unwrap());
        users.extend(rows.collect::<Vec<u64>>());
        next = link(&page, "Next");
    }
    users
}

#[test]
fn a_list_that_is_cut_leads_to_all_of_it() {
    const USERS: u64 = 1_000;
    let world = World::new([]);
    let exporter = remembering(USERS, &world);
    let overview = exporter.get("/");
    let query = link(&overview, "All 1,000").unwrap();
    assert_eq!(query, "?show=users&state=at_limit");
    assert!(walked(&exporter, &query).into_iter().eq(UIN..UIN + USERS));
    let query = link(&overview, "All 2,000").unwrap();
    assert!(walked(&exporter, &query).into_iter().eq((UIN..UIN + USERS).flat_map(|uin| [uin, uin])));
    assert!(page(&exporter, &format!("?show=keys&uin={UIN}")).body.matches("<tr>").count() == 3);
}

/// An exporter of users who may not be polled, whose names are hard to show.
fn with_strange_names() -> (World, Exporter) {
    let names = ["王小明", "<script>alert(1)</script>", "admin\u{202e}gnp.exe", "zero\u{200b}width", &"长".repeat(200)];
    let user = |name: &str| User { behaviour: Behaviour::Denied, ..User::default() }.named(name);
    let world = World::new((UIN..).zip(names).map(|(uin, name)| (uin, user(name))));
    let config = world.config().replace("name: prod,", "name: prod, discover: true,");
    let exporter = world.start_with(&config.replace("interval: 1s", "interval: 10m"), &[]);
    exporter.until("all failing", |metrics| metrics.count("tencentcloud_cam_user_up") == names.len());
    exporter.until("all named", |metrics| metrics.count("tencentcloud_cam_user_info") == names.len());
    (world, exporter)
}

#[test]
fn a_user_is_shown_with_name_and_error_and_what_the_name_holds_is_seen() {
    let (_world, exporter) = with_strange_names();
    for query in ["", "?show=users&state=failing", "?show=users&account=prod"] {
        let page = page(&exporter, query).body;
        let cut = format!("<bdi>{}…{}</bdi>", "长".repeat(35), "长".repeat(17));
        for shown in [
            "<bdi>王小明</bdi>",
            "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>",
            "<bdi>admin<i>U+202E</i>gnp.exe</bdi>",
            "<bdi>zero<i>U+200B</i>width</bdi>",
            &cut,
            "AuthFailure.UnauthorizedOperation",
            "(request id ",
            "since <time ",
            "next poll ",
            "never answered",
            "TencentCloudCamPollFailing.md\">Runbook</a>",
        ] {
            // All users are of no one state, and have no one runbook.
            let is_of_state = query != "?show=users&account=prod" || !shown.contains("Runbook");
            assert!(page.contains(shown) || !is_of_state, "{query}: no {shown}: {page}");
        }
        assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\u{200b}'), "{page}");
    }
}

#[test]
fn text_of_the_api_of_a_path_and_of_the_configuration_is_never_markup() {
    let world = World::with_one_user();
    for (action, text) in [("ListAccessKeys", "<script>poll"), ("ListUsers", "<script>listing")] {
        world.simulator.inject_into(action, Fault::Error(Rejection::new("InternalError", text)), Times::UntilCleared);
    }
    let file = world.folder.path().join("<script>file");
    let fields = format!("name: prod, discover: true, uins_file: '{}',", file.display());
    let keys = "keys: {overrides: [{users: ['*'], exempt: [stale], reason: '<script>reason'}]}\n";
    let exporter = world.start_with(&(world.config().replace("name: prod,", &fields) + keys), &[]);
    for family in ["user_up", "account_user_discovery_up", "account_uins_file_up"] {
        exporter.until(family, |metrics| {
            metrics.family(&format!("tencentcloud_cam_{family}")).values().any(|up| *up < 0.5)
        });
    }
    let pages = ["", "?show=accounts", "?show=users"].map(|query| page(&exporter, query).body).concat();
    for text in ["poll", "listing", "file", "reason"] {
        assert!(pages.contains(&format!("&lt;script&gt;{text}")), "{text}: {pages}");
    }
    assert!(!pages.contains("<script"), "{pages}");
}

#[test]
fn a_query_that_is_not_known_is_refused() {
    let exporter = World::with_one_user().start();
    for (query, text) in [
        ("?foo", "unknown parameter"),
        ("?show=users&sort=name", "unknown parameter"),
        ("?show=users&page=0", "page is not a page"),
        ("?show=users&page=1&page=2", "twice"),
        ("?show=secrets", "expected users, keys or accounts"),
        ("?show=users&state=%66ailing", "unknown state"),
        ("?show=users&account=%3Cscript%3E", "account is not an account name"),
    ] {
        let answer = exporter.get(&format!("/{query}"));
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.head.contains("content-type: text/plain") && answer.body.contains(text), "{query}: {answer:?}");
    }
    let answer = exporter.get("/?show=users&account=nobody");
    assert_eq!((answer.status, answer.body.as_str()), (404, "there is no account of that name\n"));
}

/// Leaves its pictures in target/tmp, to be looked at.
#[test]
#[ignore = "needs chromium"]
fn a_browser_shows_the_lists_whole_on_a_phone() {
    let (_world, named) = with_strange_names();
    let world = World::new([]);
    let many = remembering(1_000, &world);
    let mut chromium = Chromium::start();
    for (what, exporter, query) in [
        ("names", &named, "?still"),
        ("failing", &named, "?show=users&state=failing"),
        ("users", &many, "?show=users&page=2"),
        ("keys", &many, "?show=keys&finding=stale&page=3"),
        ("accounts", &many, "?show=accounts"),
    ] {
        for (width, scheme) in [(390, "light"), (390, "dark"), (1200, "light")] {
            chromium.appear(width, scheme);
            chromium.load(&format!("http://{}/{query}", exporter.address()));
            assert_eq!(chromium.evaluate(&OUTSIDE.replace("WIDTH", &width.to_string())), json!([]), "{what} {width}");
            assert_eq!(chromium.evaluate(MISSED), json!([]), "{what} {width} {scheme}");
            assert_eq!(chromium.evaluate(FAINT), json!([]), "{what} {width} {scheme}");
            let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("status-{what}-{width}-{scheme}.png"));
            std::fs::write(picture, chromium.picture()).unwrap();
        }
    }
    assert!(chromium.console().is_empty(), "{:?}", chromium.console());
}

/// nginx, which hands what is below `/tools/cam/` on to an exporter. Ended when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    fn start(folder: &Path, exporter: &Exporter) -> Self {
        let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {};", folder.join(name).display()))
            .concat();
        let config = format!(
            "daemon off; pid {}; error_log stderr; events {{}} http {{ access_log off; {temporary}
             server {{ listen {address}; location /tools/cam/ {{ proxy_pass http://{}/; }} }} }}",
            folder.join("pid").display(),
            exporter.address()
        );
        let path = folder.join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        let search = format!("{}:/usr/sbin", std::env::var_os("PATH").unwrap_or_default().display());
        let mut child =
            Command::new("nginx").env("PATH", search).arg("-c").arg(path).stderr(Stdio::null()).spawn().unwrap();
        while TcpStream::connect(address).is_err() {
            assert_eq!(child.try_wait().unwrap(), None, "nginx has ended");
            thread::sleep(Duration::from_millis(10));
        }
        Self { child, address }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // As the master of others it ends them too.
        let _ = Command::new("sh").args(["-c", &format!("kill -s TERM {}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}

/// Follows every link from there that stays on the host. Tells their addresses.
fn crawl(start: &Url) -> BTreeSet<Url> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![start.clone()]);
    while let Some(mut url) = next.pop() {
        url.set_fragment(None);
        if url.host_str() != start.host_str() || !seen.insert(url.clone()) {
            continue;
        }
        let address = (url.host_str().unwrap(), url.port().unwrap());
        let address = SocketAddr::new(address.0.parse().unwrap(), address.1);
        let path = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let answer = Exporter::get_at(address, &path);
        assert_eq!(answer.status, 200, "{url}: {answer:?}");
        if answer.head.contains("text/html") {
            let hrefs = answer.body.split(" href=\"").skip(1).map(|after| after.split('"').next().unwrap());
            let hrefs = hrefs.filter(|href| !href.starts_with("data:")).map(|href| href.replace("&amp;", "&"));
            next.extend(hrefs.map(|href| url.join(&href).unwrap()));
        }
    }
    seen
}

#[test]
#[ignore = "needs nginx"]
fn every_link_works_behind_a_proxy_with_a_path() {
    let world = World::with_one_user();
    let exporter = world.start_with(&world.config(), &["--web.telemetry-path=/deep/er/metrics"]);
    while exporter.get("/").body.contains("not polled yet") {
        thread::sleep(Duration::from_millis(10));
    }
    let nginx = Nginx::start(world.folder.path(), &exporter);
    let start: Url = format!("http://{}/tools/cam/", nginx.address).parse().unwrap();
    let seen = crawl(&start);
    let users = "?show=users&account=prod";
    let paths =
        ["", "?", "?still", users, "?show=keys", "?show=keys&finding=stale", "deep/er/metrics", "-/healthy", "-/ready"];
    for path in paths {
        let url = start.join(path).unwrap();
        assert!(seen.contains(&url), "{url}: {seen:?}");
    }
    assert!(seen.iter().all(|url| url.path().starts_with("/tools/cam/")), "{seen:?}");
    let moved = Exporter::get_at(nginx.address, "/tools/cam");
    assert!(moved.status == 301 && moved.head.contains("/tools/cam/"), "{moved:?}");
}
