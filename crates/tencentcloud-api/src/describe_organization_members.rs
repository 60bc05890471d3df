//! `DescribeOrganizationMembers`: the accounts of the caller's organisation, a page at a time.
//!
//! Source: <https://cloud.tencent.com/document/api/850/67220>.

use serde::{Deserialize, Serialize};

use crate::{Action, Context, NamedUser, list_users::named, rows::Rows, text::Text};

const MAX_ROWS: usize = 50;

/// Asks for a page of the members.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeOrganizationMembers {
    /// How many come before it: a multiple of the limit.
    offset: u64,
    limit: u64,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembersPage {
    /// The accounts, and what the organisation calls them.
    pub members: Vec<NamedUser>,
    /// How many there are on all pages.
    pub total: u64,
}

/// The body of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    items: Option<Rows<Row, MAX_ROWS>>,
    total: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    member_uin: u64,
    name: Option<Text>,
}

// === impl DescribeOrganizationMembers ===

impl DescribeOrganizationMembers {
    /// The most members of a page.
    pub const PAGE: u64 = 50;

    /// The page of that number, counted from 0.
    #[must_use]
    pub fn page(number: u64) -> Self {
        Self { offset: number * Self::PAGE, limit: Self::PAGE }
    }
}

impl Action for DescribeOrganizationMembers {
    const SERVICE: &'static str = "organization";
    const NAME: &'static str = "DescribeOrganizationMembers";
    const VERSION: &'static str = "2021-03-31";

    type Response = Response;
    type Output = MembersPage;

    /// No members, and no total, are null or missing.
    fn parse(&self, response: Response, _: Context) -> Result<MembersPage, String> {
        let member =
            |row: Row| named(row.member_uin, row.name).ok_or_else(|| "a member whose MemberUin is 0".to_owned());
        let members = response
            .items
            .unwrap_or_default()
            .all("members on a page")?
            .into_iter()
            .map(member)
            .collect::<Result<_, _>>()?;
        Ok(MembersPage { members, total: response.total.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::offset};

    use super::*;

    fn page(json: &str) -> Result<MembersPage, String> {
        let response = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let context = Context { zone: offset(8), now: Timestamp::UNIX_EPOCH };
        DescribeOrganizationMembers::page(0).parse(response, context)
    }

    #[test]
    fn pages_begin_at_multiples_of_their_size() {
        let body = serde_json::to_string(&DescribeOrganizationMembers::page(3)).unwrap();
        assert_eq!(body, r#"{"Offset":150,"Limit":50}"#);
    }

    #[test]
    fn names_may_be_missing_and_no_members_come_in_three_shapes() {
        let found = page(r#"{"Items":[{"MemberUin":7,"Name":"a","NodeId":1},{"MemberUin":8,"Name":null}],"Total":2}"#);
        let named = |uin: u64, name: &str| NamedUser {
            uin: uin.try_into().unwrap(),
            name: name.to_owned(),
            console_login: None,
        };
        assert_eq!(found, Ok(MembersPage { members: vec![named(7, "a"), named(8, "")], total: 2 }));
        for json in [r#"{"Items":null,"Total":null}"#, r#"{"Items":[],"Total":0}"#, "{}"] {
            assert_eq!(page(json), Ok(MembersPage { members: vec![], total: 0 }), "{json}");
        }
        let odd = page(r#"{"Items":[{"MemberUin":7,"Name":"a\ud800"}],"Total":1}"#);
        assert_eq!(odd, Ok(MembersPage { members: vec![named(7, "a\u{fffd}")], total: 1 }));
        assert!(page(r#"{"Items":[{"MemberUin":0}],"Total":1}"#).unwrap_err().contains("MemberUin"));
    }
}
