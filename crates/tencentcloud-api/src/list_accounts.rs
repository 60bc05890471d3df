//! `ListAccounts`: the users of one type, a page at a time.
//!
//! Source: <https://cloud.tencent.com/document/api/598/133082>. Its table says that only a page that is not the last has a
//! `Marker`; in its example, which names another action, the last page has an empty one. Both are understood.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Action, Context, ListUsers, NamedUser,
    list_users::{ConsoleLogin, user},
    rows::Rows,
    text::Text,
};

/// A longer marker is not accepted, as it is sent back.
const MAX_MARKER_BYTES: usize = 1024;

/// A type of user, as `ListAccounts` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserType {
    /// The root account.
    Owner,
    /// A sub-user.
    SubUser,
    /// A user of the identity center (CIC).
    CicUser,
    /// A sub-user that was imported from `WeCom`.
    WechatCorpUser,
    /// A sub-user that is the identity of an agent.
    AgentIdentity,
    /// A collaborator.
    Collaborator,
    /// A message receiver.
    MessageReceiver,
}

/// Asks for a page of the users of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccounts {
    max_items: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
    user_type: UserType,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsPage {
    /// The users of the type.
    pub users: Vec<NamedUser>,
    /// The marker of the next page; none if this is the last one.
    pub marker: Option<String>,
}

/// The body of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    /// A page with more rows than were asked for is not refused.
    users: Option<Rows<Row, { ListUsers::MAX_USERS }>>,
    marker: Option<Text>,
    is_truncated: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    uin: u64,
    name: Option<Text>,
    console_login: Option<ConsoleLogin>,
    user_type: Option<Text>,
}

// === impl UserType ===

impl UserType {
    /// All that can be asked for, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Owner,
        Self::SubUser,
        Self::CicUser,
        Self::WechatCorpUser,
        Self::AgentIdentity,
        Self::Collaborator,
        Self::MessageReceiver,
    ];

    /// The name in requests and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::SubUser => "SubUser",
            Self::CicUser => "CICUser",
            Self::WechatCorpUser => "WechatCorpUser",
            Self::AgentIdentity => "AgentIdentity",
            Self::Collaborator => "Collaborator",
            Self::MessageReceiver => "MessageReceiver",
        }
    }
}

impl Serialize for UserType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

// === impl ListAccounts ===

impl ListAccounts {
    /// The most users of a page.
    pub const PAGE: u32 = 100;

    /// The page at that marker, or the first one.
    #[must_use]
    pub fn page(user_type: UserType, marker: Option<String>) -> Self {
        Self { max_items: Self::PAGE, marker, user_type }
    }
}

impl Action for ListAccounts {
    const SERVICE: &'static str = "cam";
    const NAME: &'static str = "ListAccounts";
    const VERSION: &'static str = "2019-01-16";

    type Response = Response;
    type Output = AccountsPage;

    /// The users whose row is of the type that was asked for, or of none.
    fn parse(&self, response: Response, _: Context) -> Result<AccountsPage, String> {
        let Response { users, marker, is_truncated } = response;
        let is_of_type =
            |row: &Row| row.user_type.as_ref().is_none_or(|Text(user_type)| user_type == self.user_type.name());
        let rows = users.unwrap_or_default().all("users on a page")?.into_iter().filter(is_of_type);
        let users = rows.map(|row| user(row.uin, row.name, row.console_login)).collect::<Result<_, _>>()?;
        let marker = marker.map(|Text(marker)| marker).filter(|marker| !marker.is_empty());
        if marker.as_ref().is_some_and(|marker| marker.len() > MAX_MARKER_BYTES) {
            return Err(format!("a marker of more than {MAX_MARKER_BYTES} bytes"));
        }
        match (is_truncated, marker) {
            (Some(true), None) => Err("a page that is not the last, without the marker of the next".to_owned()),
            (Some(false), _) => Ok(AccountsPage { users, marker: None }),
            (Some(true) | None, marker) => Ok(AccountsPage { users, marker }),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::offset};

    use super::*;

    fn page(json: &str) -> Result<(Vec<u64>, Option<String>), String> {
        let response = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let context = Context { zone: offset(8), now: Timestamp::UNIX_EPOCH };
        let page = ListAccounts::page(UserType::Collaborator, None).parse(response, context)?;
        Ok((page.users.into_iter().map(|user| user.uin.get()).collect(), page.marker))
    }

    #[test]
    fn a_request_has_the_type_and_the_marker_of_the_page() {
        let body = |user_type, marker: Option<&str>| {
            serde_json::to_string(&ListAccounts::page(user_type, marker.map(str::to_owned))).unwrap()
        };
        assert_eq!(body(UserType::CicUser, None), r#"{"MaxItems":100,"UserType":"CICUser"}"#);
        let second = body(UserType::Owner, Some("K_0"));
        assert_eq!(second, r#"{"MaxItems":100,"Marker":"K_0","UserType":"Owner"}"#);
    }

    #[test]
    fn the_last_page_comes_in_the_shapes_of_the_table_and_of_the_example() {
        let users = r#""Users":[{"Uin":7,"UserType":"Collaborator"},{"Uin":8}]"#;
        for last in ["", r#","IsTruncated":false"#, r#","IsTruncated":false,"Marker":"""#, r#","Marker":null"#] {
            assert_eq!(page(&format!("{{{users}{last}}}")), Ok((vec![7, 8], None)), "{last}");
        }
        assert_eq!(page(&format!(r#"{{{users},"IsTruncated":false,"Marker":"K"}}"#)), Ok((vec![7, 8], None)));
        for next in [r#","IsTruncated":true,"Marker":"K""#, r#","Marker":"K""#] {
            assert_eq!(page(&format!("{{{users}{next}}}")), Ok((vec![7, 8], Some("K".to_owned()))), "{next}");
        }
        for none in ["{}", r#"{"Users":null,"IsTruncated":false}"#, r#"{"Users":[]}"#] {
            assert_eq!(page(none), Ok((vec![], None)), "{none}");
        }
    }

    #[test]
    fn a_page_must_lead_to_the_next() {
        for marker in ["", r#","Marker":"""#, r#","Marker":null"#] {
            let error = page(&format!(r#"{{"Users":[],"IsTruncated":true{marker}}}"#)).unwrap_err();
            assert!(error.contains("without the marker"), "{error}");
        }
        let long = "K".repeat(MAX_MARKER_BYTES + 1);
        let error = page(&format!(r#"{{"Users":[],"IsTruncated":true,"Marker":"{long}"}}"#)).unwrap_err();
        assert!(error.contains("1024 bytes") && !error.contains(&long), "{error}");
        assert!(page(&format!(r#"{{"Users":[],"IsTruncated":true,"Marker":"{}"}}"#, &long[1..])).is_ok());
    }

    #[test]
    fn rows_of_another_type_are_left_out() {
        let json = r#"{"Users":[{"Uin":1,"UserType":"SubUser"},{"Uin":2,"UserType":"Collaborator"},
            {"Uin":3,"UserType":"Unknown"},{"Uin":4,"UserType":null}]}"#;
        assert_eq!(page(json), Ok((vec![2, 4], None)));
        assert!(page(r#"{"Users":[{"Uin":0}]}"#).unwrap_err().contains("Uin"));
    }
}
