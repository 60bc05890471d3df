//! A document, as its readers see it.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) struct Page {
    /// Its path from the top of the repository.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// A command, and what a document shows it to say.
pub(super) struct Shown {
    pub(super) command: String,
    pub(super) output: String,
}

// === impl Page ===

impl Page {
    pub(super) fn read(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = fs::read_to_string(top().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// Every document, in the order of their paths.
    pub(super) fn all() -> Vec<Self> {
        let mut paths = vec![];
        files_of(top(), &mut paths);
        let mut pages: Vec<PathBuf> =
            paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
        pages.sort();
        pages.into_iter().map(Self::read).collect()
    }

    /// What stands under that heading, up to the next.
    pub(super) fn section(&self, heading: &str) -> &str {
        let (_, after) = self
            .text
            .split_once(&format!("# {heading}\n"))
            .unwrap_or_else(|| panic!("{}: no section {heading}", self.path.display()));
        after.split("\n#").next().unwrap()
    }

    /// The rows of the table that stands under that heading: their cells, without backticks.
    pub(super) fn table(&self, heading: &str) -> Vec<Vec<String>> {
        let rows = self.section(heading).lines().filter(|line| line.starts_with('|')).skip(2);
        rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()).collect()
    }

    /// The blocks of that language.
    pub(super) fn blocks(&self, language: &str) -> Vec<String> {
        let mut found = vec![];
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let indent = line.len() - line.trim_start().len();
            let Some(begins) = line[indent..].strip_prefix("```") else { continue };
            let inside = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```"));
            let block: String = inside.flat_map(|line| [line.get(indent..).unwrap_or_default(), "\n"]).collect();
            if begins == language {
                found.push(block);
            }
        }
        found
    }

    /// The files that the document tells to write, each with its name in a comment on top.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let name = |block: &str| {
            let name = block.lines().next()?.strip_prefix("# ")?;
            let is_one = matches!(name.rsplit_once('.'), Some((name, "yaml" | "yml")) if !name.contains([' ', '/']));
            is_one.then(|| name.to_owned())
        };
        self.blocks("yaml").into_iter().filter_map(|block| Some((name(&block)?, block))).collect()
    }

    /// The commands in its blocks of a console.
    pub(super) fn commands(&self) -> Vec<Shown> {
        let mut commands: Vec<Shown> = vec![];
        for line in self.blocks("console").concat().lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push(Shown { command: command.to_owned(), output: String::new() }),
                (None, Some(last)) => last.output.extend([line, "\n"]),
                (None, None) => panic!("{}: an output before any command: {line}", self.path.display()),
            }
        }
        commands
    }

    /// The text outside blocks and code.
    pub(super) fn prose(&self) -> String {
        let mut inside = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                inside = !inside;
            } else if !inside {
                // Every other piece is code.
                line.split('`').step_by(2).for_each(|piece| prose.push_str(piece));
                prose.push('\n');
            }
        }
        prose
    }
}

/// Whether `text` is what a document shows, in which `…` stands for whatever differs from run to run.
pub(super) fn agrees(shown: &str, text: &str) -> bool {
    let mut pieces = shown.split('…');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        match pieces.peek() {
            None => return rest.ends_with(piece),
            Some(_) => match rest.split_once(piece) {
                Some((_, after)) => rest = after,
                None => return false,
            },
        }
    }
    true
}

/// The top of the repository.
pub(super) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` that belongs to the project, from the top on.
pub(super) fn files_of(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy();
        if entry.is_file() {
            found.push(entry.strip_prefix(top()).unwrap().to_owned());
        } else if entry.is_dir() && name != "target" && !name.starts_with('.') {
            files_of(&entry, found);
        }
    }
}
