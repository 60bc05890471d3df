//! Links lead somewhere, and every page can be found.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use super::page::{Page, files_of, top};

/// Where the links of a page lead, outside other sites.
fn links(page: &Page) -> Vec<(PathBuf, Option<String>)> {
    let prose = page.prose();
    let targets = prose.split("](").skip(1).filter_map(|after| after.split_once(')')).map(|(target, _)| target.trim());
    targets.filter_map(|target| resolve(&page.path, target)).collect()
}

/// Where a link of the page at `from` leads, with its anchor; nothing for other sites.
pub(super) fn resolve(from: &Path, target: &str) -> Option<(PathBuf, Option<String>)> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = match path {
        "" => from.to_owned(),
        path => plain(&from.parent().unwrap().join(path)),
    };
    Some((path, anchor.map(str::to_owned)))
}

/// The path without `..`. One that leads out of the repository is left as it is, and leads nowhere.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part != Component::ParentDir || !plain.pop() {
            plain.push(part);
        }
    }
    plain
}

/// The anchors that the site which hosts the repository makes of a page's headings, in their order.
pub(super) fn anchors(page: &Page) -> Vec<String> {
    let (mut found, mut times, mut inside) = (vec![], BTreeMap::new(), false);
    for line in page.text.lines() {
        inside ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if inside || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let before: &mut u32 = times.entry(anchor.clone()).or_default();
        found.push(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
        *before += 1;
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let pages: BTreeMap<PathBuf, Page> = Page::all().into_iter().map(|page| (page.path.clone(), page)).collect();
    let mut broken = vec![];
    for page in pages.values() {
        for (path, anchor) in links(page) {
            let is_there = match (pages.get(&path), &anchor) {
                (Some(page), Some(anchor)) => anchors(page).contains(anchor),
                (_, None) => top().join(&path).exists(),
                (None, Some(_)) => false,
            };
            if !is_there {
                broken.push(format!("{}: {}#{}", page.path.display(), path.display(), anchor.unwrap_or_default()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_path_that_is_named_exists() {
    let mut files = vec![];
    files_of(top(), &mut files);
    let is_read = |file: &&PathBuf| {
        let extension = file.extension().unwrap_or_default();
        extension == "md"
            || file.starts_with("src")
            || file.starts_with("crates")
            || **file == Path::new("config.example.yaml")
    };
    let mut missing = vec![];
    for file in files.iter().filter(is_read) {
        let text = String::from_utf8_lossy(&std::fs::read(top().join(file)).unwrap()).into_owned();
        let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.' | '/')));
        for word in words.filter(|word| word.starts_with("deploy/") || word.starts_with("docs/")) {
            let path = word.trim_end_matches(['.', '-', '_']);
            // In a page below docs/ it may be a link from there, which is looked at above.
            if !top().join(path).exists() && !file.parent().is_some_and(|folder| top().join(folder).join(path).exists())
            {
                missing.push(format!("{}: {word}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_page_can_be_found_from_the_readme() {
    let pages: BTreeMap<PathBuf, Page> = Page::all().into_iter().map(|page| (page.path.clone(), page)).collect();
    let mut found = BTreeSet::new();
    let mut next = vec![PathBuf::from("README.md")];
    while let Some(path) = next.pop() {
        if let Some(page) = pages.get(&path)
            && found.insert(path)
        {
            next.extend(links(page).into_iter().map(|(path, _)| path));
        }
    }
    let lost: Vec<&PathBuf> = pages.keys().filter(|path| !found.contains(*path)).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn lines_end_where_their_text_does() {
    for page in Page::all() {
        for (number, line) in (1..).zip(page.text.lines()) {
            assert_eq!(line.trim_end(), line, "{}:{number}", page.path.display());
        }
        assert!(page.text.ends_with('\n') && !page.text.ends_with("\n\n"), "{}: its end", page.path.display());
    }
}
