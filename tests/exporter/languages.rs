//! The languages of the status page and of its lists.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
};

use crate::{
    chromium::Chromium,
    demo::{demo, swept},
    status_page::{FAINT, MISSED, OUTSIDE},
    world::{Answer, Exporter, World},
};

/// Words of Latin letters that Chinese text has: names, units, and labels that are looked up in the documents.
const NAMES: &[&str] = &[
    "API",
    "Active",
    "CAM",
    "DNS",
    "ID",
    "IP",
    "MFA",
    "UIN",
    "UTC",
    "connect",
    "demo",
    "denied",
    "exporter",
    "prod",
    "stale",
    "unused",
    "very_stale",
    "auto_disable_soon",
    "user_not_found",
];

fn get(exporter: &Exporter, path: &str, accept_language: Option<&str>) -> Answer {
    let field = accept_language.map(|value| format!("Accept-Language: {value}\r\n")).unwrap_or_default();
    exporter.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{field}Connection: close\r\n\r\n"))
}

/// The language that the page is in, by its head, its markup and its title.
fn language(page: &Answer) -> &'static str {
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.head.contains("vary: accept-language"), "{page:?}");
    let is = |tag: &str, title: &str| {
        [
            page.head.contains(&format!("content-language: {}", tag.to_lowercase())),
            page.body.contains(&format!("<html lang=\"{tag}\">")),
            page.body.contains(&format!(" – {title}</title>")),
        ]
    };
    match (is("en", "Tencent Cloud CAM exporter"), is("zh-CN", "腾讯云 CAM exporter")) {
        ([true, true, true], [false, false, false]) => "English",
        ([false, false, false], [true, true, true]) => "Chinese",
        mixed => panic!("{mixed:?}: {page:?}"),
    }
}

/// What a reader sees of a page, without names and other text from outside, and without what is to be typed.
fn words(page: &str) -> String {
    let without = |text: &str, from: &str, to: &str| {
        let mut pieces = text.split(from);
        let first = pieces.next().unwrap().to_owned();
        pieces.fold(first, |text, piece| text + " " + piece.split_once(to).unwrap().1)
    };
    let labels: String = page.split("aria-label=\"").skip(1).map(|after| after.split('"').next().unwrap()).collect();
    let text = [("<style>", "</style>"), ("<code>", "</code>"), ("<bdi>", "</bdi>"), ("<", ">")]
        .into_iter()
        .fold(page.to_owned(), |text, (from, to)| without(&text, from, to));
    // The revision is hexadecimal.
    let text = without(&text, "版本 ", "）");
    text + " " + &labels
}

/// The words of Latin letters in the text that no Chinese reader expects.
fn foreign(text: &str) -> BTreeSet<&str> {
    let words = text.split(|character: char| !character.is_ascii_alphabetic() && character != '_');
    words.filter(|word| word.len() > 1 && !NAMES.contains(word)).collect()
}

#[test]
fn the_page_is_in_the_language_that_weighs_most() {
    let world = World::with_one_user();
    let exporter = world.start();
    for (accepted, expected) in [
        (None, "English"),
        (Some("zh-CN"), "Chinese"),
        (Some("zh"), "Chinese"),
        (Some("ZH-hans-cn"), "Chinese"),
        (Some("zh;q=0.9,en;q=0.8"), "Chinese"),
        (Some("zh-CN,zh;q=0.9,en;q=0.8"), "Chinese"),
        (Some("de,zh;q=0.5"), "Chinese"),
        (Some("en,zh;q=0.5"), "English"),
        (Some("en-US,en;q=0.9,zh-CN;q=0.8"), "English"),
        (Some("zh;q=0"), "English"),
        (Some("*"), "English"),
        (Some("*,zh;q=0.5"), "English"),
        (Some("de"), "English"),
        (Some(""), "English"),
        (Some("zh;q=9,zh;q=zh,;;,="), "English"),
        (Some("\u{4e2d}\u{6587}"), "English"),
    ] {
        for path in ["/", "/?still", "/?show=keys"] {
            assert_eq!(language(&get(&exporter, path, accepted)), expected, "{accepted:?} {path}");
        }
    }
    // Longer than any browser's, and longer than a request may be.
    let junk = |bytes: usize| "zh,".repeat(bytes / 3);
    assert_eq!(language(&get(&exporter, "/", Some(&junk(9_000)))), "English");
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Language: {}\r\n\r\n", junk(60_000));
    let mut stream = TcpStream::connect(exporter.address()).unwrap();
    // The exporter may close the connection before it has read all of that.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(language(&get(&exporter, "/", Some("zh"))), "Chinese");
}

#[test]
fn what_programs_read_is_in_english_whatever_is_accepted() {
    let world = World::with_one_user();
    let exporter = world.start();
    exporter.until_answered(1);
    let help = |accepted| {
        let answer = get(&exporter, "/metrics", accepted);
        answer.body.lines().filter(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(help(Some("zh-CN")), help(None));
    for path in ["/-/healthy", "/-/ready", "/?show=nothing", "/?show=users&account=nobody", "/nowhere"] {
        assert_eq!(get(&exporter, path, Some("zh-CN")).body, get(&exporter, path, None).body, "{path}");
    }
}

#[test]
fn the_demo_is_chinese_to_the_last_word() {
    let exporter = demo();
    swept(&exporter);
    let page = get(&exporter, "/", Some("zh-CN"));
    for text in [
        "需要处理",
        "请为调用者关联对资源 <code>*</code> 允许 <code>cam:ListAccessKeys</code> 的策略；其他资源写法不起作用。",
        "从 <code>uins</code> 或 <code>uins_file</code> 中删除。",
        "腾讯云已公告，将禁用 90 天未使用的密钥",
        "/docs/zh-CN/alerts/TencentCloudCamPollFailing.md\">处理手册</a>",
        "停止刷新",
    ] {
        assert!(page.body.contains(text), "no {text}: {page:?}");
    }
    for path in ["/", "/?still", "/?show=accounts", "/?show=users", "/?show=keys", "/?show=users&state=late"] {
        let page = get(&exporter, path, Some("zh-CN"));
        let words = words(&page.body);
        assert_eq!(foreign(&words), BTreeSet::new(), "{path}: {words}");
    }
    assert!(!foreign(&words(&get(&exporter, "/", None).body)).is_empty(), "English is found");
}

#[test]
#[ignore = "needs chromium"]
fn a_browser_that_prefers_chinese_shows_it_whole() {
    let exporter = demo();
    swept(&exporter);
    let mut chromium = Chromium::start();
    chromium.accept_language("zh-CN");
    for (width, scheme) in [(1200, "light"), (390, "dark"), (360, "light")] {
        chromium.appear(width, scheme);
        chromium.load(&format!("http://{}/", exporter.address()));
        let text = chromium.evaluate("document.body.innerText").as_str().unwrap().to_owned();
        assert!(text.contains("需要处理") && text.contains("轮询失败的用户"), "{text}");
        let empty = serde_json::json!([]);
        assert_eq!(chromium.evaluate(&OUTSIDE.replace("WIDTH", &width.to_string())), empty, "{width} {scheme}");
        assert_eq!(chromium.evaluate(FAINT), empty, "{width} {scheme}");
        assert_eq!(chromium.evaluate(MISSED), empty, "{width} {scheme}");
        let picture = format!("{}/status-page-zh-CN-{width}-{scheme}.png", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(picture, chromium.picture()).unwrap();
    }
    assert!(chromium.console().is_empty(), "{:?}", chromium.console());
}
