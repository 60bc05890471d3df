//! Makes requests, and reads what comes back.

use std::{fmt, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use jiff::{
    Timestamp,
    fmt::rfc2822,
    tz::{self, Offset},
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::{
    Action, Code, Connection, Context, Credential, Endpoint, Error, Program, RawAction, Region, Transport,
    sign::{self, Covered, Payload},
    text::Text,
    transport::{MAX_RESPONSE_BYTES, ResponseLimit},
};

const CONTENT_TYPE: &str = "application/json";

/// The `Authorization` header of an unsigned request.
const UNSIGNED: &str = "SKIP";

/// A longer answer is parsed on another thread: it would hold up all else on this one.
const LARGE_BYTES: usize = 64 << 10;

/// Times that an answer may tell: from 2010-01-01, before there was the API, to 2200-01-01.
const PLAUSIBLE: Range<Timestamp> = Timestamp::constant(1_262_304_000, 0)..Timestamp::constant(7_258_118_400, 0);

/// The zone of times in answers to accounts of the Chinese site.
const BEIJING: Offset = tz::offset(8);

/// What a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest piece of an answer's text that is passed on.
const MAX_TEXT_CHARS: usize = 400;

/// Requests actions of the API at one endpoint. Each request is sent once: retries are the caller's.
pub struct Client {
    endpoint: Endpoint,
    region: Option<Region>,
    zone: Offset,
    timeout: Duration,
    program: Program,
    transport: Arc<dyn Transport>,
}

/// What the API answered.
#[derive(Debug)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// The API's clock, as the answer's `Date` header tells it to the second.
    pub server_time: Option<Timestamp>,
}

/// What a request says of the action besides its payload.
struct Heading<'a> {
    service: &'a str,
    version: &'a str,
    name: &'a str,
    max_response_bytes: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<T> {
    response: T,
}

/// The part of an answer that all actions share.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Common {
    error: Option<ApiError>,
    /// In every documented answer but an error about a request that was refused before it reached the service.
    request_id: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ApiError {
    code: Text,
    message: Option<Text>,
}

/// An error as the API wrote it before version 3. Source: the official Go SDK, which still reads it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldError {
    /// 0 is no error.
    code: i64,
    code_desc: Text,
    message: Option<Text>,
}

/// What an error answer says, as it came.
#[derive(Default)]
struct Refusal {
    code: String,
    message: String,
    request_id: String,
}

// === impl Answer ===

impl<T> Answer<T> {
    /// The same answer, made something else of.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: change(self.value), server_time: self.server_time }
    }
}

// === impl Client ===

impl Client {
    /// A client for the API at `endpoint`: without a region, for an account whose times are those of Beijing. A request may
    /// take 10 s.
    #[must_use]
    pub fn new(endpoint: Endpoint, transport: Arc<dyn Transport>) -> Self {
        Self { endpoint, region: None, zone: BEIJING, timeout: TIMEOUT, program: Program::default(), transport }
    }

    /// Names this region in requests, or none.
    #[must_use]
    pub fn with_region(self, region: Option<Region>) -> Self {
        Self { region, ..self }
    }

    /// Reads times of answers, which do not carry a zone, as times of this one.
    #[must_use]
    pub fn with_zone(self, zone: Offset) -> Self {
        Self { zone, ..self }
    }

    /// Limits a request to this time, from the connection to the last byte of the answer.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Names this program in requests.
    #[must_use]
    pub fn with_program(self, program: Program) -> Self {
        Self { program, ..self }
    }

    /// Where the API is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the API answers to `action`. The time of day is `now`.
    ///
    /// # Errors
    /// Whatever kept the API from answering, or its answer from being understood.
    pub async fn call<A: Action>(
        &self,
        credential: &Credential,
        action: &A,
        connection: Connection,
        now: Timestamp,
    ) -> Result<Answer<A::Output>, Error> {
        self.send(Some(credential), action, connection, now).await
    }

    /// Like [`Client::call`], for an action that is not signed.
    ///
    /// # Errors
    /// As there.
    pub async fn call_unsigned<A: Action>(
        &self,
        action: &A,
        connection: Connection,
        now: Timestamp,
    ) -> Result<Answer<A::Output>, Error> {
        self.send(None, action, connection, now).await
    }

    /// The `Response` of the API's answer to any action, as JSON.
    ///
    /// # Errors
    /// Whatever kept the API from answering; an error that the API answers with is an [`Error::Api`].
    pub async fn call_raw(
        &self,
        credential: &Credential,
        action: &RawAction,
        connection: Connection,
        now: Timestamp,
    ) -> Result<Answer<Value>, Error> {
        let RawAction { service, version, name, payload } = action;
        let heading = Heading { service, version, name, max_response_bytes: MAX_RESPONSE_BYTES };
        let request = self.request(Some(credential), &heading, payload, now)?;
        self.exchange(request, connection, |text| credential.scrub(text)).await
    }

    async fn send<A: Action>(
        &self,
        signer: Option<&Credential>,
        action: &A,
        connection: Connection,
        now: Timestamp,
    ) -> Result<Answer<A::Output>, Error> {
        let heading = Heading {
            service: A::SERVICE,
            version: A::VERSION,
            name: A::NAME,
            max_response_bytes: A::MAX_RESPONSE_BYTES,
        };
        let request = self.request(signer, &heading, action, now)?;
        let scrub = |text: &str| match signer {
            Some(credential) => action.scrub(&credential.scrub(text)),
            None => action.scrub(text),
        };
        let Answer { value, server_time } = self.exchange(request, connection, scrub).await?;
        let value = action.parse(value, Context { zone: self.zone, now }).map_err(Error::Malformed)?;
        Ok(Answer { value, server_time })
    }

    /// Sends the request, and reads the answer. Its texts go through `scrub`.
    async fn exchange<T: DeserializeOwned + Send + 'static>(
        &self,
        request: Request<Bytes>,
        connection: Connection,
        scrub: impl Fn(&str) -> String,
    ) -> Result<Answer<T>, Error> {
        let response = tokio::time::timeout(self.timeout, self.transport.send(request, connection))
            .await
            .map_err(|_| Error::Timeout(self.timeout))??;
        let server_time = server_time(&response);
        let value = read(response, server_time, scrub).await?;
        Ok(Answer { value, server_time })
    }

    fn request(
        &self,
        signer: Option<&Credential>,
        heading: &Heading<'_>,
        payload: &impl Serialize,
        now: Timestamp,
    ) -> Result<Request<Bytes>, Error> {
        let body = Bytes::from(serde_json::to_vec(payload).map_err(|error| Error::Malformed(error.to_string()))?);
        let covered = Covered {
            method: "POST",
            query: "",
            headers: &[("content-type", CONTENT_TYPE), ("host", self.endpoint.host())],
            payload: Payload::Signed(&body),
        };
        let authorization = match signer {
            Some(credential) => sign::authorization(&covered, credential, heading.service, now),
            None => UNSIGNED.to_owned(),
        };

        let mut request = Request::post(self.endpoint.uri())
            .header(header::HOST, self.endpoint.host())
            .header(header::CONTENT_TYPE, CONTENT_TYPE)
            .header(header::AUTHORIZATION, secret(&authorization)?)
            .header("x-tc-action", heading.name)
            .header("x-tc-version", heading.version)
            .header("x-tc-timestamp", now.as_second())
            .header("x-tc-language", "en-US")
            .header("x-tc-requestclient", self.program.request_client());
        if let Some(region) = &self.region {
            request = request.header("x-tc-region", region.as_str());
        }
        if let Some(token) = signer.and_then(|credential| credential.token.as_ref()) {
            request = request.header(HeaderName::from_static("x-tc-token"), secret(token.expose_secret())?);
        }
        request
            .extension(ResponseLimit(heading.max_response_bytes))
            .body(body)
            .map_err(|error| Error::Malformed(error.to_string()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A header value that the HTTP stack does not print.
fn secret(value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| Error::Malformed("the credential has characters that no header can carry".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The time that an answer tells. One that cannot be is none: it says nothing of the API's clock.
fn server_time<T>(response: &Response<T>) -> Option<Timestamp> {
    let date = response.headers().get(header::DATE)?.to_str().ok()?;
    let time = rfc2822::parse(date).ok()?.timestamp();
    PLAUSIBLE.contains(&time).then_some(time)
}

/// Reads an answer. Its texts go through `scrub`.
async fn read<T: DeserializeOwned + Send + 'static>(
    response: Response<Bytes>,
    server_time: Option<Timestamp>,
    scrub: impl Fn(&str) -> String,
) -> Result<T, Error> {
    if response.status() != StatusCode::OK {
        return Err(Error::HttpStatus(response.status().as_u16()));
    }
    let body = response.into_body();
    let parsed = if body.len() > LARGE_BYTES {
        spawn_blocking(move || parse_answer(&body)).await.map_err(|error| Error::Malformed(error.to_string()))?
    } else {
        parse_answer(&body)
    };
    parsed?.map_err(|Refusal { code, message, request_id }| Error::Api {
        code: Code::new(&code).scrubbed(|code| presentable(&scrub(code))),
        message: presentable(&scrub(&message)),
        request_id: presentable(&scrub(&request_id)),
        server_time,
    })
}

/// What an answer's body says: what was asked for, or an error.
fn parse_answer<T: DeserializeOwned>(body: &[u8]) -> Result<Result<T, Refusal>, Error> {
    let text = |text: Option<Text>| text.unwrap_or_default().0;
    match parse(body) {
        Ok(Common { error: Some(ApiError { code, message }), request_id }) => {
            Ok(Err(Refusal { code: code.0, message: text(message), request_id: text(request_id) }))
        }
        // What has no id is not the API's answer, and must not pass for "no keys".
        Ok(Common { error: None, request_id: None }) => Err(Error::Malformed("it has no RequestId".to_owned())),
        Ok(Common { error: None, request_id: Some(_) }) => parse(body).map(Ok),
        Err(error) => match serde_json::from_slice(body) {
            Ok(OldError { code, code_desc: Text(name), message }) if code != 0 => {
                Ok(Err(Refusal { code: name, message: text(message), ..Refusal::default() }))
            }
            _ => Err(error),
        },
    }
}

/// serde's own messages quote the invalid value, which may be a key's id: only its position is reported.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice::<Envelope<T>>(body).map(|envelope| envelope.response).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "JSON that ends too early",
            serde_json::error::Category::Data => "JSON of another shape",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "no JSON",
        };
        Error::Malformed(format!("{what}, at line {} column {}", error.line(), error.column()))
    })
}

/// Text of an answer as it may be logged: short.
fn presentable(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    /// The code, the text and the id of an error answer.
    fn refusal(body: &str) -> Option<[String; 3]> {
        let Refusal { code, message, request_id } = parse_answer::<IgnoredAny>(body.as_bytes()).ok()?.err()?;
        Some([code, message, request_id])
    }

    #[test]
    fn the_code_of_an_error_counts_whatever_else_the_answer_has() {
        for (body, code, message, id) in [
            (r#"{"Response":{"Error":{"Code":"A.B","Message":"m"},"RequestId":"r"}}"#, "A.B", "m", "r"),
            (r#"{"Response":{"Error":{"Code":"A.B","Message":"m"}}}"#, "A.B", "m", ""),
            (r#"{"Response":{"Error":{"Code":"A.B","Message":"m"},"RequestId":null}}"#, "A.B", "m", ""),
            (r#"{"Response":{"RequestId":"r","Error":{"Code":"A.B","Message":null}}}"#, "A.B", "", "r"),
            (r#"{"Response":{"Error":{"Code":"A.B"},"New":[{}]},"more":1}"#, "A.B", "", ""),
            (
                r#"{"Response":{"Error":{"Code":"A","Message":"\ud800!"},"RequestId":"\udc00"}}"#,
                "A",
                "\u{fffd}!",
                "\u{fffd}",
            ),
            (r#"{"code":4400,"codeDesc":"RequestLimitExceeded","message":"m"}"#, "RequestLimitExceeded", "m", ""),
            (r#"{"code":4100,"message":null,"codeDesc":"AuthFailure"}"#, "AuthFailure", "", ""),
        ] {
            assert_eq!(refusal(body), Some([code, message, id].map(str::to_owned)), "{body}");
        }
    }

    #[test]
    fn what_is_no_answer_of_the_api_is_neither_an_error_nor_an_answer() {
        for body in [
            r#"{"Response":{}}"#,
            r#"{"Response":{"RequestId":null}}"#,
            r#"{"Response":{"Error":null}}"#,
            r#"{"Response":{"Error":{},"RequestId":"r"}}"#,
            r#"{"Response":{"Error":{"Code":null},"RequestId":"r"}}"#,
            r#"{"Response":null}"#,
            r#"{"code":0,"codeDesc":"Success","message":""}"#,
            r#"{"code":401,"message":"sign in to the hotel's network"}"#,
            r#"{"code":"4400","codeDesc":"RequestLimitExceeded"}"#,
            r#"{"codeDesc":"RequestLimitExceeded"}"#,
            r#"{"code":4400,"codeDesc":"RequestLimitExceeded""#,
            "[]",
            "",
        ] {
            assert!(matches!(parse_answer::<IgnoredAny>(body.as_bytes()), Err(Error::Malformed(_))), "{body}");
        }
        assert!(matches!(parse_answer::<IgnoredAny>(br#"{"Response":{"RequestId":"r"}}"#), Ok(Ok(_))));
    }
}
