//! `ListUsers`: every sub-user of the account, in one answer.
//!
//! Source: <https://cloud.tencent.com/document/api/598/34587>.

use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{Action, Context, Uin, rows::Rows, text::Text};

/// Asks for the users of the caller's account.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ListUsers {}

/// A user of an account, or an account of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedUser {
    /// Who it is.
    pub uin: Uin,
    /// What it is called: at most [`NamedUser::MAX_NAME_CHARS`] characters, and perhaps none.
    pub name: String,
    /// Whether it may log in to the console, where that was answered.
    pub console_login: Option<bool>,
}

/// The body of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    /// Null or missing where there are none, as other lists of this API are.
    data: Option<Rows<Row, { ListUsers::MAX_USERS }>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    uin: u64,
    name: Option<Text>,
    console_login: Option<ConsoleLogin>,
}

/// 0 or 1. What else it may be says nothing, and must not make the whole answer unreadable.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum ConsoleLogin {
    Number(i64),
    Other(IgnoredAny),
}

impl ListUsers {
    /// The most users of an account: far above what Tencent Cloud allows without asking.
    pub const MAX_USERS: usize = 100_000;
}

impl Action for ListUsers {
    const SERVICE: &'static str = "cam";
    const NAME: &'static str = "ListUsers";
    const VERSION: &'static str = "2019-01-16";
    /// There is one answer for all users, and a user in it has some 200 bytes, and more with a remark: this is enough for
    /// [`ListUsers::MAX_USERS`] of 335 bytes, or for 20,000 of 1,677.
    const MAX_RESPONSE_BYTES: usize = 32 << 20;

    type Response = Response;
    type Output = Vec<NamedUser>;

    /// The users, in the order of the answer.
    fn parse(&self, response: Response, _: Context) -> Result<Vec<NamedUser>, String> {
        let rows = response.data.unwrap_or_default().all("users")?.into_iter();
        rows.map(|row| user(row.uin, row.name, row.console_login)).collect()
    }
}

impl NamedUser {
    /// A name is cut to so many characters.
    pub const MAX_NAME_CHARS: usize = 128;
}

/// A user, as rows of users describe it.
pub(crate) fn user(uin: u64, name: Option<Text>, console_login: Option<ConsoleLogin>) -> Result<NamedUser, String> {
    let console_login = console_login.and_then(|console_login| match console_login {
        ConsoleLogin::Number(0) => Some(false),
        ConsoleLogin::Number(1) => Some(true),
        ConsoleLogin::Number(_) | ConsoleLogin::Other(IgnoredAny) => None,
    });
    let user = named(uin, name).ok_or_else(|| "a user whose Uin is 0".to_owned())?;
    Ok(NamedUser { console_login, ..user })
}

/// A user by number, perhaps with a name.
pub(crate) fn named(uin: u64, name: Option<Text>) -> Option<NamedUser> {
    let Text(mut name) = name.unwrap_or_default();
    if let Some((end, _)) = name.char_indices().nth(NamedUser::MAX_NAME_CHARS) {
        name.truncate(end);
    }
    Some(NamedUser { uin: uin.try_into().ok()?, name, console_login: None })
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::offset};

    use super::*;

    fn users(json: &str) -> Result<Vec<(u64, String)>, String> {
        let response = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let users = ListUsers {}.parse(response, Context { zone: offset(8), now: Timestamp::UNIX_EPOCH })?;
        Ok(users.into_iter().map(|user| (user.uin.get(), user.name)).collect())
    }

    #[test]
    fn no_users_come_in_three_shapes() {
        for json in [r#"{"Data":null}"#, r#"{"Data":[]}"#, r#"{"RequestId":"x"}"#] {
            assert_eq!(users(json), Ok(vec![]), "{json}");
        }
    }

    #[test]
    fn names_are_free_and_cut_and_may_be_missing() {
        let long = "é".repeat(NamedUser::MAX_NAME_CHARS + 1);
        let found = users(&format!(
            r#"{{"Data":[{{"Uin":100013065917,"Name":"{long}","Uid":1,"Remark":null}},{{"Uin":2,"Name":null}},{{"Uin":3}}]}}"#
        ));
        let cut = "é".repeat(NamedUser::MAX_NAME_CHARS);
        assert_eq!(found, Ok(vec![(100_013_065_917, cut), (2, String::new()), (3, String::new())]));
        let odd = r#"{"Data":[{"Uin":1,"Name":"\ud800"},{"Uin":2,"Name":"wang\udfff"},{"Uin":3,"Name":"\u738b"}]}"#;
        let names = ["\u{fffd}", "wang\u{fffd}", "王"].map(str::to_owned);
        assert_eq!(users(odd), Ok((1..).zip(names).collect()), "a name that is not Unicode is that user's alone");
        assert!(users(r#"{"Data":[{"Uin":0,"Name":"nobody"}]}"#).unwrap_err().contains("Uin"));
    }

    #[test]
    fn console_login_is_0_or_1_or_not_known() {
        let rows = [
            "",
            r#","ConsoleLogin":0"#,
            r#","ConsoleLogin":1"#,
            r#","ConsoleLogin":null"#,
            r#","ConsoleLogin":2"#,
            r#","ConsoleLogin":"1""#,
            r#","ConsoleLogin":{"a":[1]}"#,
            r#","ConsoleLogin":18446744073709551615"#,
        ];
        let rows: Vec<String> = rows.iter().map(|field| format!(r#"{{"Uin":7{field}}}"#)).collect();
        let response = serde_json::from_str(&format!(r#"{{"Data":[{}]}}"#, rows.join(","))).unwrap();
        let users = ListUsers {}.parse(response, Context { zone: offset(8), now: Timestamp::UNIX_EPOCH }).unwrap();
        let found: Vec<Option<bool>> = users.iter().map(|user| user.console_login).collect();
        assert_eq!(found, [None, Some(false), Some(true), None, None, None, None, None]);
    }
}
