//! What a request asks for.
//!
//! Source: <https://www.tencentcloud.com/document/api/1036/38589> for the codes.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use serde_json::{Map, Value};

use crate::{
    Rejection,
    actions::{Action, Kind},
};

const MAX_CLIENT_CHARS: usize = 128;

/// What every request says in its headers.
pub(crate) struct Common<'a> {
    pub(crate) action: &'a str,
    pub(crate) version: &'a str,
}

// === impl Common ===

impl<'a> Common<'a> {
    pub(crate) fn read(request: &'a Request<Bytes>) -> Result<Self, Rejection> {
        let content_types: &[&str] = match *request.method() {
            Method::POST => &["application/json", "application/json; charset=utf-8"],
            Method::GET => &["application/x-www-form-urlencoded"],
            _ => {
                return Err(Rejection::new("UnsupportedProtocol", "Only GET and POST requests are supported."));
            }
        };
        if request.uri().path() != "/" {
            return Err(Rejection::new("InvalidRequest", "The path of a request is `/`."));
        }
        let headers = request.headers();
        let common = Self { action: required(headers, "X-TC-Action")?, version: required(headers, "X-TC-Version")? };
        let content_type = required(headers, header::CONTENT_TYPE.as_str())?;
        if !content_types.contains(&content_type) {
            return Err(Rejection::new("InvalidRequest", format!("The Content-Type is none of {content_types:?}.")));
        }
        if headers.contains_key("x-tc-requestclient") && !single(headers, "x-tc-requestclient").is_some_and(is_client) {
            return Err(Rejection::new("InvalidParameter", "The parameter `X-TC-RequestClient` is not valid."));
        }
        Ok(common)
    }
}

/// The parameters of a request, each of the type that its action wants.
#[derive(Debug)]
pub(crate) struct Parameters(Map<String, Value>);

// === impl Parameters ===

impl Parameters {
    /// The parameters of a request for `action`, which must be those that it takes.
    pub(crate) fn read(request: &Request<Bytes>, action: &Action) -> Result<Self, Rejection> {
        let mut taken = Map::new();
        for (name, value) in raw(request)? {
            let Some(parameter) = action.parameters.iter().find(|parameter| parameter.name == name) else {
                return Err(Rejection::new("UnknownParameter", format!("The parameter `{name}` is not recognized.")));
            };
            let value = parameter.kind.take(value, request.method()).ok_or_else(|| {
                let expected = parameter.kind.expected();
                let message = format!("The value type of parameter `{name}` is not valid: {expected} is expected.");
                Rejection::new("InvalidParameter", message)
            })?;
            taken.insert(name, value);
        }
        match action.parameters.iter().find(|parameter| parameter.required && !taken.contains_key(parameter.name)) {
            Some(parameter) => Err(Rejection::missing(parameter.name)),
            None => Ok(Self(taken)),
        }
    }

    pub(crate) fn integer(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub(crate) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        self.0.get(name)?.as_array()?.iter().map(Value::as_str).collect()
    }
}

// === impl Kind ===

impl Kind {
    /// The value, if it is of this type. In a query everything is text, and lists are none of what we can read.
    fn take(self, value: Value, method: &Method) -> Option<Value> {
        match (self, value) {
            (Self::Integer, Value::String(text)) if method == Method::GET => Some(text.parse::<u64>().ok()?.into()),
            (Self::Integer, value) => value.is_u64().then_some(value),
            (Self::Text, value) => value.is_string().then_some(value),
            (Self::List, value) => value.is_array().then_some(value),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Text => "a string",
            Self::List => "an array",
        }
    }
}

/// The `TargetUin` of a request, where it has a readable one.
pub(crate) fn target_uin(request: &Request<Bytes>) -> Option<u64> {
    let value = raw(request).ok()?.remove("TargetUin")?;
    Kind::Integer.take(value, request.method())?.as_u64()
}

/// Every parameter as it stands in the query or in the body.
fn raw(request: &Request<Bytes>) -> Result<Map<String, Value>, Rejection> {
    if request.method() == Method::GET {
        let pairs = request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        return Ok(pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect());
    }
    match serde_json::from_slice(request.body()) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(Rejection::new("InvalidParameter", "The request body is not a JSON object.")),
    }
}

/// The header's value, where the request has the header once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

fn required<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Rejection> {
    single(headers, name).ok_or_else(|| Rejection::missing(name))
}

fn is_client(text: &str) -> bool {
    (1..=MAX_CLIENT_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_ ,;.".contains(&byte))
}
