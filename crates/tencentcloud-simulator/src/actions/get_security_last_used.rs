//! `GetSecurityLastUsed` of CAM: when access keys were last used.
//!
//! Which rows there are, and in which order, is not documented: here the order is never that of the request, unless by
//! accident, and the rest is the test's choice.
//!
//! Source: <https://cloud.tencent.com/document/api/598/58230>.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Action, Call, Fields, Kind, Parameter};
use crate::{Key, LastUsedRows, Rejection};

/// The most keys that a request may name.
const MAX_KEYS: usize = 10;

pub(super) const ACTION: Action = Action {
    service: "cam",
    version: "2019-01-16",
    name: "GetSecurityLastUsed",
    limit: 20,
    signed: true,
    regional: false,
    guarded: true,
    parameters: &[Parameter::required("SecretIdList", Kind::List)],
    answer,
};

fn answer(call: &mut Call<'_>) -> Result<Fields, Rejection> {
    let wrong = |what: &str| Rejection::new("InvalidParameter.ParamError", format!("`SecretIdList` {what}."));
    let asked = call.parameters.texts("SecretIdList").ok_or_else(|| wrong("is not a list of strings"))?;
    if !(1..=MAX_KEYS).contains(&asked.len()) {
        return Err(wrong("must hold 1 to 10 ids"));
    }
    let ids: BTreeSet<&str> = asked.iter().copied().collect();
    if ids.len() < asked.len() {
        return Err(wrong("holds an id twice"));
    }
    let keys = || call.population.users.values().flat_map(|user| &user.keys);
    let rows: BTreeMap<&str, Value> = keys()
        .filter(|key| ids.contains(key.access_key_id.as_str()))
        .map(|key| (key.access_key_id.as_str(), key.last_use_row()))
        .collect();
    if rows.len() < ids.len() {
        return Err(Rejection::new("ResourceNotFound.SecretNotExist", "The key does not exist."));
    }
    // Requests tend to be in order.
    let rows = rows.into_values().rev();
    let rows: Value = match call.last_used_rows {
        LastUsedRows::Reordered => rows.collect(),
        LastUsedRows::Short => rows.step_by(2).collect(),
        LastUsedRows::Duplicated => rows.flat_map(|row| [row.clone(), row]).collect(),
        LastUsedRows::Foreign => {
            let foreign = keys().filter(|key| !ids.contains(key.access_key_id.as_str())).map(Key::last_use_row);
            let mut foreign = foreign.chain([json!({"SecretId": "AKIDnobody", "LastUsedDate": "2020-02-02"})]).cycle();
            rows.flat_map(|row| foreign.next().into_iter().chain([row])).collect()
        }
    };
    Ok(Fields::from_iter([("SecretIdLastUsedRows".to_owned(), rows)]))
}
