//! Requests any action, and prints the answer's `Response`:
//!
//!     TENCENTCLOUD_SECRET_ID=… TENCENTCLOUD_SECRET_KEY=… \\
//!         cargo run --example call -- cvm 2017-03-12 DescribeInstances '{"Limit": 5}' ap-guangzhou
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own, unlike what the rules are for"
)]

use std::{env, error::Error, sync::Arc};

use serde_json::Value;
use tencentcloud_api::{
    Client, Clock, Connection, Credential, Endpoint, HttpTransport, Program, Proxies, RawAction, Region, SystemClock,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [service, version, name, payload, region @ ..] = &arguments[..] else {
        return Err("usage: call SERVICE VERSION ACTION PAYLOAD [REGION]".into());
    };
    let action = RawAction::new(service, version, name, payload.parse()?)?;
    let endpoint = format!("https://{service}.tencentcloudapi.com").parse()?;
    let region = region.first().map(|region| region.parse()).transpose()?;
    let (secret_id, secret_key) = (env::var("TENCENTCLOUD_SECRET_ID")?, env::var("TENCENTCLOUD_SECRET_KEY")?);
    let credential = Credential { secret_id: secret_id.into(), secret_key: secret_key.into(), token: None };
    println!("{:#}", call(endpoint, region, &credential, &action).await?);
    Ok(())
}

/// Signs the action, sends it once, and returns the answer's `Response`.
pub(crate) async fn call(
    endpoint: Endpoint,
    region: Option<Region>,
    credential: &Credential,
    action: &RawAction,
) -> Result<Value, tencentcloud_api::Error> {
    let transport = HttpTransport::new(Program::default(), Proxies::default())?;
    let client = Client::new(endpoint, Arc::new(transport)).with_region(region);
    let answer = client.call_raw(credential, action, Connection::Pooled, SystemClock.now()).await?;
    Ok(answer.value)
}
