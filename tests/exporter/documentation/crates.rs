//! What depends on what: the drawings of the crates and of the modules, and the walls between the crates.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::page::{Page, files_of, top};

const EXPORTER: &str = "tencentcloud-cam-exporter";
const API: &str = "tencentcloud-api";
const SIMULATOR: &str = "tencentcloud-simulator";

/// The crates that others can use: they depend on no other of the workspace.
const ALONE: [&str; 2] = [API, "exporter-toolkit"];

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The members of the workspace, each with those that it depends on, for its tests or not.
struct Members {
    uses: Graph,
    tests_with: Graph,
    folders: BTreeMap<String, PathBuf>,
}

// === impl Members ===

impl Members {
    fn read() -> Self {
        let packages = packages();
        let names: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
        let mut members = Self { uses: Graph::new(), tests_with: Graph::new(), folders: BTreeMap::new() };
        for package in &packages {
            let name = text(&package["name"]);
            let depends = |for_tests: bool| {
                let of = package["dependencies"].as_array().unwrap().iter();
                let of = of.filter(|dependency| (dependency["kind"] == "dev") == for_tests);
                of.map(|dependency| text(&dependency["name"])).filter(|name| names.contains(name)).collect()
            };
            members.uses.insert(name.clone(), depends(false));
            members.tests_with.insert(name.clone(), depends(true));
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            members.folders.insert(name, manifest.parent().unwrap().strip_prefix(top()).unwrap().to_owned());
        }
        members
    }
}

/// The members of the workspace, as cargo reads their manifests.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(top())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The first drawing below a heading: each crate or module with those that it depends on.
fn drawn(heading: &str) -> Graph {
    let page = Page::read("ARCHITECTURE.md");
    let (_, drawing) = page.section(heading).split_once("```\n").unwrap();
    let (drawing, _) = drawing.split_once("```").unwrap();
    let line = |line: &str| {
        let (from, to) = line.split_once("──>").unwrap_or_else(|| panic!("not drawn as `a ──> b, c`: {line}"));
        let to = to.split(',').map(|name| name.trim().to_owned()).filter(|name| name != "nothing").collect();
        (from.trim().to_owned(), to)
    };
    drawing.lines().map(line).collect()
}

/// The Rust files of a folder, each with its text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = vec![];
    files_of(&top().join(folder), &mut files);
    let sources = files.into_iter().filter(|file| file.extension().is_some_and(|it| it == "rs"));
    let read = |file: PathBuf| {
        let text = fs::read_to_string(top().join(&file)).unwrap();
        (file, text)
    };
    sources.map(read).collect()
}

#[test]
fn functions_from_a_uin_to_a_sample_exist() {
    let steps = Page::read("ARCHITECTURE.md").table("From a UIN to a sample");
    assert!(steps.len() > 10, "{steps:?}");
    for step in steps {
        let text = fs::read_to_string(top().join(&step[0])).unwrap();
        let name = step[1].rsplit("::").next().unwrap();
        assert!(["(", "<"].iter().any(|next| text.contains(&format!("fn {name}{next}"))), "{step:?}");
    }
}

#[test]
fn the_drawing_of_the_crates_is_true() {
    assert_eq!(drawn("Crates"), Members::read().uses);
}

/// Each crate that a manifest names, by those whose program needs it: `tests` if that is none.
#[test]
fn every_dependency_has_its_reason() {
    let packages = packages();
    let names: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let mut needed = Graph::new();
    for package in &packages {
        let member = text(&package["name"]).rsplit('-').next().unwrap().to_owned();
        for dependency in package["dependencies"].as_array().unwrap() {
            let by = needed.entry(text(&dependency["name"])).or_default();
            if dependency["kind"] != "dev" {
                by.insert(member.clone());
            }
        }
    }
    needed.retain(|name, _| !names.contains(name));
    for by in needed.values_mut().filter(|by| by.is_empty()) {
        by.insert("tests".to_owned());
    }

    let rows = Page::read("docs/dependencies.md").table("Direct dependencies");
    let by = |row: &Vec<String>| (row[0].clone(), row[1].split(", ").map(str::to_owned).collect());
    assert_eq!(rows.iter().map(by).collect::<Graph>(), needed);
    assert!(rows.iter().all(|row| !row[2].is_empty()), "{rows:?}");
}

/// The names that follow `crate::` in Rust code, in braces or not: of each path the first.
fn imported(code: &str) -> BTreeSet<String> {
    let is_of_a_name = |character: char| character.is_alphanumeric() || character == '_';
    let first = |path: &str| path.trim().split(|character| !is_of_a_name(character)).next().unwrap().to_owned();
    let mut names = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let path = &code[at + prefix.len()..];
        if !path.starts_with('{') {
            names.insert(first(path));
            continue;
        }
        let (mut depth, mut start) = (0, 1);
        for (place, character) in path.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && character == ',') {
                names.insert(first(&path[start..place]));
                start = place + 1;
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

#[test]
fn the_drawing_of_the_modules_is_true() {
    let name = EXPORTER.replace('-', "_") + "::";
    let mut modules = Graph::new();
    for (file, text) in sources(Path::new("src")) {
        let module = file.strip_prefix("src").unwrap().components().next().unwrap().as_os_str().to_str().unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let used = imported(&code.replace(&name, "crate::"));
        modules.entry(module.trim_end_matches(".rs").to_owned()).or_default().extend(used);
    }
    let names: BTreeSet<String> = modules.keys().cloned().collect();
    for (module, used) in &mut modules {
        used.retain(|name| names.contains(name) && name != module);
    }
    modules.retain(|_, used| !used.is_empty());
    let drawn = drawn("Inside the exporter");
    assert_eq!(drawn, modules);

    let mut below: BTreeSet<&String> = names.iter().filter(|name| !drawn.contains_key(*name)).collect();
    for (module, used) in std::iter::repeat_n(&drawn, drawn.len()).flatten() {
        if used.iter().all(|name| below.contains(name)) {
            below.insert(module);
        }
    }
    assert_eq!(below.len(), names.len(), "a module imports one above it: {below:?}");
}

#[test]
fn the_walls_between_the_crates_stand() {
    let Members { uses, tests_with, .. } = Members::read();
    for name in ALONE {
        assert!(uses.get(name).is_none_or(BTreeSet::is_empty), "{name} uses {:?}", uses[name]);
    }
    assert!(uses[SIMULATOR].iter().all(|name| name == API), "{:?}", uses[SIMULATOR]);
    for (name, used) in uses.iter().chain(&tests_with) {
        assert!(!used.contains(EXPORTER), "{name} uses the exporter");
    }
}

/// `#[path]` and `include!` could bring a file of the exporter in, past its manifest.
#[test]
fn no_crate_has_a_file_of_the_exporter() {
    for (name, folder) in Members::read().folders.into_iter().filter(|(name, _)| name != EXPORTER) {
        let files = sources(&folder);
        assert!(!files.is_empty(), "{name}");
        for (file, text) in files {
            let in_crate = file.strip_prefix(&folder).unwrap();
            let up = "../".repeat(in_crate.components().count() - 1 + folder.components().count());
            for outside in [format!("\"{up}src/"), format!("\"{up}tests/"), EXPORTER.replace('-', "_") + "::"] {
                assert!(!text.contains(&outside), "{}: {outside}", file.display());
            }
        }
    }
}

/// A template escapes every value but `PreEscaped`, and what implements `Render` by hand.
#[test]
fn only_constants_are_written_into_a_page_unescaped() {
    let mut found = vec![];
    for (file, text) in sources(Path::new("src")) {
        let names = ["PreEscaped", "Escaper", "Render", "render_to", "maud::*"];
        let lines = text.lines().filter(|line| names.iter().any(|name| line.contains(name)));
        found.extend(lines.map(|line| (file.display().to_string(), line.trim().to_owned())));
    }
    let of_text = [
        "use maud::{Markup, PreEscaped, html};",
        "pub(super) fn verbatim(constant: &'static str) -> PreEscaped<&'static str> {",
        "PreEscaped(constant)",
    ];
    assert_eq!(found, of_text.map(|line| ("src/web/status/text.rs".to_owned(), line.to_owned())));
}

/// Were it to sign with the code that it judges, a mistake there would go unseen.
#[test]
fn the_simulator_shares_only_the_clock_and_the_credential() {
    let folder = Members::read().folders[SIMULATOR].join("src");
    let mut shared = BTreeSet::new();
    for (_, text) in sources(&folder) {
        for (_, path) in text.match_indices("tencentcloud_api::").map(|(at, it)| text.split_at(at + it.len())) {
            let end = path.find(';').unwrap_or(path.len());
            let list = path[..end].trim_start_matches('{').trim_end_matches('}');
            shared.extend(list.split(',').map(|name| name.trim().to_owned()));
        }
    }
    assert_eq!(shared, ["Clock", "Credential"].map(str::to_owned).into());
}
