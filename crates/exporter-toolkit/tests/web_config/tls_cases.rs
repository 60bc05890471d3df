//! Files that ask for TLS, and what is said to them.

use std::{fs, path::Path};

use crate::cases::{
    Add, BLANK,
    Promtool::{Agrees, Deviates, TooOld},
};

const NO_CERTIFICATE: &str = "no certificate in it: expected PEM, from -----BEGIN CERTIFICATE----- on";
const NO_KEY: &str = "no private key in it: expected PEM, from -----BEGIN PRIVATE KEY----- on, without a passphrase";
const SUITES: &str = "expected TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256, \
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, \
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
const UNDONE: &str = "is a cipher suite with CBC, RC4 or RSA key exchange, which this exporter does not do";
const CURVES: &str = "expected X25519, CurveP256, CurveP384, X25519MLKEM768, SecP256r1MLKEM768";

/// The YAML of a section that has a certificate, and `rest`.
fn tls(rest: &str) -> String {
    format!("tls_server_config: {{cert_file: server.pem, key_file: server.key, {rest}}}")
}

pub(crate) fn certificates(case: Add<'_>, folder: &Path) {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (certificate, key) = (read("server.pem"), read("server.key"));
    let either = [
        "tls_server_config: neither cert_file nor cert: add one",
        "tls_server_config: neither key_file nor key: add one",
    ];
    case(Agrees, &tls(""), &[]);
    case(
        Agrees,
        &format!("tls_server_config: {{cert_file: {0}/server.pem, key_file: {0}/server.key}}", folder.display()),
        &[],
    );
    case(TooOld, &format!("tls_server_config: {{cert: {certificate:?}, key: {key:?}}}"), &[]);
    case(TooOld, &format!("tls_server_config: {{cert: {certificate:?}, key_file: server.key}}"), &[]);
    case(
        TooOld,
        "tls_server_config: {cert: text, key: text}",
        &[&format!("tls_server_config.cert: {NO_CERTIFICATE}"), &format!("tls_server_config.key: {NO_KEY}")],
    );
    case(
        TooOld,
        &tls("cert: text, key: text"),
        &[
            "tls_server_config: cert_file and cert are given: keep one",
            "tls_server_config: key_file and key are given: keep one",
        ],
    );
    case(Agrees, "tls_server_config: {cert_file: '', key_file: ''}", &[]);
    case(Agrees, "tls_server_config: {cert_file: server.pem, key_file: ''}", &either[1..]);
    case(Agrees, "tls_server_config: {key_file: server.key}", &either[..1]);
    case(Agrees, "tls_server_config: {client_auth_type: NoClientCert}", &either);
    case(Deviates("a section that asks for TLS and gets none"), "tls_server_config: {min_version: TLS13}", &either);
    case(
        Agrees,
        "tls_server_config: {cert_file: [a], key_file: server.key}",
        &["tls_server_config.cert_file: expected a single value, found a list"],
    );
    case(
        Agrees,
        "tls_server_config: {cert_file: server.pem, key_file: other.key}",
        &["tls_server_config.key_file: not the key of the certificate: give the two that were made together"],
    );
    case(
        Agrees,
        "tls_server_config: {cert_file: garbage, key_file: half.key}",
        &[&format!("tls_server_config.cert_file: {NO_CERTIFICATE}"), &format!("tls_server_config.key_file: {NO_KEY}")],
    );
    case(
        Agrees,
        "tls_server_config: {cert_file: server.pem, key_file: odd.key}",
        &[
            "tls_server_config.key_file: not a private key that can be used: expected RSA of 2048 bits or more, ECDSA on P-256, \
         P-384 or P-521, or Ed25519",
        ],
    );
    case(
        Agrees,
        "tls_server_config: {cert_file: server.key, key_file: server.pem}",
        &[&format!("tls_server_config.cert_file: {NO_CERTIFICATE}"), &format!("tls_server_config.key_file: {NO_KEY}")],
    );
    case(
        Agrees,
        "tls_server_config: {cert_file: directory, key_file: server.key}",
        &["tls_server_config.cert_file: cannot read DIR/directory: not a file: check the path"],
    );
    // A key in place of its path is not repeated.
    case(
        Agrees,
        "tls_server_config:\n  cert_file: server.pem\n  key_file: |\n    -----BEGIN PRIVATE KEY-----\n    MAA=\n",
        &["tls_server_config.key_file: more than one line: expected the path of a file"],
    );
}

pub(crate) fn clients(case: Add<'_>) {
    for policy in ["NoClientCert", "RequestClientCert", "RequireAnyClientCert", "RequireClientCert"] {
        case(Agrees, &tls(&format!("client_auth_type: {policy}")), &[]);
    }
    let ask = "add client_auth_type: RequireAndVerifyClientCert";
    for policy in ["VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] {
        case(Agrees, &tls(&format!("client_auth_type: {policy}, client_ca_file: ca.pem")), &[]);
        case(Agrees, &tls(&format!("client_auth_type: {policy}")), &[]);
    }
    case(
        Agrees,
        &tls("client_auth_type: Required"),
        &[
            "tls_server_config.client_auth_type: \"Required\" is not a policy: expected NoClientCert, RequestClientCert, \
         RequireAnyClientCert, RequireClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert",
        ],
    );
    let unasked = format!("tls_server_config: clients' certificates have an authority, and none is asked for: {ask}");
    case(Agrees, &tls("client_ca_file: ca.pem"), &[&unasked]);
    case(Agrees, &tls("client_ca_file: ca.pem, client_auth_type: NoClientCert"), &[&unasked]);
    case(Agrees, &tls("client_ca_file: ca.pem, client_auth_type: RequestClientCert"), &[]);
    case(
        Deviates("an authority without a certificate lets nobody in; newer toolkits refuse it as well"),
        &tls("client_ca_file: garbage, client_auth_type: RequireAndVerifyClientCert"),
        &[&format!("tls_server_config.client_ca_file: {NO_CERTIFICATE}")],
    );
    case(
        Agrees,
        &tls("client_ca_file: absent, client_auth_type: RequireAndVerifyClientCert"),
        &[
            "tls_server_config.client_ca_file: cannot read DIR/absent: no such file or directory: check the path, the mount and the \
         permissions",
        ],
    );
    let opens = Deviates("a template that rendered to nothing would open the door");
    for nothing in ["", "~", "''", "\"\""] {
        let fault = format!("tls_server_config.client_auth_type: {BLANK}");
        case(opens, &tls(&format!("client_auth_type: {nothing}")), &[&fault]);
        let fault = format!("tls_server_config.client_allowed_sans: {BLANK}");
        for policy in ["RequireAnyClientCert", "RequireAndVerifyClientCert, client_ca_file: ca.pem"] {
            let text = tls(&format!("client_allowed_sans: {nothing}, client_auth_type: {policy}"));
            case(TooOld, &text, &[&fault]);
        }
    }
    case(
        TooOld,
        &tls("client_allowed_sans: [a, '', ~], client_auth_type: RequireAnyClientCert"),
        &[
            "tls_server_config.client_allowed_sans[1]: blank: expected a host, an address, a mailbox or a URI",
            "tls_server_config.client_allowed_sans[2]: expected a single value, found nothing",
        ],
    );
    for blank in
        ["client_ca_file: ''", "client_ca_file: ", "client_auth_type: RequireAnyClientCert, client_ca_file: ''"]
    {
        case(Agrees, &tls(blank), &[]);
    }
    let sans = "client_allowed_sans: [host.example, 10.0.0.1, a@b.example, 'spiffe://a/b']";
    case(TooOld, &tls(&format!("{sans}, client_auth_type: RequireAnyClientCert")), &[]);
    case(TooOld, &tls(&format!("{sans}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem")), &[]);
    let nothing_to_see = format!("tls_server_config: client_allowed_sans needs a certificate of every client: {ask}");
    case(TooOld, &tls(sans), &[&nothing_to_see]);
    case(TooOld, &tls(&format!("{sans}, client_auth_type: RequestClientCert")), &[&nothing_to_see]);
    case(
        TooOld,
        &tls("client_allowed_sans: host, client_auth_type: RequireAnyClientCert"),
        &["tls_server_config.client_allowed_sans: expected a list, found a single value"],
    );
}

pub(crate) fn versions_suites_and_curves(case: Add<'_>) {
    let rustls = Deviates("rustls speaks TLS 1.2 and 1.3, with ECDHE and AEAD");
    for versions in
        ["min_version: TLS12", "min_version: TLS13", "max_version: TLS12", "min_version: TLS12, max_version: TLS12"]
    {
        case(Agrees, &tls(versions), &[]);
    }
    for (field, version) in [("min_version", "TLS10"), ("max_version", "TLS11")] {
        case(
            rustls,
            &tls(&format!("{field}: {version}")),
            &[&format!(
                "tls_server_config.{field}: {version:?} is a version that this exporter does not speak, as it is broken: \
             expected TLS12 or TLS13"
            )],
        );
    }
    case(
        Agrees,
        &tls("min_version: TLS14"),
        &["tls_server_config.min_version: \"TLS14\" is not a version of TLS: expected TLS12 or TLS13"],
    );
    case(
        Deviates("nobody could connect"),
        &tls("min_version: TLS13, max_version: TLS12"),
        &["tls_server_config: min_version is above max_version, and no client could connect: lower it"],
    );
    case(Agrees, &tls("cipher_suites: []"), &[]);
    case(Agrees, &tls("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]"), &[]);
    let chacha = "cipher_suites: [TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]";
    let http1 = "http_server_config: {http2: false}";
    case(Agrees, &(tls(&format!("{chacha}, prefer_server_cipher_suites: false")) + "\n" + http1), &[]);
    case(Agrees, &tls(&format!("{chacha}, min_version: TLS13")), &[]);
    let not_http2 = "tls_server_config.cipher_suites: without one of the suites that HTTP/2 requires: add \
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, or set http2: false";
    for suites in [chacha, "cipher_suites: [TLS_AES_128_GCM_SHA256]"] {
        case(Deviates("the toolkit's check passes, and its server does not start"), &tls(suites), &[not_http2]);
    }
    for required in ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"] {
        let suites = format!("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, {required}]");
        case(Agrees, &tls(&suites), &[]);
    }
    blanks(case);
    for suite in ["TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"] {
        case(
            rustls,
            &tls(&format!("cipher_suites: [{suite}]")),
            &[&format!("tls_server_config.cipher_suites[0]: {suite:?} {UNDONE}: {SUITES}")],
        );
    }
    for suite in ["TLS_RSA_WITH_RC4_128_SHA", "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"] {
        let fault = format!("tls_server_config.cipher_suites[0]: {suite:?} {UNDONE}: {SUITES}");
        case(Agrees, &tls(&format!("cipher_suites: [{suite}]")), &[&fault]);
    }
    case(
        Agrees,
        &tls("cipher_suites: [AES]"),
        &[&format!("tls_server_config.cipher_suites[0]: \"AES\" is not a cipher suite: {SUITES}")],
    );
    case(
        Deviates("no suite would be left"),
        &(tls("cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12") + "\n" + http1),
        &[
            "tls_server_config: no client could connect: unexpected error: no usable cipher suites configured: allow more \
         versions or suites",
        ],
    );
    case(
        Agrees,
        &tls("prefer_server_cipher_suites: maybe"),
        &["tls_server_config.prefer_server_cipher_suites: \"maybe\" is neither true nor false: expected one of them"],
    );
    case(Agrees, &tls("curve_preferences: [X25519, CurveP256, CurveP384]"), &[]);
    case(TooOld, &tls("curve_preferences: [X25519MLKEM768, SecP256r1MLKEM768]"), &[]);
    case(
        rustls,
        &tls("curve_preferences: [CurveP521]"),
        &[&format!(
            "tls_server_config.curve_preferences[0]: \"CurveP521\" is a curve that this exporter does not do: {CURVES}"
        )],
    );
    case(
        Agrees,
        &tls("curve_preferences: [CurveP999]"),
        &[&format!("tls_server_config.curve_preferences[0]: \"CurveP999\" is not a curve: {CURVES}")],
    );
}

/// A blank where a version, a suite or a curve belongs.
fn blanks(case: Add<'_>) {
    for (field, fault) in [
        ("min_version", "\"\" is not a version of TLS: expected TLS12 or TLS13".to_owned()),
        ("max_version", "\"\" is not a version of TLS: expected TLS12 or TLS13".to_owned()),
        ("cipher_suites", "expected a list, found a single value".to_owned()),
        ("curve_preferences", "expected a list, found a single value".to_owned()),
        ("prefer_server_cipher_suites", "\"\" is neither true nor false: expected one of them".to_owned()),
    ] {
        case(Agrees, &tls(&format!("{field}: ''")), &[&format!("tls_server_config.{field}: {fault}")]);
        case(Agrees, &tls(&format!("{field}: ")), &[]);
    }
    case(
        Agrees,
        &tls("cipher_suites: ['']"),
        &[&format!("tls_server_config.cipher_suites[0]: \"\" is not a cipher suite: {SUITES}")],
    );
    case(
        Agrees,
        &tls("curve_preferences: ['']"),
        &[&format!("tls_server_config.curve_preferences[0]: \"\" is not a curve: {CURVES}")],
    );
}
