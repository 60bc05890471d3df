//! `DescribeOrganizationMembers`: the accounts of the organisation, a page at a time.
//!
//! Source: <https://cloud.tencent.com/document/api/850/67220>, which states no rate: that of most actions stands in.

use serde_json::{Value, json};

use super::{Action, Call, Fields, Kind, Parameter};
use crate::Rejection;

const MAX_LIMIT: u64 = 50;

pub(super) const ACTION: Action = Action {
    service: "organization",
    version: "2021-03-31",
    name: "DescribeOrganizationMembers",
    limit: 20,
    signed: true,
    regional: false,
    guarded: true,
    parameters: &[
        Parameter::required("Offset", Kind::Integer),
        Parameter::required("Limit", Kind::Integer),
        Parameter::optional("Lang", Kind::Text),
        Parameter::optional("SearchKey", Kind::Text),
        Parameter::optional("AuthName", Kind::Text),
        Parameter::optional("Product", Kind::Text),
        Parameter::optional("Tags", Kind::List),
        Parameter::optional("NodeId", Kind::Integer),
        Parameter::optional("NodeName", Kind::Text),
    ],
    answer,
};

fn answer(call: &mut Call<'_>) -> Result<Fields, Rejection> {
    let [offset, limit] = ["Offset", "Limit"].map(|name| call.parameters.integer(name).unwrap_or_default());
    if !(1..=MAX_LIMIT).contains(&limit) || !offset.is_multiple_of(limit) {
        let message = "`Limit` must be 1 to 50, and `Offset` a multiple of it.";
        return Err(Rejection::new("InvalidParameter", message));
    }
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let page = call.organization.iter().skip(count(offset)).take(count(limit));
    let rows: Vec<Value> = page
        .map(|member| {
            json!({
                "MemberUin": member.uin,
                "Name": member.name,
                "MemberType": "Create",
                "NodeId": 1,
                "NodeName": "Root",
                "Remark": null,
                "CreateTime": "2024-01-01 08:00:00",
                "UpdateTime": "2024-01-01 08:00:00",
                "PermissionStatus": "Confirmed",
                "OrgIdentity": null,
                "Tags": null,
            })
        })
        .collect();
    let items = if rows.is_empty() { Value::Null } else { rows.into() };
    Ok(Fields::from_iter([("Items".to_owned(), items), ("Total".to_owned(), call.organization.len().into())]))
}
