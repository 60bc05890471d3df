//! `ListUsers` of CAM: every sub-user of the account, in one answer.
//!
//! Source: <https://cloud.tencent.com/document/api/598/34587>.

use serde_json::{Value, json};

use super::{Action, Call, Fields};
use crate::{Behaviour, Rejection, User, UserType};

pub(super) const ACTION: Action = Action {
    service: "cam",
    version: "2019-01-16",
    name: "ListUsers",
    limit: 20,
    signed: true,
    regional: false,
    guarded: true,
    parameters: &[],
    answer,
};

#[expect(clippy::unnecessary_wraps, reason = "an action may be refused; this one never is")]
fn answer(call: &mut Call<'_>) -> Result<Fields, Rejection> {
    let member = call.member();
    let is_listed = |user: &User| {
        user.member == member && user.user_type == UserType::SubUser && user.behaviour != Behaviour::DoesNotExist
    };
    let users = call.population.users.iter().filter(|(_, user)| is_listed(user));
    let rows = users.filter_map(|(uin, user)| row(*uin, user, ("NickName", Value::Null)));
    Ok(Fields::from_iter([("Data".to_owned(), rows.collect())]))
}

/// The row of a user that has a name, with a field that only one of the lists has.
pub(super) fn row(uin: u64, user: &User, (field, value): (&str, Value)) -> Option<Value> {
    let mut row = json!({
        "Uin": uin,
        "Name": user.name.as_ref()?,
        "Uid": uin % 100_000_000,
        "Remark": "",
        "ConsoleLogin": i32::from(user.console_login),
        "PhoneNum": "",
        "CountryCode": "86",
        "Email": "",
        "CreateTime": "2019-01-16 08:00:00",
    });
    row[field] = value;
    Some(row)
}
