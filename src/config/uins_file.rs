//! `uins_file`: a list of users, one UIN per line, with comments.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use exporter_toolkit::files::{self, Watched};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tencentcloud_api::{ListUsers, Uin};
use thiserror::Error;

/// Enough for a million users.
const MAX_BYTES: u64 = 16 << 20;

/// How many invalid lines are reported one by one.
const MAX_REPORTED: usize = 100;

/// Maximum number of digits of a UIN.
const MAX_DIGITS: usize = 20;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A file with a list of users. `#` begins a comment.
#[derive(Debug)]
pub struct UinsFile {
    path: PathBuf,
    file: Watched<Arc<BTreeSet<Uin>>>,
}

/// Why the file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] files::Error),
    /// It has no users: probably it is not completely written yet.
    #[error("{} holds no UIN: expected one a line", path.display())]
    NoUin {
        /// The file.
        path: PathBuf,
    },
    /// It has more users than an account can have.
    #[error("{} holds more than {} UINs: check the path", .0.display(), ListUsers::MAX_USERS)]
    TooMany(PathBuf),
    /// It has invalid lines. The text has one line for each, with its number.
    #[error("{0}")]
    WrongLines(String),
}

// === impl UinsFile ===

impl UinsFile {
    /// The file at `path`, which is not read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { file: Watched::new(vec![path.clone()], MAX_BYTES), path }
    }

    /// Reads the users. As long as the file is unchanged, the same `Arc` is returned. May block.
    ///
    /// The first list is returned at once; later ones when the file has been unchanged for a second.
    ///
    /// # Errors
    /// The file cannot be used now. The caller can keep the last list.
    pub fn read(&mut self, now: Timestamp) -> Result<Arc<BTreeSet<Uin>>, Error> {
        self.file.look(now, |contents| {
            let content = contents.first().map(ExposeSecret::expose_secret).unwrap_or_default();
            Ok(Arc::new(parse(&self.path, content)?))
        })
    }
}

fn parse(path: &Path, content: &[u8]) -> Result<BTreeSet<Uin>, Error> {
    let content = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
    let (mut uins, mut wrong, mut more) = (BTreeSet::new(), vec![], 0);
    for (number, line) in (1..).zip(content.split(|byte| *byte == b'\n')) {
        // A comment may be in any encoding.
        let entry = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let entry = String::from_utf8_lossy(entry);
        match entry.trim() {
            "" => {}
            text => match text.parse::<Uin>() {
                Ok(uin) => drop(uins.insert(uin)),
                Err(_) if wrong.len() == MAX_REPORTED => more += 1,
                Err(error) => wrong.push(format!("{}:{number}: {} is {error}", path.display(), shown(text))),
            },
        }
    }
    if more > 0 {
        wrong.push(format!("{}: and {more} more wrong lines", path.display()));
    }
    match wrong.as_slice() {
        [] if uins.is_empty() => Err(Error::NoUin { path: path.to_owned() }),
        [] if uins.len() > ListUsers::MAX_USERS => Err(Error::TooMany(path.to_owned())),
        [] => Ok(uins),
        wrong => Err(Error::WrongLines(wrong.join("\n"))),
    }
}

/// A text that is too long for a UIN may be a secret, from the wrong file.
fn shown(text: &str) -> String {
    match text.chars().count() {
        ..=MAX_DIGITS => format!("{text:?}"),
        length => format!("a text of {length} characters"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::SignedDuration;

    use super::*;

    fn parsed(content: &[u8]) -> Result<Vec<u64>, String> {
        let uins = parse(Path::new("uins.txt"), content).map_err(|error| error.to_string())?;
        Ok(uins.into_iter().map(Uin::get).collect())
    }

    #[test]
    fn a_line_has_a_uin_a_comment_both_or_neither() {
        let content =
            b"\xef\xbb\xbf# Everybody\r\n\r\n100013065917\r\n  200 # \xb0\xa2\r\n\t300\t\n200\n#\n400#x\n \n500";
        assert_eq!(parsed(content), Ok(vec![200, 300, 400, 500, 100_013_065_917]));
    }

    #[test]
    fn every_invalid_line_is_reported() {
        assert_eq!(
            parsed(b"100013065917\n12a\n\n0 # nobody\n1, 2\n\xff\n").unwrap_err(),
            "uins.txt:2: \"12a\" is not a UIN: expected an integer, such as 100013065917\n\
             uins.txt:4: \"0\" is not a UIN: expected an integer, such as 100013065917\n\
             uins.txt:5: \"1, 2\" is not a UIN: expected an integer, such as 100013065917\n\
             uins.txt:6: \"\u{fffd}\" is not a UIN: expected an integer, such as 100013065917",
        );
        let error = parsed(&b"x\n".repeat(1_000)).unwrap_err();
        assert_eq!(error.lines().count(), 101);
        assert!(error.ends_with("\nuins.txt: and 900 more wrong lines"), "{error}");
    }

    #[test]
    fn a_file_without_users_is_an_error() {
        for content in ["", "\n", "\u{feff}", "# 100013065917\n"] {
            assert_eq!(parsed(content.as_bytes()).unwrap_err(), "uins.txt holds no UIN: expected one a line");
        }
    }

    #[test]
    fn a_secret_in_the_wrong_file_is_not_repeated() {
        let error = parsed(b"Gu5t9xGARNpq86cd98joQYCN3EXAMPLE\n").unwrap_err();
        assert!(error.starts_with("uins.txt:1: a text of 32 characters is not a UIN"), "{error}");
    }

    #[test]
    fn the_last_list_is_returned_while_the_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("uins.txt");
        let mut now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let write = |text, now: Timestamp| {
            fs::write(&path, text).unwrap();
            fs::File::open(&path).unwrap().set_modified(now.try_into().unwrap()).unwrap();
        };
        let mut file = UinsFile::new(path.clone());
        assert!(matches!(file.read(now), Err(Error::File(files::Error::Unreadable { .. }))));
        write("100\n200\n", now);
        now += SignedDuration::from_secs(1);
        let first = file.read(now).unwrap();
        write("10", now);
        assert!(Arc::ptr_eq(&file.read(now).unwrap(), &first));
        write("", now);
        assert!(Arc::ptr_eq(&file.read(now).unwrap(), &first));
        now += SignedDuration::from_secs(1);
        assert_eq!(file.read(now), Err(Error::NoUin { path: path.clone() }));
        write("300", now);
        now += SignedDuration::from_secs(1);
        assert_eq!(*file.read(now).unwrap(), BTreeSet::from([300.try_into().unwrap()]));
    }
}
