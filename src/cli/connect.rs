//! Proves that the accounts of a configuration can be polled, in a line each.

use anyhow::{Result, bail};
use jiff::SignedDuration;
use tencentcloud_cam_exporter::{
    advice::beside_the_error,
    app::connect::{Answered, Tried, connect},
    config::Config,
    environment::Environment,
    poll::Failure,
    tencent::Endpoint,
};

use super::{
    exporter,
    text::{Count, one_line},
};

/// Asks each account of `config` one question, and says what came of it.
pub(super) fn run(config: &Config, environment: Environment) -> Result<()> {
    let tried = exporter::in_runtime(async { Ok(connect(config, exporter::surroundings(environment)?).await?) })?;
    for account in &tried {
        println!("{}", line(account));
    }
    let failed = tried.iter().filter(|account| matches!(account.outcome, Some(Err(_)))).count();
    if failed > 0 {
        bail!("{failed} of {} cannot be polled", Count(tried.len(), "account", "accounts"));
    }
    Ok(())
}

fn line(Tried { account, endpoint, outcome }: &Tried) -> String {
    match outcome {
        Some(Ok(answered)) => format!("{account}: ok: {}", good(answered)),
        Some(Err(failure)) => format!("{account}: {}", bad(endpoint, failure)),
        None => format!("{account}: nothing asked: it has no users here"),
    }
}

fn good(Answered { uin, keys, skew }: &Answered) -> String {
    let keys = Count(*keys, "key", "keys");
    let skew = skew.map(|skew| {
        let (seconds, side) = (skew.as_secs().abs(), if skew > SignedDuration::ZERO { "behind" } else { "ahead of" });
        format!("; this machine's clock is {seconds} s {side} the API's, which is gone by: mend it")
    });
    format!("user {uin} has {keys}{}", skew.unwrap_or_default())
}

fn bad(endpoint: &Endpoint, failure: &Failure) -> String {
    let reason = failure.reason();
    let error = match failure {
        Failure::Credentials(_) => one_line(&failure.to_string()),
        Failure::Api(_) => format!("{endpoint}: {}", one_line(&failure.to_string())),
    };
    match beside_the_error(reason, failure.code()) {
        Some(advice) => format!("{}: {error}. {advice}", reason.label()),
        None => format!("{}: {error}", reason.label()),
    }
}
