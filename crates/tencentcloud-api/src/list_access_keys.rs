//! `ListAccessKeys`: the access keys of one user.
//!
//! Source: <https://cloud.tencent.com/document/product/598/45156>.

use std::{
    cmp::Ordering,
    collections::{HashMap, hash_map::Entry},
    hash::{Hash, Hasher},
};

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::Offset};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{Action, Context, Uin, rows::Rows, text::Text};

/// How far ahead of our clock a key's creation may lie. A request is answered only if the two clocks are within five
/// minutes of each other, so whatever lies further ahead was read in the wrong zone, or is no time at all.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Real ids have 36 characters.
const MAX_ID_BYTES: usize = 128;

/// An access key of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id.
    pub id: AccessKeyId,
    /// Whether it can be used.
    pub status: KeyStatus,
    /// When it was made.
    pub created: Timestamp,
}

/// The id of an access key, whole as the API sends it. It is not printed: only [`AccessKeyId::expose`] shows it.
#[derive(Clone, Debug)]
pub struct AccessKeyId(SecretString);

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyStatus {
    /// It can.
    Active,
    /// It is disabled.
    Inactive,
    /// The API said something that is documented nowhere.
    Unknown,
}

/// Asks for the access keys of a user.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccessKeys {
    #[serde(skip_serializing_if = "Option::is_none")]
    target_uin: Option<u64>,
}

/// The body of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    /// Documented to be null at times; a user without keys may have it empty or missing as well.
    access_keys: Option<Rows<Row, { ListAccessKeys::MAX_KEYS }>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    access_key_id: String,
    status: Text,
    create_time: String,
}

// === impl ListAccessKeys ===

impl ListAccessKeys {
    /// The most keys of a user. Tencent Cloud allows two; a quota that was raised is far below this.
    pub const MAX_KEYS: usize = 1_000;

    /// Of that user.
    #[must_use]
    pub fn of(target: Uin) -> Self {
        Self { target_uin: Some(target.get()) }
    }

    /// Of the calling user.
    #[must_use]
    pub fn own() -> Self {
        Self { target_uin: None }
    }
}

impl Action for ListAccessKeys {
    const SERVICE: &'static str = "cam";
    const NAME: &'static str = "ListAccessKeys";
    const VERSION: &'static str = "2019-01-16";

    type Response = Response;
    type Output = Vec<AccessKey>;

    /// The keys, each once.
    fn parse(&self, response: Response, Context { zone, now }: Context) -> Result<Vec<AccessKey>, String> {
        let rows = response.access_keys.unwrap_or_default().all("keys")?;
        let mut keys: Vec<AccessKey> = Vec::with_capacity(rows.len());
        let mut places: HashMap<AccessKeyId, usize> = HashMap::with_capacity(rows.len());
        for row in rows {
            let key = row.into_key(zone, now)?;
            match places.entry(key.id.clone()) {
                Entry::Vacant(place) => {
                    place.insert(keys.len());
                    keys.push(key);
                }
                Entry::Occupied(place) if keys[*place.get()] == key => {}
                Entry::Occupied(_) => return Err("it lists the same key twice, and differently".to_owned()),
            }
        }
        Ok(keys)
    }
}

// === impl Row ===

impl Row {
    fn into_key(self, zone: Offset, now: Timestamp) -> Result<AccessKey, String> {
        if !(1..=MAX_ID_BYTES).contains(&self.access_key_id.len()) {
            return Err(format!("an AccessKeyId that is empty or longer than {MAX_ID_BYTES} bytes"));
        }
        if !self.access_key_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("an AccessKeyId with characters that no id has".to_owned());
        }
        // Exactly the documented form: a parser that takes more would read a zone or a fraction as something else.
        let created = DateTime::strptime("%Y-%m-%d %H:%M:%S", &self.create_time)
            .and_then(|local| zone.to_timestamp(local))
            .map_err(|_| "a CreateTime that is not of the form 2006-01-02 15:04:05".to_owned())?;
        if created < AccessKey::EARLIEST {
            return Err("a CreateTime before 2010, when there were no keys yet".to_owned());
        }
        let ahead = created.duration_since(now);
        if ahead > TOLERANCE {
            let minutes = ahead.as_mins();
            return Err(format!(
                "a CreateTime {minutes} minutes in the future: is keys.time_zone, {zone}, the account's?"
            ));
        }
        let known = [KeyStatus::Active, KeyStatus::Inactive];
        let status = known.into_iter().find(|status| status.label().eq_ignore_ascii_case(&self.status.0));
        let status = status.unwrap_or(KeyStatus::Unknown);
        Ok(AccessKey { id: AccessKeyId(self.access_key_id.into()), status, created })
    }
}

impl AccessKey {
    /// Tencent Cloud began in this year: no key is older. Zero values of other programs, such as `0001-01-01`, are.
    pub const EARLIEST: Timestamp = Timestamp::constant(1_262_304_000, 0); // 2010-01-01T00:00:00Z
}

// === impl AccessKeyId ===

impl AccessKeyId {
    /// The whole id.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&str> for AccessKeyId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl PartialEq for AccessKeyId {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for AccessKeyId {}

impl PartialOrd for AccessKeyId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AccessKeyId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.expose().cmp(other.expose())
    }
}

impl Hash for AccessKeyId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

// === impl KeyStatus ===

impl KeyStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Active, Self::Inactive, Self::Unknown];

    /// Its name, as the API writes it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
            Self::Unknown => "Unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::offset;

    use super::*;

    fn keys(json: &str) -> Result<Vec<AccessKey>, String> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let response = serde_json::from_str(json).map_err(|error| error.to_string())?;
        ListAccessKeys::own().parse(response, Context { zone: offset(8), now })
    }

    #[test]
    fn no_keys_come_in_three_shapes() {
        for json in [r#"{"AccessKeys":null}"#, r#"{"AccessKeys":[]}"#, r#"{"RequestId":"x"}"#] {
            assert_eq!(keys(json), Ok(vec![]), "{json}");
        }
    }

    #[test]
    fn ids_descriptions_and_further_fields_are_free() {
        let found = keys(
            r#"{"AccessKeys":[
                {"AccessKeyId":"A2342h","Status":"Active","CreateTime":"2022-10-10 15:13:17","Description":null},
                {"AccessKeyId":"IKID1","Status":"Inactive","CreateTime":"2022-10-10 15:13:17","New":{"a":[1]}}
            ],"Further":7}"#,
        )
        .unwrap();
        assert_eq!(found[0].created.to_string(), "2022-10-10T07:13:17Z");
        assert_eq!(found.iter().map(|key| key.status).collect::<Vec<_>>(), [KeyStatus::Active, KeyStatus::Inactive]);
    }

    #[test]
    fn a_status_counts_in_any_case() {
        for (text, status) in [
            ("active", KeyStatus::Active),
            ("ACTIVE", KeyStatus::Active),
            ("inactive", KeyStatus::Inactive),
            ("Unknown", KeyStatus::Unknown),
            (" Active", KeyStatus::Unknown),
            ("\\ud800", KeyStatus::Unknown),
            ("", KeyStatus::Unknown),
        ] {
            let row = format!(r#"{{"AccessKeyId":"a","Status":"{text}","CreateTime":"2022-10-10 15:13:17"}}"#);
            assert_eq!(keys(&format!(r#"{{"AccessKeys":[{row}]}}"#)).unwrap()[0].status, status, "{text}");
        }
    }

    #[test]
    fn a_time_must_be_of_the_documented_form_and_past() {
        let row = |time: &str| {
            keys(&format!(r#"{{"AccessKeys":[{{"AccessKeyId":"a","Status":"Active","CreateTime":"{time}"}}]}}"#))
        };
        for wrong in ["", "soon", "2022-10-10", "2022-13-10 00:00:00", "2022-10-10T15:13:17Z", "2022-10-10 15:13:17 Z"]
        {
            assert!(row(wrong).unwrap_err().contains("CreateTime"), "{wrong:?}");
        }
        for wrong in ["0001-01-01 00:00:00", "1600-02-29 12:00:00", "1970-01-01 08:00:00", "2010-01-01 07:59:59"] {
            assert!(row(wrong).unwrap_err().contains("before 2010"), "{wrong:?}");
        }
        assert!(row("2010-01-01 08:00:00").is_ok());
        assert!(row("2026-01-01 08:05:00").is_ok());
        assert!(row("2026-01-01 08:05:01").unwrap_err().contains("in the future"));
    }

    #[test]
    fn a_key_listed_twice_is_one_key_unless_the_rows_disagree() {
        let row =
            |status: &str| format!(r#"{{"AccessKeyId":"a","Status":"{status}","CreateTime":"2022-10-10 15:13:17"}}"#);
        let twice = |a: &str, b: &str| keys(&format!(r#"{{"AccessKeys":[{},{}]}}"#, row(a), row(b)));
        assert_eq!(twice("Active", "Active").unwrap().len(), 1);
        assert!(twice("Active", "Inactive").unwrap_err().contains("twice"));
    }

    #[test]
    fn more_keys_than_any_user_has_are_refused() {
        let rows = |number: usize| {
            let row = |n| format!(r#"{{"AccessKeyId":"k{n}","Status":"Active","CreateTime":"2022-10-10 15:13:17"}}"#);
            keys(&format!(r#"{{"AccessKeys":[{}]}}"#, (0..number).map(row).collect::<Vec<_>>().join(",")))
        };
        assert_eq!(rows(ListAccessKeys::MAX_KEYS).unwrap().len(), ListAccessKeys::MAX_KEYS);
        assert_eq!(rows(ListAccessKeys::MAX_KEYS + 1), Err("it lists more than 1000 keys".to_owned()));
        assert!(keys(r#"{"AccessKeys":[{"AccessKeyId":"a b","Status":"","CreateTime":""}]}"#).is_err());
    }

    #[test]
    fn an_id_is_not_printed() {
        assert!(!format!("{:?}", AccessKeyId::from("AKIDsecretive")).contains("AKID"));
    }
}
