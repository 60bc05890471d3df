//! The Chinese pages say what the English ones say: the same blocks in the same order, with the same code, numbers and
//! links.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    links::{anchors, resolve},
    page::Page,
};

/// What stands on a page, between two others of its kind or of another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Heading { level: usize },
    Paragraph,
    Item,
    Row { cells: usize },
    Code,
}

struct Block {
    kind: Kind,
    /// Where it begins.
    line: usize,
    text: String,
}

/// The English pages that have a Chinese one, each with it, by their paths.
struct Pairs {
    english: BTreeMap<PathBuf, Page>,
    chinese: BTreeMap<PathBuf, Page>,
    /// Pages in Chinese alone.
    alone: Vec<PathBuf>,
}

/// What a page is in English, if it is one in Chinese.
fn english_path(path: &Path) -> Option<PathBuf> {
    if path == Path::new("README.zh-CN.md") {
        return Some("README.md".into());
    }
    path.strip_prefix("docs/zh-CN").ok().map(|path| Path::new("docs").join(path))
}

// === impl Pairs ===

impl Pairs {
    fn of(pages: Vec<Page>) -> Self {
        let (translations, others): (Vec<Page>, Vec<Page>) =
            pages.into_iter().partition(|page| english_path(&page.path).is_some());
        let mut english: BTreeMap<PathBuf, Page> = others.into_iter().map(|page| (page.path.clone(), page)).collect();
        let (mut chinese, mut alone) = (BTreeMap::new(), vec![]);
        for page in translations {
            match english_path(&page.path).filter(|path| english.contains_key(path)) {
                Some(path) => _ = chinese.insert(path, page),
                None => alone.push(page.path),
            }
        }
        english.retain(|path, _| chinese.contains_key(path));
        Self { english, chinese, alone }
    }

    /// Each place at which the pages of a pair differ, and what to do.
    fn differences(&self) -> Vec<String> {
        let alone = self.alone.iter().map(|path| format!("{}: there is no such page in English", path.display()));
        let differences = self.english.iter().flat_map(|(path, english)| {
            let chinese = &self.chinese[path];
            self.compare(english, chinese).into_iter().map(move |(lines, difference)| {
                let [english, chinese] = [(english, lines.0), (chinese, lines.1)]
                    .map(|(page, line)| format!("{}:{line}", page.path.display()));
                format!("{english} and {chinese}: {difference}: change the page that is out of date")
            })
        });
        alone.chain(differences).collect()
    }

    /// Where they differ, as lines of both pages, and in what.
    fn compare(&self, english: &Page, chinese: &Page) -> Vec<((usize, usize), String)> {
        let blocks = [english, chinese].map(|page| blocks(&page.text));
        let mut found = vec![];
        for (number, (one, other)) in blocks[0].iter().zip(&blocks[1]).enumerate() {
            let lines = (one.line, other.line);
            if one.kind != other.kind {
                found.push((lines, format!("{:?} in English, {:?} in Chinese", one.kind, other.kind)));
                return found;
            }
            if one.kind == Kind::Code {
                if one.text != other.text {
                    found.push((lines, "the blocks of code are not the same".to_owned()));
                }
                continue;
            }
            if number == 1 {
                let leads = |page: &Page, block: &Block| {
                    links(&block.text).first().and_then(|target| resolve(&page.path, target)).map(|(path, _)| path)
                };
                if leads(english, one).as_ref() != Some(&chinese.path)
                    || leads(chinese, other).as_ref() != Some(&english.path)
                {
                    found.push((lines, "below its title, a page links to the other language".to_owned()));
                }
                continue;
            }
            let linked = [
                links(&one.text).into_iter().map(|target| self.counterpart(english, &target)).collect(),
                links(&other.text).into_iter().map(|target| place(chinese, &target)).collect(),
            ];
            let parts = [
                ("the code", [one, other].map(|block| code(&block.text))),
                ("the numbers", [one, other].map(|block| numbers(&block.text))),
                ("the links", linked),
            ];
            for (part, [one, other]) in parts {
                let [one, other]: [Vec<&String>; 2] =
                    [one.difference(&other).collect(), other.difference(&one).collect()];
                if !(one.is_empty() && other.is_empty()) {
                    found.push((lines, format!("of {part}, only English has {one:?}, only Chinese has {other:?}")));
                }
            }
            if matches!(one.kind, Kind::Paragraph | Kind::Item) && one.text == other.text {
                found.push((lines, "the text is not translated".to_owned()));
            }
        }
        if blocks[0].len() != blocks[1].len() {
            let shared = blocks[0].len().min(blocks[1].len());
            let line =
                |blocks: &[Block], text: &str| blocks.get(shared).map_or(text.lines().count(), |block| block.line);
            let lines = (line(&blocks[0], &english.text), line(&blocks[1], &chinese.text));
            found.push((lines, "one page ends here, and the other goes on".to_owned()));
        }
        found
    }

    /// Where the Chinese page leads for a link of the English one: to the Chinese page if there is one, with the anchor of the
    /// heading at the same place.
    fn counterpart(&self, page: &Page, target: &str) -> String {
        let Some((path, anchor)) = resolve(&page.path, target) else { return target.to_owned() };
        let Some((english, chinese)) = self.english.get(&path).zip(self.chinese.get(&path)) else {
            return place(page, target);
        };
        let translated = |anchor: &String| {
            let number = anchors(english).iter().position(|it| it == anchor)?;
            anchors(chinese).get(number).cloned()
        };
        let anchor = anchor.map(|anchor| translated(&anchor).unwrap_or(anchor));
        written(&chinese.path, anchor)
    }
}

/// Where a link leads: an address, or a path of the project.
fn place(page: &Page, target: &str) -> String {
    resolve(&page.path, target).map_or_else(|| target.to_owned(), |(path, anchor)| written(&path, anchor))
}

fn written(path: &Path, anchor: Option<String>) -> String {
    format!("{}#{}", path.display(), anchor.unwrap_or_default())
}

/// The blocks of a page, in their order.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = vec![];
    let (mut in_code, mut goes_on) = (false, false);
    for (line, text) in (1..).zip(page.lines()) {
        let content = text.trim();
        let is_fence = content.starts_with("```");
        let level = content.chars().take_while(|it| *it == '#').count();
        let kind = if in_code || content.is_empty() {
            None
        } else if is_fence {
            Some(Kind::Code)
        } else if level > 0 {
            Some(Kind::Heading { level })
        } else if content.starts_with('|') {
            Some(Kind::Row { cells: content.matches('|').count() - 1 })
        } else if is_item(content) {
            Some(Kind::Item)
        } else {
            (!goes_on).then_some(Kind::Paragraph)
        };
        goes_on = match kind {
            Some(kind) => matches!(kind, Kind::Paragraph | Kind::Item),
            None => goes_on && !content.is_empty(),
        };
        blocks.extend(kind.map(|kind| Block { kind, line, text: String::new() }));
        if let Some(last) = blocks.last_mut()
            && (in_code || !content.is_empty())
        {
            last.text.extend([text, "\n"]);
        }
        in_code ^= is_fence;
    }
    blocks
}

fn is_item(line: &str) -> bool {
    let number = line.trim_start_matches(|it: char| it.is_ascii_digit());
    line.starts_with("- ") || number.len() < line.len() && number.starts_with(". ")
}

/// What stands in backticks, on one line.
fn code(text: &str) -> BTreeSet<String> {
    let pieces = text.split('`').skip(1).step_by(2);
    pieces.map(|piece| piece.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The rest.
fn prose(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

/// The targets of the links.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|after| after.split_once(')'));
    targets.map(|(target, _)| target.trim().to_owned()).collect()
}

/// The numbers outside code, targets of links and addresses.
fn numbers(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let mut pieces = prose.split("](");
    let first = pieces.next().into_iter();
    let text: String = first.chain(pieces.filter_map(|after| Some(after.split_once(')')?.1))).collect();
    let text: String = text.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, after)| after)).collect();
    let numbers = text.split(|it: char| !(it.is_ascii_digit() || it == ','));
    numbers.map(|number| number.replace(',', "")).filter(|number| !number.is_empty()).collect()
}

#[test]
fn chinese_pages_agree_with_the_english_ones() {
    let pairs = Pairs::of(Page::all());
    assert!(pairs.chinese.contains_key(Path::new("README.md")) && pairs.chinese.len() > 20);
    let differences = pairs.differences();
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn links_to_pages_in_english_say_so() {
    let pairs = Pairs::of(Page::all());
    let mut wrong = vec![];
    for page in pairs.chinese.values() {
        let prose = page.prose();
        let links = prose.split("](").skip(1).filter_map(|after| after.split_once(')'));
        // The first is that to the same page in English.
        for (target, after) in links.skip(1) {
            let Some((path, _)) = resolve(&page.path, target) else { continue };
            let is_page = path.extension().is_some_and(|it| it == "md");
            if after.starts_with("（英文") != (is_page && english_path(&path).is_none()) {
                wrong.push(format!(
                    "{}: {target}: （英文） follows a link to a page in English, and no other",
                    page.path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const ENGLISH: &str = "\
# Title

[中文](zh-CN/page.md)

The metric `tencentcloud_cam_user_up` is 0 for 90 days: see [below](#more) and
[the other](other.md#there).

| field | meaning |
|---|---|
| `keys.limit` | the limit, `--flag` |

- first
- second, with `CAM_EXPORTER__X`

```sh
run --flag

run # twice
```

## More

1. Text of <https://example.com/12>, [a file](../deploy/cam-policy.json) and [a site](https://example.com).
";

const CHINESE: &str = "\
# 标题

[English](../page.md)

见[下文](#更多)和[另一页](other.md#那里)：指标 `tencentcloud_cam_user_up` 为 0，共 90 天。

| 字段 | 含义 |
|---|---|
| `keys.limit` | 上限，`--flag` |

- 第一
- 第二，`CAM_EXPORTER__X`

```sh
run --flag

run # twice
```

## 更多

1. <https://example.com/12> 的文字，[文件](../../deploy/cam-policy.json)和[网站](https://example.com)。
";

/// The differences of these two pages, beside another pair.
fn differences(english: &str, chinese: &str) -> Vec<String> {
    let pages = [
        ("docs/page.md", english),
        ("docs/zh-CN/page.md", chinese),
        ("docs/other.md", "# Other\n\n[中文](zh-CN/other.md)\n\n## There\n"),
        ("docs/zh-CN/other.md", "# 另一页\n\n[English](../other.md)\n\n## 那里\n"),
    ];
    let pages = pages.map(|(path, text)| Page { path: path.into(), text: text.to_owned() });
    Pairs::of(pages.into()).differences()
}

#[test]
fn pages_that_agree_do_not_differ() {
    assert_eq!(differences(ENGLISH, CHINESE), Vec::<String>::new());
}

#[test]
fn each_change_of_one_page_is_reported_with_its_lines() {
    // What is changed in the English page, and where the report says it is in each.
    let changes = [
        ("`tencentcloud_cam_user_up`", "the metric", 5, 5, "tencentcloud_cam_user_up"),
        ("90 days", "91 days", 5, 5, "[\"91\"]"),
        ("[below](#more)", "below", 5, 5, "docs/zh-CN/page.md#更多"),
        ("other.md#there", "other.md", 5, 5, "docs/zh-CN/other.md#那里"),
        ("`keys.limit`", "`keys.max_age`", 10, 9, "keys.max_age"),
        (", `--flag`", "", 10, 9, "--flag"),
        ("| `keys.limit` |", "| | `keys.limit` |", 10, 9, "cells: 3"),
        ("| `keys.limit` | the limit, `--flag` |\n", "", 11, 9, "Item in English, Row"),
        ("`CAM_EXPORTER__X`", "a variable", 13, 12, "CAM_EXPORTER__X"),
        ("\n- second", "\n\nMore text.\n\n- second", 14, 12, "Paragraph in English, Item"),
        ("run # twice\n", "", 15, 14, "blocks of code"),
        ("run # twice\n", "run # thrice\n", 15, 14, "blocks of code"),
        ("\n\nrun # twice", "\nrun # twice", 15, 14, "blocks of code"),
        ("## More", "### More", 21, 20, "level: 3"),
        ("[a file](../deploy/cam-policy.json)", "a file", 23, 22, "deploy/cam-policy.json"),
        ("(https://example.com)", "(https://example.org)", 23, 22, "https://example.org"),
        ("1. Text", "Text", 23, 22, "Paragraph in English, Item"),
        ("a site](https://example.com).\n", "a site](https://example.com).\n\nThe end.\n", 25, 22, "one page ends"),
        ("[中文](zh-CN/page.md)", "[中文](zh-CN/other.md)", 3, 3, "links to the other language"),
    ];
    for (from, to, english, chinese, what) in changes {
        let page = ENGLISH.replacen(from, to, 1);
        assert_ne!(page, ENGLISH, "{from}");
        let differences = differences(&page, CHINESE);
        let expected = format!("docs/page.md:{english} and docs/zh-CN/page.md:{chinese}: ");
        let is_reported = |it: &String| {
            it.starts_with(&expected) && it.contains(what) && it.ends_with(": change the page that is out of date")
        };
        assert!(differences.iter().any(is_reported), "{from} to {to}: no {expected}…{what} in {differences:#?}");
    }
}

#[test]
fn each_change_of_the_chinese_page_alone_is_reported() {
    for gone in [
        "`tencentcloud_cam_user_up`",
        "`--flag`",
        "- 第二，`CAM_EXPORTER__X`\n",
        "run # twice\n",
        "[网站](https://example.com)",
    ] {
        let page = CHINESE.replacen(gone, "", 1);
        assert_ne!(page, CHINESE, "{gone}");
        assert!(!differences(ENGLISH, &page).is_empty(), "{gone}");
    }
}

#[test]
fn a_text_that_is_not_translated_is_reported() {
    let page = CHINESE.replace("- 第一", "- first");
    let differences = differences(ENGLISH, &page);
    assert_eq!(differences.len(), 1, "{differences:#?}");
    assert!(differences[0].contains("docs/zh-CN/page.md:11: the text is not translated"), "{differences:#?}");
}

#[test]
fn a_chinese_page_without_an_english_one_is_reported() {
    let page = Page { path: "docs/zh-CN/alone.md".into(), text: "# 页\n".to_owned() };
    assert_eq!(Pairs::of(vec![page]).differences(), ["docs/zh-CN/alone.md: there is no such page in English"]);
}
