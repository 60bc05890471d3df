//! What the image meets outside: an API behind TLS, and a resolver that knows its name.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use secrecy::ExposeSecret;
use tencentcloud_api::{Clock, Credential, SystemClock};
use tencentcloud_simulator::{Population, Simulator, User};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::pki::Pair;

/// The simulated API behind TLS.
pub(super) struct Api {
    address: SocketAddr,
    credential: Credential,
    uins: Vec<u64>,
    _runtime: Runtime,
}

/// A resolver that answers for one name: it is this machine.
pub(super) struct Names {
    socket: Arc<UdpSocket>,
    asked: Arc<AtomicUsize>,
}

// === impl Api ===

impl Api {
    /// With the users and the caller of the demo, or with `users` in their place.
    pub(super) fn start(pair: &Pair, users: Option<BTreeMap<u64, User>>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut population = Population::demo(SystemClock.now());
        population.users = users.unwrap_or(population.users);
        let uins = population.uins();
        let bind = || runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let (plain, encrypted) = (bind(), bind());
        let (behind, address) = (plain.local_addr().unwrap(), encrypted.local_addr().unwrap());
        let simulator = Arc::new(Simulator::new(Arc::new(SystemClock), population));
        runtime.spawn(tencentcloud_simulator::serve(plain, simulator, CancellationToken::new()));
        runtime.spawn(unwrap_tls(encrypted, acceptor(pair), behind));
        Self { address, credential: Population::demo_credential(), uins, _runtime: runtime }
    }

    /// A configuration that asks it by that name, and polls all users in the time that the budget gives.
    pub(super) fn config(&self, host: &str) -> String {
        format!(
            "accounts: [{{name: prod, uins: {:?}, endpoint: 'https://{host}:{}', credentials: {{file: \
             {{secret_id_path: /run/secrets/secret_id, secret_key_path: /run/secrets/secret_key}}}}}}]\n\
             poll: {{interval: {}s, timeout: 1s}}\n",
            self.uins,
            self.address.port(),
            self.uins.len().div_ceil(18)
        )
    }

    pub(super) fn secret_id(&self) -> &str {
        self.credential.secret_id.expose_secret()
    }

    pub(super) fn secret_key(&self) -> &str {
        self.credential.secret_key.expose_secret()
    }
}

fn acceptor(pair: &Pair) -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Hands on what comes over TLS, for ever. A client that does not like the certificate goes away.
async fn unwrap_tls(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut near = acceptor.accept(stream).await?;
            let mut far = TcpStream::connect(behind).await?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        });
    }
}

// === impl Names ===

impl Names {
    /// On the port of DNS, as resolv.conf can name no other, and at an address that nobody else uses.
    pub(super) fn serve(name: &str) -> Self {
        let socket = Arc::new(UdpSocket::bind(("127.53.53.53", 53)).unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let known = question(name);
        thread::spawn({
            let (socket, asked) = (Arc::clone(&socket), Arc::clone(&asked));
            move || {
                let mut query = [0; 512];
                while let Ok((length, client)) = socket.recv_from(&mut query) {
                    asked.fetch_add(1, Ordering::Relaxed);
                    let _ = socket.send_to(&answer(&query[..length], &known), client);
                }
            }
        });
        Self { socket, asked }
    }

    pub(super) fn address(&self) -> IpAddr {
        self.socket.local_addr().unwrap().ip()
    }

    /// How many queries came.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// The name as it stands in a message: each part with its length before it.
fn question(name: &str) -> Vec<u8> {
    let part = |part: &str| [&[u8::try_from(part.len()).unwrap()], part.as_bytes()].concat();
    name.split('.').map(part).chain([vec![0]]).flatten().collect()
}

/// RFC 1035: the header, the question again, and 127.0.0.1 if that is what was asked for.
fn answer(query: &[u8], known: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    let end = HEADER + query[HEADER..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let (name, class_and_type) = (&query[HEADER..end], &query[end..end + 4]);
    let found = name == known;
    let record = found && class_and_type == [0, 1, 0, 1];
    let code = if found { 0 } else { 3 };
    let mut answer = [&query[..2], &[0x81, 0x80 | code, 0, 1, 0, u8::from(record), 0, 0, 0, 0]].concat();
    answer.extend(&query[HEADER..end + 4]);
    if record {
        // The name is the one at the place 12; an address of the Internet, good for a minute, of four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}
