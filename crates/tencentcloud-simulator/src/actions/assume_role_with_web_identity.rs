//! `AssumeRoleWithWebIdentity` of STS: a temporary credential of a role, for a client that holds a token of an identity provider
//! that the role trusts. The one action that is not signed.
//!
//! Source: <https://cloud.tencent.com/document/api/1312/73070>.

use super::{Action, Call, Fields, Kind, Parameter};
use crate::{
    Rejection,
    roles::{duration, session_name},
};

pub(super) const ACTION: Action = Action {
    service: "sts",
    version: "2018-08-13",
    name: "AssumeRoleWithWebIdentity",
    limit: 20,
    signed: false,
    regional: true,
    guarded: false,
    parameters: &[
        Parameter::required("ProviderId", Kind::Text),
        Parameter::required("WebIdentityToken", Kind::Text),
        Parameter::required("RoleArn", Kind::Text),
        Parameter::required("RoleSessionName", Kind::Text),
        Parameter::optional("DurationSeconds", Kind::Integer),
    ],
    answer,
};

fn answer(call: &mut Call<'_>) -> Result<Fields, Rejection> {
    session_name(call.parameters.text("RoleSessionName"))?;
    let lifetime = duration(call.parameters.integer("DurationSeconds"))?;
    let role = call.roles.named(call.parameters.text("RoleArn"))?;
    let shown = (call.parameters.text("ProviderId"), call.parameters.text("WebIdentityToken"));
    let trusted = &role.trusted_identities;
    if !trusted.iter().any(|identity| shown == (Some(&identity.provider_id), Some(&identity.token))) {
        return Err(Rejection::new("InvalidParameter.WebIdentityTokenError", "The web identity token is not valid."));
    }
    let id = role.id;
    Ok(call.roles.open_session(id, lifetime, call.now).answer())
}
