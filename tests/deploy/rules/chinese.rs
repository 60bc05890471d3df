//! The rules with their annotations in Chinese: made from the rules and from a table of texts.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
};

use yaml_rust2::Yaml;

use super::{
    file::{self, Rule, items},
    in_project, promtool, read,
};

/// The files of rules that there are in Chinese.
const FILES: [&str; 3] = ["rules.yml", "rules-accounts.yml", "rules-optional.yml"];

/// The English texts of each alert, each with the Chinese one.
const TEXTS: &str = "tests/deploy/rules/zh-CN.yml";

/// The annotations that are translated.
const TRANSLATED: [&str; 2] = ["summary", "description"];

type Texts = BTreeMap<String, Vec<(String, String)>>;

/// A file of rules, with its path in the project.
pub(super) fn rules(file: &str) -> String {
    match file.strip_prefix("zh-CN/") {
        None => read(&format!("deploy/prometheus/{file}")),
        Some(file) => translated(file, &read(&format!("deploy/prometheus/{file}")), &texts(&read(TEXTS)))
            .unwrap_or_else(|missing| panic!("{missing:#?}")),
    }
}

fn texts(table: &str) -> Texts {
    let text = |yaml: &Yaml| yaml.as_str().unwrap().to_owned();
    let of_alert = |(alert, pairs): (&Yaml, &Yaml)| {
        let pairs = items(pairs).iter().map(|pair| (text(&pair["en"]), text(&pair["zh"])));
        (text(alert), pairs.collect())
    };
    file::load(table).as_hash().unwrap().iter().map(of_alert).collect()
}

/// `rules` with the Chinese summaries, descriptions and runbooks; or what has no Chinese text.
fn translated(file: &str, rules: &str, texts: &Texts) -> Result<String, Vec<String>> {
    let mut chinese = format!(
        "# 由 deploy/prometheus/{file} 生成，告警的摘要和描述为中文：见 docs/zh-CN/alerts/README.md。请勿直接修改本文件。\n"
    );
    let (mut alert, mut missing) = ("", vec![]);
    let mut lines = rules.lines().skip_while(|line| line.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        let (indent, content) = line.split_at(line.len() - line.trim_start().len());
        alert = content.strip_prefix("- alert: ").unwrap_or(alert);
        let mut translate = |english: &str| {
            let pair = texts.get(alert).into_iter().flatten().find(|(text, _)| text == english);
            if pair.is_none() {
                missing.push(format!("{file}: {alert}: no Chinese text in {TEXTS} for {english:?}: add or update it"));
            }
            pair.map_or("", |(_, chinese)| chinese.as_str())
        };
        let line = match content.split_once(": ") {
            Some(("summary", text)) => format!("{indent}summary: {}", translate(text)),
            Some(("description", ">-")) => {
                let deeper = format!("{indent}  ");
                let mut text = vec![];
                while let Some(line) = lines.next_if(|line| line.starts_with(&deeper)) {
                    text.push(line.trim());
                }
                format!("{line}\n{deeper}{}", translate(&text.join(" ")))
            }
            Some(("runbook_url", _)) => line.replace("/docs/alerts/", "/docs/zh-CN/alerts/"),
            Some(_) | None => line.to_owned(),
        };
        chinese.extend([line.as_str(), "\n"]);
    }
    if missing.is_empty() { Ok(chinese) } else { Err(missing) }
}

/// What stands in braces in a template, without the signs that trim what is around it.
fn placeholders(template: &str) -> Vec<&str> {
    let inside = template.split("{{").skip(1).map(|piece| piece.split("}}").next().unwrap());
    let mut found: Vec<&str> = inside.map(|it| it.trim_matches(['-', ' '])).collect();
    found.sort_unstable();
    found
}

fn fields(rule: &Rule) -> [&str; 2] {
    TRANSLATED.map(|field| rule.field(&format!("annotations.{field}")))
}

/// The Chinese summary of an alert of an English one.
pub(super) fn summary(alert: &Rule) -> String {
    let texts = texts(&read(TEXTS));
    let pairs = texts.get(&alert.name).unwrap_or_else(|| panic!("{}: not in {TEXTS}", alert.name));
    let found = pairs.iter().find(|(english, _)| english == fields(alert)[0]);
    found.unwrap_or_else(|| panic!("{}: its summary is not in {TEXTS}", alert.name)).1.clone()
}

/// `UPDATE_PROMETHEUSRULE=1` writes them.
#[test]
fn the_chinese_rules_are_made_from_the_rules() {
    for file in FILES.map(|file| format!("zh-CN/{file}")) {
        let path = format!("deploy/prometheus/{file}");
        let expected = rules(&file);
        if env::var_os("UPDATE_PROMETHEUSRULE").is_some() {
            fs::create_dir_all(in_project(&path).parent().unwrap()).unwrap();
            fs::write(in_project(&path), &expected).unwrap();
        }
        assert!(
            read(&path) == expected,
            "{path} is not made from the rules and texts as they are: docs/alerts/README.md"
        );
    }
}

/// They are the same but for the annotations, as the parser reads them too.
#[test]
fn the_chinese_rules_differ_in_texts_alone() {
    for file in FILES {
        let (english, chinese) = (file::rules(file), file::rules(&format!("zh-CN/{file}")));
        assert_eq!(english.len(), chinese.len());
        for (english, mut chinese) in english.into_iter().zip(chinese) {
            if english.is_alert() {
                let url = chinese.field("annotations.runbook_url").replace("/docs/zh-CN/alerts/", "/docs/alerts/");
                assert_ne!(url, chinese.field("annotations.runbook_url"), "{file}: {}", english.name);
                chinese = chinese.with("annotations.runbook_url", &url);
                for field in TRANSLATED.map(|field| format!("annotations.{field}")) {
                    chinese = chinese.with(&field, english.field(&field));
                }
            }
            assert_eq!(english, chinese, "{file}: {}", english.name);
        }
    }
}

#[test]
fn a_chinese_text_has_the_placeholders_of_the_english_one() {
    for (alert, pairs) in texts(&read(TEXTS)) {
        for (english, chinese) in pairs {
            assert_eq!(placeholders(&english), placeholders(&chinese), "{alert}: {english}\n{chinese}");
            assert!(chinese.ends_with('。') || chinese.ends_with("{{ end }}"), "{alert}: {chinese}");
        }
    }
}

#[test]
fn every_chinese_text_is_of_an_alert() {
    let alerts = FILES.iter().flat_map(|file| file::rules(file)).filter(Rule::is_alert).collect::<Vec<_>>();
    let used: BTreeSet<(&str, &str)> =
        alerts.iter().flat_map(|alert| fields(alert).map(|text| (alert.name.as_str(), text))).collect();
    for (alert, pairs) in texts(&read(TEXTS)) {
        for (english, _) in pairs {
            let is_used = used.contains(&(alert.as_str(), english.as_str()));
            assert!(is_used, "{TEXTS}: no rule {alert} says {english:?} any more: update or remove the text");
        }
    }
}

#[test]
fn a_text_without_a_translation_is_reported_with_its_alert() {
    let rules = "# head\ngroups:\n  - alert: A\n    summary: One.\n    description: >-\n      Two\n      lines.\n  - alert: B\n    \
                 summary: One.\n";
    let table = "A:\n  - {en: One., zh: 一。}\n  - {en: Two lines., zh: 两行。}\nB:\n  - {en: Old., zh: 旧。}\n";
    let missing = translated("rules.yml", rules, &texts(table)).unwrap_err();
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].starts_with("rules.yml: B: no Chinese text") && missing[0].contains("One."), "{missing:?}");
    let complete = translated("rules.yml", rules, &texts(&table.replace("Old.", "One."))).unwrap();
    let expected = "groups:\n  - alert: A\n    summary: 一。\n    description: >-\n      两行。\n  - alert: B\n    summary: 旧。\n";
    assert_eq!(complete.split_once('\n').unwrap().1, expected);
}

#[test]
#[ignore = "needs promtool"]
fn promtool_finds_nothing_wrong_with_the_chinese_rules() {
    for file in FILES.map(|file| format!("zh-CN/{file}")) {
        promtool(&["check", "rules", "--lint=all", "--lint-fatal", &file], &file::folder()).unwrap();
    }
}

#[test]
#[ignore = "needs promtool"]
fn the_chinese_rules_pass_their_tests() {
    promtool(&["test", "rules", "tests/zh-CN/wording.yml"], &file::folder()).unwrap();
}
