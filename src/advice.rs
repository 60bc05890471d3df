//! What to do about a poll that failed.
//!
//! The texts are those of the tables in docs/metrics.md, and of the Chinese page; tests compare them. Backticks are around
//! what is to be read letter by letter.

use std::borrow::Cow;

use tencentcloud_api::{
    Action, DescribeOrganizationMembers, GetCallerIdentity, GetSecurityLastUsed, ListAccessKeys, ListAccounts,
    ListUsers, Reason,
};

use crate::{inventory::Listing, language::Language};

/// What to do about codes of which more can be said than of their reason, in English and in Chinese, in alphabetical
/// order.
///
/// Sources: the common codes, <https://www.tencentcloud.com/document/api/1036/38589>; those of `ListAccessKeys`,
/// <https://cloud.tencent.com/document/product/598/45156>; what limits are counted by,
/// <https://cloud.tencent.com/document/product/1278/109059>.
pub const OF_CODES: &[(&str, [&str; 2])] = &[
    (
        "AuthFailure.InvalidSecretId",
        [
            "The secret id does not belong to an API key: set the correct one in `TENCENTCLOUD_SECRET_ID` or the credential file.",
            "SecretId 不是 API 密钥：请在 `TENCENTCLOUD_SECRET_ID` 或凭证文件中填写正确的值。",
        ],
    ),
    (
        "AuthFailure.MFAFailure",
        [
            "A policy requires MFA for the calling user: exempt `cam:ListAccessKeys` from it.",
            "某条策略要求调用者使用 MFA：请把 `cam:ListAccessKeys` 排除在外。",
        ],
    ),
    (
        "AuthFailure.SecretIdNotFound",
        [
            "The exporter's own key was deleted or disabled, or was copied with stray whitespace: enable it, or create and configure another one.",
            "exporter 自己的密钥已被删除或禁用，或复制时带入了多余的空白：请启用它，或创建并配置另一个密钥。",
        ],
    ),
    (
        "AuthFailure.SignatureFailure",
        [
            "The secret key does not belong to the secret id: copy both again, from the same key.",
            "SecretKey 与 SecretId 不匹配：请从同一个密钥重新复制两者。",
        ],
    ),
    (
        "AuthFailure.TokenFailure",
        [
            "The token of the temporary credential is wrong or has expired: renew all three parts.",
            "临时凭证的 token 有误或已过期：请更新全部三个部分。",
        ],
    ),
    ("AuthFailure.UnauthorizedOperation", GRANT),
    (
        "IpInBlacklist",
        [
            "The exporter's IP address is on the account's blacklist: remove it.",
            "exporter 的 IP 地址在账号的黑名单中：请移除。",
        ],
    ),
    (
        "IpNotInWhitelist",
        [
            "The exporter's IP address is not on the account's whitelist: add it.",
            "exporter 的 IP 地址不在账号的白名单中：请加入。",
        ],
    ),
    (
        "OperationDenied.SubUin",
        [
            "This is the root account's UIN, whose keys only its own credential may list: remove it from the users.",
            "这是主账号的 UIN，只有主账号自己的凭证才能列出其密钥：请从用户中删除。",
        ],
    ),
    (
        "OperationDenied.UinNotMatch",
        [
            "The user belongs to another root account: move its UIN to the account of that one's credential.",
            "该用户属于另一个主账号：请把它的 UIN 移到使用那个主账号凭证的账号下。",
        ],
    ),
    ("RequestLimitExceeded.GlobalRegionUinLimitExceeded", SHARED),
    (
        "RequestLimitExceeded.IPLimitExceeded",
        [
            "All clients at the exporter's IP address together send too many requests: lower `poll.rate_limit`, or give the exporter another address.",
            "exporter 所在 IP 地址上所有客户端的请求总数过多：请降低 `poll.rate_limit`，或让 exporter 使用其他地址。",
        ],
    ),
    ("RequestLimitExceeded.UinLimitExceeded", SHARED),
    ("UnauthorizedOperation", GRANT),
    (
        "UnsupportedRegion",
        [
            "The API is not available in this region: fix or remove `region`.",
            "API 在该地域不可用：请修正或删除 `region`。",
        ],
    ),
];

const GRANT: [&str; 2] = [
    "Give the calling user a policy that allows `cam:ListAccessKeys` on the resource `*`; no other resource is understood.",
    "请为调用者关联对资源 `*` 允许 `cam:ListAccessKeys` 的策略；其他资源写法不起作用。",
];

const SHARED: [&str; 2] = [
    "All clients of the root account together send too many requests: find the others, or ask Tencent Cloud for a higher limit.",
    "主账号下所有客户端的请求总数过多：请找出其他客户端，或向腾讯云申请提高限制。",
];

/// What to do about a poll that failed for `reason`, with this `code` where the API answered with one.
#[must_use]
pub fn advice(language: Language, reason: Reason, code: Option<&str>) -> &'static str {
    let of_code = OF_CODES.iter().find(|(name, _)| code == Some(name));
    of_code.map_or_else(|| of_reason(language, reason), |(_, [english, chinese])| *language.choose(english, chinese))
}

/// As [`advice`], for where the error is shown as well: it need not refer to the log for that. Nothing where there
/// is no more to say.
#[must_use]
pub fn beside_the_error(language: Language, reason: Reason, code: Option<&str>) -> Option<&'static str> {
    // Where no credential could be had, the error says what to do.
    if (reason, code) == (Reason::Credentials, None) {
        return None;
    }
    let text = advice(language, reason, code);
    let (of_the_log, end) = language.choose(("The log ", ". "), ("日志", "。"));
    if !text.starts_with(of_the_log) {
        return Some(text);
    }
    text.split_once(end).map(|(_, rest)| rest).filter(|rest| !rest.is_empty())
}

/// As [`beside_the_error`], for a request that needs `permission`, as a policy names it.
#[must_use]
pub fn of_action(
    language: Language,
    permission: &str,
    reason: Reason,
    code: Option<&str>,
) -> Option<Cow<'static, str>> {
    // The polls, which go to the same endpoint, say what else may be wrong.
    if permission == ListAccounts::permission() && reason == Reason::Rejected {
        let text = language.choose(
            "The API does not have `ListAccounts`, or not for one of these types: change or remove `user_types`.",
            "API 没有 `ListAccounts`，或者不支持其中的某个类型：请修改或删除 `user_types`。",
        );
        return Some(text.into());
    }
    let (text, of_keys) = (beside_the_error(language, reason, code)?, ListAccessKeys::permission());
    if permission == of_keys || !text.contains(&of_keys) {
        return Some(text.into());
    }
    // What is said of root accounts is true of their keys alone.
    let is_of_reason = text == of_reason(language, Reason::Denied);
    let end = language.choose('.', '。');
    let text = if is_of_reason { text.split_inclusive(end).next().unwrap_or(text) } else { text };
    Some(text.replace(&of_keys, permission).into())
}

/// What to do about a listing that failed, where the error is shown as well. Nothing where that says it.
#[must_use]
pub fn of_listing(
    language: Language,
    listing: Listing,
    reason: Option<Reason>,
    code: Option<&str>,
) -> Option<Cow<'static, str>> {
    let permission = match listing {
        Listing::UinsFile => {
            let text = language.choose(
                "The last valid list stays in use, if there was one. The file is read again within seconds of a change.",
                "继续使用上一份有效的列表（如果有）。文件修改后几秒内会重新读取。",
            );
            return Some(text.into());
        }
        Listing::Caller => GetCallerIdentity::permission(),
        Listing::Users => ListUsers::permission(),
        Listing::TypedUsers => ListAccounts::permission(),
        Listing::Members => DescribeOrganizationMembers::permission(),
        Listing::LastUses => GetSecurityLastUsed::permission(),
    };
    match (reason?, code) {
        // It is a role.
        (Reason::Denied, None) if listing == Listing::Caller => {
            let text = language.choose(
                "To poll users, name them under `uins`, or set `discover: true`.",
                "要轮询用户，请在 `uins` 中列出，或设置 `discover: true`。",
            );
            Some(text.into())
        }
        // Not the API: an answer that was understood and cannot be used, or no credential. The error says what to do.
        (Reason::Denied | Reason::Malformed | Reason::Credentials, None) => None,
        (reason, code) => of_action(language, &permission, reason, code),
    }
}

/// Why Tencent Cloud will disable a key. The notice is known from a reprint.
#[must_use]
pub fn auto_disable_announcement(language: Language) -> &'static str {
    language.choose(
        "Tencent Cloud has announced that it disables keys unused for 90 days",
        "腾讯云已公告，将禁用 90 天未使用的密钥",
    )
}

fn of_reason(language: Language, reason: Reason) -> &'static str {
    let (english, chinese) = match reason {
        Reason::Throttled => (
            "Lower `poll.rate_limit`: other clients use the account's limit. See `account_rate_limit_requests_per_second`.",
            "降低 `poll.rate_limit`：有其他客户端在使用账号的频率限制。见 `account_rate_limit_requests_per_second`。",
        ),
        Reason::Credentials => (
            "The log names the variable, the file or the code. A key that was disabled or deleted gives `AuthFailure.SecretIdNotFound`.",
            "日志会指出变量、文件或错误码。已禁用或删除的密钥会返回 `AuthFailure.SecretIdNotFound`。",
        ),
        Reason::ClockSkew => (
            "Fix the machine's clock. Normally the exporter uses the API's clock: see `clock_skew_seconds`.",
            "校准机器的时钟。正常情况下 exporter 使用 API 的时钟：见 `clock_skew_seconds`。",
        ),
        Reason::Denied => (
            "Allow `cam:ListAccessKeys` on `*`. Keys of the root account can be listed by its own credential only.",
            "对 `*` 授予 `cam:ListAccessKeys`。主账号的密钥只有它自己的凭证才能列出。",
        ),
        Reason::UserNotFound => ("Remove it from `uins` or `uins_file`.", "从 `uins` 或 `uins_file` 中删除。"),
        Reason::Rejected => ("Check `endpoint` and `region`.", "检查 `endpoint` 和 `region`。"),
        Reason::ServerError => (
            "Wait. The request id in the log is what Tencent Cloud's support asks for.",
            "等待。联系腾讯云支持时需要提供日志中的请求 ID。",
        ),
        Reason::HttpStatus => ("A proxy answered, or `endpoint` is wrong.", "响应来自代理，或 `endpoint` 有误。"),
        Reason::Connect => ("Check DNS, network policy, proxy.", "检查 DNS、网络策略、代理。"),
        Reason::Tls => (
            "Check the certificate authorities, and for an intercepting proxy.",
            "检查证书颁发机构，以及是否有拦截流量的代理。",
        ),
        Reason::Connection => ("Wait.", "等待。"),
        Reason::Timeout => ("Wait, or raise `poll.timeout`.", "等待，或增大 `poll.timeout`。"),
        Reason::TooLarge => {
            ("Something other than the API answered: check `endpoint`.", "响应并非来自 API：检查 `endpoint`。")
        }
        Reason::Malformed => (
            "The log says what. A creation time in the future means that `keys.time_zone` is wrong.",
            "日志会说明具体内容。创建时间在未来说明 `keys.time_zone` 有误。",
        ),
        Reason::Other => ("The log has the code.", "日志中有错误码。"),
    };
    language.choose(english, chinese)
}

#[cfg(test)]
mod tests {
    use tencentcloud_api::Code;

    use super::*;

    #[test]
    fn what_is_said_of_a_code_is_said_of_one_that_comes() {
        assert!(OF_CODES.is_sorted_by(|a, b| a.0 < b.0));
        for language in Language::ALL {
            for (code, [english, chinese]) in OF_CODES {
                let text = *language.choose(english, chinese);
                let (_, reason) = Code::DOCUMENTED.iter().find(|(documented, _)| documented == code).unwrap();
                assert_eq!(advice(language, *reason, Some(code)), text);
                assert_ne!(advice(language, *reason, None), text);
            }
            let denied = advice(language, Reason::Denied, None);
            assert_eq!(advice(language, Reason::Denied, Some("OperationDenied")), denied);
        }
    }

    #[test]
    fn advice_names_the_permission_that_is_missing() {
        for language in Language::ALL {
            for (listing, permission) in [
                (Listing::Caller, "sts:GetCallerIdentity"),
                (Listing::Users, "cam:ListUsers"),
                (Listing::TypedUsers, "cam:ListAccounts"),
                (Listing::Members, "organization:DescribeOrganizationMembers"),
                (Listing::LastUses, "cam:GetSecurityLastUsed"),
            ] {
                for code in ["AuthFailure.UnauthorizedOperation", "AuthFailure.MFAFailure", "OperationDenied"] {
                    let reason = if code == "AuthFailure.MFAFailure" { Reason::Credentials } else { Reason::Denied };
                    let advice = of_listing(language, listing, Some(reason), Some(code)).unwrap();
                    assert!(advice.contains(&format!("`{permission}`")), "{advice}");
                    let of_keys = ["ListAccessKeys", "root account", "主账号"];
                    assert!(!of_keys.iter().any(|words| advice.contains(words)), "{advice}");
                }
                let no_code = of_listing(language, listing, Some(Reason::Denied), None);
                assert_eq!(no_code.is_some(), listing == Listing::Caller, "otherwise the error says what to do");
            }
            let unknown = of_listing(language, Listing::TypedUsers, Some(Reason::Rejected), Some("InvalidAction"));
            assert!(unknown.is_some_and(|advice| advice.contains("`user_types`")));
            let of_keys = of_action(language, "cam:ListAccessKeys", Reason::Denied, None);
            assert_eq!(of_keys.as_deref(), beside_the_error(language, Reason::Denied, None));
        }
    }

    #[test]
    fn nobody_is_sent_to_the_log_who_sees_the_error() {
        for language in Language::ALL {
            for reason in Reason::ALL {
                let advice = beside_the_error(language, reason, None);
                let refers = |advice: &str| advice.starts_with("The log") || advice.starts_with("日志");
                assert!(!advice.is_some_and(refers), "{advice:?}");
            }
            assert_eq!(beside_the_error(language, Reason::Other, Some("other")), None);
            let timeout = advice(language, Reason::Timeout, None);
            assert_eq!(beside_the_error(language, Reason::Timeout, None), Some(timeout));
            let malformed = beside_the_error(language, Reason::Malformed, None);
            let beginning = language.choose("A creation time in the future", "创建时间在未来");
            assert!(malformed.is_some_and(|advice| advice.starts_with(beginning)), "{malformed:?}");
        }
    }

    /// Everything that is advised, in `language`.
    fn everything(language: Language) -> Vec<Option<Cow<'static, str>>> {
        let codes = || [None].into_iter().chain(Code::DOCUMENTED.iter().map(|(code, _)| Some(*code)));
        let mut all = vec![Some(auto_disable_announcement(language).into())];
        for reason in Reason::ALL {
            for code in codes() {
                all.push(Some(advice(language, reason, code).into()));
                all.push(beside_the_error(language, reason, code).map(Into::into));
                let of_listings = Listing::ALL.map(|listing| of_listing(language, listing, Some(reason), code));
                all.extend(of_listings);
            }
        }
        all
    }

    #[test]
    fn every_advice_is_there_in_both_languages() {
        for (english, chinese) in everything(Language::English).into_iter().zip(everything(Language::Chinese)) {
            let (Some(english), Some(chinese)) = (&english, &chinese) else {
                assert_eq!(english, chinese);
                continue;
            };
            let is_chinese = |text: &str| text.contains(|character| ('\u{4e00}'..='\u{9fff}').contains(&character));
            assert!(is_chinese(chinese) && !is_chinese(english), "{english} {chinese}");
            // What is to be read letter by letter is the same in both.
            let code = |text: &str| {
                let mut code: Vec<String> = text.split('`').skip(1).step_by(2).map(str::to_owned).collect();
                code.sort_unstable();
                code
            };
            assert_eq!(code(english), code(chinese), "{english} {chinese}");
            let words: String = chinese.split('`').step_by(2).collect();
            let mut words = words.split(|character: char| !character.is_ascii_alphabetic());
            let known = ["", "API", "DNS", "exporter", "ID", "IP", "MFA", "SecretId", "SecretKey", "token", "UIN"];
            assert!(words.all(|word| known.contains(&word)), "{chinese}");
        }
    }
}
