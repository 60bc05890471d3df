//! `ListAccessKeys` of CAM: the access keys of a user, the caller's own if the request names no user.
//!
//! Source: <https://cloud.tencent.com/document/product/598/45156>.

use super::{Action, Call, Fields, Kind, Parameter};
use crate::{Behaviour, Rejection, UserType};

pub(super) const ACTION: Action = Action {
    service: "cam",
    version: "2019-01-16",
    name: "ListAccessKeys",
    limit: 20,
    signed: true,
    regional: false,
    guarded: true,
    parameters: &[Parameter::optional("TargetUin", Kind::Integer)],
    answer,
};

fn answer(call: &mut Call<'_>) -> Result<Fields, Rejection> {
    let missing = || Rejection::new("InvalidParameter.UserNotExist", "The user does not exist.");
    let caller = call.signer.map(|signer| signer.caller);
    let uin = call.parameters.integer("TargetUin").or(caller).ok_or_else(missing)?;
    let member = call.member();
    let asked = call.asked.entry(uin).or_default();
    *asked += 1;
    let user = call.population.users.get(&uin).filter(|user| user.member == member).ok_or_else(missing)?;
    if user.user_type == UserType::Owner && caller != Some(uin) {
        let message = "A sub-user is not allowed to operate on the keys of the root account.";
        return Err(Rejection::new("OperationDenied.SubUin", message));
    }
    match user.behaviour {
        Behaviour::DoesNotExist => Err(missing()),
        Behaviour::Denied => Err(Rejection::denied(&ACTION.permission(), call.request_id)),
        Behaviour::Flaky { every } if asked.is_multiple_of(every) => {
            Err(Rejection::new("InternalError", "An internal error has occurred. Retry your request."))
        }
        Behaviour::Answers | Behaviour::Flaky { .. } => Ok(user.listing()),
    }
}
