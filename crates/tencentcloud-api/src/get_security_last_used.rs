//! `GetSecurityLastUsed`: when access keys were last used.
//!
//! The API tells it in two ways, and does not say what sets them apart: a day, which it tells a day late, and a moment,
//! which older answers lack. Whichever is later counts: a key in use must not count as unused.
//!
//! Source: <https://cloud.tencent.com/document/api/598/58230>.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::Offset};
use serde::{Deserialize, Serialize, Serializer};

use crate::{AccessKey, AccessKeyId, Action, Context, rows::Rows, text::Text};

/// The most rows that are read: an answer may repeat keys.
const MAX_ROWS: usize = 1_000;

/// How far ahead of our clock a use may lie. A day is reported as its start, so a time further ahead is invalid.
const TOLERANCE: SignedDuration = SignedDuration::from_hours(24);

/// Asks when keys were last used: at most [`GetSecurityLastUsed::MAX_KEYS`], each once.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetSecurityLastUsed {
    #[serde(serialize_with = "exposed")]
    secret_id_list: Vec<AccessKeyId>,
}

/// When a key was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LastUse {
    /// It never was.
    Never,
    /// At that moment, or on the day that starts then.
    At(Timestamp),
}

/// The body of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    /// Null or missing where nothing is known, as other lists of this API are.
    secret_id_last_used_rows: Option<Rows<Row, MAX_ROWS>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    secret_id: Text,
    /// As in `2022-12-19`; null where the key was never used.
    last_used_date: Option<String>,
    /// Milliseconds since the Unix epoch.
    last_secret_used_date: Option<i64>,
}

// === impl GetSecurityLastUsed ===

impl GetSecurityLastUsed {
    /// The most keys that one request may name.
    pub const MAX_KEYS: usize = 10;

    /// Of these keys. Of more than [`GetSecurityLastUsed::MAX_KEYS`], the first.
    #[must_use]
    pub fn of<'a>(ids: impl IntoIterator<Item = &'a AccessKeyId>) -> Self {
        let mut secret_id_list = vec![];
        for id in ids {
            if secret_id_list.len() < Self::MAX_KEYS && !secret_id_list.contains(id) {
                secret_id_list.push(id.clone());
            }
        }
        Self { secret_id_list }
    }
}

impl Action for GetSecurityLastUsed {
    const SERVICE: &'static str = "cam";
    const NAME: &'static str = "GetSecurityLastUsed";
    const VERSION: &'static str = "2019-01-16";

    type Response = Response;
    type Output = HashMap<AccessKeyId, LastUse>;

    /// By key, for rows come in any order; of a key without a row nothing is known.
    fn parse(&self, response: Response, Context { zone, now }: Context) -> Result<Self::Output, String> {
        let mut uses: HashMap<AccessKeyId, LastUse> = HashMap::new();
        for row in response.secret_id_last_used_rows.unwrap_or_default().all("rows")? {
            let last_use = row.last_use(zone, now)?;
            let known = uses.entry(row.secret_id.0.as_str().into()).or_insert(last_use);
            *known = last_use.max(*known);
        }
        Ok(uses)
    }

    fn scrub(&self, text: &str) -> String {
        self.secret_id_list.iter().fold(text.to_owned(), |text, id| text.replace(id.expose(), "[redacted]"))
    }
}

// === impl Row ===

impl Row {
    fn last_use(&self, zone: Offset, now: Timestamp) -> Result<LastUse, String> {
        let day = self.last_used_date.as_deref().filter(|date| !date.is_empty());
        let day = day.map(|date| start_of(date, zone).ok_or("a LastUsedDate that is not of the form 2006-01-02"));
        let moment = self.last_secret_used_date.filter(|millis| *millis != 0);
        let moment = moment
            .map(|millis| Timestamp::from_millisecond(millis).map_err(|_| "a LastSecretUsedDate that is no time"));
        let last_use = [day.transpose()?, moment.transpose()?].into_iter().flatten().max();
        if last_use.is_some_and(|at| at.duration_since(now) > TOLERANCE) {
            return Err("a key that was last used in the future".to_owned());
        }
        if last_use.is_some_and(|at| at < AccessKey::EARLIEST) {
            return Err("a key that was last used before 2010, when there were no keys yet".to_owned());
        }
        Ok(last_use.map_or(LastUse::Never, LastUse::At))
    }
}

fn exposed<S: Serializer>(ids: &[AccessKeyId], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(AccessKeyId::expose))
}

fn start_of(date: &str, zone: Offset) -> Option<Timestamp> {
    let date = Date::strptime("%Y-%m-%d", date).ok()?;
    zone.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

#[cfg(test)]
mod tests {
    use jiff::tz::offset;

    use super::*;

    fn last_use(row: &str) -> Result<Option<LastUse>, String> {
        let response = format!(r#"{{"SecretIdLastUsedRows":[{row}]}}"#);
        let context = Context { zone: offset(8), now: "2026-01-01T00:00:00Z".parse().unwrap() };
        let uses = GetSecurityLastUsed::of([]).parse(serde_json::from_str(&response).unwrap(), context)?;
        Ok(uses.get(&"a".into()).copied())
    }

    fn at(time: &str) -> LastUse {
        LastUse::At(time.parse().unwrap())
    }

    #[test]
    fn the_later_of_day_and_moment_counts() {
        for (fields, expected) in [
            (r#""LastUsedDate":"2022-12-19""#, at("2022-12-18T16:00:00Z")),
            (r#""LastUsedDate":"2022-12-19","LastSecretUsedDate":1671681023555"#, at("2022-12-22T03:50:23.555Z")),
            (r#""LastUsedDate":"2023-12-19","LastSecretUsedDate":1671681023555"#, at("2023-12-18T16:00:00Z")),
            (r#""LastUsedDate":null,"LastSecretUsedDate":1671681023555"#, at("2022-12-22T03:50:23.555Z")),
            (r#""LastUsedDate":null,"LastSecretUsedDate":null"#, LastUse::Never),
            (r#""LastUsedDate":"","LastSecretUsedDate":0"#, LastUse::Never),
            (r#""LastUsedDate":null"#, LastUse::Never),
            (r#""Further":1"#, LastUse::Never),
        ] {
            assert_eq!(last_use(&format!(r#"{{"SecretId":"a",{fields}}}"#)), Ok(Some(expected)), "{fields}");
        }
        assert_eq!(last_use(r#"{"SecretId":"b","LastUsedDate":null}"#), Ok(None));
        assert_eq!(
            last_use(r#"{"SecretId":"a"},{"SecretId":"a","LastUsedDate":"2022-12-19"},{"SecretId":"a"}"#),
            Ok(Some(at("2022-12-18T16:00:00Z")))
        );
    }

    #[test]
    fn what_is_no_day_or_lies_ahead_is_refused() {
        for fields in [
            r#""LastUsedDate":"2022-12-19 00:00:00""#,
            r#""LastUsedDate":"19.12.2022""#,
            r#""LastUsedDate":"2026-01-03""#,
            r#""LastSecretUsedDate":1767398400000"#,
            r#""LastSecretUsedDate":9223372036854775807"#,
        ] {
            assert!(last_use(&format!(r#"{{"SecretId":"a",{fields}}}"#)).is_err(), "{fields}");
        }
        assert!(last_use(r#"{"SecretId":"a","LastUsedDate":"2026-01-02"}"#).is_ok());
    }

    #[test]
    fn a_request_names_ten_keys_at_most_and_none_twice() {
        let ids: Vec<AccessKeyId> = (0..24).map(|number| format!("AKID{}", number / 2).as_str().into()).collect();
        let request = serde_json::to_value(GetSecurityLastUsed::of(&ids)).unwrap();
        let list = request["SecretIdList"].as_array().unwrap();
        assert_eq!((list.len(), list[9].as_str()), (GetSecurityLastUsed::MAX_KEYS, Some("AKID9")));
    }
}
