//! Logs the handshakes that are refused: the first for each reason at once, and then at most one line a minute.

use std::{collections::BTreeMap, io, time::Duration};

use parking_lot::Mutex;
use rustls::{AlertDescription, CertificateError, Error as TlsError};
use tokio::time::Instant;
use tracing::warn;

use super::peer::Peer;

/// The time between two lines for one reason.
const INTERVAL: Duration = Duration::from_mins(1);

/// Why a handshake was refused. There are few, so that a client cannot fill the log with ever new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    NoCertificate,
    Expired,
    NotYetValid,
    UnknownAuthority,
    Purpose,
    Authority,
    OldVersion,
    Name,
    Certificate,
    NothingInCommon,
    ServerCertificate,
    NotTls,
    Other,
}

/// What was logged.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<Reason, Logged>>);

#[derive(Debug)]
struct Logged {
    at: Instant,
    /// Those that were not logged since.
    unlogged: u64,
}

// === impl Refusals ===

impl Refusals {
    /// Logs that the handshake of `peer` ended in `error`, unless it merely hung up.
    pub(super) fn log(&self, error: &io::Error, peer: &Peer) {
        let Some(reason) = Reason::of(error) else { return };
        if let Some(count) = self.count(reason) {
            let text = reason.text();
            warn!(reason = text, client = %peer.address(), count, "TLS handshake refused");
        }
    }

    /// How many there were since the last line, this one included, if there may be a line.
    fn count(&self, reason: Reason) -> Option<u64> {
        let now = Instant::now();
        let mut logged = self.0.lock();
        match logged.get_mut(&reason) {
            Some(last) if now.duration_since(last.at) < INTERVAL => {
                last.unlogged += 1;
                None
            }
            last => {
                let count = last.map_or(0, |last| last.unlogged) + 1;
                logged.insert(reason, Logged { at: now, unlogged: 0 });
                Some(count)
            }
        }
    }
}

// === impl Reason ===

impl Reason {
    /// Nothing where the client hung up, or the web configuration is wrong, which is logged elsewhere.
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add variants")]
    fn of(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?;
        let Some(error) = inner.downcast_ref::<TlsError>() else {
            return (error.kind() == io::ErrorKind::InvalidData).then_some(Self::NotTls);
        };
        Some(match error {
            TlsError::NoCertificatesPresented => Self::NoCertificate,
            TlsError::InvalidCertificate(problem) => match problem {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownAuthority,
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Self::Purpose,
                CertificateError::ApplicationVerificationFailure => Self::Name,
                // What webpki says beside these has no variant of its own.
                other => match format!("{other:?}") {
                    text if text.contains("CaUsedAsEndEntity") => Self::Authority,
                    text if text.contains("UnsupportedCertVersion") => Self::OldVersion,
                    _ => Self::Certificate,
                },
            },
            TlsError::PeerIncompatible(_) => Self::NothingInCommon,
            TlsError::AlertReceived(
                AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired,
            ) => Self::ServerCertificate,
            TlsError::InvalidMessage(_) => Self::NotTls,
            _ => Self::Other,
        })
    }

    fn text(self) -> &'static str {
        match self {
            Self::NoCertificate => "the client has no certificate",
            Self::Expired => "the client certificate has expired",
            Self::NotYetValid => "the client certificate is not valid yet",
            Self::UnknownAuthority => "the client certificate is not from a trusted authority: see client_ca_file",
            Self::Purpose => "the client certificate is not for clients: its extended key usage lacks clientAuth",
            Self::Authority => {
                "the client certificate is that of an authority (CA:TRUE), and not in client_ca_file itself"
            }
            Self::OldVersion => "the client certificate is of X.509 version 1",
            Self::Name => "the client certificate has none of the client_allowed_sans",
            Self::Certificate => "the client certificate is not valid",
            Self::NothingInCommon => "the client allows no version, cipher suite or curve that is configured",
            Self::ServerCertificate => "the client does not trust the exporter's certificate",
            Self::NotTls => "the client does not speak TLS",
            Self::Other => "the client broke off, or does not follow the protocol",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_a_minute_for_each_reason_tells_how_many_there_were() {
        let refusals = Refusals::default();
        assert_eq!(refusals.count(Reason::Expired), Some(1));
        for _ in 0..1_000 {
            assert_eq!(refusals.count(Reason::Expired), None);
        }
        assert_eq!(refusals.count(Reason::Name), Some(1));
        tokio::time::advance(INTERVAL).await;
        assert_eq!(refusals.count(Reason::Expired), Some(1_001));
        assert_eq!(refusals.count(Reason::Expired), None);
    }
}
