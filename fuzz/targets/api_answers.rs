//! Responses of the API to every action.
//!
//! The first byte is the action and the second the status. The first line after them is the `Date` header, and the rest the
//! body, in which U+0001 stands for the secrets of the request.

#![no_main]

use std::{sync::Arc, sync::LazyLock, time::Duration};

use bytes::Bytes;
use fuzz::{Answering, NOW, SECRET, assert_no_secret, credential, paused, with_secret, within};
use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use tencentcloud_api::{
    Action, Client, Connection, DescribeOrganizationMembers, Error, GetCallerIdentity, GetSecurityLastUsed,
    ListAccessKeys, ListAccounts, ListUsers, RawAction, UserType,
    sts::{AssumeRole, AssumeRoleWithWebIdentity, RoleArn, SessionDuration, SessionName},
};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(paused);

const STATUSES: [u16; 8] = [200, 204, 301, 403, 404, 429, 500, 599];

/// What an error may say: no secret, and of a response that is not an error of the API nothing at all.
fn judge<T>(result: Result<T, Error>) {
    let Err(error) = result else { return };
    let text = error.to_string();
    assert_no_secret(&text);
    assert_no_secret(&format!("{:?}", error.counts_as()));
    assert!(text.len() < 8 << 10, "an error of {} bytes", text.len());
    let _ = (error.reason(), error.is_credential_error());
}

fn call(client: &Client, action: &impl Action) {
    judge(RUNTIME.block_on(client.call(&credential(), action, Connection::Pooled, NOW)));
}

fuzz_target!(|data: &[u8]| {
    let [action, status, rest @ ..] = data else { return };
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let date = parts.next().and_then(|line| str::from_utf8(line).ok()).map(str::to_owned);
    let body = Bytes::from(with_secret(parts.next().unwrap_or_default()));
    let status = StatusCode::from_u16(STATUSES[usize::from(*status) % STATUSES.len()]).expect("a status");
    let client = Client::new(
        "https://cam.tencentcloudapi.com".parse().expect("an endpoint"),
        Arc::new(Answering(status, date, body)),
    );

    let role_arn: RoleArn = "qcs::cam::uin/1:roleName/exporter".parse().expect("a role");
    let role_session_name: SessionName = "exporter".parse().expect("a name");
    let duration_seconds = SessionDuration::default();
    within(Duration::from_secs(5), || match action % 9 {
        0 => call(&client, &ListAccessKeys::own()),
        1 => call(&client, &ListUsers {}),
        2 => call(&client, &GetSecurityLastUsed::of(&[SECRET.into()])),
        3 => call(&client, &GetCallerIdentity {}),
        4 => call(&client, &DescribeOrganizationMembers::page(1)),
        7 => call(&client, &ListAccounts::page(UserType::Collaborator, None)),
        5 => call(&client, &AssumeRole { role_arn, role_session_name, duration_seconds, external_id: None }),
        6 => {
            let provider_id = "OIDC".to_owned();
            let web_identity_token = SECRET.into();
            let action = AssumeRoleWithWebIdentity {
                provider_id,
                web_identity_token,
                role_arn,
                role_session_name,
                duration_seconds,
            };
            judge(RUNTIME.block_on(client.call_unsigned(&action, Connection::Pooled, NOW)));
        }
        _ => {
            let action =
                RawAction::new("cvm", "2017-03-12", "DescribeZones", serde_json::Value::Null).expect("an action");
            judge(RUNTIME.block_on(client.call_raw(&credential(), &action, Connection::Fresh, NOW)));
        }
    });
});
