//! Who is in the account.

use std::collections::BTreeMap;

use jiff::{
    SignedDuration, Timestamp,
    tz::{self, Offset},
};
use serde_json::{Map, Value, json};

use tencentcloud_api::Credential;

/// The zone that the API prints times in.
const ZONE: Offset = tz::offset(8);

/// The callers that the API knows, and the users whose keys it lists.
#[derive(Clone, Debug, Default)]
pub struct Population {
    /// Who may call. Several may have the same UIN, and then share its frequency limit.
    pub callers: Vec<Caller>,
    /// The users by UIN. One that is not here does not exist.
    pub users: BTreeMap<u64, User>,
}

/// Who may call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The UIN. Its keys are listed when a request names no user.
    pub uin: u64,
    /// What it signs with. A token, where there is one, must be sent along.
    pub credential: Credential,
}

/// An account of the organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its UIN.
    pub uin: u64,
    /// What the organisation calls it, if anything.
    pub name: Option<String>,
}

/// A user.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// What the account calls it. One without a name is in no list of users.
    pub name: Option<String>,
    /// Its type.
    pub user_type: UserType,
    /// The member of the organisation to whose account the user belongs; nothing for the account of everybody else.
    pub member: Option<u64>,
    /// The keys, in the order they are listed.
    pub keys: Vec<Key>,
    /// How the answer looks when there are none.
    pub no_keys: NoKeys,
    /// What is answered to a request about the user.
    pub behaviour: Behaviour,
    /// Whether the user may log in to the console.
    pub console_login: bool,
}

/// A type of user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserType {
    /// The root account, whose keys are listed only for itself.
    Owner,
    /// A sub-user.
    #[default]
    SubUser,
    /// A user of the identity center.
    CicUser,
    /// A sub-user that was imported from `WeCom`.
    WechatCorpUser,
    /// A sub-user that is the identity of an agent.
    AgentIdentity,
    /// A collaborator.
    Collaborator,
    /// A message receiver.
    MessageReceiver,
    /// None of them. It cannot be asked for.
    Unknown,
}

/// An access key, as it is listed.
#[derive(Clone, Debug)]
pub struct Key {
    /// `AccessKeyId`.
    pub access_key_id: String,
    /// `Status`: `Active`, `Inactive`, or whatever the API may think of.
    pub status: String,
    /// `CreateTime`, in +08:00, which is not said.
    pub create_time: String,
    /// `Description`.
    pub description: Option<String>,
    /// `LastUsedDate`: a day, in +08:00.
    pub last_used_date: Field<String>,
    /// `LastSecretUsedDate`: milliseconds since the Unix epoch.
    pub last_secret_used_date: Field<i64>,
}

/// A field of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// The response does not have it.
    Absent,
    /// It is null.
    #[default]
    Null,
    /// It has this value.
    Value(T),
}

/// Which rows an answer about last uses has. The documents do not say that they are those of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastUsedRows {
    /// One for each key of the request, in another order.
    #[default]
    Reordered,
    /// Those, but for every second one.
    Short,
    /// Those, each twice.
    Duplicated,
    /// Those, and rows of keys that are not in the request.
    Foreign,
}

/// How an answer without keys looks. The documents say null; all three must be understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoKeys {
    /// `"AccessKeys": []`.
    #[default]
    Empty,
    /// `"AccessKeys": null`.
    Null,
    /// No such field.
    Absent,
}

/// What is answered to a request about a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// The keys.
    #[default]
    Answers,
    /// There is no such user.
    DoesNotExist,
    /// The caller may not list the user's keys.
    Denied,
    /// The keys, but to every so many-th request an internal error.
    Flaky {
        /// Which requests fail: with 3, the third, the sixth and so on.
        every: u64,
    },
}

// === impl Population ===

impl Population {
    /// The UINs to poll, of every user there is an entry for.
    #[must_use]
    pub fn uins(&self) -> Vec<u64> {
        self.users.keys().copied().collect()
    }
}

// === impl User ===

impl User {
    /// A user with these keys.
    #[must_use]
    pub fn with_keys(keys: impl IntoIterator<Item = Key>) -> Self {
        Self { keys: keys.into_iter().collect(), ..Self::default() }
    }

    /// The user, called that.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// The user, of that type.
    #[must_use]
    pub fn of_type(self, user_type: UserType) -> Self {
        Self { user_type, ..self }
    }

    /// The user, who may log in to the console.
    #[must_use]
    pub fn with_console_login(self) -> Self {
        Self { console_login: true, ..self }
    }

    /// The user, of that member of the organisation.
    #[must_use]
    pub fn of_member(self, member: u64) -> Self {
        Self { member: Some(member), ..self }
    }

    /// The fields of an answer that lists the keys.
    pub(crate) fn listing(&self) -> Map<String, Value> {
        let rows = match self.no_keys {
            NoKeys::Absent if self.keys.is_empty() => return Map::new(),
            NoKeys::Null if self.keys.is_empty() => Value::Null,
            NoKeys::Empty | NoKeys::Null | NoKeys::Absent => self.keys.iter().map(Key::row).collect(),
        };
        Map::from_iter([("AccessKeys".to_owned(), rows)])
    }
}

// === impl UserType ===

impl UserType {
    /// What `ListAccounts` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::SubUser => "SubUser",
            Self::CicUser => "CICUser",
            Self::WechatCorpUser => "WechatCorpUser",
            Self::AgentIdentity => "AgentIdentity",
            Self::Collaborator => "Collaborator",
            Self::MessageReceiver => "MessageReceiver",
            Self::Unknown => "Unknown",
        }
    }

    /// The one that a request calls so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = [
            Self::Owner,
            Self::SubUser,
            Self::CicUser,
            Self::WechatCorpUser,
            Self::AgentIdentity,
            Self::Collaborator,
            Self::MessageReceiver,
        ];
        known.into_iter().find(|user_type| user_type.name() == name)
    }
}

// === impl Key ===

impl Key {
    /// A key of that id and status, made at `created`.
    #[must_use]
    pub fn new(access_key_id: impl Into<String>, status: impl Into<String>, created: Timestamp) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            status: status.into(),
            create_time: ZONE.to_datetime(created).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            description: None,
            last_used_date: Field::Null,
            last_secret_used_date: Field::Null,
        }
    }

    /// The key, last used at that time. Only the day is reported.
    #[must_use]
    pub fn used(self, at: Timestamp) -> Self {
        Self { last_used_date: Field::Value(ZONE.to_datetime(at).date().to_string()), ..self }
    }

    /// The key, last used so many calendar days before that time, in the zone of the API. Only the day is reported.
    #[must_use]
    pub fn used_days_before(self, time: Timestamp, days: u16) -> Self {
        let date = ZONE.to_datetime(time).date().saturating_sub(SignedDuration::from_hours(24 * i64::from(days)));
        Self { last_used_date: Field::Value(date.to_string()), ..self }
    }

    /// What is answered about its last use.
    pub(crate) fn last_use_row(&self) -> Value {
        let mut row = Map::from_iter([("SecretId".to_owned(), json!(self.access_key_id))]);
        row.extend(self.last_used_date.field("LastUsedDate"));
        row.extend(self.last_secret_used_date.field("LastSecretUsedDate"));
        row.into()
    }

    fn row(&self) -> Value {
        json!({
            "AccessKeyId": self.access_key_id,
            "Status": self.status,
            "CreateTime": self.create_time,
            "Description": self.description,
        })
    }
}

// === impl Field ===

impl<T: Clone + Into<Value>> Field<T> {
    fn field(&self, name: &str) -> Option<(String, Value)> {
        let value = match self {
            Self::Absent => return None,
            Self::Null => Value::Null,
            Self::Value(value) => value.clone().into(),
        };
        Some((name.to_owned(), value))
    }
}
