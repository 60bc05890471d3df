//! A client that speaks TLS, over one connection a request.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{pki::Pair, world::Answer};

/// How long an answer may take. Only a test that fails waits so long.
const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct TlsClient(pub(crate) Arc<ClientConfig>);

/// An answer, and what the handshake agreed on.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) answer: Answer,
    pub(crate) certificate: Vec<u8>,
    pub(crate) suite: String,
}

// === impl TlsClient ===

impl TlsClient {
    /// One that trusts the PEM certificate `authority`, and has none of its own.
    pub(crate) fn new(authority: &str) -> Self {
        Self::with(authority, None, rustls::ALL_VERSIONS)
    }

    pub(crate) fn with(authority: &str, own: Option<&Pair>, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        Self(Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        }))
    }

    pub(crate) fn connect(&self, address: SocketAddr) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        let connection =
            ClientConnection::new(Arc::clone(&self.0), "localhost".try_into().unwrap()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    pub(crate) fn get(&self, address: SocketAddr, path: &str) -> io::Result<Response> {
        let mut stream = self.connect(address)?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let certificate = stream.conn.peer_certificates().unwrap()[0].to_vec();
        let suite = format!("{:?}", stream.conn.negotiated_cipher_suite().unwrap().suite());
        Ok(Response { answer: Answer::parse(&text), certificate, suite })
    }
}
