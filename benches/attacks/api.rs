//! The API that the exporter polls: the simulator, or one that answers with what the real one never should.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use tencentcloud_api::{Credential, SystemClock};
use tencentcloud_simulator::{Caller, Fault, Key, Population, Simulator, Times, User};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::worker::Worker;

pub(crate) const FIRST_UIN: u64 = 100_013_000_000;

/// Keys that just fit into the 4 MiB that the exporter reads.
const MANY_KEYS: u64 = 32_000;

/// More than the exporter reads is not sent.
const LARGE: usize = 4_000_000;

const END_OF_TIME: &str = "Thu, 30 Dec 9999 22:00:00 GMT";

/// How the API answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Well,
    /// One user has tens of thousands of keys.
    ManyKeys,
    /// Lists within lists, of 4 MB.
    DeepJson,
    /// Bodies of which a byte comes now and then.
    Drip,
    /// A list of users of 4 MB.
    ManyUsers,
    /// An organization with one more page of members after each.
    EndlessMembers,
    /// Refusals dated in the year 9999.
    LateRefusals,
    /// Temporary credentials from an answer dated in the year 9999.
    LateCredentials,
    /// Headers, many and large.
    LargeHeaders,
}

pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) simulator: Arc<Simulator>,
    _worker: Worker,
}

// === impl Api ===

impl Api {
    pub(crate) fn start(accounts: u64, users: u64, answers: Answers) -> Self {
        let mut population = Population::default();
        for user in 0..users {
            let uin = FIRST_UIN + user;
            let keys = if answers == Answers::ManyKeys && user == 0 { MANY_KEYS } else { 2 };
            let key = |number| Key::new(key_id(uin, number), "Active", "2025-01-01T00:00:00Z".parse().unwrap());
            population.users.insert(uin, User::with_keys((0..keys).map(key)));
        }
        for account in 0..accounts {
            let (id, key) = secrets(account);
            let credential = Credential { secret_id: id.into(), secret_key: key.into(), token: None };
            population.callers.push(Caller { uin: account + 1, credential });
        }
        let simulator = Arc::new(Simulator::new(Arc::new(SystemClock), population));
        let always = |fault| simulator.inject(None, fault, Times::UntilCleared);
        match answers {
            Answers::DeepJson => always(Fault::Answer(Response::new(deep_json()))),
            Answers::LateRefusals => always(dated(&json!({
                "Error": {"Code": "AuthFailure.SignatureExpire", "Message": "The signature has expired."},
            }))),
            Answers::LateCredentials => simulator.inject_into("AssumeRole", late_credentials(), Times::UntilCleared),
            Answers::LargeHeaders => {
                let mut response = Response::new(Bytes::new());
                for number in 0..90 {
                    let name = http::HeaderName::try_from(format!("x-large-{number}")).unwrap();
                    response.headers_mut().insert(name, "l".repeat(8 << 10).parse().unwrap());
                }
                always(Fault::Answer(response));
            }
            Answers::Well | Answers::ManyKeys | Answers::Drip | Answers::ManyUsers | Answers::EndlessMembers => {}
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Arc::clone(&simulator);
        let worker = Worker::start("api", move || async move {
            let listener = TcpListener::from_std(listener).unwrap();
            match answers {
                Answers::Drip | Answers::ManyUsers | Answers::EndlessMembers => serve_badly(listener, answers).await,
                Answers::Well
                | Answers::ManyKeys
                | Answers::DeepJson
                | Answers::LateRefusals
                | Answers::LateCredentials
                | Answers::LargeHeaders => {
                    tencentcloud_simulator::serve(listener, serving, CancellationToken::new()).await;
                }
            }
        });
        Self { address, simulator, _worker: worker }
    }
}

/// The id and the key that an account signs with.
pub(crate) fn secrets(account: u64) -> (String, String) {
    (format!("AKIDcaller{account}"), format!("secret{account}"))
}

pub(crate) fn key_id(uin: u64, number: u64) -> String {
    format!("AKID{number:0>5}x{uin:x>26}")
}

fn deep_json() -> Bytes {
    let mut text = String::from(r#"{"Response":{"RequestId":"r","AccessKeys":"#);
    text.extend(std::iter::repeat_n('[', LARGE / 2));
    text.extend(std::iter::repeat_n(']', LARGE / 2));
    text.push_str("}}");
    text.into()
}

fn late_credentials() -> Fault {
    dated(&json!({
        "Credentials": {"Token": "token", "TmpSecretId": "AKIDtemporary", "TmpSecretKey": "temporary"},
        "ExpiredTime": 253_402_207_200_u64,
        "Expiration": "9999-12-30T22:00:00Z",
    }))
}

fn dated(fields: &Value) -> Fault {
    let mut response = Response::new(wrapped(fields).into());
    response.headers_mut().insert(http::header::DATE, END_OF_TIME.parse().unwrap());
    Fault::Answer(response)
}

fn wrapped(fields: &Value) -> String {
    let mut fields = fields.clone();
    fields["RequestId"] = "r".into();
    json!({"Response": fields}).to_string()
}

async fn serve_badly(listener: TcpListener, answers: Answers) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(async move {
            // The exporter may well hang up.
            let _ = answer_badly(connection, answers).await;
        });
    }
}

async fn answer_badly(mut connection: TcpStream, answers: Answers) -> io::Result<()> {
    loop {
        let request = read_request(&mut connection).await?;
        let body = match answers {
            Answers::ManyUsers if request.contains("ListUsers") => many_users(),
            Answers::EndlessMembers if request.contains("DescribeOrganizationMembers") => members(&request),
            Answers::Drip => {
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {LARGE}\r\n\r\n");
                connection.write_all(head.as_bytes()).await?;
                loop {
                    connection.write_all(b" ").await?;
                    sleep(Duration::from_millis(100)).await;
                }
            }
            Answers::Well
            | Answers::ManyKeys
            | Answers::DeepJson
            | Answers::ManyUsers
            | Answers::EndlessMembers
            | Answers::LateRefusals
            | Answers::LateCredentials
            | Answers::LargeHeaders => wrapped(&json!({"AccessKeys": []})),
        };
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(body.as_bytes()).await?;
    }
}

/// A request's head and body, as text.
async fn read_request(connection: &mut TcpStream) -> io::Result<String> {
    let (mut request, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if body.len() >= length.unwrap_or_default() {
                return Ok(text.into_owned());
            }
        }
        let read = connection.read(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&buffer[..read]);
    }
}

fn many_users() -> String {
    let user =
        |number: u64| json!({"Uin": FIRST_UIN + 1_000_000 + number, "Name": format!("user-{number}-{:u>40}", "")});
    wrapped(&json!({"Data": (0..40_000).map(user).collect::<Vec<_>>()}))
}

fn members(request: &str) -> String {
    let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let offset = serde_json::from_str::<Value>(body).ok().and_then(|body| body["Offset"].as_u64()).unwrap_or_default();
    let member =
        |number: u64| json!({"MemberUin": 200_000_000_000 + offset + number, "Name": format!("{:m>100}", number)});
    wrapped(&json!({"Items": (0..50).map(member).collect::<Vec<_>>(), "Total": u32::MAX}))
}
