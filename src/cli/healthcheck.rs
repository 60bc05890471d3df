//! Asks a running exporter whether it is healthy.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use reqwest::{Client, StatusCode, Url, redirect::Policy};

use super::exporter::in_runtime;

/// For the whole check. Docker's default for a `HEALTHCHECK` is 30 s, Kubernetes' for a probe 1 s.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(super) struct HealthcheckFlags {
    /// The endpoint to check; any status but 200 is a failure.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:10047/-/healthy")]
    url: Url,
}

pub(super) fn run(flags: &HealthcheckFlags) -> Result<()> {
    let url = &flags.url;
    let status = in_runtime(async { Ok(status(url.clone()).await) })?;
    let status =
        status.with_context(|| format!("no answer from {url}: is it the address of --probe.listen-address?"))?;
    ensure!(status == StatusCode::OK, "{url} answers {status}");
    Ok(())
}

async fn status(url: Url) -> reqwest::Result<StatusCode> {
    let client = Client::builder().timeout(TIMEOUT).no_proxy().redirect(Policy::none()).build()?;
    Ok(client.get(url).send().await?.status())
}
