//! `GetCallerIdentity` of STS: who the caller is.
//!
//! Source: <https://cloud.tencent.com/document/api/1312/48194>.

use serde_json::json;

use super::{Action, Call, Fields};
use crate::Rejection;

pub(super) const ACTION: Action = Action {
    service: "sts",
    version: "2018-08-13",
    name: "GetCallerIdentity",
    limit: 20,
    signed: true,
    regional: true,
    guarded: false,
    parameters: &[],
    answer,
};

#[expect(clippy::unnecessary_wraps, reason = "an action may be refused; this one never is")]
fn answer(call: &mut Call<'_>) -> Result<Fields, Rejection> {
    let caller = call.signer.map(|signer| signer.caller).unwrap_or_default();
    let (arn, account, kind) = match call.roles.by_id(caller) {
        Some(role) => (format!("qcs::sts:{}:assumed-role/{}", role.account, role.id), role.account, "CAMRole"),
        None => (format!("qcs::cam::uin/{caller}:uin/{caller}"), caller, "CAMUser"),
    };
    let fields = [
        ("Arn", json!(arn)),
        ("AccountId", json!(account.to_string())),
        ("UserId", json!(caller.to_string())),
        ("PrincipalId", json!(caller.to_string())),
        ("Type", json!(kind)),
    ];
    Ok(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
