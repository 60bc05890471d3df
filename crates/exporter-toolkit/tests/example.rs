//! The example exporter, as Prometheus meets it: over TLS, with a password.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they share")]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use tempfile::TempDir;

#[allow(dead_code, reason = "other tests need more of it")]
#[path = "support/pki.rs"]
mod pki;

/// How long a response may take. Only a test that fails waits so long.
const TIMEOUT: Duration = Duration::from_secs(20);

struct Example {
    child: Child,
    address: SocketAddr,
    client: Arc<ClientConfig>,
    /// The web configuration, which is followed.
    _folder: TempDir,
}

// === impl Example ===

impl Example {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = pki::Authority::new();
        authority.issue(&["localhost"]).write(folder.path(), "server");
        let hash = bcrypt::hash("secret", 4).unwrap();
        let file = folder.path().join("web.yml");
        let text = format!(
            "tls_server_config: {{cert_file: server.pem, key_file: server.key}}\nbasic_auth_users: {{alice: {hash}}}\n"
        );
        fs::write(&file, text).unwrap();
        let mut child = Command::new(binary()).arg("127.0.0.1:0").arg(&file).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { child, address, client: Arc::new(client), _folder: folder }
    }

    /// The response to a request with these headers, each of which ends in a line break.
    fn get(&self, path: &str, headers: &str) -> String {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.client), "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo has built it with the tests of the package, unless it was asked for this test alone.
fn binary() -> PathBuf {
    let here = env::current_exe().unwrap();
    let binary = here.ancestors().nth(2).unwrap().join("examples/exporter");
    if !binary.exists() {
        let arguments = ["build", "--locked", "--package", env!("CARGO_PKG_NAME"), "--example", "exporter"];
        let built = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(built.unwrap().success());
    }
    binary
}

#[test]
fn prometheus_scrapes_the_example_with_a_password_in_either_format() {
    let example = Example::start();
    let login = format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode("alice:secret"));
    assert!(example.get("/-/healthy", &login).ends_with("\r\n\r\nhealthy\n"));
    assert!(example.get("/-/ready", &login).ends_with("\r\n\r\nready\n"));
    assert!(example.get("/", &login).contains(r#"<a href="/metrics">"#));

    let wrong = format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode("alice:guess"));
    for headers in ["", &wrong] {
        let refused = example.get("/metrics", headers);
        assert!(refused.starts_with("HTTP/1.1 401 ") && !refused.contains("load1"), "{refused}");
    }

    let text = example.get("/metrics", &login);
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("content-type: text/plain; version=0.0.4"), "{text}");
    assert!(text.contains("\nload1 ") && !text.ends_with("# EOF\n"), "{text}");

    let accept = "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
        application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5\r\n";
    let openmetrics = example.get("/metrics", &format!("{login}{accept}"));
    assert!(openmetrics.contains("content-type: application/openmetrics-text; version=1.0.0"), "{openmetrics}");
    assert!(openmetrics.contains("\nload1 ") && openmetrics.ends_with("# EOF\n"), "{openmetrics}");
}

#[test]
fn the_readme_shows_the_example() {
    const README: &str = include_str!("../README.md");
    let example = include_str!("../examples/exporter.rs");
    let (_, code) = example.split_once("\n\n").unwrap();
    assert!(README.contains(&format!("```rust\n{code}```\n")), "copy examples/exporter.rs into README.md");
}
