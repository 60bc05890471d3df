//! Makes what shakes hands: rustls's configuration, from the section and what its files hold.

use std::sync::Arc;

use rustls::{
    Error as TlsError, InconsistentKeys, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use rustls_native_certs::load_native_certs;
use secrecy::SecretSlice;

use super::{
    clients::{self, Clients, Trust},
    names::ClientAuth,
    tls::{Pem, TlsSection},
};
use crate::yaml::{Faults, Notes, Refused};

/// The name of the section.
pub(super) const SECTION: &str = "tls_server_config";

/// What is negotiated for HTTP/2.
pub(super) const HTTP2: &[u8] = b"h2";

/// What is negotiated for HTTP/1.1.
const HTTP1: &[u8] = b"http/1.1";

/// Those that issue clients' certificates.
struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
}

/// What shakes hands as `section` asks. `contents` are those of its files, in their order.
///
/// # Errors
/// All that do not hold what they should, or do not belong together.
pub(super) fn server_config(
    section: &TlsSection,
    http2: bool,
    contents: &[SecretSlice<u8>],
) -> Result<Arc<ServerConfig>, Faults> {
    let mut notes = Notes::default();
    let config = make(section, http2, contents, &mut notes);
    notes.conclude(config.map(Arc::new))
}

fn make(
    section: &TlsSection,
    http2: bool,
    contents: &[SecretSlice<u8>],
    notes: &mut Notes,
) -> Result<ServerConfig, Refused> {
    let provider = Arc::new(provider(section));
    let mut contents = contents.iter();
    let chain = certificates(&section.certificate, section.certificate.text(&mut contents), notes);
    let key = private_key(&section.key, section.key.text(&mut contents), notes);
    let clients = match &section.client_ca {
        Some(pem) => authorities(pem, pem.text(&mut contents), notes).map(Some),
        None => Ok(None),
    };
    let clients = clients.and_then(|authorities| clients_of(section, authorities, &provider, notes));
    let served = served(section, chain?, key?, &provider, notes)?;

    let versions: Vec<_> = section.versions.iter().map(|version| version.supported()).collect();
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions).map_err(|error| {
        notes.add(SECTION, format!("no client could connect: {error}: allow more versions or suites"))
    })?;
    let builder = match clients? {
        Some(clients) => builder.with_client_cert_verifier(Arc::new(clients)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(served)));
    config.ignore_client_order = section.prefer_server_cipher_suites;
    config.alpn_protocols = if http2 { vec![HTTP2.to_vec(), HTTP1.to_vec()] } else { vec![HTTP1.to_vec()] };
    // No resumption: each connection must pass the current client verification.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The algorithms to choose from. As in Go, the suites of TLS 1.3 are not a matter of choice.
fn provider(section: &TlsSection) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(wished) = &section.cipher_suites {
        provider.cipher_suites.retain(|suite| suite.version() == &TLS13);
        provider.cipher_suites.extend(wished.iter().filter(|suite| suite.version() != &TLS13));
    }
    if let Some(curves) = &section.curves {
        provider.kx_groups = curves.iter().map(|curve| curve.0).collect();
    }
    provider
}

fn certificates(pem: &Pem, text: &[u8], notes: &mut Notes) -> Result<Vec<CertificateDer<'static>>, Refused> {
    let certificates: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(text).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        // What the text is stays unsaid: it may be a key.
        _ => Err(notes.add(&pem.path, "no certificate in it: expected PEM, from -----BEGIN CERTIFICATE----- on")),
    }
}

fn private_key(pem: &Pem, text: &[u8], notes: &mut Notes) -> Result<PrivateKeyDer<'static>, Refused> {
    PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        let expected = "expected PEM, from -----BEGIN PRIVATE KEY----- on, without a passphrase";
        notes.add(&pem.path, format!("no private key in it: {expected}"))
    })
}

fn authorities(pem: &Pem, text: &[u8], notes: &mut Notes) -> Result<Authorities, Refused> {
    let certificates = certificates(pem, text, notes)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    if roots.is_empty() {
        return Err(notes.add(&pem.path, "no certificate in it that can be read: expected those of authorities"));
    }
    Ok(Authorities { certificates, roots })
}

/// The certificate with its key.
fn served(
    section: &TlsSection,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
    notes: &mut Notes,
) -> Result<CertifiedKey, Refused> {
    let key = provider.key_provider.load_private_key(key).map_err(|_| {
        let expected = "expected RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519";
        notes.add(&section.key.path, format!("not a private key that can be used: {expected}"))
    })?;
    let served = CertifiedKey::new(chain, key);
    match served.keys_match() {
        Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(served),
        Err(TlsError::InconsistentKeys(_)) => {
            let problem = "not the key of the certificate: give the two that were made together";
            Err(notes.add(&section.key.path, problem))
        }
        Err(error) => Err(notes.add(&section.certificate.path, format!("not a certificate that can be used: {error}"))),
    }
}

/// The authorities that the system trusts. There may be none.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(load_native_certs().certs);
    roots
}

/// What judges the certificates of clients; nothing where none are asked for.
fn clients_of(
    section: &TlsSection,
    authorities: Option<Authorities>,
    provider: &Arc<CryptoProvider>,
    notes: &mut Notes,
) -> Result<Option<Clients>, Refused> {
    let mut verifier = |roots: RootCertStore| {
        if roots.is_empty() {
            return Ok(Trust::None);
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let verifier =
            builder.build().map_err(|error| notes.add(SECTION, format!("no authority for clients: {error}")))?;
        Ok(Trust::Authorities(verifier))
    };
    let (trust, pinned, hints) = match authorities {
        _ if !section.client_auth.verifies() => (Trust::Anybody, vec![], vec![]),
        Some(Authorities { certificates, roots }) => {
            let hints = clients::hints(&roots);
            (verifier(roots)?, certificates, hints)
        }
        None => (verifier(system_roots())?, vec![], vec![]),
    };
    Ok((section.client_auth != ClientAuth::None).then(|| Clients {
        required: section.client_auth.requires(),
        trust,
        pinned,
        hints,
        allowed_sans: section.client_allowed_sans.clone(),
        algorithms: provider.signature_verification_algorithms,
    }))
}
