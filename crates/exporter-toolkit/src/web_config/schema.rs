//! The top level of the file.

use std::{num::NonZeroU32, path::Path};

use http::HeaderMap;

use super::{
    duration, headers,
    rate_limit::RateLimit,
    tls::{BLANK_RESTRICTION, TlsSection},
    tls_acceptor::SECTION,
    users::{self, Users},
};
use crate::yaml::{self, Fault, Faults, Node, Notes, Refused, yes};

/// The fields of the top level.
const ROOT: &[&str] = &[SECTION, "http_server_config", USERS, "rate_limit"];

/// The section of users.
const USERS: &str = "basic_auth_users";

/// What the file asks for.
#[derive(Clone, Debug, Default)]
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

// === impl WebConfig ===

impl WebConfig {
    /// Reads `text`, a file's in `folder`. `check` may note what is wrong with the files of the TLS section.
    ///
    /// # Errors
    /// All that is wrong.
    pub(super) fn read(text: &str, folder: &Path, check: impl FnOnce(&TlsSection, &mut Notes)) -> Result<Self, Faults> {
        let tree = yaml::read(text, USERS)?;
        let mut notes = Notes::default();
        let mut config = Self { is_empty: is_empty(text), ..Self::default() };
        let mut refused = Ok(());
        for (name, node) in Node::root(&tree).entries(&mut notes).unwrap_or_default() {
            if name == USERS && node.is_null() {
                refused = Err(node.refuse(&mut notes, BLANK_RESTRICTION));
            }
        }
        let root = Node::root(&tree).each_field(&[ROOT], &mut notes, |name, node, notes| {
            let taken = match name {
                SECTION => TlsSection::read(&node, folder, notes).map(|tls| config.tls = tls),
                "http_server_config" => Http::read(&node, notes).map(|http| config.http = http),
                USERS => users::read(&node, notes).map(|users| config.users = users),
                _ => rate_limit(&node, notes).map(|limit| config.rate_limit = limit),
            };
            refused = refused.and(taken);
        });
        if let Some(tls) = &config.tls {
            if config.http.http2 && !tls.fits_http2() {
                let problem = "without one of the suites that HTTP/2 requires: add \
                    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, or set http2: false";
                notes.add(format!("{SECTION}.cipher_suites"), problem);
            }
            check(tls, &mut notes);
        }
        notes.conclude(root.and(refused).map(|()| config))
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
        let mut http = Self::default();
        let mut refused = Ok(());
        node.each_field(&[&["http2", "headers"]], notes, |name, field, notes| {
            let taken = match name {
                "http2" => field.scalar(notes, yes).map(|http2| http.http2 = http2),
                _ => headers::read(&field, notes).map(|headers| http.headers = headers),
            };
            refused = refused.and(taken);
        })?;
        refused.map(|()| http)
    }
}

fn rate_limit(node: &Node<'_>, notes: &mut Notes) -> Result<Option<RateLimit>, Refused> {
    let mut interval = Ok(None);
    let mut burst = Ok(None);
    node.each_field(&[&["interval", "burst"]], notes, |name, field, notes| match name {
        "interval" => interval = field.scalar(notes, duration::parse).map(Some),
        _ => burst = field.scalar(notes, whole_number).map(Some),
    })?;
    let (interval, burst) = (interval?.unwrap_or_default(), burst?.unwrap_or_default());
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
