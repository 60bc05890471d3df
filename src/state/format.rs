//! The bytes of a state file: a header, then a line of JSON for each member of an organisation and for each user.
//!
//! ```text
//! tencentcloud-cam-exporter state 5 sha256:<64 digits, of "5\n" and all that follows this line>
//! {"organization":"org","member":100000000002,"name":"Finance"}
//! {"account":"prod","id_label":"masked","uin":100013065917,"up":true,"answered":1767225600,"keys":[…]}
//! ```
//!
//! Version 1 knew neither names, nor callers, nor last uses, and version 2 no members; their sums are of what follows
//! the header alone. Version 3 did not know who may log in to the console, and version 4 not which users were listed by
//! their type. Times are in whole seconds, as they are exposed. An old version is to be read for as long as files of it may
//! exist.

use std::{
    borrow::Cow,
    collections::HashSet,
    io::{self, BufRead, Read as _, Write},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tencentcloud_api::{KeyStatus, LastUse, ListUsers, NamedUser, Uin};
use thiserror::Error;

use super::{Saved, State, Wanted};
use crate::inventory::{AccountName, FoundUser, IdLabel, Key, User};

/// No more is read, or written: some million users. Whatever is larger is not ours.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// Longer than any first line.
const MAX_HEADER_BYTES: u64 = 256;

/// Longer than the line of a user with as many keys as are taken. What is longer is skipped.
const MAX_LINE_BYTES: u64 = 2 << 20;

const MAGIC: &[u8] = b"tencentcloud-cam-exporter state ";
const VERSION: u32 = 5;
const OLDEST: u32 = 1;

/// Longer than any label made here. One beyond Prometheus's limits would cost the whole scrape.
const MAX_LABEL_BYTES: usize = 200;

/// Why bytes are not a state. serde's own messages quote values, and are not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// They do not start as a state file does.
    #[error("is not a state file of this exporter")]
    Foreign,
    /// The format is of a version that is not known here.
    #[error("was written by a newer version of this exporter, in format {0}")]
    Newer(u32),
    /// Bytes are missing, or not those that were written.
    #[error("is damaged: it was cut short or changed after it was written")]
    Damaged,
    /// There are more than are read.
    #[error("is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
}

/// Why there is no state.
#[derive(Debug)]
pub(super) enum Unread {
    /// What the file holds is none.
    Fault(Fault),
    /// The file cannot be read.
    Io(io::Error),
}

/// The lines of a state file, a piece of bounded length at a time.
struct Lines<R> {
    from: R,
    line: Vec<u8>,
    bytes: u64,
}

/// Counts and hashes what is written.
struct Checksum {
    sum: Sha256,
    bytes: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line<'a> {
    #[serde(borrow)]
    Member(MemberRow<'a>),
    #[serde(borrow)]
    User(Row<'a>),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct MemberRow<'a> {
    /// The account whose organisation it is.
    organization: Cow<'a, str>,
    member: u64,
    name: Cow<'a, str>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Row<'a> {
    account: Cow<'a, str>,
    #[serde(with = "IdLabelName")]
    id_label: IdLabel,
    uin: u64,
    up: Option<bool>,
    answered: Option<i64>,
    keys: Option<Vec<KeyRow<'a>>>,
    /// What discovery found the user to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    /// Whether discovery found that the user may log in to the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    console_login: Option<bool>,
    /// Whether it is the user that asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    caller: bool,
    /// Whether it was listed as a user of a configured type.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    typed: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct KeyRow<'a> {
    label: Cow<'a, str>,
    #[serde(with = "KeyStatusName")]
    status: KeyStatus,
    created: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_use: Option<LastUseRow>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum LastUseRow {
    Never,
    At(i64),
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "IdLabel", rename_all = "lowercase")]
enum IdLabelName {
    Masked,
    Full,
    Hashed,
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "KeyStatus")]
enum KeyStatusName {
    Active,
    Inactive,
    Unknown,
}

/// Writes a state file. More than could be read again is an error.
pub(super) fn write(state: &State, mut to: impl Write) -> io::Result<()> {
    // Twice, for the checksum comes before what it covers.
    let mut checksum = Checksum::new(VERSION);
    write_rows(state, &mut checksum)?;
    let bytes = checksum.bytes;
    let header = [MAGIC, format!("{VERSION} {}\n", checksum.text()).as_bytes()].concat();
    if header.len() as u64 + bytes > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    to.write_all(&header)?;
    write_rows(state, &mut to)
}

fn write_rows(state: &State, to: &mut impl Write) -> io::Result<()> {
    for (organization, members) in &state.members {
        for (uin, FoundUser { name, .. }) in &**members {
            let row =
                MemberRow { organization: organization.as_str().into(), member: uin.get(), name: Cow::from(&**name) };
            serde_json::to_writer(&mut *to, &row)?;
            to.write_all(b"\n")?;
        }
    }
    for (account, users) in &state.accounts {
        for (uin, saved) in users {
            serde_json::to_writer(&mut *to, &Row::of(account.as_str(), *uin, saved))?;
            to.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// Reads a state file, or says why it is none. Keeps what is wanted: memory follows that, and not the file. Rows that
/// cannot be used are skipped and counted.
pub(super) fn read(mut from: impl BufRead, wanted: &Wanted<'_>) -> Result<State, Unread> {
    let mut head = Vec::new();
    from.by_ref().take(MAX_HEADER_BYTES).read_until(b'\n', &mut head)?;
    let header = head.strip_prefix(MAGIC).ok_or(Fault::Foreign)?;
    let header = header.strip_suffix(b"\n").ok_or(Fault::Damaged)?;
    let (version, sum) = str::from_utf8(header).ok().and_then(|text| text.split_once(' ')).ok_or(Fault::Damaged)?;
    let known = match version.parse() {
        Ok(newer) if newer > VERSION => return Err(Fault::Newer(newer).into()),
        Ok(known) if known >= OLDEST && version == known.to_string() => known,
        _ => return Err(Fault::Damaged.into()),
    };
    let (mut state, mut checksum) = (State::default(), Checksum::new(known));
    let mut lines = Lines { from, line: vec![], bytes: head.len() as u64 };
    // Whether the piece continues a line that is too long.
    let mut continues = false;
    while let Some(piece) = lines.next()? {
        checksum.update(piece);
        let ends = piece.ends_with(b"\n");
        let is_whole = !continues && (ends || (piece.len() as u64) < MAX_LINE_BYTES);
        let entered = if is_whole { enter(piece, wanted, &mut state) } else { Err("a line that is too long") };
        // A line that is too long is one row, however many pieces it has.
        state.skipped += usize::from(entered.is_err() && !continues);
        continues = !ends && !is_whole;
    }
    if sum == checksum.text() { Ok(state) } else { Err(Fault::Damaged.into()) }
}

fn enter(line: &[u8], wanted: &Wanted<'_>, state: &mut State) -> Result<(), &'static str> {
    match serde_json::from_slice(line) {
        Ok(Line::Member(row)) => row.enter(wanted, state),
        Ok(Line::User(row)) => row.enter(wanted, state),
        Err(_) => Err("not what is written of a member or a user"),
    }
}

// === impl Lines ===

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<&[u8]>, Unread> {
        self.line.clear();
        self.from.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line)?;
        self.bytes += self.line.len() as u64;
        if self.bytes > MAX_BYTES {
            return Err(Fault::TooLarge.into());
        }
        Ok(Some(&*self.line).filter(|line| !line.is_empty()))
    }
}

// === impl Checksum ===

impl Checksum {
    fn new(version: u32) -> Self {
        let mut sum = Sha256::new();
        // A version that is damaged must not look like an older one.
        if version >= 3 {
            sum.update(format!("{version}\n"));
        }
        Self { sum, bytes: 0 }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn text(self) -> String {
        format!("sha256:{}", hex::encode(self.sum.finalize()))
    }
}

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// === impl Unread ===

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

// === impl MemberRow ===

impl MemberRow<'_> {
    fn enter(self, wanted: &Wanted<'_>, state: &mut State) -> Result<(), &'static str> {
        let organization = account(&self.organization)?;
        let member = uin(self.member)?;
        let name = name(self.name)?;
        if !(wanted.members)(&organization) {
            return Ok(());
        }
        let known = state.members.get(&organization);
        if known.is_some_and(|members| members.contains_key(&member)) {
            return Err("a member for the second time");
        }
        if known.is_some_and(|members| members.len() >= ListUsers::MAX_USERS) {
            return Err("one member too many");
        }
        state.insert_member(organization, member, name);
        Ok(())
    }
}

// === impl Row ===

impl<'a> Row<'a> {
    fn of(account: &'a str, uin: Uin, Saved { id_label, user, caller, typed }: &'a Saved) -> Self {
        Self {
            account: account.into(),
            id_label: *id_label,
            uin: uin.get(),
            up: user.up,
            answered: user.answered.get().map(Timestamp::as_second),
            keys: user.keys.as_ref().map(|keys| keys.iter().map(KeyRow::of).collect()),
            name: user.name.as_deref().map(Cow::from),
            console_login: user.console_login,
            caller: *caller,
            typed: *typed,
        }
    }

    fn enter(self, wanted: &Wanted<'_>, state: &mut State) -> Result<(), &'static str> {
        let account = account(&self.account)?;
        let uin = uin(self.uin)?;
        if !(wanted.user)(&account, uin) && !state.is_member(&account) {
            return Ok(());
        }
        let keys: Option<Arc<[Key]>> =
            self.keys.map(|keys| keys.into_iter().map(KeyRow::into_key).collect()).transpose()?;
        let mut labels = HashSet::new();
        if !keys.as_deref().into_iter().flatten().all(|key| labels.insert(&key.label)) {
            return Err("two keys of one label");
        }
        let name = self.name.map(name).transpose()?;
        let answered = self.answered.map(time).transpose()?;
        let user = User {
            up: self.up,
            answered: answered.into(),
            keys,
            name,
            console_login: self.console_login,
            ..User::default()
        }
        .into();
        let known = state.accounts.get(&account);
        if known.is_some_and(|users| users.contains_key(&uin)) {
            return Err("a user for the second time");
        }
        if known.is_some_and(|users| users.len() >= ListUsers::MAX_USERS) {
            return Err("one user too many");
        }
        let saved = Saved { id_label: self.id_label, user, caller: self.caller, typed: self.typed };
        state.insert(account, uin, saved);
        Ok(())
    }
}

// === impl KeyRow ===

impl<'a> KeyRow<'a> {
    fn of(key: &'a Key) -> Self {
        let last_use = key.last_use.map(|last_use| match last_use {
            LastUse::Never => LastUseRow::Never,
            LastUse::At(time) => LastUseRow::At(time.as_second()),
        });
        Self { label: key.label.as_str().into(), status: key.status, created: key.created.as_second(), last_use }
    }

    fn into_key(self) -> Result<Key, &'static str> {
        if !(1..=MAX_LABEL_BYTES).contains(&self.label.len()) {
            return Err("a label that is empty or too long");
        }
        let last_use = match self.last_use {
            None => None,
            Some(LastUseRow::Never) => Some(LastUse::Never),
            Some(LastUseRow::At(second)) => Some(LastUse::At(time(second)?)),
        };
        Ok(Key { label: self.label.into(), status: self.status, created: time(self.created)?, last_use })
    }
}

fn account(name: &str) -> Result<AccountName, &'static str> {
    name.parse().map_err(|_| "no account's name")
}

fn uin(number: u64) -> Result<Uin, &'static str> {
    number.try_into().map_err(|_| "no UIN")
}

fn name(name: Cow<'_, str>) -> Result<Arc<str>, &'static str> {
    if name.chars().count() > NamedUser::MAX_NAME_CHARS { Err("a name that is too long") } else { Ok(name.into()) }
}

fn time(second: i64) -> Result<Timestamp, &'static str> {
    Timestamp::from_second(second).map_err(|_| "no time")
}

#[cfg(test)]
mod tests {
    use tencentcloud_api::Reason;

    use super::*;
    use crate::inventory::Failure;

    const GOOD: &str = r#"{"account":"a","id_label":"full","uin":7,"up":true,"answered":1,"keys":[{"label":"k","status":"Active","created":0}]}"#;

    fn file(version: &str, body: &str) -> Vec<u8> {
        let mut checksum = Checksum::new(version.parse().unwrap_or(VERSION));
        checksum.update(body.as_bytes());
        let sum = checksum.text();
        [MAGIC, format!("{version} {sum}\n{body}").as_bytes()].concat()
    }

    fn read(bytes: &[u8]) -> Result<State, Fault> {
        let everything = Wanted { user: &|_, _| true, members: &|_| true };
        super::read(bytes, &everything).map_err(|unread| match unread {
            Unread::Fault(fault) => fault,
            Unread::Io(error) => panic!("{error}"),
        })
    }

    /// Files of this version will be read for years: a change of the writer must not go unnoticed.
    #[test]
    fn the_bytes_are_those_of_version_5() {
        let key = |label: &str, status, last_use| Key {
            label: label.into(),
            status,
            created: Timestamp::UNIX_EPOCH,
            last_use,
        };
        let at = "2026-01-01T00:00:00.9Z".parse().unwrap();
        let keys = vec![
            key("AKIDz8kr****MPLE", KeyStatus::Active, Some(LastUse::At(at))),
            key("\"\né", KeyStatus::Unknown, Some(LastUse::Never)),
            key("k", KeyStatus::Inactive, None),
        ];
        let listed = User {
            up: Some(true),
            answered: at.into(),
            keys: Some(keys.into()),
            name: Some("é\"".into()),
            console_login: Some(true),
            ..User::default()
        };
        let failure = Failure::new(Reason::Timeout, None, &"timeout", Timestamp::UNIX_EPOCH);
        let failed = User { up: Some(false), failure: Some(failure.into()), ..User::default() };
        let mut state = State::default();
        for (number, id_label, user) in [(100_013_065_917, IdLabel::Masked, listed), (7, IdLabel::Hashed, failed)] {
            let uin = Uin::try_from(number).unwrap();
            let (caller, typed) = (number == 7, number != 7);
            state.insert("prod".parse().unwrap(), uin, Saved { id_label, user: user.into(), caller, typed });
        }
        state.insert_member("prod".parse().unwrap(), 9.try_into().unwrap(), "é\"".into());
        let mut bytes = Vec::new();
        write(&state, &mut bytes).unwrap();
        let body = concat!(
            r#"{"organization":"prod","member":9,"name":"é\""}"#,
            "\n",
            r#"{"account":"prod","id_label":"hashed","uin":7,"up":false,"answered":null,"keys":null,"caller":true}"#,
            "\n",
            r#"{"account":"prod","id_label":"masked","uin":100013065917,"up":true,"answered":1767225600,"keys":["#,
            r#"{"label":"AKIDz8kr****MPLE","status":"Active","created":0,"last_use":{"at":1767225600}},"#,
            r#"{"label":"\"\né","status":"Unknown","created":0,"last_use":"never"},"#,
            r#"{"label":"k","status":"Inactive","created":0}],"name":"é\"","console_login":true,"typed":true}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(bytes), String::from_utf8(file("5", body)));
    }

    #[test]
    fn every_version_up_to_this_one_is_read() {
        assert!(read(&file("1", GOOD)).is_ok());
        for version in ["2", "3", "4", "5"] {
            assert_eq!(read(&file(version, GOOD)), read(&file("1", GOOD)));
        }
        assert_eq!(read(&file("6", "whatever it may be")), Err(Fault::Newer(6)));
        for damaged in ["0", "01", "02", "+1", "", "-1", "1 ", "x", "99999999999"] {
            assert_eq!(read(&file(damaged, GOOD)), Err(Fault::Damaged), "{damaged:?}");
        }
        for foreign in ["", "{}", "tencentcloud-cam-exporter", GOOD, "\u{feff}tencentcloud-cam-exporter state 1"] {
            assert_eq!(read(foreign.as_bytes()), Err(Fault::Foreign), "{foreign:?}");
        }
    }

    #[test]
    fn one_wrong_value_spoils_only_its_row() {
        let long = format!(r#""label":"{}""#, "é".repeat(101));
        let named = format!(r#""up":true,"name":"{}""#, "é".repeat(NamedUser::MAX_NAME_CHARS + 1));
        let twice = r#""keys":[{"label":"k","status":"Inactive","created":5},"#;
        for (right, wrong) in [
            (r#""a""#, r#""a b""#),
            ("7", "0"),
            ("7", "-7"),
            (r#""answered":1"#, r#""answered":300000000000"#),
            (r#""created":0"#, r#""created":-9223372036854775808"#),
            (r#""label":"k""#, r#""label":"""#),
            (r#""label":"k""#, &long),
            (r#""up":true"#, &named),
            (r#""created":0"#, r#""created":0,"last_use":{"at":300000000000}"#),
            (r#""created":0"#, r#""created":0,"last_use":"soon""#),
            (r#""keys":["#, twice),
            ("full", "plain"),
            ("Active", "active"),
            (r#""up""#, r#""down""#),
            ("7", "8}"),
            ("7", "6"),
        ] {
            let body = [&GOOD.replace('7', "6"), "\n", &GOOD.replace(right, wrong), "\n"].concat();
            let state = read(&file("1", &body)).unwrap();
            assert_eq!((state.skipped, state.accounts.len(), state.members.len()), (1, 1, 0), "{wrong}");
        }
        let member = r#"{"organization":"a","member":7,"name":"n"}"#;
        let long = format!(r#""name":"{}""#, "é".repeat(NamedUser::MAX_NAME_CHARS + 1));
        for (right, wrong) in [
            (r#""a""#, r#""a b""#),
            ("7", "0"),
            (r#""name":"n""#, &long),
            (r#""name":"n""#, r#""name":null"#),
            (r#""name":"n""#, r#""name":"n","uin":7"#),
            ("7", "6"),
        ] {
            let body = [&member.replace('7', "6"), "\n", &member.replace(right, wrong), "\n"].concat();
            let state = read(&file("3", &body)).unwrap();
            assert_eq!((state.skipped, state.accounts.len(), state.members.len()), (1, 0, 1), "{wrong}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_one_row_that_is_skipped() {
        let long = "x".repeat(usize::try_from(5 * MAX_LINE_BYTES / 2).unwrap());
        let exact = "x".repeat(usize::try_from(MAX_LINE_BYTES).unwrap());
        for (body, skipped) in [
            (format!("{long}\n{GOOD}\n"), 1),
            (format!("{GOOD}\n{long}"), 1),
            (format!("{exact}\n{GOOD}\n{exact}\n"), 2),
        ] {
            let state = read(&file("3", &body)).unwrap();
            assert_eq!((state.skipped, state.accounts.len()), (skipped, 1));
        }
    }

    #[test]
    fn what_is_not_wanted_is_not_kept() {
        let body = [
            r#"{"organization":"o","member":8,"name":"n"}"#,
            r#"{"organization":"p","member":9,"name":"n"}"#,
            GOOD,
            &GOOD.replace(r#""a""#, r#""8""#),
            &GOOD.replace(r#""a""#, r#""9""#),
        ]
        .join("\n");
        let wanted = Wanted { user: &|_, _| false, members: &|name| name.as_str() == "o" };
        let state = super::read(&*file("3", &body), &wanted).unwrap();
        assert_eq!((state.skipped, state.members.len()), (0, 1));
        assert!(state.accounts.keys().map(AccountName::as_str).eq(["8"]), "the users of a member are wanted");
    }
}
