//! Certificates of clients: which are accepted, and what is logged and counted of the others.

use std::{fmt::Write as _, net::TcpStream, path::Path, process::Command, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{
    HandshakeKind,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};

use super::{Scene, tls, until};
use crate::{
    pki::{Authority, Pair},
    tls_client::TlsClient,
    world::{Exporter, binary},
};

const POLICY: &str = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: clients.pem";

/// Whether the exporter answers a client with `own`.
fn admits(scene: &Scene, exporter: &Exporter, own: Option<&Pair>) -> bool {
    let client = TlsClient::with(&scene.authority.certificate(), own, rustls::ALL_VERSIONS);
    client.get(exporter.address(), "/metrics").is_ok_and(|result| result.answer.status == 200)
}

/// A client that presents `own` as it is, over TLS 1.3: rustls itself would refuse some of them.
fn presenting(scene: &Scene, own: &Pair) -> TlsClient {
    let client = TlsClient::with(&scene.authority.certificate(), None, &[&TLS13]);
    let mut config = (*client.0).clone();
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)));
    TlsClient(Arc::new(config))
}

/// An exporter that accepts what is issued by `pinned`, or is one of them.
fn start(scene: &Scene, pinned: &[&Pair], more: &str) -> Exporter {
    let pem: String = pinned.iter().map(|pair| pair.certificate.as_str()).collect();
    scene.world.write("clients.pem", &pem);
    scene.start(&tls(&format!("{POLICY}{more}")))
}

/// A certificate with `CA:TRUE` that is signed by itself, as `openssl req -x509` makes it. Valid in the years from `from` up to
/// `until`, for nothing but `usages` if there are any.
fn self_signed([from, until]: [i32; 2], usages: &[ExtendedKeyUsagePurpose]) -> Pair {
    let mut params = CertificateParams::new(["scraper".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    params.extended_key_usages = usages.to_vec();
    let key = KeyPair::generate().unwrap();
    Pair { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

#[test]
fn without_client_ca_file_certificates_are_of_the_systems_authorities() {
    let scene = Scene::new();
    let (system, other) = (Authority::named("the system's"), Authority::named("another"));
    let bundle = scene.world.write("bundle.pem", &system.certificate());
    let (known, unknown) = (system.issue(&["scraper"]), other.issue(&["scraper"]));
    for (policy, without) in [("VerifyClientCertIfGiven", true), ("RequireAndVerifyClientCert", false)] {
        let web = scene.world.write("web.yml", &tls(&format!("client_auth_type: {policy}")));
        let mut command = binary();
        let command = scene.world.with_config(&mut command, &scene.world.config());
        command.arg(format!("--web.config.file={}", web.display())).env("SSL_CERT_FILE", &bundle);
        let exporter = Exporter::start(command);
        let admitted = [Some(&known), Some(&unknown), None].map(|own| admits(&scene, &exporter, own));
        assert_eq!(admitted, [true, false, without], "{policy}: {}", exporter.log());
        assert!(exporter.log().contains("the web configuration is unwise"), "{}", exporter.log());
    }
}

#[test]
fn a_certificate_that_is_itself_configured_is_accepted_within_its_dates_and_usage() {
    let scene = Scene::new();
    let (good, other) = (self_signed([2000, 4000], &[]), self_signed([2000, 4000], &[]));
    let plain = Pair::self_signed("scraper");
    let for_clients = self_signed([2000, 4000], &[ExtendedKeyUsagePurpose::ClientAuth]);
    let for_servers = self_signed([2000, 4000], &[ExtendedKeyUsagePurpose::ServerAuth]);
    let (expired, future) = (self_signed([2000, 2001], &[]), self_signed([3999, 4000], &[]));
    let exporter = start(&scene, &[&good, &plain, &for_clients, &for_servers, &expired, &future], "");
    for (name, pair, admitted) in [
        ("good", &good, true),
        ("plain", &plain, true),
        ("for clients", &for_clients, true),
        ("for servers", &for_servers, false),
        ("expired", &expired, false),
        ("future", &future, false),
        ("not configured", &other, false),
    ] {
        assert_eq!(admits(&scene, &exporter, Some(pair)), admitted, "{name}: {}", exporter.log());
    }
    // The certificate is public: without its key it proves nothing.
    let stolen = Pair { certificate: good.certificate.clone(), key: other.key.clone() };
    assert!(presenting(&scene, &stolen).get(exporter.address(), "/metrics").is_err());
    let exporter = start(&scene, &[&good, &plain], ", client_allowed_sans: [scraper]");
    assert!(admits(&scene, &exporter, Some(&good)));
    let exporter = start(&scene, &[&good, &plain], ", client_allowed_sans: [another]");
    assert!(!admits(&scene, &exporter, Some(&good)));
}

#[test]
fn refused_handshakes_are_logged_by_reason_and_counted() {
    let scene = Scene::new();
    let issue = |change: &dyn Fn(&mut CertificateParams)| scene.authority.issue_with(&["scraper"], change);
    let authority = issue(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let expired = issue(&|params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
    let future = issue(&|params| params.not_before = rcgen::date_time_ymd(3999, 1, 1));
    let server = issue(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let unnamed = scene.authority.issue(&["another"]);
    let stranger = Pair::self_signed("scraper");
    let exporter = scene.start(&tls(
        "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans: [scraper, probe]",
    ));
    let good = scene.authority.issue(&["probe"]);
    for (own, reason) in [
        (None, "the client has no certificate"),
        (Some(&expired), "the client certificate has expired"),
        (Some(&future), "the client certificate is not valid yet"),
        (Some(&stranger), "the client certificate is not from a trusted authority: see client_ca_file"),
        (Some(&server), "the client certificate is not for clients: its extended key usage lacks clientAuth"),
        (
            Some(&authority),
            "the client certificate is that of an authority (CA:TRUE), and not in client_ca_file itself",
        ),
        (Some(&unnamed), "the client certificate has none of the client_allowed_sans"),
    ] {
        for _ in 0..3 {
            assert!(!admits(&scene, &exporter, own), "{reason}");
        }
        let line = format!("level=warn message=\"TLS handshake refused\" reason=\"{reason}\" client=127.0.0.1 count=1");
        until(reason, &exporter, || exporter.log().contains(&line));
        assert_eq!(exporter.log().matches(reason).count(), 1, "{}", exporter.log());
    }
    assert!(TlsClient::new(&Authority::new().certificate()).get(exporter.address(), "/").is_err());
    // A probe that merely connects is no refusal worth a line.
    drop(TcpStream::connect(exporter.address()).unwrap());
    let client = TlsClient::with(&scene.authority.certificate(), Some(&good), rustls::ALL_VERSIONS);
    let counted = || {
        let result = client.get(exporter.address(), "/metrics").unwrap();
        let name = "tencentcloud_cam_exporter_http_refused_total{reason=\"handshake\"} ";
        let (_, rest) = result.answer.body.split_once(name).unwrap();
        rest.lines().next().unwrap().parse::<u32>().unwrap()
    };
    until("counted", &exporter, || counted() >= 22);
    let (_, log) = exporter.stop();
    assert_eq!(log.matches("TLS handshake refused").count(), 8, "{log}");
}

/// Their names would not fit into a handshake.
#[test]
fn a_thousand_authorities_break_no_handshake() {
    let scene = Scene::new();
    let authority = Authority::named(&"a long name ".repeat(20));
    let pem = authority.certificate();
    let mut all = String::new();
    while all.len() + pem.len() < 1 << 20 {
        all.write_str(&pem).unwrap();
    }
    scene.world.write("clients.pem", &all);
    let exporter = scene.start(&tls(POLICY));
    assert!(admits(&scene, &exporter, Some(&authority.issue(&["scraper"]))), "{}", exporter.log());
    assert!(!admits(&scene, &exporter, Some(&scene.authority.issue(&["scraper"]))));
    assert!(!admits(&scene, &exporter, None));
}

#[test]
fn no_session_is_resumed_so_a_new_policy_holds_for_everybody() {
    let scene = Scene::new();
    scene.world.write("clients.pem", &scene.authority.certificate());
    let exporter = scene.start(&tls(POLICY));
    let own = scene.authority.issue(&["scraper"]);
    for version in rustls::ALL_VERSIONS {
        // One configuration remembers sessions between its connections.
        let mut client = TlsClient::with(&scene.authority.certificate(), Some(&own), &[version]);
        let mut config = (*client.0).clone();
        config.enable_early_data = true;
        client.0 = Arc::new(config);
        for _ in 0..3 {
            assert_eq!(client.get(exporter.address(), "/metrics").unwrap().answer.status, 200);
            let stream = client.connect(exporter.address()).unwrap();
            assert_eq!(stream.conn.handshake_kind(), Some(HandshakeKind::Full));
            assert!(!stream.conn.is_early_data_accepted());
        }
    }
    scene.world.write("clients.pem", &Authority::new().certificate());
    until("refused", &exporter, || !admits(&scene, &exporter, Some(&own)));
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{arguments}: {output:?}");
}

#[test]
#[ignore = "needs openssl"]
fn what_openssl_makes_is_accepted_where_it_is_configured_itself() {
    let scene = Scene::new();
    let folder = scene.world.folder.path();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=scraper";
    openssl(folder, &format!("req -x509 {key} -keyout ca.key -out own.pem"));
    openssl(folder, &format!("req {key} -keyout v1.key -out v1.csr"));
    openssl(folder, "x509 -req -in v1.csr -signkey v1.key -days 30 -out v1.pem");
    let read = |certificate: &str, key: &str| {
        let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
        Pair { certificate: read(certificate), key: read(key) }
    };
    let (own, v1) = (read("own.pem", "ca.key"), read("v1.pem", "v1.key"));
    let exporter = start(&scene, &[&own, &v1], "");
    assert!(admits(&scene, &exporter, Some(&own)), "{}", exporter.log());
    assert!(presenting(&scene, &v1).get(exporter.address(), "/metrics").is_ok(), "{}", exporter.log());
}
