//! `AssumeRole` of STS: a temporary credential of a role, for a caller that the role trusts.
//!
//! Source: <https://cloud.tencent.com/document/api/1312/48197>.

use super::{Action, Call, Fields, Kind, Parameter};
use crate::{
    Rejection,
    roles::{duration, session_name},
};

pub(super) const ACTION: Action = Action {
    service: "sts",
    version: "2018-08-13",
    name: "AssumeRole",
    limit: 600,
    signed: true,
    regional: true,
    guarded: true,
    parameters: &[
        Parameter::required("RoleArn", Kind::Text),
        Parameter::required("RoleSessionName", Kind::Text),
        Parameter::optional("DurationSeconds", Kind::Integer),
        Parameter::optional("Policy", Kind::Text),
        Parameter::optional("ExternalId", Kind::Text),
        Parameter::optional("Tags", Kind::List),
        Parameter::optional("SourceIdentity", Kind::Text),
        Parameter::optional("SerialNumber", Kind::Text),
        Parameter::optional("TokenCode", Kind::Text),
    ],
    answer,
};

fn answer(call: &mut Call<'_>) -> Result<Fields, Rejection> {
    session_name(call.parameters.text("RoleSessionName"))?;
    let lifetime = duration(call.parameters.integer("DurationSeconds"))?;
    let external_id = call.parameters.text("ExternalId");
    if external_id.is_some_and(|id| !(2..=128).contains(&id.chars().count())) {
        return Err(Rejection::new("InvalidParameter.ParamError", "The length of `ExternalId` must be 2 to 128."));
    }
    let role = call.roles.named(call.parameters.text("RoleArn"))?;
    let trusted = call.signer.is_some_and(|signer| role.trusted_callers.contains(&signer.caller));
    if !trusted || role.external_id.as_deref().is_some_and(|id| Some(id) != external_id) {
        return Err(Rejection::denied(&ACTION.permission(), call.request_id));
    }
    let id = role.id;
    Ok(call.roles.open_session(id, lifetime, call.now).answer())
}
