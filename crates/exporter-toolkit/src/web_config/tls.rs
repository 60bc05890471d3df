//! What `tls_server_config` asks for.

use std::path::{Path, PathBuf};

use rustls::{CipherSuite, SupportedCipherSuite};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::names::{ClientAuth, Curve, Version, cipher_suite};
use crate::yaml::{self, Node, Notes, Refused};

/// The fields of the section.
const FIELDS: &[&str] = &[
    "cert",
    "cert_file",
    "key",
    "key_file",
    "client_ca",
    "client_ca_file",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
];

/// Those that may be blank, which is as if they were not given: names of files and PEM text, as in the toolkit.
const MAY_BE_BLANK: &[&str] = &["cert", "cert_file", "key", "key_file", "client_ca", "client_ca_file"];

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

/// PEM text, and the field that it comes from.
#[derive(Clone, Debug)]
pub(super) struct Pem {
    pub(super) field: &'static str,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    /// In the section itself.
    Inline(SecretString),
    File(PathBuf),
}

/// What has been read of the section.
#[derive(Default)]
struct Draft {
    given: bool,
    certificate: Pair,
    key: Pair,
    client_ca: Pair,
    client_auth: Option<Result<ClientAuth, Refused>>,
    client_allowed_sans: Option<Vec<String>>,
    min_version: Option<Version>,
    max_version: Option<Version>,
    cipher_suites: Option<Vec<SupportedCipherSuite>>,
    prefer_server_cipher_suites: Option<bool>,
    curves: Option<Vec<Curve>>,
}

/// A field for text and one for a file, of which one may be given. What is given may have been refused.
#[derive(Default)]
struct Pair {
    inline: Option<Result<Pem, Refused>>,
    file: Option<Result<Pem, Refused>>,
}

// === impl TlsSection ===

impl TlsSection {
    /// What `node` asks for; nothing where no field of it is given. Paths are relative to `folder`.
    pub(super) fn read(node: &Node<'_>, folder: &Path, notes: &mut Notes) -> Result<Option<Self>, Refused> {
        let mut draft = Draft::default();
        let mut refused = None;
        for (name, field) in node.entries(notes)? {
            if RESTRICTIONS.contains(&name) && field.is_null() {
                refused = Some(field.refuse(notes, BLANK_RESTRICTION));
            }
        }
        node.each_field(&[FIELDS], notes, |name, field, notes| {
            if field.is_blank() && MAY_BE_BLANK.contains(&name) {
                return;
            }
            if field.is_blank() && RESTRICTIONS.contains(&name) {
                refused = Some(field.refuse(notes, BLANK_RESTRICTION));
                return;
            }
            draft.given = true;
            refused = draft.take(name, &field, folder, notes).err().or(refused);
        })?;
        if !draft.given {
            return refused.map_or(Ok(None), Err);
        }
        let section = draft.finish(node, notes);
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

    /// Each file that it needs, with the field that names it.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten().filter_map(|pem| {
            match &pem.place {
                Place::File(path) => Some((pem.field, path.as_path())),
                Place::Inline(_) => None,
            }
        })
    }
}

// === impl Draft ===

impl Draft {
    fn take(&mut self, name: &str, field: &Node<'_>, folder: &Path, notes: &mut Notes) -> Result<(), Refused> {
        match name {
            "cert" => self.certificate.inline = Some(Pem::inline("cert", field, notes)),
            "cert_file" => self.certificate.file = Some(Pem::file("cert_file", field, folder, notes)),
            "key" => self.key.inline = Some(Pem::inline("key", field, notes)),
            "key_file" => self.key.file = Some(Pem::file("key_file", field, folder, notes)),
            "client_ca" => self.client_ca.inline = Some(Pem::inline("client_ca", field, notes)),
            "client_ca_file" => self.client_ca.file = Some(Pem::file("client_ca_file", field, folder, notes)),
            "client_auth_type" => self.client_auth = Some(field.scalar(notes, ClientAuth::named)),
            "client_allowed_sans" => {
                self.client_allowed_sans = Some(each(field, notes, allowed_san)?);
            }
            "min_version" => self.min_version = Some(field.scalar(notes, Version::named)?),
            "max_version" => self.max_version = Some(field.scalar(notes, Version::named)?),
            "cipher_suites" => {
                self.cipher_suites = Some(each(field, notes, |item, notes| item.scalar(notes, cipher_suite))?);
            }
            "prefer_server_cipher_suites" => self.prefer_server_cipher_suites = Some(field.scalar(notes, yaml::yes)?),
            _ => self.curves = Some(each(field, notes, |item, notes| item.scalar(notes, Curve::named))?),
        }
        Ok(())
    }

    /// Holds the fields against each other.
    fn finish(self, node: &Node<'_>, notes: &mut Notes) -> Result<TlsSection, Refused> {
        let certificate = self.certificate.one("cert_file", "cert", node, notes);
        let key = self.key.one("key_file", "key", node, notes);
        let client_ca = if self.client_ca.is_given() {
            self.client_ca.one("client_ca_file", "client_ca", node, notes).map(Some)
        } else {
            Ok(None)
        };
        let client_auth = self.client_auth.unwrap_or(Ok(ClientAuth::None));
        let unfit = match (client_auth, &client_ca) {
            (Ok(ClientAuth::None), Ok(Some(_))) => {
                Some(("clients' certificates have an authority, and none is asked for", ASK))
            }
            (Ok(auth), _) if self.client_allowed_sans.is_some() && !auth.requires() => {
                Some(("client_allowed_sans needs a certificate of every client", ASK))
            }
            _ => None,
        };
        if let Some((unfit, fix)) = unfit {
            node.refuse(notes, format_args!("{unfit}: {fix}"));
        }
        let versions = self.min_version.unwrap_or(Version::Tls12)..=self.max_version.unwrap_or(Version::Tls13);
        if versions.is_empty() {
            return Err(node.refuse(notes, "min_version is above max_version, and no client could connect: lower it"));
        }
        Ok(TlsSection {
            certificate: certificate?,
            key: key?,
            client_ca: client_ca?,
            client_auth: client_auth?,
            client_allowed_sans: self.client_allowed_sans,
            versions: Version::ALL.into_iter().filter(|version| versions.contains(version)).collect(),
            // Without any, the toolkit takes the usual ones.
            cipher_suites: self.cipher_suites.filter(|suites| !suites.is_empty()),
            prefer_server_cipher_suites: self.prefer_server_cipher_suites.unwrap_or(true),
            curves: self.curves.filter(|curves| !curves.is_empty()),
        })
    }
}

// === impl Pair ===

impl Pair {
    fn is_given(&self) -> bool {
        self.inline.is_some() || self.file.is_some()
    }

    fn one(self, file: &str, inline: &str, node: &Node<'_>, notes: &mut Notes) -> Result<Pem, Refused> {
        match (self.inline, self.file) {
            (Some(pem), None) | (None, Some(pem)) => pem,
            (None, None) => Err(node.refuse(notes, format_args!("neither {file} nor {inline}: add one"))),
            (Some(_), Some(_)) => Err(node.refuse(notes, format_args!("{file} and {inline} are given: keep one"))),
        }
    }
}

// === impl Pem ===

impl Pem {
    fn inline(field: &'static str, node: &Node<'_>, notes: &mut Notes) -> Result<Self, Refused> {
        Ok(Self { field, place: Place::Inline(node.text(notes)?.into()) })
    }

    fn file(field: &'static str, node: &Node<'_>, folder: &Path, notes: &mut Notes) -> Result<Self, Refused> {
        Ok(Self { field, place: Place::File(folder.join(node.file_path(notes)?)) })
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
            _ => false,
        };
        self.field == other.field && same
    }
}

fn allowed_san(node: &Node<'_>, notes: &mut Notes) -> Result<String, Refused> {
    match node.text(notes)? {
        "" => Err(node.refuse(notes, "blank: expected a host, an address, a mailbox or a URI")),
        name => Ok(name.to_owned()),
    }
}

/// Each item of a list, or all that is wrong with them.
fn each<'a, T>(
    node: &Node<'a>,
    notes: &mut Notes,
    mut take: impl FnMut(&Node<'a>, &mut Notes) -> Result<T, Refused>,
) -> Result<Vec<T>, Refused> {
    let taken: Vec<_> = node.items(notes)?.iter().map(|item| take(item, notes)).collect();
    taken.into_iter().collect()
}
