//! What documents show of a terminal is what comes of it.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use jiff::tz::offset;
use tencentcloud_api::{Clock, SystemClock};
use tencentcloud_simulator::{Behaviour, User};

use super::page::{Page, agrees};
use crate::{
    pki::Pair,
    terminal,
    world::{UIN, World, binary},
};

const LIST: &str = "list --demo";

fn said_by(arguments: &str, folder: &Path, variables: &[(&str, String)]) -> String {
    let mut command = binary();
    command.args(arguments.split(' ')).current_dir(folder).envs(variables.iter().map(|(name, value)| (name, value)));
    let output = command.output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn documents_show_what_the_binary_says() {
    let world = World::with_one_user();
    let endpoint = format!("http://{}", world.endpoint);
    let mut shown = 0;
    for page in Page::all() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in page.files() {
            fs::write(folder.path().join(name), text).unwrap();
        }
        symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy"), folder.path().join("deploy")).unwrap();
        Pair::self_signed("localhost").write(folder.path(), "server");
        for command in page.commands() {
            let Some((program, arguments)) = command.command.split_once(' ') else { continue };
            let is_ours = program.rsplit('/').next() == Some("tencentcloud-cam-exporter");
            if !is_ours || command.output.is_empty() || arguments == LIST {
                continue;
            }
            // What would ask Tencent Cloud asks the simulator.
            let asks = arguments.contains("--connect");
            let elsewhere = ("CAM_EXPORTER__ACCOUNTS__0__ENDPOINT", endpoint.clone());
            let said = said_by(arguments, folder.path(), if asks { std::slice::from_ref(&elsewhere) } else { &[] });
            let place = format!("{}: {}", page.path.display(), command.command);
            assert!(agrees(&command.output, &said), "{place}\nshown:\n{}\nsaid:\n{said}", command.output);
            shown += 1;
        }
    }
    assert!(shown >= 6, "{shown} outputs");
}

/// `text` with every request id the same: the demo makes up others each time.
fn without_request_ids(text: &str) -> String {
    let is_of_an_id = |character: char| character.is_ascii_hexdigit() || character == '-';
    let mut pieces: Vec<String> = vec![];
    for (number, piece) in text.split_inclusive(|character: char| !is_of_an_id(character)).enumerate() {
        let id = piece.trim_end_matches(|character: char| !is_of_an_id(character));
        let is_id = number > 0 && id.len() == 36 && id.matches('-').count() == 4;
        pieces.push(if is_id { piece.replace(id, "an id") } else { piece.to_owned() });
    }
    pieces.concat()
}

/// `text` with every day the same.
fn without_days(text: &str) -> String {
    let is_of_a_day = |character: char| character.is_ascii_digit() || character == '-';
    let pieces = text.split_inclusive(|character: char| !is_of_a_day(character)).map(|piece| {
        let day = piece.trim_end_matches(|character: char| !is_of_a_day(character));
        let is_day = day.len() == 10 && day.matches('-').count() == 2;
        if is_day { piece.replace(day, "a day") } else { piece.to_owned() }
    });
    pieces.collect()
}

/// What `run` returns when it starts and ends on the same day of the API. Where midnight comes in between, it runs again.
fn in_one_day<T>(run: impl Fn() -> T) -> T {
    let today = || offset(8).to_datetime(SystemClock.now()).date();
    loop {
        let (day, result) = (today(), run());
        if day == today() {
            return result;
        }
    }
}

#[test]
fn the_documents_show_what_list_shows_on_a_terminal() {
    let page = Page::read("docs/list.md");
    let shown = page.commands().into_iter().find(|shown| shown.command.ends_with(LIST)).unwrap();
    let list = format!("{} {LIST}", env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"));
    let (now, _) = in_one_day(|| terminal::shown(120, &list, &[]));
    let [shown, now] = [&shown.output, &terminal::read(&now)].map(|text| without_days(&without_request_ids(text)));
    assert_eq!(shown, now);
}

#[test]
fn the_documents_show_what_list_shows_in_chinese() {
    let commands = Page::read("docs/list.md").commands();
    let shown = commands.iter().find(|shown| shown.command.starts_with("LANG=zh_CN.UTF-8 ")).unwrap();
    let list = format!("{} {LIST} 2>/dev/null", env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"));
    let (now, _) = in_one_day(|| terminal::shown(120, &list, &[("LANG", "zh_CN.UTF-8"), ("NO_COLOR", "1")]));
    let now = terminal::read(&now);
    assert!(agrees(&shown.output, &now), "{now}");
}

#[test]
fn log_lines_look_as_they_are_shown() {
    let page = Page::read("docs/operations.md");
    let shown = page.blocks("text").concat();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 2, "one in each format");
    for (format, shown) in ["logfmt", "json"].into_iter().zip(lines) {
        let world = World::new([(UIN, User { behaviour: Behaviour::Denied, ..User::default() })]);
        let exporter = world.start_with(&world.config(), &[&format!("--log.format={format}")]);
        exporter.until("denied", |metrics| metrics.failures("denied") > 0.0);
        let (_, log) = exporter.stop();
        assert!(log.lines().any(|line| agrees(shown, line)), "{shown}\n{log}");
    }
}

#[test]
#[ignore = "needs promtool"]
fn every_query_can_be_read_and_every_alert_is_a_rule() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yml");
    let check = |text: &str, place: &Path| {
        fs::write(&rules, text).unwrap();
        let output = Command::new("promtool").args(["check", "rules"]).arg(&rules).output().unwrap();
        assert!(output.status.success(), "{}:\n{text}\n{}", place.display(), String::from_utf8_lossy(&output.stderr));
    };
    let mut checked = 0;
    for page in Page::all() {
        for query in page.blocks("promql") {
            let indented = query.replace('\n', "\n          ");
            check(
                &format!(
                    "groups:\n  - name: a\n    rules:\n      - record: a\n        expr: |\n          {indented}\n"
                ),
                &page.path,
            );
            checked += 1;
        }
        for group in page.blocks("yaml").into_iter().filter(|block| block.starts_with("groups:\n")) {
            check(&group, &page.path);
            checked += 1;
        }
    }
    assert!(checked >= 4, "{checked}");
}
