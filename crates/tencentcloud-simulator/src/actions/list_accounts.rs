//! `ListAccounts` of CAM: the users of every type, or of one, a page at a time.
//!
//! What is not documented: the default of `MaxItems`, which is 100 here, and the code for a parameter that is not valid. A
//! marker is of use only with the type that it was given for. The last of several pages has no `Marker`, as the table of the
//! document says; the only page has an empty one, as its example does.
//!
//! Source: <https://cloud.tencent.com/document/api/598/133082>.

use serde_json::Value;

use super::{Action, Call, Fields, Kind, Parameter, list_users::row};
use crate::{Behaviour, Rejection, User, UserType};

/// The most users of a page.
const MAX_ITEMS: u64 = 100;

pub(super) const ACTION: Action = Action {
    service: "cam",
    version: "2019-01-16",
    name: "ListAccounts",
    limit: 20,
    signed: true,
    regional: false,
    guarded: true,
    parameters: &[
        Parameter::optional("MaxItems", Kind::Integer),
        Parameter::optional("Marker", Kind::Text),
        Parameter::optional("UserType", Kind::Text),
    ],
    answer,
};

fn answer(call: &mut Call<'_>) -> Result<Fields, Rejection> {
    let wrong = |what: &str| Rejection::new("InvalidParameter.ParamError", what);
    let max_items = call.parameters.integer("MaxItems").unwrap_or(MAX_ITEMS);
    if !(1..=MAX_ITEMS).contains(&max_items) {
        return Err(wrong("`MaxItems` must be 1 to 100."));
    }
    let user_type = match call.parameters.text("UserType") {
        Some(name) => Some(UserType::named(name).ok_or_else(|| wrong("`UserType` is not a type."))?),
        None => None,
    };
    let after = match call.parameters.text("Marker") {
        Some(marker) => Some(last_before(marker, user_type).ok_or_else(|| wrong("`Marker` is not valid."))?),
        None => None,
    };
    let member = call.member();
    let is_listed = |user: &User| {
        user.member == member
            && user_type.is_none_or(|user_type| user.user_type == user_type)
            && user.behaviour != Behaviour::DoesNotExist
    };
    let users = call.population.users.range(after.map_or(0, |uin| uin + 1)..);
    let mut users = users
        .filter(|(_, user)| is_listed(user))
        .filter_map(|(uin, user)| Some((*uin, row(*uin, user, ("UserType", user.user_type.name().into()))?)));
    let (uins, rows): (Vec<u64>, Vec<Value>) =
        users.by_ref().take(usize::try_from(max_items).unwrap_or(usize::MAX)).unzip();
    let is_truncated = users.next().is_some();
    let marker = match uins.last() {
        Some(last) if is_truncated => Some(marker(*last, user_type)),
        Some(_) | None => after.is_none().then(String::new),
    };
    let mut fields =
        Fields::from_iter([("IsTruncated".to_owned(), is_truncated.into()), ("Users".to_owned(), rows.into())]);
    fields.extend(marker.map(|marker| ("Marker".to_owned(), marker.into())));
    Ok(fields)
}

/// The marker of the page that begins after this user.
fn marker(last: u64, user_type: Option<UserType>) -> String {
    format!("K_{last:016x}{}", user_type.map_or("", UserType::name))
}

/// The user after which the page of a marker begins; none if it is no marker for this type.
fn last_before(marker: &str, user_type: Option<UserType>) -> Option<u64> {
    let (last, name) = marker.strip_prefix("K_")?.split_at_checked(16)?;
    (name == user_type.map_or("", UserType::name)).then(|| u64::from_str_radix(last, 16).ok())?
}
