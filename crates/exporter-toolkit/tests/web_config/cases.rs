//! Files, what is said to them, and whether Prometheus's own tool says the same.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::{
    pki::{Authority, Pair},
    tls_cases,
};

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
const COST: &str = "expected a cost of 4 to 31, and better one of 10 to 14";

pub(crate) const BLANK: &str = "blank, which would keep nobody out: give a value, or remove the field";

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
    tls_cases::certificates(&mut case, folder);
    tls_cases::clients(&mut case);
    tls_cases::versions_suites_and_curves(&mut case);
    http(&mut case);
    users(&mut case);
    rate_limits(&mut case);
    cases
}

pub(crate) type Add<'a> = &'a mut dyn FnMut(Promtool, &str, &[&str]);

fn the_file_as_a_whole(case: Add<'_>) {
    case(Agrees, "", &[]);
    case(Agrees, "# nothing\n", &[]);
    case(Agrees, "{}", &[]);
    case(Agrees, "tls_server_config:\nhttp_server_config: ~\n", &[]);
    case(Agrees, "\u{feff}http_server_config: {http2: true}\n", &[]);
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
    for (code, text) in [
        ("0000", "\0\0\0\0\0\0\0\0"),
        ("0000", "http_server_config: {}\0\nbasic_auth_users: {alice: x}\n"),
        ("0001", "# \u{1}\nbasic_auth_users: {}\n"),
        ("007F", "basic_auth_users: {\u{7f}: x}\n"),
        ("FFFE", "# \u{fffe}\n"),
    ] {
        let fault = format!("line 1: unexpected character U+{code}: remove it, or restore the file if it is damaged");
        case(Agrees, text, &[&fault]);
    }
    case(
        Deviates("versions of YAML differ over whether it ends a line"),
        "# a comment\u{2028}basic_auth_users: {}\n",
        &["line 1: unexpected character U+2028: remove it, or restore the file if it is damaged"],
    );
    case(
        Deviates("a value that is not what it looks like"),
        "http_server_config: {headers: {X-XSS-Protection: !!binary MA==}}",
        &["line 1: tags (!name) are not accepted: write the value without it"],
    );
    case(
        Deviates("a merge key hides which fields there are"),
        "http_server_config: {<<: {http2: true}}",
        &["line 1: merge keys (<<) are not accepted: write the fields out"],
    );
    case(Agrees, "http_server_config: {headers: {X-XSS-Protection: !!str 0}}", &[]);
    case(
        Agrees,
        &format!("http_server_config: {}", "[".repeat(20_000)),
        &["line 1, column 276: not YAML: recursion limit exceeded"],
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
            "tls_server_config.cert_file: cannot read DIR/absent.pem: no such file or directory: check the path, the mount and the \
             permissions",
        ],
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
    for nothing in ["", "~", "null"] {
        case(
            Deviates("a template that rendered to nothing would open the door"),
            &format!("basic_auth_users: {nothing}"),
            &[&format!("basic_auth_users: {BLANK}")],
        );
    }
    case(Agrees, "basic_auth_users: ''", &["basic_auth_users: expected fields (name: value), found a single value"]);
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
    for slow in ["15", "31"] {
        case(Agrees, &user(&with(slow)), &[]);
    }
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
