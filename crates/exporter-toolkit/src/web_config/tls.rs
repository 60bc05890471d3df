//! What `tls_server_config` asks for.

use std::path::{Path, PathBuf};

use rustls::{CipherSuite, SupportedCipherSuite};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::names::{ClientAuth, Curve, Version, cipher_suite};
use crate::yaml::{Fields, Node, Notes, Refused, fields, list, scalar, yes};

/// Fields that restrict clients. Blank, for instance by an empty template value, they would restrict none.
const RESTRICTIONS: &[&str] = &["client_auth_type", "client_allowed_sans"];

/// What is said to one of the latter.
pub(super) const BLANK_RESTRICTION: &str = "blank, which would keep nobody out: give a value, or remove the field";

/// The cipher suites of TLS 1.2 of which HTTP/2 requires one.
const HTTP2_SUITES: [CipherSuite; 2] =
    [CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256];

/// The fix for a policy that requests no certificate.
const ASK: &str = "add client_auth_type: RequireAndVerifyClientCert";

/// How TLS is spoken. What it needs may be in files, which are not read yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TlsSection {
    pub(super) certificate: Pem,
    pub(super) key: Pem,
    pub(super) client_ca: Option<Pem>,
    pub(super) client_auth: ClientAuth,
    /// The names of which a client's certificate must have one.
    pub(super) client_allowed_sans: Option<Vec<String>>,
    /// At least one.
    pub(super) versions: Vec<Version>,
    /// Those that are wished for, or the usual ones.
    pub(super) cipher_suites: Option<Vec<SupportedCipherSuite>>,
    pub(super) prefer_server_cipher_suites: bool,
    /// Those that are wished for, the best first, or the usual ones.
    pub(super) curves: Option<Vec<Curve>>,
}

/// PEM text, and the path of the field that it comes from.
#[derive(Clone, Debug)]
pub(super) struct Pem {
    pub(super) path: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    /// In the section itself.
    Inline(SecretString),
    File(PathBuf),
}

fields! {
    /// Those that accept a blank are names of files and PEM text, as in the toolkit.
    struct TlsFields {
        cert: Pem | blank, read Pem::inline, optional;
        cert_file: Pem | blank, read Pem::file, optional;
        key: Pem | blank, read Pem::inline, optional;
        key_file: Pem | blank, read Pem::file, optional;
        client_ca: Pem | blank, read Pem::inline, optional;
        client_ca_file: Pem | blank, read Pem::file, optional;
        client_auth_type: ClientAuth, read scalar(ClientAuth::named), default ClientAuth::None;
        client_allowed_sans: Vec<String>, read list(allowed_san), optional;
        min_version: Version, read scalar(Version::named), default Version::Tls12;
        max_version: Version, read scalar(Version::named), default Version::Tls13;
        cipher_suites: Vec<SupportedCipherSuite>, read list(scalar(cipher_suite)), optional;
        prefer_server_cipher_suites: bool, read scalar(yes), default true;
        curve_preferences: Vec<Curve>, read list(scalar(Curve::named)), optional;
    }
}

// === impl TlsSection ===

impl TlsSection {
    /// What `node` asks for; nothing where no field of it is given.
    pub(super) fn read(node: &Node<'_>, notes: &mut Notes) -> Result<Option<Self>, Refused> {
        let mut refused = None;
        for (name, field) in node.entries(notes)? {
            if RESTRICTIONS.contains(&name) && field.is_null() {
                refused = Some(field.refuse(notes, BLANK_RESTRICTION));
            }
        }
        let mut fields = TlsFields::default();
        node.each_field(&TlsFields::names(), notes, |name, field, notes| {
            if field.is_blank() && RESTRICTIONS.contains(&name) {
                refused = Some(field.refuse(notes, BLANK_RESTRICTION));
                return true;
            }
            fields.take(name, field, notes)
        })?;
        if !fields.is_any_given() {
            return refused.map_or(Ok(None), Err);
        }
        let section = fields.section(node, notes);
        match refused {
            Some(refused) => Err(refused),
            None => section.map(Some),
        }
    }

    /// Whether HTTP/2 may be spoken with its suites: RFC 9113 requires one of two, unless all are of TLS 1.3.
    pub(super) fn fits_http2(&self) -> bool {
        let is_required = |suite: &SupportedCipherSuite| HTTP2_SUITES.contains(&suite.suite());
        let tls12 = self.versions.contains(&Version::Tls12);
        !tls12 || self.cipher_suites.as_ref().is_none_or(|suites| suites.iter().any(is_required))
    }

    /// Whether clients' certificates are to be of an authority that the system trusts, as no other is named.
    pub(super) fn trusts_the_system(&self) -> bool {
        self.client_auth.verifies() && self.client_ca.is_none()
    }

    /// Each file that it needs, with the path of the field that names it.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &Path)> {
        [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten().filter_map(|pem| {
            match &pem.place {
                Place::File(path) => Some((pem.path.as_str(), path.as_path())),
                Place::Inline(_) => None,
            }
        })
    }
}

// === impl TlsFields ===

impl TlsFields {
    /// Compares the fields with each other.
    fn section(&self, node: &Node<'_>, notes: &mut Notes) -> Result<TlsSection, Refused> {
        let certificate = one(["cert_file", "cert"], self.cert_file(), self.cert(), node, notes);
        let key = one(["key_file", "key"], self.key_file(), self.key(), node, notes);
        let client_ca = match (self.client_ca_file(), self.client_ca()) {
            (Ok(None), Ok(None)) => Ok(None),
            (file, inline) => one(["client_ca_file", "client_ca"], file, inline, node, notes).map(Some),
        };
        let client_auth = self.client_auth_type();
        let client_allowed_sans = self.client_allowed_sans();
        let unfit = match (client_auth, &client_ca) {
            (Ok(ClientAuth::None), Ok(Some(_))) => {
                Some(("clients' certificates have an authority, and none is asked for", ASK))
            }
            (Ok(auth), _) if matches!(client_allowed_sans, Ok(Some(_))) && !auth.requires() => {
                Some(("client_allowed_sans needs a certificate of every client", ASK))
            }
            _ => None,
        };
        if let Some((unfit, fix)) = unfit {
            node.refuse(notes, format_args!("{unfit}: {fix}"));
        }
        // A version that was refused is noted already.
        let least = self.min_version().unwrap_or(Version::Tls12);
        let versions = least..=self.max_version().unwrap_or(Version::Tls13);
        if versions.is_empty() {
            return Err(node.refuse(notes, "min_version is above max_version, and no client could connect: lower it"));
        }
        Ok(TlsSection {
            certificate: certificate?,
            key: key?,
            client_ca: client_ca?,
            client_auth: client_auth?,
            client_allowed_sans: client_allowed_sans?,
            versions: Version::ALL.into_iter().filter(|version| versions.contains(version)).collect(),
            // Without any, the toolkit takes the usual ones.
            cipher_suites: self.cipher_suites()?.filter(|suites| !suites.is_empty()),
            prefer_server_cipher_suites: self.prefer_server_cipher_suites()?,
            curves: self.curve_preferences()?.filter(|curves| !curves.is_empty()),
        })
    }
}

/// What a file or PEM text has, of which one may be given. `names` are those of their fields.
fn one(
    names: [&str; 2],
    file: Result<Option<Pem>, Refused>,
    inline: Result<Option<Pem>, Refused>,
    node: &Node<'_>,
    notes: &mut Notes,
) -> Result<Pem, Refused> {
    match (file, inline) {
        (Ok(Some(pem)), Ok(None)) | (Ok(None), Ok(Some(pem))) => Ok(pem),
        (Err(refused), Ok(None)) | (Ok(None), Err(refused)) => Err(refused),
        (Ok(None), Ok(None)) => Err(node.refuse(notes, format_args!("neither {}: add one", names.join(" nor ")))),
        (Ok(Some(_)) | Err(_), Ok(Some(_)) | Err(_)) => {
            Err(node.refuse(notes, format_args!("{} are given: keep one", names.join(" and "))))
        }
    }
}

// === impl Pem ===

impl Pem {
    fn inline(node: &Node<'_>, notes: &mut Notes) -> Result<Self, Refused> {
        Ok(Self { path: node.path().to_owned(), place: Place::Inline(node.text(notes)?.into()) })
    }

    fn file(node: &Node<'_>, notes: &mut Notes) -> Result<Self, Refused> {
        Ok(Self { path: node.path().to_owned(), place: Place::File(node.file_path(notes)?) })
    }

    /// The text: its own, or that of the next of the files' `contents`, which come in the order of
    /// [`TlsSection::files`].
    pub(super) fn text<'a>(&'a self, contents: &mut impl Iterator<Item = &'a SecretSlice<u8>>) -> &'a [u8] {
        match &self.place {
            Place::Inline(text) => text.expose_secret().as_bytes(),
            Place::File(_) => contents.next().map(ExposeSecret::expose_secret).unwrap_or_default(),
        }
    }
}

impl PartialEq for Pem {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.place, &other.place) {
            (Place::Inline(text), Place::Inline(other)) => text.expose_secret() == other.expose_secret(),
            (Place::File(path), Place::File(other)) => path == other,
            (Place::Inline(_), Place::File(_)) | (Place::File(_), Place::Inline(_)) => false,
        };
        self.path == other.path && same
    }
}

fn allowed_san(node: &Node<'_>, notes: &mut Notes) -> Result<String, Refused> {
    match node.text(notes)? {
        "" => Err(node.refuse(notes, "blank: expected a host, an address, a mailbox or a URI")),
        name => Ok(name.to_owned()),
    }
}
