//! Handshakes: who may, and what is agreed on.

use std::{io::Read, net::TcpStream, sync::Arc};

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::version::{TLS12, TLS13};

use super::{Scene, credentials, tls, users};
use crate::{pki::Pair, tls_client::TlsClient, world::Exporter};

/// Whether the exporter answers `client`.
fn answers(exporter: &Exporter, client: &TlsClient) -> bool {
    match client.get(exporter.address(), "/metrics") {
        Ok(output) => {
            assert_eq!(output.answer.status, 200, "{output:?}");
            true
        }
        Err(_) => false,
    }
}

#[test]
fn every_policy_admits_whom_it_should() {
    let scene = Scene::new();
    let authority = scene.authority.certificate();
    let client = |own| TlsClient::with(&authority, own, rustls::ALL_VERSIONS);
    let (known, stranger) = (scene.authority.issue(&["client"]), Pair::self_signed("client"));
    let (nobody, known, stranger) = (client(None), client(Some(&known)), client(Some(&stranger)));
    for (policy, admits) in [
        ("", [true, true, true]),
        ("client_auth_type: NoClientCert", [true, true, true]),
        ("client_auth_type: RequestClientCert", [true, true, true]),
        ("client_auth_type: RequireAnyClientCert", [false, true, true]),
        ("client_auth_type: RequireClientCert", [false, true, true]),
        ("client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem", [true, true, false]),
        ("client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem", [false, true, false]),
    ] {
        let exporter = scene.start(&tls(policy));
        let admitted = [&nobody, &known, &stranger].map(|client| answers(&exporter, client));
        assert_eq!(admitted, admits, "{policy}: nobody, known, stranger");
    }
}

#[test]
fn a_client_goes_by_one_of_the_allowed_names() {
    let scene = Scene::new();
    let policy = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, \
        client_allowed_sans: [host.example, 10.0.0.1, '2001:db8::1', scraper@mail.example, 'spiffe://cluster/scraper']";
    let exporter = scene.start(&tls(policy));
    for (names, admitted) in [
        (["host.example"].as_slice(), true),
        (&["other.example", "host.example"], true),
        (&["10.0.0.1"], true),
        (&["2001:db8::1"], true),
        (&["scraper@mail.example"], true),
        (&["spiffe://cluster/scraper"], true),
        (&["sub.host.example"], false),
        (&["10.0.0.2"], false),
        (&["mail.example"], false),
        (&["spiffe://cluster/scraper/other"], false),
        (&[], false),
    ] {
        let own = scene.authority.issue(names);
        let client = TlsClient::with(&scene.authority.certificate(), Some(&own), rustls::ALL_VERSIONS);
        assert_eq!(answers(&exporter, &client), admitted, "{names:?}");
    }
}

#[test]
fn versions_are_those_allowed() {
    let scene = Scene::new();
    let authority = scene.authority.certificate();
    let clients = [&TLS12, &TLS13].map(|version| TlsClient::with(&authority, None, &[version]));
    for (versions, admits) in [
        ("", [true, true]),
        ("min_version: TLS13", [false, true]),
        ("max_version: TLS12", [true, false]),
        ("min_version: TLS12, max_version: TLS13", [true, true]),
    ] {
        let exporter = scene.start(&tls(versions));
        assert_eq!(clients.each_ref().map(|client| answers(&exporter, client)), admits, "{versions}");
    }
}

#[test]
fn suites_and_curves_are_those_allowed() {
    let scene = Scene::new();
    let suites = "max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256], curve_preferences: [CurveP384]";
    // HTTP/2 requires other suites.
    let exporter = scene.start(&(tls(suites) + "http_server_config: {http2: false}\n"));
    let output = scene.client().get(exporter.address(), "/metrics").unwrap();
    assert_eq!(output.suite, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    let stream = scene.client().connect(exporter.address()).unwrap();
    assert_eq!(stream.conn.negotiated_key_exchange_group().unwrap().name(), rustls::NamedGroup::secp384r1);
}

#[test]
fn a_certificate_and_key_may_stand_in_the_file_itself() {
    let scene = Scene::new();
    let pair = scene.authority.issue(&["localhost"]);
    let exporter = scene.start(&format!("tls_server_config: {{cert: {:?}, key: {:?}}}", pair.certificate, pair.key));
    assert!(answers(&exporter, &scene.client()));
}

#[test]
fn http2_is_agreed_on_unless_it_is_off() {
    let scene = Scene::new();
    for (http, protocol) in [("", "h2"), ("http_server_config: {http2: false}\n", "http/1.1")] {
        let exporter = scene.start(&(tls("") + http));
        let mut client = scene.client();
        let mut config = (*client.0).clone();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        client.0 = config.into();
        let stream = client.connect(exporter.address()).unwrap();
        assert_eq!(stream.conn.alpn_protocol().unwrap(), protocol.as_bytes());
    }
}

#[test]
fn http2_serves_one_scrape_after_the_other_to_whom_it_should() {
    let scene = Scene::new();
    let exporter = scene.start(&(tls("") + &users(&[("alice", "a")])));
    let mut config = (*scene.client().0).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(exporter.address()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        for (headers, status) in
            [(String::new(), 401), (credentials("alice", "a"), 200), (credentials("alice", "a"), 200)]
        {
            let mut request = http::Request::get("https://localhost/metrics");
            if let Some((name, value)) = headers.trim_end().split_once(": ") {
                request = request.header(name, value);
            }
            let answer = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
            assert_eq!(answer.status(), status);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body.starts_with(b"# HELP"), status == 200, "{body:?}");
        }
    });
}

#[test]
fn who_speaks_no_tls_is_told_so_and_holds_nobody_up() {
    let scene = Scene::new();
    let exporter = scene.start(&tls(""));
    let mut silent = TcpStream::connect(exporter.address()).unwrap();
    let plain = exporter.get("/metrics");
    assert_eq!((plain.status, plain.body.as_str()), (400, "this port takes HTTPS\n"));
    assert!(answers(&exporter, &scene.client()));
    // The test ends when the exporter ends the connection.
    assert_eq!(silent.read(&mut [0; 1]).unwrap_or(0), 0);
}
