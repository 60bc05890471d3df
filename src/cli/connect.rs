//! Proves that the accounts of a configuration can be polled, in a line each.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use jiff::SignedDuration;
use tencentcloud_api::Endpoint;
use tencentcloud_cam_exporter::{
    advice,
    app::connect::{CheckResult, CheckedRequest, ConnectionCheck, connect},
    config::Config,
    environment::Environment,
    language::Language,
    poll::Failure,
};

use super::{
    exporter, print,
    text::{Count, one_line},
};

/// Asks about each account of `config` what it needs, and says what came of it.
pub(super) fn run(config: &Config, environment: Environment) -> Result<()> {
    let tried = exporter::in_runtime(async { Ok(connect(config, exporter::dependencies(environment)?).await?) })?;
    for account in &tried {
        print::line(line(account))?;
    }
    let failed = accounts(tried.iter().filter(|one| one.outcome.is_err()));
    if failed > 0 {
        bail!("{failed} of {} cannot be polled", Count(accounts(tried.iter()), "account", "accounts"));
    }
    Ok(())
}

/// How many accounts they are of: one with users and an organisation was asked about both.
fn accounts<'a>(tried: impl Iterator<Item = &'a ConnectionCheck>) -> usize {
    tried.map(|one| &one.account).collect::<BTreeSet<_>>().len()
}

fn line(ConnectionCheck { account, endpoint, question, outcome }: &ConnectionCheck) -> String {
    match (question, outcome) {
        (None, _) => format!("{account}: nothing asked: it has no users here"),
        (Some(question), Ok(answered)) => format!("{account}: ok: {}", good(*question, answered)),
        (Some(question), Err(failure)) => format!("{account}: {}", bad(*question, endpoint, failure)),
    }
}

fn good(question: CheckedRequest, CheckResult { number, skew }: &CheckResult) -> String {
    let skew = skew.map(|skew| {
        let (seconds, side) = (skew.as_secs().abs(), if skew > SignedDuration::ZERO { "behind" } else { "ahead of" });
        format!("; the local clock is {seconds} s {side} the API's clock, which is used instead: fix it")
    });
    let answer = match question {
        CheckedRequest::Caller => "the caller is known".to_owned(),
        CheckedRequest::Keys(uin) => format!("user {uin} has {}", Count(*number, "key", "keys")),
        CheckedRequest::OwnKeys => format!("the caller has {}", Count(*number, "key", "keys")),
        CheckedRequest::Users => format!("{} to be found", Count(*number, "user", "users")),
        CheckedRequest::TypedUsers(user_type) => {
            let users = Count(*number, "user", "users");
            format!("{users} of type {} on the first page", user_type.name())
        }
        CheckedRequest::Members => format!("the organization has {}", Count(*number, "member", "members")),
    };
    format!("{answer}{}", skew.unwrap_or_default())
}

fn bad(question: CheckedRequest, endpoint: &Endpoint, failure: &Failure) -> String {
    let reason = failure.reason();
    let error = match failure {
        Failure::Credentials(_) => one_line(&failure.to_string()),
        Failure::Api(_) => format!("{endpoint}: {}", one_line(&failure.to_string())),
    };
    match advice::of_action(Language::English, &question.permission(), reason, failure.code()) {
        Some(advice) => format!("{}: {error}. {advice}", reason.label()),
        None => format!("{}: {error}", reason.label()),
    }
}
