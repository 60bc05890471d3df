//! Files, what is said to them, and whether Prometheus's own tool says the same.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::pki::{Authority, Pair};

/// What `promtool check web-config` of Prometheus 2.42 says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Promtool {
    /// The same as we.
    Agrees,
    /// The opposite, with our reason.
    Deviates(&'static str),
    /// It is too old to know this.
    TooOld,
}

use Promtool::{Agrees, Deviates, TooOld};

pub(crate) struct Case {
    pub(crate) text: String,
    pub(crate) promtool: Promtool,
    /// All faults, or none. `DIR/` stands for the folder of the file.
    pub(crate) faults: Vec<&'static str>,
}

const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

const ROOT: &str = "expected tls_server_config, http_server_config, basic_auth_users, rate_limit";
const NOT_A_HASH: &str = "not a bcrypt hash: expected the 60 characters that htpasswd -nBC 10 \"\" prints after the colon, \
    not the password";
const COST: &str = "expected a cost of 4 to 14, which takes a second at the most";
const NO_CERTIFICATE: &str = "no certificate in it: expected PEM, from -----BEGIN CERTIFICATE----- on";
const NO_KEY: &str = "no private key in it: expected PEM, from -----BEGIN PRIVATE KEY----- on, without a passphrase";
const SUITES: &str = "expected TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256, \
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, \
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
const UNDONE: &str = "is a cipher suite with CBC, RC4 or RSA key exchange, which this exporter does not do";
const CURVES: &str = "expected X25519, CurveP256, CurveP384, X25519MLKEM768, SecP256r1MLKEM768";

/// A folder with what the cases name.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.issue(&["localhost"]).write(folder.path(), "server");
    Pair::self_signed("localhost").write(folder.path(), "other");
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("ca.pem", &authority.certificate());
    file("garbage", "this is no PEM\n");
    let key = fs::read_to_string(folder.path().join("server.key")).unwrap();
    file("half.key", &key[..key.len() / 2]);
    // Of a curve that nobody serves with.
    file("odd.key", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
    fs::create_dir(folder.path().join("directory")).unwrap();
    folder
}

pub(crate) fn cases(folder: &Path) -> Vec<Case> {
    let mut cases = vec![];
    let mut case = |promtool, text: &str, faults: &[&str]| {
        let faults = faults.iter().map(|fault| &*fault.to_string().leak()).collect();
        cases.push(Case { text: text.to_owned(), promtool, faults });
    };
    the_file_as_a_whole(&mut case);
    certificates(&mut case, folder);
    clients(&mut case);
    versions_suites_and_curves(&mut case);
    http(&mut case);
    users(&mut case);
    rate_limits(&mut case);
    cases
}

type Add<'a> = &'a mut dyn FnMut(Promtool, &str, &[&str]);

fn the_file_as_a_whole(case: Add<'_>) {
    case(Agrees, "", &[]);
    case(Agrees, "# nothing\n", &[]);
    case(Agrees, "{}", &[]);
    case(Agrees, "tls_server_config:\nhttp_server_config: ~\nbasic_auth_users: null\n", &[]);
    let not_one = "not a configuration: expected fields at its top level, such as basic_auth_users:";
    case(Agrees, "text", &[not_one]);
    case(Agrees, "[1, 2]", &[not_one]);
    case(
        Agrees,
        "tls_server_confg: {}",
        &[&format!("tls_server_confg: unknown field (did you mean tls_server_config?): {ROOT}")],
    );
    case(
        Agrees,
        "http_server_config: {http2: true}\nhttp_server_config: {http2: true}",
        &["http_server_config: given twice, again on line 2: keep one"],
    );
    case(Agrees, "tls_server_config: [a]", &["tls_server_config: expected fields (name: value), found a list"]);
    case(Agrees, "basic_auth_users: [a]", &["basic_auth_users: expected fields (name: value), found a list"]);
    case(
        Deviates("an alias can make a small file a huge one"),
        &format!("basic_auth_users: {{a: &h '{HASH}', b: *h}}"),
        &["line 1: aliases (*name) are not taken: write the value out"],
    );
    case(
        Deviates("whatever stands in a second document would be ignored"),
        "http_server_config: {}\n---\nbasic_auth_users: {}\n",
        &["line 2: a second document begins: expected one; remove the line --- or what follows it"],
    );
    // All at once, in the order of the file.
    case(
        Agrees,
        "
        tls_server_config: {cert_file: absent.pem, key_file: garbage, cipher_suite: []}
        http_server_config: {http2: 2, headers: {Server: x}}
        basic_auth_users: {alice: secret}
        ",
        &[
            "tls_server_config.cipher_suite: unknown field (did you mean cipher_suites?): expected cert, cert_file, key, \
             key_file, client_ca, client_ca_file, client_auth_type, client_allowed_sans, min_version, max_version, \
             cipher_suites, prefer_server_cipher_suites, curve_preferences",
            "http_server_config.http2: \"2\" is neither true nor false: expected one of them",
            "http_server_config.headers.Server: unknown field: expected Content-Security-Policy, X-Frame-Options, \
             X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security",
            &format!("basic_auth_users.alice: {NOT_A_HASH}"),
            "tls_server_config.cert_file: cannot read DIR/absent.pem: entity not found: check the path, the mount and the \
             permissions",
        ],
    );
}

/// The YAML of a section that has a certificate, and `rest`.
fn tls(rest: &str) -> String {
    format!("tls_server_config: {{cert_file: server.pem, key_file: server.key, {rest}}}")
}

fn certificates(case: Add<'_>, folder: &Path) {
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
}

fn clients(case: Add<'_>) {
    for policy in ["NoClientCert", "RequestClientCert", "RequireAnyClientCert", "RequireClientCert"] {
        case(Agrees, &tls(&format!("client_auth_type: {policy}")), &[]);
    }
    let ask = "add client_auth_type: RequireAndVerifyClientCert";
    let system = "the toolkit takes the system's authorities then, and so anybody's certificate";
    for policy in ["VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] {
        case(Agrees, &tls(&format!("client_auth_type: {policy}, client_ca_file: ca.pem")), &[]);
        case(
            Deviates(system),
            &tls(&format!("client_auth_type: {policy}")),
            &["tls_server_config: clients' certificates are to be verified, and have no authority: add client_ca_file"],
        );
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
            "tls_server_config.client_ca_file: cannot read DIR/absent: entity not found: check the path, the mount and the \
         permissions",
        ],
    );
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

fn versions_suites_and_curves(case: Add<'_>) {
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
    case(
        Agrees,
        &tls("cipher_suites: [TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256], prefer_server_cipher_suites: false"),
        &[],
    );
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
        &tls("cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12"),
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

fn http(case: Add<'_>) {
    let headers = |headers: &str| format!("http_server_config: {{headers: {{{headers}}}}}");
    for good in [
        "Strict-Transport-Security: max-age=1, X-Content-Type-Options: nosniff, X-Frame-Options: deny",
        "X-Frame-Options: sameorigin, X-XSS-Protection: '0'",
        "Content-Security-Policy: \"default-src 'self';\\n frame-ancestors 'none'\\n\"",
        "X-XSS-Protection: '', Content-Security-Policy: ",
    ] {
        case(Agrees, &headers(good), &[]);
    }
    case(Agrees, "http_server_config: {http2: false}", &[]);
    case(Agrees, "http_server_config: {http2: yes}", &[]);
    case(Deviates("a quoted word is read as the plain one"), "http_server_config: {http2: 'true'}", &[]);
    case(
        Agrees,
        "http_server_config: {http2: maybe}",
        &["http_server_config.http2: \"maybe\" is neither true nor false: expected one of them"],
    );
    case(
        Agrees,
        &headers("x-frame-options: deny"),
        &["http_server_config.headers.x-frame-options: unknown field (did you mean X-Frame-Options?): expected \
         Content-Security-Policy, X-Frame-Options, X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security"],
    );
    for value in ["allow", "DENY", "''", ""] {
        case(
            Agrees,
            &headers(&format!("X-Frame-Options: {value}")),
            &["http_server_config.headers.X-Frame-Options: not a value of this header: expected deny or sameorigin"],
        );
    }
    case(
        Agrees,
        &headers("X-Content-Type-Options: sniff"),
        &["http_server_config.headers.X-Content-Type-Options: not a value of this header: expected nosniff"],
    );
    case(
        Deviates("no header may have it"),
        &headers("X-XSS-Protection: \"a\\0b\""),
        &["http_server_config.headers.X-XSS-Protection: not the text of a header: expected no control characters"],
    );
}

fn users(case: Add<'_>) {
    let with = |cost: &str| HASH.replace("$10$", &format!("${cost}$"));
    let user = |hash: &str| format!("basic_auth_users: {{alice: '{hash}'}}");
    case(Agrees, "basic_auth_users: {}", &[]);
    for hash in [HASH, &HASH.replace("2y", "2a"), &HASH.replace("2y", "2b"), &with("04"), &with("14")] {
        case(Agrees, &user(hash), &[]);
    }
    let fault = format!("basic_auth_users.alice: {NOT_A_HASH}");
    for plain in ["secret", "", "'", "$2y$10$short", "$3y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"] {
        case(Agrees, &user(&plain.replace('\'', "''")), &[&fault]);
    }
    case(Agrees, "basic_auth_users: {alice: }", &[&fault]);
    case(Agrees, "basic_auth_users: {alice: [a]}", &["basic_auth_users.alice: expected a single value, found a list"]);
    case(Deviates("no password could match it"), &user(&HASH.replace("LDeSi", "LDe!!")), &[&fault]);
    case(
        Deviates("each check would take seconds"),
        &user(&with("15")),
        &[&format!("basic_auth_users.alice: a bcrypt hash of cost 15: {COST}")],
    );
    case(Agrees, &user(&with("32")), &[&format!("basic_auth_users.alice: a bcrypt hash of cost 32: {COST}")]);
    case(Agrees, &user(&with("03")), &[&format!("basic_auth_users.alice: a bcrypt hash of cost 3: {COST}")]);
}

fn rate_limits(case: Add<'_>) {
    for good in
        ["interval: 1s, burst: 10", "interval: 0", "interval: 0s, burst: 5", "burst: 5", "interval: 1m0.5s, burst: 1"]
    {
        case(TooOld, &format!("rate_limit: {{{good}}}"), &[]);
    }
    let nothing = "rate_limit: a burst of 0 lets no request through: add burst: 1 or more, or interval: 0 for no limit";
    case(TooOld, "rate_limit: {interval: 1s}", &[nothing]);
    case(TooOld, "rate_limit: {interval: 1s, burst: 0}", &[nothing]);
    for wrong in ["1", "soon", "-1s", "1d"] {
        case(
            TooOld,
            &format!("rate_limit: {{interval: {wrong}, burst: 1}}"),
            &[&format!(
                "rate_limit.interval: {wrong:?} is not a duration: expected a number and a unit (ms, s, m or h), such as 500ms, \
             or 0"
            )],
        );
    }
    case(
        TooOld,
        "rate_limit: {interval: 1s, burst: many}",
        &["rate_limit.burst: \"many\" is not a number of requests: expected a whole number, such as 10"],
    );
}
