//! The top level of the file.

use std::{num::NonZeroU32, path::Path, time::Duration};

use http::HeaderMap;

use super::{
    duration, headers,
    rate_limit::RateLimit,
    tls::{BLANK_RESTRICTION, TlsSection},
    tls_acceptor::SECTION,
    users::{self, Users},
};
use crate::yaml::{self, Fault, Faults, Fields, Node, Notes, Refused, fields, scalar, yes};

/// The section of users.
const USERS: &str = "basic_auth_users";

/// What the file asks for.
#[derive(Clone, Debug)]
pub(super) struct WebConfig {
    /// Whether the file has no text but comments.
    pub(super) is_empty: bool,
    pub(super) tls: Option<TlsSection>,
    pub(super) http: Http,
    pub(super) users: Users,
    pub(super) rate_limit: Option<RateLimit>,
}

/// What `http_server_config` asks for.
#[derive(Clone, Debug)]
pub(super) struct Http {
    /// Whether HTTP/2 is offered, over TLS.
    pub(super) http2: bool,
    /// What is added to answers.
    pub(super) headers: HeaderMap,
}

fields! {
    struct RootFields {
        tls_server_config: Option<TlsSection>, read TlsSection::read, default None;
        http_server_config: Http, read Http::read, default Http::default();
        basic_auth_users: Users, read users::read, default Users::new();
        rate_limit: Option<RateLimit>, read rate_limit, default None;
    }
}

fields! {
    struct HttpFields {
        http2: bool, read scalar(yes), default Http::default().http2;
        headers: HeaderMap, read headers::read, default HeaderMap::new();
    }
}

fields! {
    struct RateLimitFields {
        interval: Duration, read scalar(duration::parse), default Duration::ZERO;
        burst: u32, read scalar(whole_number), default 0;
    }
}

// === impl WebConfig ===

impl WebConfig {
    /// Reads `text`, a file's in `folder`. `check` may note what is wrong with the files of the TLS section.
    ///
    /// # Errors
    /// All that is wrong.
    pub(super) fn read(text: &str, folder: &Path, check: impl FnOnce(&TlsSection, &mut Notes)) -> Result<Self, Faults> {
        let tree = yaml::read(text, USERS)?;
        let mut notes = Notes::default();
        let root = Node::root_in(&tree, folder);
        let mut refused = Ok(());
        for (name, node) in root.entries(&mut notes).unwrap_or_default() {
            if name == USERS && node.is_null() {
                refused = Err(node.refuse(&mut notes, BLANK_RESTRICTION));
            }
        }
        let fields = RootFields::read(&root, &mut notes).unwrap_or_default();
        if let Ok(Some(tls)) = &fields.tls_server_config() {
            let http2 = fields.http_server_config().unwrap_or_default().http2;
            if http2 && !tls.fits_http2() {
                let problem = "without one of the suites that HTTP/2 requires: add \
                    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, or set http2: false";
                notes.add(format!("{SECTION}.cipher_suites"), problem);
            }
            check(tls, &mut notes);
        }
        let config = || {
            refused?;
            Ok(Self {
                is_empty: is_empty(text),
                tls: fields.tls_server_config()?,
                http: fields.http_server_config()?,
                users: fields.basic_auth_users()?,
                rate_limit: fields.rate_limit()?,
            })
        };
        notes.conclude(config())
    }

    /// What is accepted and unwise.
    pub(super) fn warnings(&self) -> Vec<Fault> {
        let of_tls = self.tls.as_ref().filter(|tls| tls.trusts_the_system()).map(|_| Fault {
            path: format!("{SECTION}.client_auth_type"),
            problem:
                "without client_ca_file, the certificates of every authority that the system trusts are accepted: add \
                client_ca_file"
                    .to_owned(),
        });
        let of_users = self.users.iter().filter_map(|(name, hash)| {
            hash.warning().map(|problem| Fault { path: yaml::path_to(USERS, name), problem })
        });
        of_tls.into_iter().chain(of_users).collect()
    }
}

/// Whether `text` has nothing but blank lines and comments. Someone who wants no restrictions writes `{}`.
fn is_empty(text: &str) -> bool {
    let is_blank = |line: &str| {
        let line = line.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
        matches!(line, "" | "---" | "..." | "~" | "null") || line.starts_with('#')
    };
    text.lines().all(is_blank)
}

// === impl Http ===

impl Default for Http {
    fn default() -> Self {
        Self { http2: true, headers: HeaderMap::new() }
    }
}

impl Http {
    fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Self, Refused> {
        let fields = HttpFields::read(node, notes)?;
        Ok(Self { http2: fields.http2()?, headers: fields.headers()? })
    }
}

fn rate_limit(node: &Node<'_>, notes: &mut Notes) -> Result<Option<RateLimit>, Refused> {
    let fields = RateLimitFields::read(node, notes)?;
    let (interval, burst) = (fields.interval()?, fields.burst()?);
    if interval.is_zero() {
        return Ok(None);
    }
    match NonZeroU32::new(burst) {
        Some(burst) => Ok(Some(RateLimit { interval, burst })),
        None => Err(node
            .refuse(notes, "a burst of 0 lets no request through: add burst: 1 or more, or interval: 0 for no limit")),
    }
}

fn whole_number(text: &str) -> Result<u32, &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or("not a number of requests: expected a whole number, such as 10")
}
