//! The bytes of a state file: a header, then a line of JSON for each member of an organisation and for each user.
//!
//! ```text
//! tencentcloud-cam-exporter state 3 sha256:<64 digits, of "3\n" and all that follows this line>
//! {"organization":"org","member":100000000002,"name":"Finance"}
//! {"account":"prod","id_label":"masked","uin":100013065917,"up":true,"answered":1767225600,"keys":[…]}
//! ```
//!
//! Version 1 knew neither names, nor callers, nor last uses, and version 2 no members; their sums are of what follows
//! the header alone. Times are in whole seconds, as they are exposed. An old version is to be read for as long as files of
//! it may exist.

use std::{
    borrow::Cow,
    collections::HashSet,
    io::{self, Write},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Saved, State};
use crate::{
    inventory::{AccountName, IdLabel, Key, User},
    tencent::{KeyStatus, LastUse, Uin, list_users::MAX_NAME_CHARS},
};

/// No more is read, or written: some million users. Whatever is larger is not ours.
pub(super) const MAX_BYTES: usize = 256 << 20;

const MAGIC: &[u8] = b"tencentcloud-cam-exporter state ";
const VERSION: u32 = 3;
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
    /// A value that nothing here has written.
    #[error("is unusable: line {line}: {what}")]
    Wrong {
        /// Counted from 1, the header.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
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
    /// Whether it is the user that asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    caller: bool,
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
    // In memory first, for the checksum comes before what it covers. Next to the exposition of as many users it is little.
    let mut body = Vec::new();
    for (organization, members) in &state.members {
        for (uin, name) in &**members {
            let row =
                MemberRow { organization: organization.as_str().into(), member: uin.get(), name: Cow::from(&**name) };
            serde_json::to_writer(&mut body, &row)?;
            body.push(b'\n');
        }
    }
    for (account, users) in &state.accounts {
        for (uin, saved) in users {
            serde_json::to_writer(&mut body, &Row::of(account.as_str(), *uin, saved))?;
            body.push(b'\n');
        }
    }
    let header = [MAGIC, format!("{VERSION} {}\n", checksum(VERSION, &body)).as_bytes()].concat();
    if header.len() + body.len() > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    to.write_all(&header)?;
    to.write_all(&body)
}

/// Reads a state file, or says why it is none.
pub(super) fn read(bytes: &[u8]) -> Result<State, Fault> {
    if bytes.len() > MAX_BYTES {
        return Err(Fault::TooLarge);
    }
    let bytes = bytes.strip_prefix(MAGIC).ok_or(Fault::Foreign)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(Fault::Damaged)?;
    let (header, body) = (&bytes[..end], &bytes[end + 1..]);
    let (version, sum) = str::from_utf8(header).ok().and_then(|text| text.split_once(' ')).ok_or(Fault::Damaged)?;
    match version.parse() {
        Ok(newer) if newer > VERSION => return Err(Fault::Newer(newer)),
        Ok(known) if known >= OLDEST && version == known.to_string() && sum == checksum(known, body) => {}
        _ => return Err(Fault::Damaged),
    }
    let mut state = State::default();
    for (index, line) in body.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let entered = match serde_json::from_slice(line) {
            Ok(Line::Member(row)) => row.enter(&mut state),
            Ok(Line::User(row)) => row.enter(&mut state),
            Err(_) => Err("not what is written of a member or a user"),
        };
        entered.map_err(|what| Fault::Wrong { line: index + 2, what })?;
    }
    Ok(state)
}

fn checksum(version: u32, body: &[u8]) -> String {
    let mut sum = Sha256::new();
    // A version that is damaged must not look like an older one.
    if version >= 3 {
        sum.update(format!("{version}\n"));
    }
    sum.update(body);
    format!("sha256:{}", hex::encode(sum.finalize()))
}

// === impl MemberRow ===

impl MemberRow<'_> {
    fn enter(self, state: &mut State) -> Result<(), &'static str> {
        let organization = account(&self.organization)?;
        let member = uin(self.member)?;
        match state.insert_member(organization, member, name(self.name)?) {
            None => Ok(()),
            Some(_) => Err("a member for the second time"),
        }
    }
}

// === impl Row ===

impl<'a> Row<'a> {
    fn of(account: &'a str, uin: Uin, Saved { id_label, user, caller }: &'a Saved) -> Self {
        Self {
            account: account.into(),
            id_label: *id_label,
            uin: uin.get(),
            up: user.up,
            answered: user.answered.map(Timestamp::as_second),
            keys: user.keys.as_ref().map(|keys| keys.iter().map(KeyRow::of).collect()),
            name: user.name.as_deref().map(Cow::from),
            caller: *caller,
        }
    }

    fn enter(self, state: &mut State) -> Result<(), &'static str> {
        let account = account(&self.account)?;
        let uin = uin(self.uin)?;
        let keys: Option<Arc<[Key]>> =
            self.keys.map(|keys| keys.into_iter().map(KeyRow::into_key).collect()).transpose()?;
        let mut labels = HashSet::new();
        if !keys.as_deref().into_iter().flatten().all(|key| labels.insert(&key.label)) {
            return Err("two keys of one label");
        }
        let name = self.name.map(name).transpose()?;
        let user = User { up: self.up, answered: self.answered.map(time).transpose()?, keys, name, failure: None };
        match state.insert(account, uin, Saved { id_label: self.id_label, user, caller: self.caller }) {
            None => Ok(()),
            Some(_) => Err("a user for the second time"),
        }
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
        Ok(Key { label: self.label.into_owned(), status: self.status, created: time(self.created)?, last_use })
    }
}

fn account(name: &str) -> Result<AccountName, &'static str> {
    name.parse().map_err(|_| "no account's name")
}

fn uin(number: u64) -> Result<Uin, &'static str> {
    number.try_into().map_err(|_| "no UIN")
}

fn name(name: Cow<'_, str>) -> Result<Arc<str>, &'static str> {
    if name.chars().count() > MAX_NAME_CHARS { Err("a name that is too long") } else { Ok(name.into()) }
}

fn time(second: i64) -> Result<Timestamp, &'static str> {
    Timestamp::from_second(second).map_err(|_| "no time")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inventory::Failure, tencent::Reason};

    const GOOD: &str = r#"{"account":"a","id_label":"full","uin":7,"up":true,"answered":1,"keys":[{"label":"k","status":"Active","created":0}]}"#;

    fn file(version: &str, body: &str) -> Vec<u8> {
        let sum = checksum(version.parse().unwrap_or(VERSION), body.as_bytes());
        [MAGIC, format!("{version} {sum}\n{body}").as_bytes()].concat()
    }

    /// Files of this version will be read for years: a change of the writer must not go unnoticed.
    #[test]
    fn the_bytes_are_those_of_version_3() {
        let key = |label: &str, status, last_use| Key {
            label: label.to_owned(),
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
            answered: Some(at),
            keys: Some(keys.into()),
            name: Some("é\"".into()),
            failure: None,
        };
        let failure = Failure { reason: Reason::Timeout, code: None, since: Timestamp::UNIX_EPOCH };
        let failed = User { up: Some(false), failure: Some(failure), ..User::default() };
        let mut state = State::default();
        for (number, id_label, user) in [(100_013_065_917, IdLabel::Masked, listed), (7, IdLabel::Hashed, failed)] {
            let uin = Uin::try_from(number).unwrap();
            state.insert("prod".parse().unwrap(), uin, Saved { id_label, user, caller: number == 7 });
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
            r#"{"label":"k","status":"Inactive","created":0}],"name":"é\""}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(bytes), String::from_utf8(file("3", body)));
    }

    #[test]
    fn every_version_up_to_this_one_is_read() {
        assert!(read(&file("1", GOOD)).is_ok());
        for version in ["2", "3"] {
            assert_eq!(read(&file(version, GOOD)), read(&file("1", GOOD)));
        }
        assert_eq!(read(&file("4", "whatever it may be")), Err(Fault::Newer(4)));
        for damaged in ["0", "01", "02", "+1", "", "-1", "1 ", "x", "99999999999"] {
            assert_eq!(read(&file(damaged, GOOD)), Err(Fault::Damaged), "{damaged:?}");
        }
        for foreign in ["", "{}", "tencentcloud-cam-exporter", GOOD, "\u{feff}tencentcloud-cam-exporter state 1"] {
            assert_eq!(read(foreign.as_bytes()), Err(Fault::Foreign), "{foreign:?}");
        }
        assert_eq!(read(&vec![0; MAX_BYTES + 1]), Err(Fault::TooLarge));
    }

    #[test]
    fn one_wrong_value_spoils_it_whole() {
        let long = format!(r#""label":"{}""#, "é".repeat(101));
        let named = format!(r#""up":true,"name":"{}""#, "é".repeat(MAX_NAME_CHARS + 1));
        let twice = r#""keys":[{"label":"k","status":"Inactive","created":5},"#;
        for (right, wrong, what) in [
            (r#""a""#, r#""a b""#, "no account's name"),
            ("7", "0", "no UIN"),
            ("7", "-7", "not what is written of a member or a user"),
            (r#""answered":1"#, r#""answered":300000000000"#, "no time"),
            (r#""created":0"#, r#""created":-9223372036854775808"#, "no time"),
            (r#""label":"k""#, r#""label":"""#, "a label that is empty or too long"),
            (r#""label":"k""#, &long, "a label that is empty or too long"),
            (r#""up":true"#, &named, "a name that is too long"),
            (r#""created":0"#, r#""created":0,"last_use":{"at":300000000000}"#, "no time"),
            (r#""created":0"#, r#""created":0,"last_use":"soon""#, "not what is written of a member or a user"),
            (r#""keys":["#, twice, "two keys of one label"),
            ("full", "plain", "not what is written of a member or a user"),
            ("Active", "active", "not what is written of a member or a user"),
            (r#""up""#, r#""down""#, "not what is written of a member or a user"),
            ("7", "8}", "not what is written of a member or a user"),
            ("7", "6", "a user for the second time"),
        ] {
            let body = [&GOOD.replace('7', "6"), "\n", &GOOD.replace(right, wrong), "\n"].concat();
            assert_eq!(read(&file("1", &body)), Err(Fault::Wrong { line: 3, what }), "{wrong}");
        }
        let member = r#"{"organization":"a","member":7,"name":"n"}"#;
        let long = format!(r#""name":"{}""#, "é".repeat(MAX_NAME_CHARS + 1));
        for (right, wrong, what) in [
            (r#""a""#, r#""a b""#, "no account's name"),
            ("7", "0", "no UIN"),
            (r#""name":"n""#, &long, "a name that is too long"),
            (r#""name":"n""#, r#""name":null"#, "not what is written of a member or a user"),
            (r#""name":"n""#, r#""name":"n","uin":7"#, "not what is written of a member or a user"),
            ("7", "6", "a member for the second time"),
        ] {
            let body = [&member.replace('7', "6"), "\n", &member.replace(right, wrong), "\n"].concat();
            assert_eq!(read(&file("3", &body)), Err(Fault::Wrong { line: 3, what }), "{wrong}");
        }
    }
}
