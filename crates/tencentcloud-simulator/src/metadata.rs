//! The metadata service of a virtual machine, as far as it hands out the credential of the machine's role.
//!
//! Source: the documents of CVM, "Querying Instance Metadata".

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    Fault, Reply, Simulator, Times, answer,
    fault::{Faults, Hits},
    roles::{Roles, Session},
    server::serve_with,
};

const PATH: &str = "/latest/meta-data/cam/security-credentials/";

/// A virtual machine that has a role.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The name of the role.
    pub role: String,
    /// How long a credential is good for.
    pub lifetime: SignedDuration,
    /// The same credential is handed out until no more than this is left of it.
    pub renewed_before_end: SignedDuration,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    machine: Option<Machine>,
    session: Option<Session>,
    faults: Faults,
    asked: u64,
}

/// Answers over HTTP/1.1 until `shutdown`, then drops every connection.
pub async fn serve_metadata(listener: TcpListener, simulator: Arc<Simulator>, shutdown: CancellationToken) {
    serve_with(listener, simulator, Simulator::handle_metadata, shutdown).await;
}

// === impl State ===

impl State {
    pub(crate) fn set(&mut self, machine: Option<Machine>) {
        self.machine = machine;
        self.session = None;
    }

    pub(crate) fn inject(&mut self, fault: Fault, times: Times) {
        self.faults.add(Hits::All, fault, times);
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    pub(crate) fn reply(&mut self, request: &Request<Bytes>, roles: &mut Roles, now: Timestamp) -> Reply {
        let mut response = self.answer(request, roles, now);
        answer::date(response.headers_mut(), now);
        match self.faults.take("", None, None, request.extensions().get::<super::Reused>().is_some()) {
            None => Reply::Response(response),
            Some(Fault::Answer(other)) => Reply::Response(other),
            Some(Fault::Date(date)) => {
                response.headers_mut().insert(header::DATE, date);
                Reply::Response(response)
            }
            // It knows no errors of the API.
            Some(Fault::Error(_)) => Reply::Response(status(StatusCode::INTERNAL_SERVER_ERROR)),
            Some(Fault::Truncate) => Reply::Truncated(response),
            Some(Fault::Flood { bytes, chunked }) => Reply::Flood { bytes, chunked },
            Some(Fault::Reset) => Reply::Reset,
            Some(Fault::Close | Fault::CloseIfReused) => Reply::Close,
            Some(Fault::Hang) => Reply::Hang,
        }
    }

    fn answer(&mut self, request: &Request<Bytes>, roles: &mut Roles, now: Timestamp) -> Response<Bytes> {
        let path = request.uri().path();
        let (Some(name), Some(machine)) = (path.strip_prefix(PATH), &self.machine) else {
            return status(StatusCode::NOT_FOUND);
        };
        if request.method() != Method::GET {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        if name.is_empty() {
            return text("text/plain", machine.role.clone());
        }
        let Some(role) = roles.roles.iter().find(|role| role.name == name && name == machine.role).map(|role| role.id)
        else {
            return status(StatusCode::NOT_FOUND);
        };
        self.asked += 1;
        let kept = self.session.take().filter(|kept| kept.expires.duration_since(now) > machine.renewed_before_end);
        let session = kept.unwrap_or_else(|| roles.open_session(role, machine.lifetime, now));
        let credential = &session.caller.credential;
        let answer = json!({
            "TmpSecretId": credential.secret_id.expose_secret(),
            "TmpSecretKey": credential.secret_key.expose_secret(),
            "ExpiredTime": session.expires.as_second(),
            "Expiration": session.expiration(),
            "Token": credential.token.as_ref().map(ExposeSecret::expose_secret),
            "Code": "Success",
        });
        self.session = Some(session);
        text("application/json", answer.to_string())
    }
}

fn text(content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn status(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
