//! `GetCallerIdentity` of STS: who it is that asks.
//!
//! Source: <https://cloud.tencent.com/document/api/1312/48194>.

use serde::{Deserialize, Serialize};

use crate::{Action, Context, Uin};

/// Asks who the caller is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GetCallerIdentity {}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An account or a user of one, who may have keys.
    User(Uin),
    /// A role or a federated user, which has none.
    Role,
}

/// The body of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    /// The UIN of an account or a user; for roles and federated users it has a colon and their name behind it.
    user_id: String,
    r#type: Option<String>,
}

impl Action for GetCallerIdentity {
    const SERVICE: &'static str = "sts";
    const NAME: &'static str = "GetCallerIdentity";
    const VERSION: &'static str = "2018-08-13";

    type Response = Response;
    type Output = Caller;

    fn parse(&self, response: Response, _: Context) -> Result<Caller, String> {
        if response.user_id.contains(':') || response.r#type.is_some_and(|kind| kind.eq_ignore_ascii_case("CAMRole")) {
            return Ok(Caller::Role);
        }
        response.user_id.parse().map(Caller::User).map_err(|_| "a UserId that is no UIN".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::offset};

    use super::*;

    #[test]
    fn only_a_uin_is_a_user() {
        let caller = |json: &str| {
            let context = Context { zone: offset(8), now: Timestamp::UNIX_EPOCH };
            GetCallerIdentity {}.parse(serde_json::from_str(json).unwrap(), context)
        };
        let user = Caller::User("100013065917".parse().unwrap());
        assert_eq!(caller(r#"{"UserId":"100013065917","Type":"CAMUser","Arn":"a"}"#), Ok(user));
        assert_eq!(caller(r#"{"UserId":"100013065917"}"#), Ok(user));
        assert_eq!(caller(r#"{"UserId":"4611686018427397919:session","Type":"CAMRole"}"#), Ok(Caller::Role));
        assert_eq!(caller(r#"{"UserId":"4611686018427397919","Type":"CAMRole"}"#), Ok(Caller::Role));
        assert_eq!(caller(r#"{"UserId":"4611686018427397919","Type":"camrole"}"#), Ok(Caller::Role));
        assert_eq!(caller(r#"{"UserId":"100013065917:someone"}"#), Ok(Caller::Role));
        assert!(caller(r#"{"UserId":""}"#).unwrap_err().contains("UserId"));
    }
}
