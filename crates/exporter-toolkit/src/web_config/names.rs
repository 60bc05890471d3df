//! Go's names for what a TLS handshake may agree on, as what they are to rustls.

use rustls::{
    SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{
        SupportedKxGroup,
        aws_lc_rs::{ALL_CIPHER_SUITES, kx_group},
    },
    version::{TLS12, TLS13},
};

/// A version of TLS. The older comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    Tls12,
    Tls13,
}

/// A group in which keys are exchanged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve(pub(super) &'static dyn SupportedKxGroup);

/// What is asked of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    /// No certificate.
    None,
    /// A certificate, which may be anyone's, or none.
    Request,
    /// A certificate, which may be anyone's.
    RequireAny,
    /// A certificate of the authority, or none.
    VerifyIfGiven,
    /// A certificate of the authority.
    RequireAndVerify,
}

/// The curves by the names that Go gives them.
const CURVES: [(&str, Curve); 5] = [
    ("X25519", Curve(kx_group::X25519)),
    ("CurveP256", Curve(kx_group::SECP256R1)),
    ("CurveP384", Curve(kx_group::SECP384R1)),
    ("X25519MLKEM768", Curve(kx_group::X25519MLKEM768)),
    ("SecP256r1MLKEM768", Curve(kx_group::SECP256R1MLKEM768)),
];

/// The policies by the names that the toolkit gives them.
const CLIENT_AUTH: [(&str, ClientAuth); 6] = [
    ("NoClientCert", ClientAuth::None),
    ("RequestClientCert", ClientAuth::Request),
    ("RequireAnyClientCert", ClientAuth::RequireAny),
    ("RequireClientCert", ClientAuth::RequireAny),
    ("VerifyClientCertIfGiven", ClientAuth::VerifyIfGiven),
    ("RequireAndVerifyClientCert", ClientAuth::RequireAndVerify),
];

// === impl Version ===

impl Version {
    pub(super) const ALL: [Self; 2] = [Self::Tls12, Self::Tls13];

    pub(super) fn named(text: &str) -> Result<Self, &'static str> {
        match text {
            "TLS12" => Ok(Self::Tls12),
            "TLS13" => Ok(Self::Tls13),
            "TLS10" | "TLS11" => {
                Err("a version that this exporter does not speak, as it is broken: expected TLS12 or TLS13")
            }
            _ => Err("not a version of TLS: expected TLS12 or TLS13"),
        }
    }

    pub(super) fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &TLS12,
            Self::Tls13 => &TLS13,
        }
    }
}

// === impl Curve ===

impl Curve {
    pub(super) fn named(text: &str) -> Result<Self, String> {
        named(&CURVES, text).ok_or_else(|| {
            let what = match text {
                "CurveP521" => "a curve that this exporter does not do",
                _ => "not a curve",
            };
            format!("{what}: expected {}", names(&CURVES))
        })
    }
}

impl PartialEq for Curve {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

// === impl ClientAuth ===

impl ClientAuth {
    pub(super) fn named(text: &str) -> Result<Self, String> {
        named(&CLIENT_AUTH, text).ok_or_else(|| format!("not a policy: expected {}", names(&CLIENT_AUTH)))
    }

    /// Whether a client without a certificate is refused.
    pub(super) fn requires(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }

    /// Whether a certificate must be of an authority.
    pub(super) fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }
}

/// The cipher suite of that name.
pub(super) fn cipher_suite(text: &str) -> Result<SupportedCipherSuite, String> {
    let suite = ALL_CIPHER_SUITES.iter().find(|suite| name_of(suite) == text);
    suite.copied().ok_or_else(|| {
        let undone = ["_CBC_", "_RC4_", "TLS_RSA_"].iter().any(|part| text.contains(part));
        let what = if undone {
            "a cipher suite with CBC, RC4 or RSA key exchange, which this exporter does not do"
        } else {
            "not a cipher suite"
        };
        let names: Vec<String> = ALL_CIPHER_SUITES.iter().map(name_of).collect();
        format!("{what}: expected {}", names.join(", "))
    })
}

/// The name that IANA and Go give it.
fn name_of(suite: &SupportedCipherSuite) -> String {
    suite.suite().as_str().unwrap_or_default().replacen("TLS13_", "TLS_", 1)
}

fn named<T: Copy>(table: &[(&str, T)], text: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
}

fn names<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
