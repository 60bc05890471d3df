//! Judges the certificates of clients.

use std::{net::IpAddr, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{
        WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension, X509Extension},
    prelude::FromDer,
    x509::X509Version,
};

/// The most of authorities' names that a handshake carries. It has room for four times as much in all.
const MAX_HINT_BYTES: usize = 16 << 10;

/// Asks clients for certificates.
#[derive(Debug)]
pub(super) struct Clients {
    /// Whether a client must have one.
    pub(super) required: bool,
    /// Whose certificates are accepted.
    pub(super) trust: Trust,
    /// The authorities themselves. One of them may be a client's own certificate, as in Go.
    pub(super) pinned: Vec<CertificateDer<'static>>,
    /// The authorities' names for the client to choose a certificate by.
    pub(super) hints: Vec<DistinguishedName>,
    /// The names of which it must have one.
    pub(super) allowed_sans: Option<Vec<String>>,
    /// How clients may prove that a certificate is theirs.
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// Whose certificates are accepted.
#[derive(Debug)]
pub(super) enum Trust {
    /// Anybody's.
    Anybody,
    /// No certificate: there is no authority.
    None,
    /// Those of the authorities that it knows.
    Authorities(Arc<dyn ClientCertVerifier>),
}

// === impl Clients ===

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match &self.trust {
            Trust::Anybody => {}
            Trust::None => return Err(CertificateError::UnknownIssuer.into()),
            Trust::Authorities(_) if self.is_pinned(end_entity, now)? => {}
            Trust::Authorities(verifier) => {
                verifier.verify_client_cert(end_entity, intermediates, now)?;
            }
        }
        let is_allowed = |allowed: &Vec<String>| names(end_entity).iter().any(|name| allowed.contains(name));
        if self.allowed_sans.as_ref().is_none_or(is_allowed) {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // webpki reads no key from a certificate of version 1.
        match X509Certificate::from_der(cert) {
            Ok((_, parsed)) if self.pinned.contains(cert) && parsed.version() == X509Version::V1 => {
                let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
                verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
            }
            _ => verify_tls13_signature(message, cert, signed, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Clients {
    /// Whether `certificate` is one of the authorities, and may be used by a client `now`.
    fn is_pinned(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
        if !self.pinned.contains(certificate) {
            return Ok(false);
        }
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let now = i64::try_from(now.as_secs()).map_err(|_| CertificateError::Expired)?;
        let validity = parsed.validity();
        if now < validity.not_before.timestamp() {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > validity.not_after.timestamp() {
            return Err(CertificateError::Expired.into());
        }
        if parsed.extensions().iter().any(|extension| extension.critical && !is_understood(extension)) {
            return Err(CertificateError::UnhandledCriticalExtension.into());
        }
        match parsed.extended_key_usage() {
            Ok(None) => Ok(true),
            Ok(Some(usage)) if usage.value.any || usage.value.client_auth => Ok(true),
            Ok(Some(_)) => Err(CertificateError::InvalidPurpose.into()),
            Err(_) => Err(CertificateError::BadEncoding.into()),
        }
    }
}

/// Whether nothing that `extension` says about the use of a certificate is missed.
fn is_understood(extension: &X509Extension<'_>) -> bool {
    matches!(
        extension.parsed_extension(),
        ParsedExtension::BasicConstraints(_)
            | ParsedExtension::KeyUsage(_)
            | ParsedExtension::ExtendedKeyUsage(_)
            | ParsedExtension::SubjectAlternativeName(_)
    )
}

/// The names of `authorities` for clients, unless there are so many that no handshake has room for them.
pub(super) fn hints(authorities: &RootCertStore) -> Vec<DistinguishedName> {
    let subjects = authorities.subjects();
    let bytes: usize = subjects.iter().map(|subject| subject.as_ref().len() + 2).sum();
    if bytes > MAX_HINT_BYTES { vec![] } else { subjects }
}

/// The alternative names of a certificate's subject: hosts, addresses, mailboxes and URIs. None, if they make no sense.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return vec![];
    };
    let names = certificate.subject_alternative_name().ok().flatten();
    names.map_or_else(Vec::new, |names| names.value.general_names.iter().filter_map(name).collect())
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok()?;
            Some(address.to_canonical().to_string())
        }
        GeneralName::OtherName(..)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}
